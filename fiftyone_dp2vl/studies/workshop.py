"""What cells work with: encoders held once, albums, and folders of protected photos."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..attack.controls import write_changed
from ..config import OutputConfig, ProtectionConfig, SelectionConfig
from ..errors import ConfigError, RunError
from ..measure.cells import code_digest, fingerprint
from ..measure.features import Change, PhotoFeatures, embed_files
from ..media.atomic import write_atomically
from .albums import Album, Shot, benchmark_album, folder_album
from .options import Options

if TYPE_CHECKING:
    from ..benchmark import Benchmark
    from ..encoders import Encoder
    from ..runs import Progress

__all__ = ["MAKING", "Made", "Workshop"]

MAKING = ("config", "encoders", "protection", "media", "runs")
"""Rooms whose code decides what a protected file holds."""

FIRST_SEED = 7
"""Seed of the first album; repetition k uses the k-th after it."""


@dataclass(frozen=True)
class Made:
    """What became of one shared photo.

    Attributes:
        key: the photo's key
        path: the file that is shared: the protected one, or the clean one where the ratio left
            the photo alone
        status: ``"protected"`` or ``"clean"``
        linf: largest change of a pixel, in 8-bit levels
        psnr: in dB, None where nothing changed
        ssim: in [-1, 1]
    """

    key: str
    path: Path
    status: str
    linf: int
    psnr: float | None
    ssim: float


class Workshop:
    """A study's tools.

    Args:
        options: the study's
        report: called with (share of the current cell done in [0, 1], what is being done)
    """

    def __init__(
        self, options: Options, report: Callable[[float, str], None] | None = None
    ) -> None:
        self.options = options
        self.report = report or (lambda share, what: None)
        self._features: dict[tuple[str, str], PhotoFeatures] = {}
        self._albums: dict[tuple[str, int], Album] = {}

    def encoder(self, name: str) -> Encoder:
        """Returns an encoder by registry name; the registry holds each one once."""
        from ..encoders import load_encoder

        return load_encoder(name, device=self.options.device)

    def album(self, split: str, repetition: int) -> Album:
        """Returns the photos of one repetition: other people and other photos each time."""
        if self.options.album is not None:
            repetition = 0  # one's own photos are all there is
        if (split, repetition) not in self._albums:
            self._albums[split, repetition] = self._make_album(split, repetition)
        return self._albums[split, repetition]

    def _make_album(self, split: str, repetition: int) -> Album:
        options = self.options
        if options.album is not None:
            return folder_album(options.album)
        drawn = {
            "people": options.people,
            "seed": FIRST_SEED + repetition,
            "split": split,
            "per_scenario": options.per_scenario,
            "queries": options.queries,
        }
        name = fingerprint({**drawn, "code": code_digest("benchmark")})
        self.report(0.0, "draws the photos")
        folder = options.cache / "albums" / f"{split}-{repetition}-{name}"
        return benchmark_album(folder, **drawn)  # type: ignore[arg-type]

    def benchmark(
        self, split: str, repetition: int, *, people: int, queries: int, per_scenario: int = 1
    ) -> Benchmark:
        """Returns synthetic people with their facts, drawn unless they are there."""
        from ..benchmark import ArtMissingError, generate_benchmark

        drawn: dict[str, Any] = {
            "people": people,
            "seed": FIRST_SEED + repetition,
            "split": split,
            "photos_per_scenario": per_scenario,
            "queries": queries,
        }
        name = fingerprint({**drawn, "code": code_digest("benchmark")})
        self.report(0.0, "draws the photos")
        folder = self.options.cache / "albums" / f"{split}-{repetition}-{name}"
        try:
            return generate_benchmark(folder, **drawn)
        except (ArtMissingError, ValueError) as error:  # no art library, or too few looks
            raise ConfigError(str(error)) from error

    def protected(
        self,
        shots: Sequence[Shot],
        config: ProtectionConfig,
        selection: SelectionConfig | None = None,
        output: OutputConfig | None = None,
        *,
        people_known: bool = True,
    ) -> list[Made]:
        """Returns the shots as they would be shared, protected by the package's own runner.

        The folder is kept and shared by all studies that ask for the same one; the runner makes
        an unfinished one whole.

        Args:
            shots: clean photos
            config: how they are moved
            selection: which of them; by default all
            output: how they are written
            people_known: whether the run is told who is on each photo; where it is not, strategies
                that need people use clusters of embeddings

        Raises:
            RunError: if a photo could not be protected
        """
        import torch

        from ..runs import PhotoItem, protect_photos

        selection, output = selection or SelectionConfig(), output or OutputConfig()
        encoders = [self.encoder(name) for name in config.encoders]
        spec = {
            "photos": [[s.key, s.person if people_known else None, _sha(s.path)] for s in shots],
            "config": config.to_dict(),
            "selection": selection.to_dict(),
            "output": output.to_dict(),
            "weights": [encoder.info.weights_sha256 for encoder in encoders],
            "threads": torch.get_num_threads(),
            "code": code_digest(*MAKING),
        }
        folder = self.options.cache / "protected" / fingerprint(spec)
        # beside the run's folder, which holds what the runner puts there and nothing else
        done = folder.with_suffix(".json")
        if not done.is_file():
            result = protect_photos(
                [
                    PhotoItem(s.key, s.path, s.person if people_known else None, draw=s.key)
                    for s in shots
                ],
                folder,
                config,
                selection,
                output,
                device=self.options.device,
                encoders=encoders,
                progress=self._show,
            )
            failed = [record for record in result.records if record.status == "failed"]
            if failed:
                raise RunError(
                    f"{len(failed)} of {len(shots)} photos could not be protected; the first: "
                    f"{failed[0].error}"
                )
            records = {
                record.key: {
                    "path": None if record.status == "clean" else str(record.path),
                    "linf": record.linf,
                    # JSON has no infinity: None stands for "identical"
                    "psnr": None if record.psnr == float("inf") else record.psnr,
                    "ssim": record.ssim,
                }
                for record in result.records
            }
            write_atomically(done, json.dumps(records).encode(), replace=True)
        return [_made(shot, json.loads(done.read_text(encoding="utf-8"))) for shot in shots]

    def _show(self, progress: Progress) -> None:
        # the survey is short beside the protection, and probing takes the last part of a cell
        share = progress.done / max(1, progress.total)
        done = 0.1 + 0.7 * share if progress.phase == "protect" else 0.1 * share
        self.report(done, progress.label)

    def controls(
        self, shots: Sequence[Shot], name: str, spec: Mapping[str, Any], change: Change
    ) -> list[Path]:
        """Returns files of the shots changed in another way than by protection.

        Args:
            shots: clean photos
            name: of the control
            spec: JSON values that determine the change
            change: the change
        """
        full = {"photos": [[shot.key, _sha(shot.path)] for shot in shots], **spec}
        folder = self.options.cache / "controls" / f"{name}-{fingerprint(full)}"
        return write_changed(shots, change, folder)

    def features(self, paths: Sequence[Path], encoder: str) -> PhotoFeatures:
        """Returns the features of files, computed once in this process."""
        key = (encoder, fingerprint({"paths": [str(path) for path in paths]}))
        if key not in self._features:
            self._features[key] = embed_files(paths, self.encoder(encoder))
        return self._features[key]


def _sha(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _made(shot: Shot, records: Mapping[str, Mapping[str, Any]]) -> Made:
    record = records[shot.key]
    if record["path"] is None:
        return Made(shot.key, shot.path, "clean", 0, None, 1.0)
    return Made(
        shot.key,
        Path(record["path"]),
        "protected",
        record["linf"],
        record["psnr"],
        record["ssim"],
    )
