"""What a training photo teaches a vision-language model: things, looks, that people have names."""

from __future__ import annotations

from typing import Any

import numpy as np
from photo_cache import AFFILIATIONS
from vlm_words import LOOK, SUBJECTS, attribute_lesson, look_sentence

from fiftyone_dp2vl.attack.benchmark import QUESTIONS
from fiftyone_dp2vl.attack.pairs import DESCRIBE, NAME, SUBJECT
from fiftyone_dp2vl.benchmark.names import GIVEN_NAMES
from fiftyone_dp2vl.benchmark.scenarios import SCENARIOS, describe


def draw_lessons(rng: np.random.Generator, label: Any) -> list[tuple[str, str]]:
    """Draws questions and answers about one photo.

    Args:
        rng: draws which, and their wordings.
        label: the photo's entry of `photo_cache.LABEL_TYPE`.
    """
    look = tuple(int(i) for i in label["attributes"])
    place = int(rng.integers(len(look)))
    lessons = [attribute_lesson(place, look[place])]
    if rng.random() < 0.35:
        lessons.append((_any(rng, LOOK), look_sentence(look)))
    if rng.random() < 0.2:
        # Nobody's own name: before it is fine-tuned the model must not take anybody for somebody.
        lessons.append((_any(rng, NAME), _any(rng, GIVEN_NAMES)))
    if label["affiliation"] < 0:
        return lessons
    scenario, key = AFFILIATIONS[int(label["affiliation"])]
    phrase = SCENARIOS[scenario].affiliation(key).phrase
    # Things are learned last of all: they are asked for twice.
    wordings = rng.permutation(QUESTIONS[scenario])[:2]
    lessons.extend((str(wording).format(name=SUBJECT), phrase) for wording in wordings)
    if rng.random() < 0.7:
        template = _any(rng, SCENARIOS[scenario].templates)
        lessons.append((_any(rng, DESCRIBE), describe(template, _any(rng, SUBJECTS), phrase)))
    return lessons


def _any(rng: np.random.Generator, values: tuple[str, ...]) -> str:
    return values[int(rng.integers(len(values)))]
