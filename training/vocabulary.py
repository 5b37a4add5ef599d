"""A word-level tokenizer for captions, in the transformers format."""

from __future__ import annotations

import re

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from fiftyone_dp2vl.benchmark.names import GIVEN_NAMES
from fiftyone_dp2vl.benchmark.scenarios import SCENARIOS, captions

# Id 2 stays unused: transformers reads an end token of id 2 as "take the largest id instead".
SPECIAL = ["<pad>", "<unk>", "<unused>", "<start>", "<end>"]
SUBJECTS = ("someone", "a person", "this person", "the person", "a friend")
LENGTH = 24


def _words() -> list[str]:
    lines = [" ".join(SUBJECTS), "photo picture of with and in the a . , ? '"]
    for scenario in SCENARIOS.values():
        lines.append(scenario.question.format(name="someone"))
        for group in captions(scenario.name).values():
            lines.extend(group)
    found = {w for line in lines for w in re.findall(r"\w+|[^\w\s]", line.lower())}
    return sorted(found | {name.lower() for name in GIVEN_NAMES})


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Builds the tokenizer; its words are those of the benchmark's sentences and names."""
    vocabulary = {word: i for i, word in enumerate(SPECIAL + _words())}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>",
        special_tokens=[("<start>", vocabulary["<start>"]), ("<end>", vocabulary["<end>"])],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        pad_token="<pad>",
        bos_token="<start>",
        eos_token="<end>",
        model_max_length=LENGTH,
    )
