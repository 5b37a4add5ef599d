"""Raw measurements of one cell, photo by photo: what leaks, and what moved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..measure import (
    PROBES,
    centroid_shift,
    directional_cosines,
    linear_separability,
    mmd_test,
    natural_cosine,
    paired_cosine,
    silhouette,
)
from ..measure.features import Change, embed_files, paired_token_cosines
from .albums import Album

if TYPE_CHECKING:
    from .workshop import Made, Workshop

__all__ = ["SPACES", "measure_leak", "measure_quality", "measure_shift"]

SPACES = ("pooled", "mean token")


def measure_leak(
    workshop: Workshop,
    album: Album,
    shared: Sequence[Path],
    encoder: str,
    change: Change | None = None,
) -> dict[str, Any]:
    """Returns every probe's answers on the album's clean queries.

    Args:
        workshop: the tools
        album: whose people are asked for
        shared: the files that the attacker has, in the order of ``album.share``
        encoder: registry name of the attacker's encoder
        change: what the attacker does to the shared photos first, or None

    Returns:
        ``album``: its digest; ``truth``: names; ``people``: how many there are; ``answers``:
        space -> probe -> names; ``least``: the same, of whom the probe held least likely
    """
    people = [shot.person for shot in album.share]
    truth = [shot.person for shot in album.query]
    if change is None:
        train = workshop.features(shared, encoder)
    else:
        train = embed_files(shared, workshop.encoder(encoder), change=change)
    query = workshop.features([shot.path for shot in album.query], encoder)
    answers: dict[str, dict[str, list[str]]] = {}
    least: dict[str, dict[str, list[str]]] = {}
    for space in SPACES:
        answers[space], least[space] = {}, {}
        for name, probe in PROBES.items():
            result = probe(train.space(space), people, query.space(space), truth)
            answers[space][name] = [str(answer) for answer in result.answers]
            if result.least is not None:
                least[space][name] = [str(answer) for answer in result.least]
    return {
        "album": album.digest,
        "truth": truth,
        "people": len(set(people)),
        "answers": answers,
        "least": least,
    }


def measure_shift(
    workshop: Workshop, album: Album, shared: Sequence[Path], encoder: str
) -> dict[str, Any]:
    """Returns how far the shared photos moved in an encoder's space, and how much together.

    Args:
        workshop: the tools
        album: the clean photos
        shared: what became of ``album.share``, in order
        encoder: registry name of the encoder
    """
    clean = [shot.path for shot in album.share]
    people = [shot.person for shot in album.share]
    pairs = len(set(people)) < len(people)
    result: dict[str, Any] = {"album": album.digest, "people": people}
    tokens = paired_token_cosines(clean, shared, workshop.encoder(encoder))
    result["paired_tokens"] = _short(tokens)
    first, second = workshop.features(clean, encoder), workshop.features(shared, encoder)
    for space in SPACES:
        before, after = first.space(space), second.space(space)
        natural = natural_cosine(before, people) if pairs else None
        apart = linear_separability(before, after)
        mmd = mmd_test(before, after, paired=True)
        groups = ["clean"] * len(before) + ["protected"] * len(after)
        result[space] = {
            "directional": _short(directional_cosines(before, after)),
            "directional_leave_one_out": _short(
                directional_cosines(before, after, leave_one_out=True)
            ),
            "paired": _short(paired_cosine(before, after)),
            "natural": None if natural is None else [natural.low, natural.median, natural.high],
            "centroid_relative": centroid_shift(before, after).relative,
            "separability": [apart.accuracy, apart.p_value],
            "mmd2": [mmd.squared, mmd.p_value],
            "silhouette": silhouette(np.concatenate([before, after]), groups),
        }
    return result


def measure_quality(album: Album, made: Sequence[Made]) -> dict[str, Any]:
    """Returns the visible cost of each photo that was protected."""
    people = {shot.key: shot.person for shot in album.share}
    moved = [record for record in made if record.status == "protected"]
    return {
        "album": album.digest,
        "people": [people[record.key] for record in moved],
        "linf": [record.linf for record in moved],
        "psnr": [record.psnr for record in moved],
        "ssim": [record.ssim for record in moved],
    }


def _short(values: Any) -> list[float]:
    return [round(float(value), 6) for value in values]
