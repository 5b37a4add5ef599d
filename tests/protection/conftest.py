"""A small frozen ViT and photos of several sizes, for the engine's tests."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from fiftyone_dp2vl.encoders.base import Encoder, Features, PreprocessSpec


class SmallViT(Encoder):
    """Two attention blocks over 8 x 8 patches of 32 x 32 pixels, random but fixed weights."""

    def __init__(self, seed: int = 0, dim: int = 32) -> None:
        spec = PreprocessSpec(
            size=(32, 32), mode="squash", mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25)
        )
        super().__init__(spec, name=f"small-{seed}", family="test", license="Apache-2.0")
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.patch = nn.Conv2d(3, dim, 8, 8)
            self.position = nn.Parameter(torch.randn(1, 16, dim))
            self.blocks = nn.ModuleList(
                nn.TransformerEncoderLayer(dim, 4, 64, dropout=0.0, batch_first=True)
                for _ in range(2)
            )
        self.freeze()

    def encode(self, inputs: Tensor) -> Features:
        tokens = self.patch(inputs).flatten(2).transpose(1, 2) + self.position
        for block in self.blocks:
            tokens = block(tokens)
        return Features(tokens, tokens.mean(dim=1))


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    return SmallViT()


@pytest.fixture(scope="session")
def second_encoder() -> Encoder:
    return SmallViT(seed=1, dim=24)


def photo(index: int, channels: int = 3, height: int = 48, width: int = 64) -> Tensor:
    """A picture on the 8-bit lattice whose colours depend on its person, ``index % 4``."""
    generator = torch.Generator().manual_seed(index)
    person = torch.Generator().manual_seed(1000 + index % 4)
    colour = torch.rand(channels, 1, 1, generator=person)
    image = 0.5 * colour + 0.5 * torch.rand(channels, height, width, generator=generator)
    return (image * 255).round() / 255


@pytest.fixture(scope="session")
def photos() -> dict[str, Tensor]:
    shapes = [(3, 48, 64)] * 9 + [(3, 64, 48)] * 4 + [(1, 48, 64)] * 3
    return {f"photo-{i:02d}": photo(i, *shape) for i, shape in enumerate(shapes)}


@pytest.fixture(scope="session")
def people(photos: dict[str, Tensor]) -> list[str]:
    return [f"person-{i % 4}" for i in range(len(photos))]
