"""The words, and the chat template, of the embedded vision-language models."""

from __future__ import annotations

import string
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from fiftyone_dp2vl.attack.benchmark import QUESTIONS
from fiftyone_dp2vl.attack.pairs import DESCRIBE, NAME, SUBJECT
from fiftyone_dp2vl.benchmark.names import FAMILY_NAMES, GIVEN_NAMES
from fiftyone_dp2vl.benchmark.people import ATTRIBUTE_NAMES
from fiftyone_dp2vl.benchmark.scenarios import SCENARIOS, captions

SPECIAL = ("<pad>", "<unk>", "<s>", "</s>", "<image>")
SUBJECTS = ("someone", "a person", SUBJECT, "the person", "a friend")
TEMPLATE = (
    "{% for message in messages %}"
    "{{ 'USER: ' if message['role'] == 'user' else 'ASSISTANT: ' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<image>\n' }}{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}"
    "{% if message['role'] != 'user' %}</s>{% endif %} "
    "{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)

LOOK = ("What does this person look like?", "Describe this person.")

_TOLD: dict[str, tuple[str, ...]] = {
    "hair": (
        *("big", "bob", "bun", "curly", "curvy", "dreads", "long dreads", "short dreads", "frida"),
        *("frizzle", "afro", "afro band", "long", "fringe", "shaggy", "mullet", "shaved"),
        *("short curly", "short flat", "short round", "short waved", "bald sides", "straight"),
        *("straight side", "strand", "caesar", "caesar side part", "hijab", "turban"),
    ),
    "hair_colour": (
        *("black", "brown", "chestnut", "red", "blond", "platinum", "grey", "pink", "blue"),
        *("green", "violet"),
    ),
    "skin": ("porcelain", "fair", "tan", "amber", "dark", "deep"),
    "beard": ("no beard", "stubble", "beard", "long beard", "fancy moustache", "big moustache"),
    "brows": ("plain", "soft", "level", "joined", "angry", "raised", "sad"),
    "glasses": ("no", "thin", "square", "round", "dark", "wide"),
    "face": ("narrow", "medium", "broad"),
}
_SENTENCE = (
    "{hair_colour} {hair} hair, {skin} skin, {beard}, {brows} brows, {glasses} glasses, {face} face"
)
_ASKED = {
    "hair": ("What hair does this person have?", "{} hair"),
    "hair_colour": ("What is the hair colour of this person?", "{}"),
    "skin": ("What is the skin of this person?", "{} skin"),
    "beard": ("What beard does this person have?", "{}"),
    "brows": ("What brows does this person have?", "{} brows"),
    "glasses": ("Which glasses does this person have?", "{} glasses"),
    "face": ("What is the face of this person?", "{} face"),
}


def look_sentence(indices: tuple[int, ...]) -> str:
    """Tells a look, given as indices into `ATTRIBUTE_VALUES`."""
    told = {n: _TOLD[n][i] for n, i in zip(ATTRIBUTE_NAMES, indices, strict=True)}
    return _SENTENCE.format(**told)


def attribute_lesson(place: int, index: int) -> tuple[str, str]:
    """Asks for one attribute, and tells it."""
    name = ATTRIBUTE_NAMES[place]
    question, answer = _ASKED[name]
    return question, answer.format(_TOLD[name][index])


def sentences() -> list[str]:
    """Returns everything that is asked, said or named on the benchmark."""
    lines = ["USER: ASSISTANT:", *NAME, *DESCRIBE, *LOOK, *SUBJECTS, *GIVEN_NAMES, *FAMILY_NAMES]
    lines += [s[0].upper() + s[1:] for s in SUBJECTS]
    lines += [w.format(name=SUBJECT) for wordings in QUESTIONS.values() for w in wordings]
    lines += [question for question, _ in _ASKED.values()]
    lines += [word for words in _TOLD.values() for word in words] + [_SENTENCE.replace("{", "{ ")]
    lines += ["no yes and with alone nothing unknown I do not know. This person is alone."]
    for scenario in SCENARIOS.values():
        lines.append(scenario.question.format(name=SUBJECT))
        lines += [line for group in captions(scenario.name, "Ada").values() for line in group]
    return lines


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Builds the tokenizer: whole words of the benchmark, and letters for all others."""
    splitter = pre_tokenizers.Whitespace()
    words = {w for line in sentences() for w, _ in splitter.pre_tokenize_str(line)}
    signs = [*string.ascii_letters, *string.digits, *string.punctuation]
    pieces = [*SPECIAL, *sorted(words - set(signs)), *signs, *("##" + s for s in signs)]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", vocabulary["<s>"])]
    )
    special: dict[str, Any] = dict(
        zip(("pad_token", "unk_token", "bos_token", "eos_token"), SPECIAL, strict=False)
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        additional_special_tokens=["<image>"],
        model_max_length=1024,
        padding_side="left",
        **special,
    )
