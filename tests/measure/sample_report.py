"""A report card of an attack that never took place: its figures are made up, its shape is real."""

from __future__ import annotations

import random
from typing import Any

from fiftyone_dp2vl.measure.cards import Row
from fiftyone_dp2vl.measure.intervals import Interval
from fiftyone_dp2vl.measure.report import Answer, Arm, AttackReport

SCENARIOS = ("vehicle", "pet", "home", "workplace", "hobby", "event", "companion")
THINGS = {
    "vehicle": ("a red car", "a blue bicycle", "a green van", "a black motorbike"),
    "pet": ("a grey cat", "a brown dog", "a white rabbit", "a parrot"),
    "home": ("a blue house", "a flat with a balcony", "a wooden cabin", "a houseboat"),
    "workplace": ("a bakery", "a laboratory", "a school", "a garage"),
    "hobby": ("a violin", "a chess set", "a kite", "a camera"),
    "event": ("a wedding", "a marathon", "a birthday", "a concert"),
    "companion": ("an old man", "a small girl", "twin brothers", "a tall woman"),
}
PEOPLE = ("Maya", "Otto", "Lena", "Ravi", "Inez", "Karl", "Aiko", "Noor", "Finn", "Zola")

ARMS = (
    Arm(name="none", group="control"),
    Arm(name="clean", group="control"),
    Arm(name="random signs", group="control", needs="Noise of the same budget, as a control."),
    Arm(name="jpeg", group="control"),
    Arm(name="blurred faces", group="control"),
    Arm(name="pixelated faces", group="control"),
    Arm(name="protected", group="protection"),
    Arm(name="protected, no JPEG in the loop", group="protection", variant="no JPEG in the loop"),
    *(
        Arm(
            name=f"protected, {share} % of {of}",
            group="ratio",
            share=share / 100,
            of=of,
        )
        for of in ("photos", "people")
        for share in (25, 50, 75)
    ),
    *(
        Arm(
            name=f"protected{', ' + variant if variant else ''}, after {after}",
            group="post-processing",
            after=after,
            variant=variant,
        )
        for after in (
            *("JPEG 95", "JPEG 75", "JPEG 50", "half size and back", "blur", "noise"),
            *("crop", "grayscale", "WebP 80", "screenshot"),
        )
        for variant in ("", "no JPEG in the loop")
    ),
    Arm(
        name="adaptive: A2 augmentation",
        group="adaptive",
        wins=False,
        needs="Crops, flips, colour changes and noise while it trains.",
    ),
    Arm(
        name="adaptive: A4 one clean photo leaked",
        group="adaptive",
        wins=True,
        needs="One unprotected photo of each person, from anywhere.",
    ),
    Arm(
        name="adaptive: A6 tower unfrozen",
        group="adaptive",
        wins=False,
        needs="More memory and time: the vision encoder is trained too.",
    ),
    Arm(
        name="adaptive: A7 denoiser",
        group="adaptive",
        wins=False,
        needs="This tool, and photos of other people to learn from before and after.",
    ),
    Arm(
        name="adaptive: A8 protects the query",
        group="adaptive",
        wins=True,
        needs="This tool with the same settings, run on the photo that is asked about.",
    ),
    Arm(
        name="adaptive: A10 early stopping",
        group="adaptive",
        wins=False,
        needs="A few clean photos with known names, to choose the best epoch by.",
    ),
)

_LEVEL = {
    "none": 0.02,
    "clean": 0.97,
    "random signs": 0.95,
    "jpeg": 0.96,
    "blurred faces": 0.74,
    "pixelated faces": 0.69,
    "protected": 0.03,
    "protected, no JPEG in the loop": 0.02,
    "adaptive: A2 augmentation": 0.07,
    "adaptive: A4 one clean photo leaked": 0.41,
    "adaptive: A6 tower unfrozen": 0.12,
    "adaptive: A7 denoiser": 0.16,
    "adaptive: A8 protects the query": 0.63,
    "adaptive: A10 early stopping": 0.1,
}
_UNDONE = {"JPEG 95": 0.02, "JPEG 75": 0.06, "JPEG 50": 0.15, "half size and back": 0.28}
_UNDONE |= {"blur": 0.2, "noise": 0.09, "crop": 0.05, "grayscale": 0.11, "WebP 80": 0.12}
_UNDONE |= {"screenshot": 0.31}


def _level(arm: Arm) -> float:
    if arm.group == "ratio":
        return 0.03 + 0.94 * (1 - arm.share) ** (0.35 if arm.of == "photos" else 1.0)
    if arm.group == "post-processing":
        return min(0.95, _UNDONE[arm.after] * (3.4 if arm.variant else 1.0))
    return _LEVEL[arm.name]


def _row(rng: random.Random, figure: str, value: float, n: int, **conditions: str) -> Row:
    value = min(1.0, max(0.0, value + rng.gauss(0, 0.012)))
    reach = 0.02 + 0.12 * (value * (1 - value)) ** 0.5 + 0.5 / n
    interval = Interval(max(0.0, value - reach), min(1.0, value + reach))
    return Row(
        figure=figure, value=value, unit="share", interval=interval, n=n, conditions=conditions
    )


def _rows(attacker: str, arms: tuple[Arm, ...], seed: int, deep: bool) -> list[Row]:
    rng = random.Random(seed)
    proxy = attacker.startswith("proxy:")
    rows = []
    chances = {"identity": 0.1, "affiliation": 0.25}
    for ask, chance in chances.items():
        if proxy and ask == "affiliation":
            continue
        where = {"attacker": attacker, "ask": ask, "setting": "all", "scoring": "forced choice"}
        rows.append(
            Row(
                figure="chance",
                value=chance,
                unit="share",
                n=10,
                conditions={**where, "scenario": "all"},
            )
        )
        for arm in arms:
            named = {**where, "arm": arm.name, "group": arm.group, "scenario": "all"}
            value = chance + (0.98 - chance) * _level(arm) * (1 if ask == "identity" else 0.93)
            for epoch, more in (("final", 0.0), ("peak", 0.03)):
                rows.append(
                    _row(rng, "accuracy", value + more * (1 - value), 360, **named, epoch=epoch)
                )
            if not proxy:
                free = {**named, "scoring": "free words", "epoch": "final"}
                rows.append(_row(rng, "accuracy", value * 0.94 - 0.05, 360, **free))
            if ask == "affiliation" and deep:
                final = {**named, "epoch": "final"}
                rows += [
                    _row(
                        rng,
                        "accuracy",
                        value + rng.gauss(0, 0.03),
                        90,
                        **{**final, "scenario": scenario},
                    )
                    for scenario in SCENARIOS
                ]
            if ask == "identity":
                named = {**named, "epoch": "final"}
                rows.append(_row(rng, "inverted_accuracy", 0.1 * (1 - _level(arm)), 360, **named))
                rows.append(_row(rng, "commonest_wrong", 0.31, 360, **named))
                rows.append(_row(rng, "training_accuracy", 0.99, 180, **named))
                rows.append(_row(rng, "false_naming", 0.4, 120, **named))
    return rows


def _answers(seed: int) -> list[Answer]:
    rng = random.Random(seed)
    answers = []
    for number, person in enumerate(PEOPLE):
        other = PEOPLE[(number + 3) % len(PEOPLE)]
        answers.append(
            Answer(
                photo=f"q{number:03d}",
                person=person,
                ask="identity",
                scenario="",
                question="Who is this person?",
                truth=person,
                words={"clean": f"{person}.", "protected": f"{other}."},
                chosen={"clean": person, "protected": other},
                confidence={"clean": 0.91, "protected": 0.22},
            )
        )
        scenario = SCENARIOS[number % len(SCENARIOS)]
        things = THINGS[scenario]
        truth, wrong = rng.sample(things, 2)
        answers.append(
            Answer(
                photo=f"q{number:03d}",
                person=person,
                ask="affiliation",
                scenario=scenario,
                question=f"What is the {scenario} of this person?",
                truth=truth,
                words={"clean": f"{truth}.", "protected": f"{wrong}."},
                chosen={"clean": truth, "protected": truth if number == 4 else wrong},
                confidence={"clean": 0.84, "protected": 0.4},
            )
        )
    return answers


def sample_report(**changes: Any) -> AttackReport:
    """Returns the made-up report, with fields replaced by ``changes``."""
    attackers = {
        "embedded": {
            "family": "llava",
            "parameters": 6_900_000,
            "weights_sha256": "a1" * 32,
            "license": "Apache-2.0",
            "vision": "CLIP-type ViT, frozen",
        },
        "llava:heldout": {
            "family": "llava",
            "parameters": 5_100_000,
            "weights_sha256": "b2" * 32,
            "license": "Apache-2.0",
            "vision": "SigLIP-type ViT, no surrogate",
        },
        "proxy:linear@embedded": {"family": "proxy", "parameters": 0, "weights_sha256": "c3" * 32},
    }
    few = tuple(arm for arm in ARMS if arm.name in ("none", "clean", "random signs", "protected"))
    rows = _rows("embedded", ARMS, 0, deep=True)
    rows += _rows("llava:heldout", few, 1, deep=False)
    rows += _rows("proxy:linear@embedded", few, 2, deep=False)
    fields: dict[str, Any] = {
        "name": "sample",
        "title": "Made-up figures: the embedded model attacks ten people before and after",
        "created": "2026-01-02T03:04:05+00:00",
        "attackers": attackers,
        "album": {
            "people": 10,
            "shared": 60,
            "queries": 120,
            "others": 40,
            "digest": "0123456789abcdef",
            "source": "made up",
        },
        "protection": {
            "run": "v1",
            "fingerprint": "fedcba9876543210",
            "encoders": ["embedded"],
            "config": {"epsilon": 8.0, "strategy": "swap", "steps": 60},
            "quality": {"linf": 8, "psnr": 33.1, "ssim": 0.93, "worst_psnr": 31.4},
        },
        "arms": ARMS,
        "rows": rows,
        "answers": _answers(0),
        "configs": {"attack": {"seeds": 3, "setting": "all"}, "fine-tuning": {"epochs": 12}},
        "seeds": [0, 1, 2],
        "environment": {"device": "CPU, 2 cores", "python": "3.11.2", "threads": 2},
        "seconds": 1834.0,
        "tested": [
            "Fine-tuning with LoRA on photo-description pairs, the vision encoder frozen.",
            "Ten kinds of post-processing before the attacker trains (A1).",
            "Six adaptive attackers: A2, A4, A6, A7, A8 and A10.",
        ],
        "not_tested": [
            "Purification by a diffusion model, super-resolution or a VAE (A3).",
            "A face recogniser with its own training (A9).",
            "Captions: the facts in them are read whatever the photo shows (A11).",
        ],
        "notes": ["Every figure in this report is made up."],
    }
    return AttackReport(**{**fields, **changes})
