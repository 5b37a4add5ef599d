"""What an evaluation consists of: who attacks, with which arms, and every cell in its order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..config import ProtectionConfig
from ..errors import ConfigError
from .album import AttackAlbum
from .arms import chosen_arms, list_arms
from .asking import PictureBox
from .base import Attacker
from .cells import measure_model
from .options import REQUIREMENTS, ArmOption
from .proxies import Proxy, parse_proxy
from .proxy_cell import FeatureBox, measure_proxy
from .settings import AttackConfig
from .workbench import Material, Workbench

__all__ = ["CellOf", "Evaluation", "Loader", "without_folders"]

Loader = Callable[[str], Attacker]


@dataclass(frozen=True)
class CellOf:
    """One attacker, one arm, one setting, one repetition.

    Attributes:
        attacker: registry name
        option: the arm
        setting: what every photo tells
        repetition: from 0
    """

    attacker: str
    option: ArmOption
    setting: str
    repetition: int

    @property
    def label(self) -> str:
        """One line for people."""
        repeated = f", repetition {self.repetition + 1}" if self.repetition else ""
        return f"{self.attacker}: {self.option.arm.name}{repeated}"


@dataclass
class Evaluation:
    """Everything that an evaluation holds while it runs.

    Args:
        albums: one, or one a repetition
        config: what is asked for
        protected: of each album, share photo's key -> protected file; None where nothing was
        protection: how photos are protected, where known
        cache: folder of cells and files
        device: of models and surrogates
        load: from a registry name to an attacker
        cancel: asked whether to stop

    Raises:
        ConfigError: if albums, protected files and repetitions do not fit together
    """

    albums: Sequence[AttackAlbum]
    config: AttackConfig
    protected: Sequence[Mapping[str, Path] | None]
    protection: ProtectionConfig | None
    cache: Path
    device: str | None
    load: Loader
    cancel: Callable[[], bool] | None = None
    _held: tuple[str, Attacker] | None = field(default=None, init=False)
    _facts: dict[str, dict[str, Any]] = field(default_factory=dict, init=False)
    _materials: dict[tuple[str, int], Material] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        if not self.albums:
            raise ConfigError("there is no album: give at least one")
        if len(self.protected) != len(self.albums):
            raise ConfigError(
                f"{len(self.albums)} albums and {len(self.protected)} sets of protected files: "
                "give one set for each album"
            )
        for album, files in zip(self.albums, self.protected, strict=True):
            _check_album(album, files)
        self.features = FeatureBox(self.device)
        self.box = PictureBox()
        self.benches = [
            Workbench(
                self.albums[k % len(self.albums)],
                self.protected[k % len(self.albums)],
                self.protection,
                self.config,
                self.cache,
                repetition=k,
                device=self.device,
                cancel=self.cancel,
            )
            for k in range(max(self.config.seeds, len(self.albums)))
        ]
        self.proxies: dict[str, Proxy] = {
            name: parse_proxy(name) for name in self.config.everyone if name.startswith("proxy:")
        }
        self.options = chosen_arms(self.config.arms)

    @property
    def repetitions(self) -> int:
        """How often everything is repeated."""
        return len(self.benches)

    @property
    def distinct(self) -> list[Workbench]:
        """A bench of each album; with more repetitions an album has several."""
        return self.benches[: len(self.albums)]

    def left_out(self) -> dict[str, str]:
        """Returns the chosen arms that cannot be measured: name -> why."""
        missing = {}
        for option in self.options:
            for need in sorted(option.requires):
                if any(need not in bench.has for bench in self.benches):
                    missing[option.arm.name] = REQUIREMENTS[need]
        if not self.config.transfer:
            for option in self.options:
                if option.transfer:
                    missing[option.arm.name] = "no attacker was named under transfer"
        return missing

    def options_of(self, attacker: str) -> list[ArmOption]:
        """Returns the arms of an attacker, in a report's order; derived ones are not among them."""
        missing = self.left_out()
        proxy = attacker in self.proxies
        able = [
            option
            for option in (list_arms().values() if self._transfers(attacker) else self.options)
            if option.arm.name not in missing
            and (option.proxies if proxy else option.models)
            and not option.derived
        ]
        if self._transfers(attacker):
            protected = all("protected" in bench.has for bench in self.benches)
            return [
                option
                for option in able
                if option.id in ("none", "clean") or (option.transfer and protected)
            ]
        return [option for option in able if not option.transfer]

    def _transfers(self, attacker: str) -> bool:
        return attacker in self.config.transfer

    def cells(self) -> Iterator[CellOf]:
        """Yields every cell; an attacker's are together, so that each model is loaded once."""
        for attacker in self.config.everyone:
            for setting in self.config.settings:
                for repetition in range(self.repetitions):
                    for option in self.options_of(attacker):
                        yield CellOf(attacker, option, setting, repetition)

    def model(self, name: str) -> Attacker:
        """Returns an attacker; the one before it is let go."""
        if self._held is None or self._held[0] != name:
            self._held = None
            self._held = (name, self.load(name))
            # kept apart from the model, which may be let go before the report is written
            self.reported_facts(name)
        return self._held[1]

    def shown(self, name: str) -> str:
        """Returns an attacker's name for a report: of a local folder only its last part.

        The full name is kept where two would be shown alike.
        """
        short = {who: without_folders(who) for who in self.config.everyone}
        alike = list(short.values()).count(short[name]) > 1
        return name if alike else short[name]

    def reported_facts(self, name: str) -> dict[str, Any]:
        """Returns what a report says of an attacker; asked once, while the model is loaded."""
        if name not in self._facts:
            self._facts[name] = self._describe(name)
        return self._facts[name]

    def _describe(self, name: str) -> dict[str, Any]:
        if name in self.proxies:
            return self.proxies[name].facts(self.device)
        info = self.model(name).info
        return {
            "family": info.family,
            "parameters": info.parameters,
            "weights_sha256": info.weights_sha256,
            "license": info.license,
            "vision": info.vision,
            **dict(info.extra),
        }

    def seed(self, cell: CellOf) -> int:
        """The seed of a cell's adapters, order and augmentation."""
        return 0 if self.config.same_adapters else cell.repetition

    def material(self, cell: CellOf, report: Callable[[float, str], None]) -> Material:
        """Returns what an arm gives, made now or found in the cache."""
        bench = self.benches[cell.repetition]
        bench.report = report
        bench.check()
        place = (cell.option.id, cell.repetition)
        if place not in self._materials:
            self._materials[place] = cell.option.make(bench)
        return self._materials[place]

    def measure(
        self, cell: CellOf, material: Material, report: Callable[[float, str], None]
    ) -> dict[str, Any]:
        """Returns a cell's result."""
        bench = self.benches[cell.repetition]
        if cell.attacker in self.proxies:
            return measure_proxy(
                self.proxies[cell.attacker],
                bench.album,
                material,
                cell.setting,
                self.config,
                features=self.features,
                report=report,
                check=bench.check,
            )
        return measure_model(
            self.model(cell.attacker),
            bench.album,
            material,
            cell.setting,
            self.config,
            seed=self.seed(cell),
            box=self.box,
            report=report,
            check=bench.check,
        )


def without_folders(name: str) -> str:
    """Returns a name in which a folder of this machine gives way to its last part."""
    for mark in ("@", ":"):
        head, found, target = name.rpartition(mark)
        if found and "/" in target and Path(target).exists():
            return f"{head}{mark}{Path(target).name}"
    return name


def _check_album(album: AttackAlbum, protected: Mapping[str, Path] | None) -> None:
    """Refuses an album that cannot be attacked.

    Raises:
        ConfigError: saying what is missing
    """
    if len(album.people) < 2:
        raise ConfigError("the attacker needs shared photos of at least two people")
    queries = {photo.person for photo in album.of("query")}
    if not queries:
        raise ConfigError("the album has no query photos: give clean photos that nobody shared")
    strangers = sorted(queries - set(album.people))
    if strangers:
        raise ConfigError(
            f"{strangers[0]!r} is queried and was never shared: give such photos the role 'other'"
        )
    both = sorted({photo.person for photo in album.of("other")} & set(album.people))
    if both:
        raise ConfigError(
            f"{both[0]!r} is shared and has photos of the role 'other': take those out, they are "
            "for people of whom nothing is shared"
        )
    unknown = sorted(set(protected or {}) - {photo.key for photo in album.of("share")})
    if unknown:
        raise ConfigError(f"the protected photo {unknown[0]!r} is no shared photo of the album")
