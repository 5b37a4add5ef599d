"""The names under which a run is stored: no two runs share a field, a plot or a folder."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Sequence

from ..errors import ConfigError

__all__ = ["RunNames", "check_run_name", "clean_field", "encoder_slugs"]

PREFIX = "dp2vl_"

_MAX_RUN_NAME = 40


def check_run_name(run: str) -> str:
    """Returns a run's name.

    Raises:
        ConfigError: if it cannot be part of a field's name
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", run) or keyword.iskeyword(run):
        raise ConfigError(
            f"run name {run!r} cannot name a field: begin with a letter and use letters, digits "
            "and underscores"
        )
    if len(run) > _MAX_RUN_NAME:
        raise ConfigError(f"run name {run!r} is longer than {_MAX_RUN_NAME} characters: shorten it")
    return run


def encoder_slugs(names: Iterable[str]) -> dict[str, str]:
    """Returns a short, distinct name for each encoder that can be part of a field's name.

    ``open_clip:ViT-L-14/openai`` becomes ``vit_l_14_openai`` and ``local:/models/mine`` becomes
    ``mine``.
    """
    slugs: dict[str, str] = {}
    for name in names:
        family, _, rest = name.partition(":")
        parts = [part for part in (rest or family).split("/") if part]
        # a path's folders say nothing; a hub's organisation or a pretraining tag does not hurt
        if rest.startswith(("/", ".", "~")) or family == "local":
            parts = parts[-1:]
        slug = re.sub(r"[^a-z0-9]+", "_", "_".join(parts).lower()).strip("_") or "encoder"
        taken, unique, number = set(slugs.values()), slug, 2
        while unique in taken:
            unique, number = f"{slug}_{number}", number + 1
        slugs[name] = unique
    return slugs


def clean_field(encoder: str) -> str:
    """Returns the default field for an encoder's embeddings of the original photos."""
    return f"{PREFIX}{encoder_slugs([encoder])[encoder]}_clean"


class RunNames:
    """Every name that a run uses on its dataset.

    Args:
        run: the run's name
        encoders: the names of its surrogate encoders

    Attributes:
        key: of the custom run
        path: field with the protected file
        status: field with ``"protected"``, ``"clean"`` or ``"failed"``
        error: field with why a photo failed
        linf: field with the largest change in 1/255
        psnr: field in dB
        ssim: field in [-1, 1]
    """

    def __init__(self, run: str, encoders: Sequence[str]) -> None:
        self.run = check_run_name(run)
        self.slugs = encoder_slugs(encoders)
        self.key = PREFIX + run
        self.path = self._of("path")
        self.status = self._of("status")
        self.error = self._of("error")
        self.linf = self._of("linf")
        self.psnr = self._of("psnr")
        self.ssim = self._of("ssim")

    def token_cosine(self, encoder: str) -> str:
        """Field with the mean cosine of a photo's patch tokens before and after."""
        return self._of(f"token_cos_{self.slugs[encoder]}")

    def pooled_cosine(self, encoder: str) -> str:
        """Field with the cosine of a photo's pooled embedding before and after."""
        return self._of(f"cos_{self.slugs[encoder]}")

    def clean_embedding(self, encoder: str) -> str:
        """Field with the original photo's pooled embedding."""
        return self._of(f"emb_clean_{self.slugs[encoder]}")

    def protected_embedding(self, encoder: str) -> str:
        """Field with the protected file's pooled embedding."""
        return self._of(f"emb_protected_{self.slugs[encoder]}")

    def brain_keys(self, encoder: str) -> tuple[str, str]:
        """Keys of the two plots: the original photos, and the photos as released."""
        first = next(iter(self.slugs)) == encoder
        tail = "" if first else f"_{self.slugs[encoder]}"
        return self._of(f"clean{tail}"), self._of(f"released{tail}")

    def fields(self) -> list[str]:
        """Returns every sample field of the run."""
        per_encoder = (
            self.token_cosine,
            self.pooled_cosine,
            self.clean_embedding,
            self.protected_embedding,
        )
        return [
            *(self.path, self.status, self.error, self.linf, self.psnr, self.ssim),
            *(name(encoder) for encoder in self.slugs for name in per_encoder),
        ]

    def _of(self, what: str) -> str:
        return f"{PREFIX}{self.run}_{what}"
