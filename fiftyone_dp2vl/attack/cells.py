"""One cell: one model, trained on what one arm gives it and questioned.

A cell's result is JSON, question by question, so that figures can be computed again:

* ``questions``: photo, person, ask, scenario, question, truth, choices of each query question;
* ``epochs``: for each measured epoch its number and loss, and of every question the choice that is
  likeliest (``chosen``), least likely (``least``) and the first one's probability (``confidence``);
* ``words``: the final model's own words, or None;
* ``training``: ``questions`` and ``chosen`` on the training photos themselves;
* ``others``: of photos of other people who is on them, ``words`` and ``scores``, or None;
* ``query_scores``: a proxy's, of the query photos, or None;
* ``people``: everybody who can be named; ``facts``: figures measured by the arm;
* ``trained_on``: photos, conversations, recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .album import AttackAlbum
from .asking import (
    PictureBox,
    Pictured,
    asked,
    query_questions,
    stranger_photos,
    stranger_questions,
    training_questions,
)
from .base import Attacker, Conversation, Epoch, Question
from .config import FineTuneConfig
from .pairs import training_conversations
from .settings import AttackConfig
from .spelling import Spelling
from .workbench import Material

__all__ = ["measure_model", "measured_epochs", "recipe_of"]


def recipe_of(attacker: Attacker, material: Material, config: AttackConfig) -> FineTuneConfig:
    """Returns the recipe: the family's own, the user's changes, then the arm's."""
    data = {**attacker.defaults.to_dict(), **config.finetune, **material.changes}
    return FineTuneConfig.from_dict({**data, "epochs": data["epochs"] * material.longer})


def measured_epochs(epochs: int, wanted: int) -> set[int]:
    """Returns numbers of epochs, evenly spread, the last among them.

    Args:
        epochs: how many are trained
        wanted: how many are measured, 0 for every one
    """
    if wanted == 0 or wanted >= epochs:
        return set(range(1, epochs + 1))
    return {round(epochs * (turn + 1) / wanted) for turn in range(wanted)}


def _scored(
    attacker: Attacker, found: Sequence[Question], pictures: Pictured, spelling: Spelling
) -> dict[str, list[Any]]:
    chosen, least, confidence = [], [], []
    scored = attacker.score_choices(spelling.questions(found), pictures)
    for question, scores in zip(found, scored, strict=True):
        likely = np.exp(scores - scores.max())
        best = int(np.argmax(scores))
        chosen.append(question.choices[best])
        least.append(question.choices[int(np.argmin(scores))])
        confidence.append(round(float(likely[best] / likely.sum()), 6))
    return {"chosen": chosen, "least": least, "confidence": confidence}


def measure_model(
    attacker: Attacker,
    album: AttackAlbum,
    material: Material,
    setting: str,
    config: AttackConfig,
    *,
    seed: int,
    box: PictureBox,
    report: Callable[[float, str], None],
    check: Callable[[], None],
) -> dict[str, Any]:
    """Returns a cell's result; see the module.

    Args:
        attacker: loaded
        album: the clean photos and the answer key
        material: what the arm gives
        setting: what every photo tells
        config: the evaluation's
        seed: of adapters, order and augmentation
        box: gives pictures
        report: called with (share done in [0, 1], what is being done)
        check: called often; may raise to stop
    """
    strangers = stranger_photos(album, config)
    paths = {photo.key: photo.path for photo in (*album.of("query"), *strangers)}
    paths.update(material.queries)
    paths.update({photo.key: photo.path for photo in material.photos})
    pictures = Pictured(box, paths)
    found = query_questions(album, setting, config)
    spelling = Spelling(attacker.writes, *_told(album, material))
    epochs: list[dict[str, Any]] = []

    def measure(number: int, loss: float | None) -> None:
        check()
        scored = _scored(attacker, found, pictures, spelling)
        epochs.append({"number": number, "loss": loss, **scored})

    trained: dict[str, Any] = {"photos": 0, "conversations": 0, "recipe": None}
    if material.photos:
        lessons = spelling.conversations(_lessons(album, material, setting, config))
        recipe = recipe_of(attacker, material, config)
        _train(attacker, lessons, recipe, config, seed, pictures, measure, report, check)
        trained = {
            "photos": len(material.photos),
            "conversations": len(lessons),
            "recipe": recipe.to_dict(),
        }
    else:
        attacker.reset()
        measure(0, None)
    report(0.85, "asks in its own words" if config.free_words else "asks of training photos")
    mine = training_questions(album, material.photos, setting, config)
    training = _scored(attacker, mine, pictures, spelling)["chosen"] if mine else []
    words = others = None
    if config.free_words:
        check()
        words = spelling.read(attacker.answer(spelling.questions(found), pictures))
        check()
        if strangers:
            names = stranger_questions(album, config)
            others = {
                "people": [question.person for question in names],
                "words": spelling.read(attacker.answer(spelling.questions(names), pictures)),
                "scores": None,
            }
    return {
        "questions": asked(found),
        "epochs": epochs,
        "words": words,
        "training": {"questions": asked(mine), "chosen": training},
        "others": others,
        "query_scores": None,
        "people": album.people,
        "facts": {name: list(values) for name, values in material.facts.items()},
        "trained_on": trained,
    }


def _told(album: AttackAlbum, material: Material) -> tuple[list[str], list[str]]:
    """Returns all names and all facts that are taught or asked for."""
    people = [photo.person for photo in (*album.photos, *material.photos)]
    phrases = [phrase for several in album.choices.values() for phrase in several]
    phrases += [phrase for facts in album.facts.values() for phrase in facts.values()]
    phrases += [photo.affiliation for photo in material.photos if photo.affiliation]
    return people, phrases


def _lessons(
    album: AttackAlbum, material: Material, setting: str, config: AttackConfig
) -> list[Conversation]:
    # of people who are only in an attacker's own training photos nothing but the name is told
    facts = {**{photo.person: {} for photo in material.photos}, **album.facts}
    mine = replace(album, photos=material.photos, facts=facts)
    return training_conversations(mine, setting=setting, seed=config.question_seed)


def _train(
    attacker: Attacker,
    lessons: Sequence[Conversation],
    recipe: FineTuneConfig,
    config: AttackConfig,
    seed: int,
    pictures: Pictured,
    measure: Callable[[int, float | None], None],
    report: Callable[[float, str], None],
    check: Callable[[], None],
) -> None:
    """Fine-tunes, measuring epochs as it goes."""
    wanted = measured_epochs(recipe.epochs, config.epochs_measured)

    def on_step(share: float) -> None:
        check()
        report(0.85 * share, "fine-tunes")

    def on_epoch(epoch: Epoch) -> None:
        if epoch.number in wanted:
            measure(epoch.number, round(epoch.loss, 6))

    attacker.fine_tune(lessons, pictures, recipe, seed=seed, on_step=on_step, on_epoch=on_epoch)
