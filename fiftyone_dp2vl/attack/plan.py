"""What an evaluation will do and how long it will take, told before it starts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from ..config import OutputConfig, ProtectionConfig, SelectionConfig
from .album import AttackAlbum
from .asking import Pictured, query_questions, stranger_questions
from .base import Conversation, Question
from .cells import measured_epochs, recipe_of
from .evaluation import CellOf, Evaluation, Loader
from .ledger import Ledger
from .pairs import training_conversations
from .settings import AttackConfig
from .workbench import Material

__all__ = ["AttackPlan", "PlannedCell", "make_evaluation", "plan_attack", "plan_of"]

_TRIED_PHOTOS = 3


_Said = TypeVar("_Said", Conversation, Question)


@dataclass(frozen=True)
class PlannedCell:
    """One cell of a plan.

    Attributes:
        attacker: registry name
        arm: its name in a report
        setting: what every photo tells
        repetition: from 0
        seconds: about
        done: whether it is already measured
    """

    attacker: str
    arm: str
    setting: str
    repetition: int
    seconds: float
    done: bool


@dataclass(frozen=True)
class AttackPlan:
    """What an evaluation will do.

    Attributes:
        cells: in their order
        making_seconds: about, for photos that our tool must still protect
        left_out: name of an arm that cannot be measured -> why
    """

    cells: tuple[PlannedCell, ...]
    making_seconds: float
    left_out: Mapping[str, str]

    @property
    def seconds(self) -> float:
        """Of what is left, about."""
        return self.making_seconds + sum(cell.seconds for cell in self.cells if not cell.done)

    def __str__(self) -> str:
        lines = []
        for attacker in dict.fromkeys(cell.attacker for cell in self.cells):
            own = [cell for cell in self.cells if cell.attacker == attacker]
            waiting = [cell for cell in own if not cell.done]
            left = sum(cell.seconds for cell in waiting)
            arms = ", ".join(dict.fromkeys(cell.arm for cell in own))
            lines.append(
                f"{attacker}: {len(own)} cells, {len(own) - len(waiting)} of them measured, "
                f"about {duration(left)} left ({arms})"
            )
        if self.making_seconds:
            lines.append(f"photos to protect: about {duration(self.making_seconds)}")
        lines += [f"left out: {name} ({why})" for name, why in self.left_out.items()]
        lines.append(f"in all about {duration(self.seconds)}")
        return "\n".join(lines)


def duration(seconds: float) -> str:
    """Returns a span of time in words."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def make_evaluation(
    albums: AttackAlbum | Sequence[AttackAlbum],
    config: AttackConfig,
    *,
    protected: Mapping[str, Path] | Sequence[Mapping[str, Path]] | None,
    protection: ProtectionConfig | None,
    cache: Path,
    device: str | None,
    load: Loader | None,
    cancel: Callable[[], bool] | None = None,
) -> Evaluation:
    """Returns an evaluation; arguments as in :func:`.evaluate.evaluate_attack`."""
    several = [albums] if isinstance(albums, AttackAlbum) else list(albums)
    files: list[Mapping[str, Path] | None]
    if protected is None:
        files = [None] * len(several)
    else:
        files = [protected] if isinstance(protected, Mapping) else list(protected)
    if protection is not None:
        from ..protection import settled

        # of other people, or of nobody known, our tool must make what it made of these
        protection = settled(protection, [p.person for p in several[0].of("share")])
    return Evaluation(
        several,
        config,
        files,
        protection,
        cache.absolute(),
        device,
        load or _loader(device),
        cancel,
    )


def _loader(device: str | None) -> Loader:
    from .registry import load_attacker

    return lambda name: load_attacker(name, device=device)


def plan_attack(
    albums: AttackAlbum | Sequence[AttackAlbum],
    config: AttackConfig,
    *,
    protected: Mapping[str, Path] | Sequence[Mapping[str, Path]] | None = None,
    protection: ProtectionConfig | None = None,
    cache: Path,
    device: str | None = None,
    load: Loader | None = None,
) -> AttackPlan:
    """Returns what an evaluation with the same arguments would do, and about how long.

    Loads each model and times a few steps of it, unless finished cells tell.

    Args:
        albums: as for :func:`.evaluate.evaluate_attack`, and so are the others
        config: what is asked for
        protected: protected files
        protection: how photos are protected
        cache: folder of cells and files
        device: of models and surrogates
        load: from a registry name to an attacker
    """
    return plan_of(
        make_evaluation(
            albums,
            config,
            protected=protected,
            protection=protection,
            cache=cache,
            device=device,
            load=load,
        )
    )


def plan_of(evaluation: Evaluation) -> AttackPlan:
    """Returns the plan of an evaluation; nothing is protected or measured for it."""
    ledger = Ledger(evaluation)
    planned: list[PlannedCell] = []
    for attacker in evaluation.config.everyone:
        own = [cell for cell in evaluation.cells() if cell.attacker == attacker]
        known = [ledger.seconds(cell) for cell in own]
        timed = [seconds for seconds in known if seconds is not None]
        if None in known:
            each = _estimated(evaluation, own[0], sum(timed) / len(timed) if timed else None)
        for cell, seconds in zip(own, known, strict=True):
            planned.append(
                PlannedCell(
                    attacker,
                    cell.option.arm.name,
                    cell.setting,
                    cell.repetition,
                    each(cell) if seconds is None else seconds,
                    seconds is not None,
                )
            )
    waiting = [
        cell for cell, told in zip(evaluation.cells(), planned, strict=True) if not told.done
    ]
    return AttackPlan(tuple(planned), _making(evaluation, waiting), evaluation.left_out())


def _estimated(
    evaluation: Evaluation, cell: CellOf, known: float | None
) -> Callable[[CellOf], float]:
    """Returns how long a cell of the same attacker takes, by finished ones or by a trial."""
    if known is not None:
        return lambda other: known
    bench = evaluation.benches[cell.repetition]
    photos = len(bench.shared) + len(bench.album.of("query")) + len(bench.album.of("other"))
    if cell.attacker in evaluation.proxies:
        proxy = evaluation.proxies[cell.attacker]
        some = [photo.path for photo in bench.shared[:_TRIED_PHOTOS]]
        # the first time loads the encoder; features that are known already cost nothing
        proxy.embed(some, evaluation.device)
        began = time.monotonic()
        proxy.embed(some, evaluation.device)
        each = (time.monotonic() - began) / len(some)
        return lambda other: each * photos
    spent = _tried(evaluation, cell)
    return lambda other: spent[0] if other.option.id == "none" else spent[1]


def _tried(evaluation: Evaluation, cell: CellOf) -> tuple[float, float]:
    """Returns seconds of a cell without and with fine-tuning, from a few steps of each part."""
    bench = evaluation.benches[cell.repetition]
    config, album = evaluation.config, bench.album
    attacker = evaluation.model(cell.attacker)
    paths = {photo.key: photo.path for photo in album.photos}
    pictures = Pictured(evaluation.box, paths)
    recipe = recipe_of(attacker, Material(bench.shared), config)
    lessons = training_conversations(album, setting=cell.setting, seed=config.question_seed)
    asked = query_questions(album, cell.setting, config)
    strangers = stranger_questions(album, config)
    # whole photos, because what is seen of a photo serves all that is said of it
    some = _of_photos(lessons, [photo.key for photo in bench.shared])
    tried = _of_photos(asked, [photo.key for photo in album.of("query")])
    once = replace(recipe, epochs=1)

    def timed(work: Callable[[], object]) -> float:
        # the first time warms up, and sees photos that are remembered afterwards
        work()
        began = time.monotonic()
        work()
        return time.monotonic() - began

    step = timed(lambda: attacker.fine_tune(some, pictures, once, seed=0))
    question = timed(lambda: attacker.score_choices(tried, pictures)) / len(tried)
    word = 0.0
    if config.free_words:
        word = timed(lambda: attacker.answer(tried, pictures)) / len(tried)
    attacker.reset()
    training = step / len(some) * len(lessons) * recipe.epochs
    asking = question * len(asked)
    speaking = word * (len(asked) + len(strangers))
    measured = len(measured_epochs(recipe.epochs, config.epochs_measured))
    return asking + speaking, training + measured * asking + speaking


def _of_photos(said: Sequence[_Said], keys: Sequence[str]) -> list[_Said]:
    """Returns what is said or asked of a few photos."""
    own = {item.photo for item in said}
    few = [key for key in keys if key in own][:_TRIED_PHOTOS]
    return [item for item in said if item.photo in few]


def _making(evaluation: Evaluation, waiting: Sequence[CellOf]) -> float:
    """Returns seconds for photos that our tool will protect, counted as if none were there.

    Args:
        evaluation: the evaluation
        waiting: its cells that are not measured yet
    """
    protection = evaluation.protection
    if protection is None:
        return 0.0
    from ..runs import PhotoItem, estimate

    # a run of the tool serves every arm and attacker of its repetition's album
    runs = {
        (cell.repetition % len(evaluation.albums), run): _photos_of(evaluation, cell, run)
        for cell in waiting
        for run in _runs_of(evaluation, cell)
    }
    if not runs:
        return 0.0
    items = [PhotoItem(p.key, p.path, p.person) for p in evaluation.benches[0].shared]
    once = estimate(
        items,
        evaluation.cache / "protected",
        protection,
        SelectionConfig(),
        OutputConfig(),
        device=evaluation.device,
    )
    return once.seconds / len(items) * sum(runs.values())


def _runs_of(evaluation: Evaluation, cell: CellOf) -> list[str]:
    """Returns which runs of our tool a cell needs."""
    needs = cell.option.requires
    runs = []
    if cell.option.arm.variant:
        runs.append("variant")
    elif "protected" in needs and (
        evaluation.protected[cell.repetition % len(evaluation.albums)] is None
    ):
        runs.append("shared")
    if "others" in needs:
        runs.append("others")
    if cell.option.id in ("a8", "a8-groups"):
        runs.append(cell.option.id)
    return runs


def _photos_of(evaluation: Evaluation, cell: CellOf, run: str) -> int:
    bench = evaluation.benches[cell.repetition]
    if run == "others":
        return len(bench.album.of("other"))
    return len(bench.shared if run in ("shared", "variant") else bench.album.of("query"))
