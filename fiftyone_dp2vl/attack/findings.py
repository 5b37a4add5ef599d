"""What a report says in words: which arms won, what was tested, what was not, answers to read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..measure.cards import Row
from ..measure.report import Answer, Arm
from ..measure.report_views import is_win
from .arms import list_arms
from .evaluation import Evaluation
from .options import ArmOption
from .scores import Raw

__all__ = ["answers_of", "judged", "not_tested", "notes", "tested"]

_READ = ("none", "clean", "random signs", "protected")

SAMPLED = 40
"""Affiliation questions that a report keeps for reading."""


def judged(arm: Arm, rows: Sequence[Row]) -> Arm:
    """Returns an arm with the verdict whether the attacker wins by it.

    He wins where the accuracy of any attacker, in either setting, on identity or affiliation, by
    forced choice at the end or at the peak, is a win.

    Args:
        arm: of any group; of controls nothing is said
        rows: of the whole report
    """
    if arm.group == "control":
        return arm
    wins = False
    for row in rows:
        at = row.conditions
        if (
            row.figure == "accuracy"
            and at.get("arm") == arm.name
            and at.get("scenario") == "all"
            and at.get("scoring") == "forced choice"
        ):
            wins |= is_win(row, _chance(rows, at))
    return replace(arm, wins=wins)


def _chance(rows: Sequence[Row], at: Mapping[str, str]) -> float:
    wanted = {name: at[name] for name in ("setting", "ask", "scenario")}
    return next(row.value for row in rows if row.figure == "chance" and row.matches(wanted))


Cells = Mapping[tuple[str, str, str], Sequence[Raw]]
"""(attacker, arm, setting) -> the cell of each repetition."""


def answers_of(cells: Cells, attacker: str, setting: str) -> list[Answer]:
    """Returns every identity answer to clean and protected photos, and some on affiliation.

    Args:
        cells: the results
        attacker: the one that the report is mainly about
        setting: what every photo told
    """
    own = {
        arm: raws for (who, arm, how), raws in cells.items() if (who, how) == (attacker, setting)
    }
    first = next(iter(own.values()), [])
    made: list[Answer] = []
    for seed, raw in enumerate(first):
        numbers = range(len(raw["questions"]))
        sampled = sorted(
            (i for i in numbers if raw["questions"][i]["ask"] == "affiliation"),
            key=lambda i: hashlib.sha256(
                f"{seed}{raw['questions'][i]['photo']}{raw['questions'][i]['question']}".encode()
            ).digest(),
        )[: max(1, SAMPLED // len(first))]
        identity = [i for i in numbers if raw["questions"][i]["ask"] == "identity"]
        arms = {arm: raws[seed] for arm, raws in own.items()}
        pair = {arm: cell for arm, cell in arms.items() if arm in ("clean", "protected")}
        made += [_answer(raw, i, pair, seed) for i in identity]
        shown = {arm: cell for arm, cell in arms.items() if arm in _READ}
        made += [_answer(raw, i, shown, seed) for i in sampled]
    return made


def _answer(raw: Raw, index: int, arms: Mapping[str, Raw], seed: int) -> Answer:
    question = raw["questions"][index]
    last = {arm: cell["epochs"][-1] for arm, cell in arms.items()}
    return Answer(
        photo=question["photo"],
        person=question["person"],
        ask=question["ask"],
        scenario=question["scenario"],
        question=question["question"],
        truth=question["truth"],
        words={a: cell["words"][index] for a, cell in arms.items() if cell["words"] is not None},
        chosen={arm: epoch["chosen"][index] for arm, epoch in last.items()},
        seed=seed,
        confidence={
            arm: epoch["confidence"][index] for arm, epoch in last.items() if epoch["confidence"]
        },
    )


def _measured(evaluation: Evaluation) -> dict[str, ArmOption]:
    return {
        option.id: option
        for attacker in evaluation.config.everyone
        for option in evaluation.options_of(attacker)
    }


def tested(evaluation: Evaluation) -> list[str]:
    """Returns what was tested, in sentences, from what was run."""
    config = evaluation.config
    measured = _measured(evaluation)
    models = [name for name in config.everyone if name not in evaluation.proxies]
    said = []
    if models:
        said.append(
            f"Fine-tuning was run on {len(models)} vision-language "
            f"model{'s' if len(models) > 1 else ''}, {_times(evaluation.repetitions)}."
        )
    if evaluation.proxies:
        said.append(
            f"{len(evaluation.proxies)} fast prox{'ies' if len(evaluation.proxies) > 1 else 'y'} "
            "on frozen features classified the photos; a proxy can understate what a model learns."
        )
    controls = [o.arm.name for o in measured.values() if o.arm.group == "control"]
    said.append(f"Controls: {', '.join(controls)}.")
    posts = [o.arm.after for o in measured.values() if o.arm.after and not o.arm.variant]
    if posts:
        said.append(f"A1, post-processing before training: {', '.join(posts)}.")
    ratios = [o.arm.name.removeprefix("protected, ") for o in measured.values() if o.arm.share]
    if ratios:
        said.append(f"Only a part protected: {', '.join(ratios)}.")
    said += [
        f"{option.arm.name.removeprefix('adaptive: ')}: {option.arm.needs}"
        for option in list_arms().values()
        if option.arm.group == "adaptive"
        and (
            option.id in measured
            or (option in evaluation.options and option.derived in measured and models)
        )
    ]
    if any(proxy.face for proxy in evaluation.proxies.values()):
        said.append("A9, a face recogniser, was filled in by the user and attacked as a proxy.")
    if any(bench.album.of("other") for bench in evaluation.benches):
        said.append("False naming was measured on photos of other people.")
    return said


def _times(count: int) -> str:
    return "once" if count == 1 else f"with {count} repetitions"


_LADDER = {
    "A2, train-time augmentation": {"a2"},
    "A4, leaked clean photos": {"a4"},
    "A5, an encoder that was no surrogate": {"a5"},
    "A6, an unfrozen vision tower": {"a6-lora", "a6-full"},
    "A7, an attacker who learns from our tool's own output": {
        *("a7-denoiser", "a7-map", "a7-others", "a7-detector"),
    },
    "A8, protecting the query too": {"a8", "a8-groups"},
}


def not_tested(evaluation: Evaluation) -> list[str]:
    """Returns what was not tested, in sentences, from what was run."""
    config = evaluation.config
    measured = _measured(evaluation)
    said = []
    if all(name in evaluation.proxies for name in config.everyone):
        said.append("No vision-language model was fine-tuned: all figures are of proxies.")
    if not any(option.arm.after for option in measured.values()):
        said.append("A1, post-processing of the protected photos, was not tested.")
    said.append(
        "A3, purification by a diffusion model, super-resolution, face restoration or an "
        "autoencoder's round trip, was not tested."
    )
    said += [f"{what}, was not tested." for what, ids in _LADDER.items() if not ids & set(measured)]
    if not any(proxy.face for proxy in evaluation.proxies.values()):
        said.append("A9, face recognition with retrieval, was not tested.")
    derived = {"a10"} & {option.id for option in evaluation.options}
    if not derived or all(name in evaluation.proxies for name in config.everyone):
        said.append("A10, early stopping, was not tested as an arm of its own.")
    said.append(
        "A11, facts that are in captions or other text, was not tested: protection of photos can "
        "only cut the link from a photo to a name."
    )
    if not any(option.arm.share for option in measured.values()):
        said.append("Sets of which only a part is protected were not tested.")
    said += [f"{name}: left out, {why}." for name, why in evaluation.left_out().items()]
    return said


def _peak_words(measured: int) -> str:
    if measured == 0:
        return (
            "The peak is the best of the recipe's epochs, chosen with the answer key: no stopping "
            "after one of them can do better; training longer is an arm of its own."
        )
    return (
        f"The peak is the best of {measured} epochs, chosen with the answer key: stopping after "
        "another one may do better."
    )


def notes(evaluation: Evaluation) -> list[str]:
    """Returns what a reader must know to read the figures rightly."""
    config = evaluation.config
    varied = []
    if len(evaluation.albums) > 1:
        varied.append("people and photos")
    if evaluation.repetitions > 1 and not config.same_adapters:
        varied.append("adapters, order and drawn noise")
    said = [
        "This is empirical protection against the attackers that were tested; other attackers, "
        "future models and people who look at the photos are not covered.",
        "Published copies cannot be protected again later.",
        "Intervals are 95 % bootstrap intervals over repetitions, people and photos.",
        _peak_words(config.epochs_measured),
        "An accuracy below chance can leak too: read it beside the inverted accuracy and the "
        "commonest wrong answer.",
    ]
    if varied:
        said.append(f"Repetitions varied {' and '.join(varied)}.")
    if any(option.arm.share for option in _measured(evaluation).values()):
        said.append(
            "For shares below 100 % the files of the whole protection were used, the rest clean."
        )
    if evaluation.protection is None and any(f is not None for f in evaluation.protected):
        said.append(
            f"How the photos were protected is not known here: random signs use the default "
            f"budget of {evaluation.benches[0].epsilon:g}/255."
        )
    lacking = sum(len(b.shared) - len(b.boxes) for b in evaluation.benches if b.boxes)
    if lacking and {"blurred-faces", "pixelated-faces"} & set(_measured(evaluation)):
        said.append(f"{lacking} shared photos have no known face and were left as they are.")
    if evaluation.proxies:
        said.append(
            "false_naming_at_90 is the share of other people's photos that a proxy would name at "
            "the threshold at which it names 90 % of the query photos."
        )
    return said
