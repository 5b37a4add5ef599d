"""The benchmark's card: what it is, and whose art it is drawn with."""

from __future__ import annotations

from typing import Final

CREDITS: Final[tuple[tuple[str, str, str, str], ...]] = (
    (
        "People",
        "Avataaars by Pablo Stanley, remixed by DiceBear (dicebear-core, dicebear-styles)",
        "Free for personal and commercial use; the DiceBear code is MIT",
        "https://avataaars.com/",
    ),
    (
        "Things",
        "OpenMoji, the open-source emoji and icon project",
        "CC BY-SA 4.0",
        "https://openmoji.org/",
    ),
    (
        "Rendering",
        "resvg by the Resvg Authors, through resvg-py",
        "MIT (binding); Apache-2.0 or MIT (resvg)",
        "https://github.com/linebender/resvg",
    ),
)

_TEMPLATE: Final = """# Synthetic identity-affiliation benchmark

{people} synthetic people (split `{split}`, seed {seed}), {shares} photos that someone would
share and {queries} query photos of the same people alone.

Nobody on these photos exists. A person keeps face width, skin, hair, beard, brows and glasses
from photo to photo; expression, clothes, pose, place, light, lens, sensor noise and JPEG
quality change. A share photo shows the person together with one affiliation from one of
seven scenarios: {scenarios}. A query photo shows the person alone, in a place that none of
their share photos shows, so that an answer about an affiliation can only come from memory.

Two people of any split differ in at least two attributes. `train` and `train_heldout` people
train encoders, `dev` people choose objectives, and reported figures use `eval` people only.

Photos are drawings under procedural light, texture and noise. Figures on them compare methods
with each other; they do not say how a method fares on photographs of real people.

The same command makes the same bytes again with the same versions of the art and of Pillow.

## Art and licences

{credits}

The photos show OpenMoji art, adapted (shaded, rotated, blended into scenes), and are therefore
shared under CC BY-SA 4.0.
"""


def write_card(
    *, people: int, split: str, seed: int, shares: int, queries: int, scenarios: list[str]
) -> str:
    """Returns the card of one benchmark as Markdown."""
    credits = "\n".join(
        f"- **{what}**: {who}. Licence: {licence}. {link}" for what, who, licence, link in CREDITS
    )
    return _TEMPLATE.format(
        people=people,
        split=split,
        seed=seed,
        shares=shares,
        queries=queries,
        scenarios=", ".join(scenarios),
        credits=credits,
    )
