"""Which of several answers a model's own words name."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

__all__ = ["matched", "named_choices", "normalized_words"]

_ARTICLES = frozenset({"a", "an", "the"})


def normalized_words(text: str, *, articles: bool = False) -> tuple[str, ...]:
    """Returns a text's words without case, punctuation and compatibility forms.

    Args:
        text: any; letters, digits and combining marks of every script make up words
        articles: whether they are kept
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    spaced = "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in folded)
    return tuple(word for word in spaced.split() if articles or word not in _ARTICLES)


def named_choices(words: str, choices: Sequence[str]) -> list[str]:
    """Returns the choices that a text names, as whole words in a row.

    A choice that is seen only inside a longer one ("a car" in "a red car") is not named by it.
    Negation is not understood: "not Ada" names Ada.

    Args:
        words: what the model said
        choices: what it could have named

    Returns:
        the named ones in the order of ``choices``
    """
    # somebody may be called An
    articles = any(not normalized_words(choice) for choice in choices)
    said = normalized_words(words, articles=articles)
    places: list[tuple[int, int, str]] = []
    for choice in choices:
        wanted = normalized_words(choice, articles=articles)
        places += [
            (start, start + len(wanted), choice)
            for start in range(len(said) - len(wanted) + 1)
            if wanted and said[start : start + len(wanted)] == wanted
        ]
    named = {
        choice
        for start, end, choice in places
        if not any(a <= start and end <= b and b - a > end - start for a, b, _ in places)
    }
    return [choice for choice in choices if choice in named]


def matched(words: str, answer: str, choices: Sequence[str]) -> bool:
    """Returns whether a text names the right answer and no other choice.

    Args:
        words: what the model said
        answer: the right one; need not be among ``choices``
        choices: the others that it must not name as well
    """
    everything = list(dict.fromkeys([answer, *choices]))
    return named_choices(words, everything) == [answer]
