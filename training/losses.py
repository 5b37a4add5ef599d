"""What the encoder is asked to know."""

from __future__ import annotations

import torch
from encoder_model import Heads
from torch import Tensor
from torch.nn import functional


def same_person(features: Tensor, people: Tensor, temperature: float = 0.1) -> Tensor:
    """Supervised contrastive loss of features (B, D) under labels (B,)."""
    unit = functional.normalize(features.float(), dim=1)
    logits = unit @ unit.T / temperature
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    logits = logits.masked_fill(itself, -1e4)
    friends = (people[:, None] == people[None]) & ~itself
    log_share = logits - logits.logsumexp(dim=1, keepdim=True)
    return -((log_share * friends).sum(1) / friends.sum(1).clamp(min=1)).mean()


def known_person(features: Tensor, proxies: Tensor, people: Tensor) -> Tensor:
    """Cosine softmax over all training people, features (B, D), with a margin of 0.15."""
    cosine = functional.normalize(features.float(), dim=1) @ functional.normalize(proxies, dim=1).T
    margin = functional.one_hot(people, len(proxies)) * 0.15
    return functional.cross_entropy((cosine - margin) * 20.0, people)


def attributes(logits: Tensor, labels: Tensor, sizes: list[int]) -> Tensor:
    """Mean cross-entropy over attributes: logits (N, sum of sizes), labels (N, attributes)."""
    parts = logits.float().split(sizes, dim=1)
    losses = [
        functional.cross_entropy(part, labels[:, i]) / torch.log(torch.tensor(float(part.shape[1])))
        for i, part in enumerate(parts)
    ]
    return torch.stack(losses).mean()


def dense(
    heads: Heads, patches: Tensor, face: Tensor, thing: Tensor, look: Tensor, affiliation: Tensor
) -> tuple[Tensor, Tensor]:
    """Asks every patch what it shows.

    Args:
        heads: the classifiers.
        patches: (B, T, D).
        face: (B, T) bool, patches of the face.
        thing: (B, T) bool, patches of the affiliation.
        look: (B, 7) attribute labels.
        affiliation: (B,), -1 for none.

    Returns:
        Loss of attributes in face patches, and loss of affiliations in all patches.
    """
    count, tokens, _ = patches.shape
    rows = face.nonzero()[:, 0]
    looks = attributes(heads.token_attributes(patches[face]), look[rows], heads.sizes)
    nothing = heads.token_things.out_features - 1
    target = torch.where(thing, affiliation.clamp(min=0)[:, None], nothing)
    weight = torch.where(thing, 1.0, 0.15).flatten()
    logits = heads.token_things(patches).float().view(count * tokens, -1)
    losses = functional.cross_entropy(logits, target.flatten(), reduction="none")
    return looks, (losses * weight).sum() / weight.sum()


def captions(images: Tensor, texts: Tensor, affiliation: Tensor, scale: Tensor) -> Tensor:
    """Softmax of photos with a thing over one caption per affiliation.

    Args:
        images: (B, P).
        texts: (affiliations, P).
        affiliation: (B,), -1 for none.
        scale: learned logarithm of the temperature's inverse.

    Returns:
        A scalar.
    """
    shown = affiliation >= 0
    unit = functional.normalize(images[shown].float(), dim=1)
    words = functional.normalize(texts.float(), dim=1)
    logits = scale.clamp(max=4.6).exp() * unit @ words.T
    return functional.cross_entropy(logits, affiliation[shown])
