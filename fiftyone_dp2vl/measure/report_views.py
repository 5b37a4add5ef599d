"""What of a report is shown together: the figures behind each plot and each sentence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .cards import Row
from .report import Answer, Arm, AttackReport
from .report_checks import ASKS

__all__ = [
    "ARM_FIGURES",
    "Cell",
    "HeatMap",
    "Lens",
    "Rung",
    "compared_attackers",
    "dozen",
    "gets_through",
    "heat_map",
    "is_proxy",
    "is_win",
    "ladder",
    "ratio_curve",
]

ARM_FIGURES = (
    *("accuracy", "inverted_accuracy", "commonest_wrong"),
    *("training_accuracy", "false_naming"),
)
"""What is shown of every arm, in this order."""

_ANSWERS_SHOWN = 12

FAR = 0.10
"""How far above chance an accuracy must be to count as a win, with its interval above chance."""


def is_win(accuracy: Row, chance: float) -> bool:
    """Whether an accuracy is far and surely above chance."""
    surely = accuracy.interval is None or accuracy.interval.low > chance
    return surely and accuracy.value > chance + FAR


def is_proxy(attacker: str) -> bool:
    """Whether an attacker is a probe on frozen features, and no fine-tuned model."""
    return attacker.startswith("proxy:")


class Lens:
    """The figures of one attacker in one setting, by one way of scoring.

    Args:
        report: the report
        attacker: registry name; None takes the report's first
        setting: ``"all"`` or ``"shown"``; None takes ``"all"`` where it was measured
        scoring: ``"forced choice"`` or ``"free words"``
        epoch: ``"final"`` or ``"peak"``
    """

    def __init__(
        self,
        report: AttackReport,
        attacker: str | None = None,
        *,
        setting: str | None = None,
        scoring: str = "forced choice",
        epoch: str = "final",
    ) -> None:
        self.report = report
        self.attacker = attacker or next(iter(report.attackers))
        stated = [row.conditions["setting"] for row in report.rows if "setting" in row.conditions]
        self.settings = sorted(set(stated))  # "all" comes before "shown"
        self.setting = setting or (self.settings[0] if self.settings else "all")
        self.scoring = scoring
        self.epoch = epoch
        mine = {
            "attacker": self.attacker,
            "setting": self.setting,
            "scoring": scoring,
            "epoch": epoch,
        }
        self._rows: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in report.rows:
            if all(row.conditions.get(key, value) == value for key, value in mine.items()):
                self._rows[row.figure, row.conditions.get("arm", "")].append(row)

    def figure(self, figure: str, arm: str, ask: str, scenario: str = "all") -> Row | None:
        """Returns an arm's figure, or None where it was not measured."""
        return self._one((figure, arm), ask, scenario)

    def accuracy(self, arm: str, ask: str, scenario: str = "all") -> Row | None:
        """Returns an arm's share of right answers, or None where it was not measured."""
        return self.figure("accuracy", arm, ask, scenario)

    def chance(self, ask: str, scenario: str = "all") -> float | None:
        """Returns what guessing gives, in [0, 1], or None where the report does not say."""
        if self.scoring == "free words":  # whoever may say anything hits nothing by luck
            return None
        named = [key for key in self._rows if key[0] == "chance"]
        found = (self._one(key, ask, scenario) for key in named)
        row = next((row for row in found if row is not None), None)
        return None if row is None else row.value

    def arms(self, *groups: str) -> list[Arm]:
        """Returns the arms of some groups for which this attacker has figures."""
        measured = {arm for figure, arm in self._rows if figure == "accuracy"}
        return [arm for arm in self.report.arms if arm.group in groups and arm.name in measured]

    def scenarios(self) -> list[str]:
        """Returns the scenarios that were asked about, in order of appearance."""
        named = (
            row.conditions.get("scenario", "all") for rows in self._rows.values() for row in rows
        )
        return [name for name in dict.fromkeys(named) if name != "all"]

    def _one(self, key: tuple[str, str], ask: str, scenario: str) -> Row | None:
        wanted = {"ask": ask, "scenario": scenario}
        fitting = [
            row
            for row in self._rows.get(key, ())
            if all(row.conditions.get(name, value) == value for name, value in wanted.items())
        ]
        # a row that names the scenario says more than one that leaves it out
        return max(fitting, key=lambda row: len(wanted.keys() & row.conditions), default=None)


def compared_attackers(report: AttackReport) -> list[Lens]:
    """Returns a lens for each attacker with figures, models before proxies."""
    lenses = [Lens(report, name) for name in report.attackers]
    measured = [lens for lens in lenses if lens.arms("control", "protection")]
    return sorted(measured, key=lambda lens: is_proxy(lens.attacker))


def ratio_curve(lens: Lens, of: str, ask: str) -> list[tuple[float, Row]]:
    """Returns accuracy by the share that was protected, from nothing to everything.

    Args:
        lens: the attacker's
        of: ``"photos"`` or ``"people"``
        ask: ``"identity"`` or ``"affiliation"``
    """
    found: dict[float, Row] = {}
    for share, name in ((0.0, "clean"), (1.0, "protected")):
        row = lens.accuracy(name, ask)
        if row is not None:
            found[share] = row
    between = [arm for arm in lens.arms("ratio") if arm.of == of]
    for arm in between:
        row = lens.accuracy(arm.name, ask)
        if row is not None and arm.share is not None:
            found[arm.share] = row
    return sorted(found.items()) if between else []


class Cell(NamedTuple):
    """One field of the heat map: a figure, and how far it is from chance to certainty."""

    row: Row
    above_chance: float


class HeatMap(NamedTuple):
    """Accuracy after the protected photos were processed.

    Attributes:
        columns: (variant of the protection, what is asked)
        lines: what was done to the photos -> one cell a column, None where not measured
    """

    columns: list[tuple[str, str]]
    lines: dict[str, list[Cell | None]]


def heat_map(lens: Lens) -> HeatMap | None:
    """Returns the post-processing figures, or None where there are none.

    Each is that of the attacker who gets most.

    Args:
        lens: gives setting, scoring and epoch
    """
    lenses = [
        Lens(lens.report, who, setting=lens.setting, scoring=lens.scoring, epoch=lens.epoch)
        for who in lens.report.attackers
    ]
    measured = {arm.name for each in lenses for arm in each.arms("post-processing", "protection")}
    known = [arm for arm in lens.report.arms if arm.name in measured]
    arms = [arm for arm in known if arm.group == "post-processing"]
    if not arms:
        return None
    bases = [arm for arm in known if arm.group == "protection" and not arm.after]
    by_place = {(arm.after, arm.variant): arm for arm in (*arms, *reversed(bases))}
    variants = list(dict.fromkeys(arm.variant for arm in (*bases, *arms)))
    ordered = sorted(arms, key=lambda arm: arm.variant != "")  # other protections were tried less
    afters = dict.fromkeys(["", *(arm.after for arm in ordered)])
    asks = [ask for ask in ASKS if any(_best(lenses, arm, ask) for arm in arms)]
    columns = [(variant, ask) for ask in asks for variant in variants]
    lines = {
        after: [_best(lenses, by_place.get((after, variant)), ask) for variant, ask in columns]
        for after in afters
    }
    return HeatMap(columns, {after: line for after, line in lines.items() if any(line)})


def _best(lenses: Sequence[Lens], arm: Arm | None, ask: str) -> Cell | None:
    """Returns the figure of the attacker who gets most by an arm, the first of equals."""
    cells = [cell for lens in lenses if (cell := _cell(lens, arm, ask)) is not None]
    return max(cells, key=lambda cell: cell.row.value, default=None)


def _cell(lens: Lens, arm: Arm | None, ask: str) -> Cell | None:
    row = lens.accuracy(arm.name, ask) if arm is not None else None
    if row is None:
        return None
    chance = lens.chance(ask) or 0.0
    return Cell(row, max(0.0, (row.value - chance) / (1 - chance)) if chance < 1 else 0.0)


class Rung(NamedTuple):
    """One adaptive attacker: what it is, and what it gets.

    Attributes:
        arm: with what it needs and whether it wins
        lens: whose figures these are
        rows: what is asked -> accuracy
    """

    arm: Arm
    lens: Lens
    rows: dict[str, Row]


def ladder(report: AttackReport) -> list[Rung]:
    """Returns the adaptive attackers in the report's order, each with the figures that count.

    Of an arm that gets through these are the figures of whoever got through by it; otherwise the
    report's first attacker's, if it has some: one may *be* another attacker, and early stopping
    has none but those of the best epoch.
    """
    lenses = [
        Lens(report, attacker, setting=setting, epoch=epoch)
        for setting in Lens(report).settings or ["all"]
        for attacker in report.attackers
        for epoch in ("final", "peak")
    ]
    rungs = []
    for arm in report.arms:
        if arm.group != "adaptive":
            continue
        found = [
            Rung(arm, lens, rows)
            for lens in lenses
            if (rows := {ask: row for ask in ASKS if (row := lens.accuracy(arm.name, ask))})
        ]
        if found:
            rungs.append(next(filter(gets_through, found), found[0]) if arm.wins else found[0])
    return rungs


def gets_through(rung: Rung) -> bool:
    """Whether one of a rung's own figures is a win."""
    return any(is_win(row, rung.lens.chance(ask) or 0.0) for ask, row in rung.rows.items())


def dozen(report: AttackReport, arms: tuple[str, str] = ("clean", "protected")) -> list[Answer]:
    """Returns a dozen answers to read: people and kinds of question in turn.

    Answers that only one of the arms gave are passed over.
    """
    seen = [answer for answer in report.answers if _comparable(answer, arms)]
    first = next(iter(report.attackers))
    seen = [a for a in seen if a.attacker in ("", first)] or seen
    seen = [a for a in seen if a.seed == seen[0].seed]
    names, facts = (list(_in_turn([a for a in seen if a.ask == ask])) for ask in ASKS)
    names = names[: max(_ANSWERS_SHOWN // 2, _ANSWERS_SHOWN - len(facts))]
    return [*names, *facts[: _ANSWERS_SHOWN - len(names)]]


def _comparable(answer: Answer, arms: tuple[str, str]) -> bool:
    return any(all(arm in said for arm in arms) for said in (answer.words, answer.chosen))


def _in_turn(answers: list[Answer]) -> Iterator[Answer]:
    """Yields answers person by person, each time the next scenario of a person."""
    piles: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        piles[answer.person].append(answer)
    for turn in range(max(map(len, piles.values()), default=0)):
        for place, pile in enumerate(piles.values()):
            if turn < len(pile):
                # each person begins at another scenario, so that a dozen shows all of them
                yield pile[(turn + place) % len(pile)]
