"""What arms are made from: one repetition's photos, the protection, and our own tool."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ..config import ProtectionConfig, SelectionConfig
from ..errors import Cancelled
from ..measure.features import Change
from .album import AlbumPhoto, AttackAlbum
from .controls import changed_photos
from .face import Box, face_boxes
from .settings import AttackConfig
from .tool import ToolPhoto, run_tool

__all__ = ["Material", "Pair", "Workbench"]

ENOUGH_OTHERS = 8
"""Photos of other people without which nothing can be learned from them."""


@dataclass(frozen=True)
class Pair:
    """A photo of somebody else before and after our tool.

    Attributes:
        photo: the clean one
        protected: its protected file
    """

    photo: AlbumPhoto
    protected: Path


@dataclass(frozen=True)
class Material:
    """What an attacker trains on, and what else he does differently.

    Attributes:
        photos: the training photos, none for no training
        queries: query photo's key -> the file that is asked about in place of the clean one
        changes: of the fine-tuning recipe
        longer: how many times the recipe's epochs are trained
        pairs: from which a proxy learns a map of features from protected to clean
        facts: figures measured on the way: name -> (value per photo, person per photo)
    """

    photos: tuple[AlbumPhoto, ...]
    queries: Mapping[str, Path] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    longer: int = 1
    pairs: tuple[Pair, ...] = ()
    facts: Mapping[str, tuple[list[float], list[str]]] = field(default_factory=dict)


class Workbench:
    """One repetition's photos and the tools that arms use.

    Args:
        album: the clean photos
        protected: share photo's key -> protected file; None where nothing was protected, or where
            it is to be protected here
        protection: how photos are protected; None where that is not known
        config: the evaluation's
        cache: folder for files that arms make
        repetition: seeds subsets
        device: of surrogates
        report: called with (share of the current work done in [0, 1], what is being done)
        cancel: asked whether to stop
    """

    def __init__(
        self,
        album: AttackAlbum,
        protected: Mapping[str, Path] | None,
        protection: ProtectionConfig | None,
        config: AttackConfig,
        cache: Path,
        *,
        repetition: int = 0,
        device: str | None = None,
        report: Callable[[float, str], None] | None = None,
        cancel: Callable[[], bool] | None = None,
    ) -> None:
        self.album = album
        self.protection = protection
        self.config = config
        self.cache = cache
        self.repetition = repetition
        self.device = device
        self.report = report or (lambda share, doing: None)
        self.cancel = cancel
        self._given = protected

    def check(self) -> None:
        """Raises :class:`Cancelled` if the user wants to stop."""
        if self.cancel is not None and self.cancel():
            raise Cancelled("stopped; the cells that were finished are kept")

    @cached_property
    def shared(self) -> tuple[AlbumPhoto, ...]:
        """The clean share photos."""
        return tuple(self.album.of("share"))

    @property
    def has(self) -> frozenset[str]:
        """What arms can rely on, of :data:`fiftyone_dp2vl.attack.options.REQUIREMENTS`."""
        found = set()
        if self._given is not None or self.protection is not None:
            found.add("protected")
        if found and not self.left_clean:
            found.add("all protected")
        if self.protection is not None:
            found.add("tool")
            if any(text.startswith("jpeg") for text in self.protection.transforms):
                found.add("jpeg in the loop")
        if self.boxes:
            found.add("faces")
        if len({photo.person for photo in self.album.of("query")}) >= 2:
            found.add("queries of two people")
        others = self.album.of("other")
        if len(others) >= ENOUGH_OTHERS and len({photo.person for photo in others}) >= 2:
            found.add("others")
        return frozenset(found)

    @property
    def left_clean(self) -> int:
        """How many shared photos are clean where others are protected."""
        given = self._given
        return 0 if given is None else sum(photo.key not in given for photo in self.shared)

    @cached_property
    def boxes(self) -> dict[str, Box]:
        """Key -> box of the faces that are known or can be found."""
        return face_boxes(self.shared)

    @cached_property
    def protected(self) -> Mapping[str, Path]:
        """Share photo's key -> protected file."""
        return self.tool(self.shared) if self._given is None else self._given

    @cached_property
    def protected_photos(self) -> tuple[AlbumPhoto, ...]:
        """The share photos as they are shared."""
        return self.with_files(self.shared, self.protected)

    @cached_property
    def grid_pixels(self) -> int:
        """The largest size of the perturbation's grid, in pixels."""
        from ..encoders import load_encoder
        from ..protection import grid_pixels_for

        config = self.protection or ProtectionConfig()
        return grid_pixels_for(
            config, [load_encoder(name, device=self.device) for name in config.encoders]
        )

    @property
    def epsilon(self) -> float:
        """The budget in 1/255: the protection's, or the default where that is not known."""
        return (self.protection or ProtectionConfig()).epsilon

    def with_files(
        self, photos: Sequence[AlbumPhoto], files: Mapping[str, Path]
    ) -> tuple[AlbumPhoto, ...]:
        """Returns the photos with files replaced where ``files`` has one."""
        return tuple(replace(photo, path=files.get(photo.key, photo.path)) for photo in photos)

    def changed(
        self, photos: Sequence[AlbumPhoto], change: Change, **spec: Any
    ) -> tuple[AlbumPhoto, ...]:
        """Returns the photos with their files changed; ``spec`` determines the change."""
        self.report(0.0, f"makes photos: {spec.get('name', 'changed')}")
        folder = self.cache / "controls"
        return tuple(changed_photos(photos, change, spec, folder, cancel=self.check))

    def subset(
        self, ratio: float, *, people: bool = False, photos: Sequence[AlbumPhoto] | None = None
    ) -> set[str]:
        """Returns keys of a nested, seeded share of photos.

        Args:
            ratio: in [0, 1]
            people: whether whole people are drawn; otherwise the share holds for each person
            photos: to draw from; by default the share photos
        """
        from ..runs import select

        drawn = self.shared if photos is None else photos
        seed = self.config.question_seed + self.repetition
        if people:
            chosen = select(
                list(dict.fromkeys(photo.person for photo in drawn)),
                None,
                SelectionConfig(ratio=ratio, seed=seed),
            )
            return {photo.key for photo in drawn if photo.person in set(chosen)}
        keys, groups = [p.key for p in drawn], [p.person for p in drawn]
        return set(select(keys, groups, SelectionConfig(ratio=ratio, stratify=True, seed=seed)))

    def tool(
        self,
        photos: Sequence[AlbumPhoto],
        config: ProtectionConfig | None = None,
        *,
        groups: bool = True,
    ) -> dict[str, Path]:
        """Returns key -> protected file of photos that our tool is run on.

        Args:
            photos: any
            config: how; by default as the share photos were protected
            groups: whether the tool is told who is on each photo
        """
        chosen = config or self.protection
        assert chosen is not None
        return run_tool(
            [ToolPhoto(p.key, p.path, p.person if groups else None) for p in photos],
            chosen,
            self.cache / "protected",
            device=self.device,
            report=lambda share, label: self.report(0.9 * share, f"protects: {label}"),
            cancel=self.cancel,
        )

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Other people's photos before and after our tool."""
        others = self.album.of("other")
        files = self.tool(others)
        return tuple(Pair(photo, files[photo.key]) for photo in others if photo.key in files)
