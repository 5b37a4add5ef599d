"""The evaluation of an attack: every cell measured, kept and told as one report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from ..config import ProtectionConfig
from ..errors import RunError, reason_of
from ..measure.cards import Row
from ..measure.environment import environment
from ..measure.report import Arm, AttackReport
from .album import AttackAlbum
from .arms import list_arms
from .evaluation import CellOf, Evaluation, Loader, without_folders
from .findings import answers_of, judged, not_tested, notes, tested
from .ledger import Ledger
from .options import ArmOption
from .plan import make_evaluation
from .scores import Raw, chance_rows, luck_row, rows_of
from .settings import AttackConfig

__all__ = ["AttackProgress", "evaluate_attack"]

Told = Callable[["AttackProgress"], None]


class AttackProgress(NamedTuple):
    """Where an evaluation is.

    Attributes:
        done: cells that are finished, with the current one's share
        total: cells
        label: the current cell
        doing: what it does
        eta_seconds: time left, or None while it cannot be told
    """

    done: float
    total: int
    label: str
    doing: str
    eta_seconds: float | None


def evaluate_attack(
    albums: AttackAlbum | Sequence[AttackAlbum],
    config: AttackConfig | None = None,
    *,
    protected: Mapping[str, Path] | Sequence[Mapping[str, Path]] | None = None,
    protection: ProtectionConfig | None = None,
    facts: Mapping[str, Any] | None = None,
    source: str = "",
    cache: Path,
    device: str | None = None,
    name: str = "attack",
    title: str = "",
    load: Loader | None = None,
    progress: Told | None = None,
    cancel: Callable[[], bool] | None = None,
) -> AttackReport:
    """Attacks an album and returns what was learned from it, with every control.

    Each cell (attacker, arm, setting, repetition) is kept under ``cache`` as soon as it is
    measured, under a fingerprint of the photos' bytes, the weights, the recipe and the code, so
    that stopped work goes on at the cell where it was stopped and ends with the same figures.

    Args:
        albums: one, or one a repetition
        config: what is asked for; None for the defaults
        protected: share photo's key -> protected file, one mapping for each album; a photo
            without one is taken as left clean
        protection: how photos are protected; with it arms that run our tool can be measured, and
            with ``protected`` None the shared photos are protected here
        facts: of the protection, for the report: run, encoders, quality
        source: where the photos are from, for the report, for example ``"benchmark, eval"``
        cache: folder of cells and of the files that arms make
        device: torch's name of a device for models and surrogates
        name: of the report, a file's stem
        title: of the report, one sentence
        load: from a registry name to an attacker; by default
            :func:`fiftyone_dp2vl.attack.registry.load_attacker`
        progress: called at every change
        cancel: asked often whether to stop

    Raises:
        ConfigError: if the albums, the protected files and the configuration do not fit
        ModelNotFoundError: if an attacker or encoder is not here
        RunError: if the disk refuses; finished cells are kept
        Cancelled: if ``cancel`` said so; finished cells are kept
    """
    config = config or AttackConfig()
    evaluation = make_evaluation(
        albums,
        config,
        protected=protected,
        protection=protection,
        cache=Path(cache),
        device=device,
        load=load,
        cancel=cancel,
    )
    began = time.monotonic()
    try:
        results = _measure_all(evaluation, progress)
    except OSError as error:
        reason = reason_of(error)
        raise RunError(
            f"{error.filename or cache} cannot be read or written ({reason}): mend that and start "
            "the same evaluation again; finished cells are kept"
        ) from error
    arms = _shown_arms(evaluation)
    rows = _rows(evaluation, results, arms)
    main = config.everyone[0]
    return AttackReport(
        name=name,
        title=title or _title(evaluation),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        attackers={
            evaluation.shown(who): evaluation.reported_facts(who) for who in config.everyone
        },
        album=_album_facts(evaluation, source),
        protection=_protection_facts(evaluation, facts),
        arms=[
            judged(_worded(option.arm, evaluation), rows)
            for option in arms
            if any(row.conditions.get("arm") == option.arm.name for row in rows)
        ],
        rows=rows,
        answers=answers_of(results, main, config.settings[0]),
        configs={"attack": _portable(evaluation), **_recipes(evaluation, results)},
        seeds=list(range(evaluation.repetitions)),
        environment=environment(device),
        seconds=round(time.monotonic() - began, 3),
        tested=tested(evaluation),
        not_tested=not_tested(evaluation),
        notes=notes(evaluation),
    )


Results = dict[tuple[str, str, str], list[Raw]]


def _measure_all(evaluation: Evaluation, progress: Told | None) -> Results:
    """Measures what is not yet measured; (attacker, arm, setting) -> cell of each repetition."""
    cells = list(evaluation.cells())
    ledger, clock = Ledger(evaluation), _Clock(cells, progress)
    results: Results = {}
    for cell in cells:
        clock.begin(cell)
        material = evaluation.material(cell, lambda share, doing: clock.tell(0.2 * share, doing))
        raw = ledger.known(cell, material)
        if raw is None:
            found = evaluation.measure(
                cell, material, lambda share, doing: clock.tell(0.2 + 0.8 * share, doing)
            )
            # through JSON, so that a fresh cell and one from disk are the same
            raw = json.loads(json.dumps(found, allow_nan=False))
            ledger.keep(cell, material, raw, clock.spent())
            clock.end(measured=True)
        else:
            clock.end(measured=False)
        # of the evaluation, not of the cell: another one may have the same album elsewhere
        raw = {**raw, "album": cell.repetition % len(evaluation.albums)}
        results.setdefault((cell.attacker, cell.option.arm.name, cell.setting), []).append(raw)
    clock.finish()
    return results


@dataclass
class _Clock:
    """Tells progress, and the time left by the cells of the same attacker that were measured."""

    cells: Sequence[CellOf]
    told: Told | None

    def __post_init__(self) -> None:
        self._index = -1
        self._began = 0.0
        self._seconds: dict[tuple[str, bool], list[float]] = {}

    def begin(self, cell: CellOf) -> None:
        self._index += 1
        self._began = time.monotonic()
        self.tell(0.0, "prepares photos")

    def spent(self) -> float:
        return time.monotonic() - self._began

    def end(self, *, measured: bool) -> None:
        if measured:
            kind = _kind(self.cells[self._index])
            self._seconds.setdefault(kind, []).append(self.spent())

    def finish(self) -> None:
        if self.told is not None:
            total = len(self.cells)
            self.told(AttackProgress(total, total, "all cells", "writes the report", 0.0))

    def tell(self, share: float, doing: str) -> None:
        if self.told is None:
            return
        cell = self.cells[self._index]
        self.told(
            AttackProgress(
                self._index + share, len(self.cells), cell.label, doing, self._left(share)
            )
        )

    def _left(self, share: float) -> float | None:
        """Returns the time left, by measured cells of each kind or else by the current one."""
        spent, now = self.spent(), self.cells[self._index]
        each = {kind: sum(own) / len(own) for kind, own in self._seconds.items()}
        if _kind(now) not in each and share >= 0.05:
            each[_kind(now)] = spent / share
        if not each:
            return None
        usual = sum(each.values()) / len(each)
        waiting = sum(each.get(_kind(cell), usual) for cell in self.cells[self._index + 1 :])
        return waiting + max(0.0, each.get(_kind(now), usual) - spent)


def _kind(cell: CellOf) -> tuple[str, bool]:
    """Cells of one kind take about the same time."""
    return cell.attacker, cell.option.id == "none"


def _shown_arms(evaluation: Evaluation) -> list[ArmOption]:
    """Returns the arms that have figures, in a report's order."""
    measured = {o.id for who in evaluation.config.everyone for o in evaluation.options_of(who)}
    models = {
        o.id
        for who in evaluation.config.everyone
        if who not in evaluation.proxies
        for o in evaluation.options_of(who)
    }
    return [
        option
        for option in list_arms().values()
        if option.id in measured or (option.derived in models and option in evaluation.options)
    ]


def _worded(arm: Arm, evaluation: Evaluation) -> Arm:
    """Returns an arm that says how much was protected, where that is not all."""
    clean = sum(bench.left_clean for bench in evaluation.distinct)
    if arm.name != "protected" or not clean:
        return arm
    total = sum(len(bench.shared) for bench in evaluation.distinct)
    return replace(
        arm,
        needs=f"The photos as they are shared: {total - clean} of {total} protected, the others "
        "clean.",
    )


def _rows(
    evaluation: Evaluation,
    results: Mapping[tuple[str, str, str], Sequence[Raw]],
    arms: Sequence[ArmOption],
) -> list[Row]:
    rows: list[Row] = []
    for setting in evaluation.config.settings:
        some = next(raws for (_, _, how), raws in results.items() if how == setting)
        rows += chance_rows(some, setting)
        luck = luck_row(some, setting)
        rows += [luck] if luck is not None else []
        for attacker in evaluation.config.everyone:
            for option in arms:
                raws = results.get((attacker, option.derived or option.arm.name, setting))
                if raws is None or (option.derived and attacker in evaluation.proxies):
                    continue
                where = {
                    "attacker": evaluation.shown(attacker),
                    "arm": option.arm.name,
                    "group": option.arm.group,
                    "setting": setting,
                }
                found = rows_of(raws, where)
                if option.derived:
                    found = [row for row in found if row.conditions.get("epoch") == "peak"]
                rows += found
    return rows


def _title(evaluation: Evaluation) -> str:
    people = len(evaluation.albums[0].people)
    protected = any("protected" in bench.has for bench in evaluation.benches)
    what = "shared photos before and after protection" if protected else "clean shared photos"
    return f"What attackers learn about {people} people from {what}"


def _album_facts(evaluation: Evaluation, source: str) -> dict[str, Any]:
    albums = evaluation.albums

    def each(role: str) -> int:
        return sum(len(album.of(role)) for album in albums)

    return {
        "albums": len(albums),
        "people": sum(len(album.people) for album in albums),
        "shared": each("share"),
        "queries": each("query"),
        "others": each("other"),
        "digest": ", ".join(album.digest for album in albums),
        "source": source,
    }


def _protection_facts(evaluation: Evaluation, facts: Mapping[str, Any] | None) -> dict[str, Any]:
    if not any("protected" in bench.has for bench in evaluation.benches):
        return {}
    known = dict(facts or {})
    config = evaluation.protection
    if config is not None:
        encoders = [without_folders(encoder) for encoder in config.encoders]
        known.setdefault("config", {**config.to_dict(), "encoders": encoders})
        known.setdefault("fingerprint", config.fingerprint())
        known.setdefault("encoders", encoders)
    known["left_clean"] = sum(bench.left_clean for bench in evaluation.distinct)
    return known


def _portable(evaluation: Evaluation) -> dict[str, Any]:
    data = evaluation.config.to_dict()
    for name in ("attackers", "proxies", "transfer"):
        data[name] = [evaluation.shown(who) for who in data[name]]
    return data


def _recipes(
    evaluation: Evaluation, results: Mapping[tuple[str, str, str], Sequence[Raw]]
) -> dict[str, dict[str, Any]]:
    """Returns each model's recipe on clean photos."""
    setting = evaluation.config.settings[0]
    found = {}
    for who in evaluation.config.everyone:
        raws = results.get((who, "clean", setting))
        if raws and raws[0]["trained_on"]["recipe"] is not None:
            label = f"fine-tuning of {evaluation.shown(who)}"
            found[label] = dict(raws[0]["trained_on"]["recipe"])
    return found
