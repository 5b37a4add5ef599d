"""What an encoder must be able to do before it is shipped."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from encoder_model import AnyEncoder, Heads, encode, encode_text
from torch import Tensor
from torch.nn import functional
from transformers import CLIPModel, PreTrainedTokenizerBase

from fiftyone_dp2vl.benchmark.people import sample_identities
from fiftyone_dp2vl.benchmark.photos import FORMATS, PhotoSpec
from fiftyone_dp2vl.benchmark.places import PLACES
from fiftyone_dp2vl.benchmark.scenarios import SCENARIOS, captions

IDENTITY_GATE = 0.90
THING_GATE = 0.80


def identity_specs(
    split: str, seed: int, people: int = 50, photos: int = 5
) -> tuple[list[PhotoSpec], list[int]]:
    """Photos of people never trained on, with and without things, in any place."""
    rng = np.random.default_rng([seed, 901])
    specs, labels = [], []
    affiliations = [(s.name, a.name) for s in SCENARIOS.values() for a in s.affiliations]
    for index, person in enumerate(sample_identities(people, seed, split)):
        for turn in range(photos):
            scenario, name = affiliations[int(rng.integers(len(affiliations)))]
            specs.append(_spec(rng, person, *(("", "") if turn % 2 else (scenario, name))))
            labels.append(index)
    return specs, labels


def thing_specs(split: str, seed: int, each: int = 5) -> list[PhotoSpec]:
    """New photos of every affiliation of every scenario, each with another person."""
    rng = np.random.default_rng([seed, 902])
    rows = [(s.name, a.name) for s in SCENARIOS.values() for a in s.affiliations] * each
    people = sample_identities(60, seed + 1, split)
    return [_spec(rng, people[i % len(people)], *row) for i, row in enumerate(rows)]


def _spec(rng: np.random.Generator, person: object, scenario: str, name: str) -> PhotoSpec:
    width, height = FORMATS[int(rng.integers(len(FORMATS)))]
    places = list(PLACES)
    return PhotoSpec(
        identity=person,  # type: ignore[arg-type]
        role="share" if name else "query",
        scenario=scenario,
        affiliation=name,
        place=places[int(rng.integers(len(places)))],
        width=width,
        height=height,
        seed=int(rng.integers(2**31)),
    )


@torch.no_grad()
def embed(model: AnyEncoder, pixels: Tensor) -> dict[str, Tensor]:
    """Embeds normalised pixels (N, 3, S, S) in three readings, each (N, D)."""
    model.eval()
    parts: dict[str, list[Tensor]] = {"pooled": [], "embeds": [], "mean_patch": []}
    for batch in pixels.split(100):
        patches, pooled, embeds = encode(model, batch)
        parts["pooled"].append(pooled.float())
        parts["embeds"].append(embeds.float())
        parts["mean_patch"].append(patches.float().mean(1))
    return {name: torch.cat(values) for name, values in parts.items()}


def nearest_neighbour(features: Tensor, labels: Sequence[int]) -> float:
    """Leave-one-out accuracy of the nearest neighbour by cosine."""
    unit = functional.normalize(features, dim=1)
    likeness = (unit @ unit.T).fill_diagonal_(-2)
    people = torch.tensor(labels, device=features.device)
    return float((people[likeness.argmax(1)] == people).float().mean())


@torch.no_grad()
def thing_recall(
    model: CLIPModel,
    tokenizer: PreTrainedTokenizerBase,
    embeds: Tensor,
    specs: Sequence[PhotoSpec],
) -> dict[str, float]:
    """Zero-shot recall of the visible affiliation against all captions of its scenario.

    Args:
        model: the encoder.
        tokenizer: its tokenizer.
        embeds: (N, P), embeddings of the photos.
        specs: what the photos show.

    Returns:
        Recall by scenario, and ``mean`` over photos.
    """
    hits: dict[str, list[bool]] = {name: [] for name in SCENARIOS}
    unit = functional.normalize(embeds, dim=1)
    for name in SCENARIOS:
        written = captions(name)
        lines = [line for group in written.values() for line in group]
        read = tokenizer(lines, padding=True, return_tensors="pt").to(embeds.device)
        texts = encode_text(model, read["input_ids"], read["attention_mask"]).float()
        groups = functional.normalize(texts, dim=1).view(len(written), -1, texts.shape[1]).mean(1)
        groups = functional.normalize(groups, dim=1)
        answers = list(written)
        for row, spec in zip(unit, specs, strict=True):
            if spec.scenario == name:
                hits[name].append(answers[int((groups @ row).argmax())] == spec.affiliation)
    result = {name: round(float(np.mean(values)), 4) for name, values in hits.items()}
    everything = [hit for values in hits.values() for hit in values]
    return {**result, "mean": round(float(np.mean(everything)), 4)}


@torch.no_grad()
def thing_recall_by_head(
    heads: Heads, pooled: Tensor, specs: Sequence[PhotoSpec]
) -> dict[str, float]:
    """Recall as in `thing_recall`, by the training head: for encoders that cannot read."""
    order = [(s.name, a.name) for s in SCENARIOS.values() for a in s.affiliations]
    logits = heads.pooled_things(pooled)
    hits = []
    for row, spec in zip(logits, specs, strict=True):
        options = [i for i, (scenario, _) in enumerate(order) if scenario == spec.scenario]
        answer = options[int(row[options].argmax())]
        hits.append(order[answer][1] == spec.affiliation)
    return {"mean": round(float(np.mean(hits)), 4)}


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def stack(pictures: Sequence[npt.NDArray[np.uint8]]) -> Tensor:
    """Stacks square pictures to (N, S, S, 3) uint8."""
    return torch.from_numpy(np.stack(pictures))
