from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from fiftyone_dp2vl.encoders import Encoder, registry, unload_encoders


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)
    unload_encoders()


@pytest.fixture
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a test register encoders that no other test sees."""
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., str]:
    """Saves a model, with its processor, as its own library does; returns the folder."""

    def save(model: Any, *processors: Any) -> str:
        folder = tmp_path / type(model).__name__
        model.eval().save_pretrained(folder)
        for processor in processors:
            processor.save_pretrained(folder)
        return str(folder)

    return save


@pytest.fixture
def check() -> Callable[[Encoder], None]:
    """Checks what every encoder promises, whatever its family."""
    return _check


def _check(encoder: Encoder) -> None:
    assert not encoder.training
    assert not any(weight.requires_grad for weight in encoder.parameters())
    assert all(weight.dtype == torch.float32 for weight in encoder.parameters())

    sizes = ((50, 70), (70, 50), (64, 64), (50, 70))
    photos = [torch.rand(3, *size).requires_grad_() for size in sizes]
    together = encoder(photos)
    assert together.tokens.dtype == together.pooled.dtype == torch.float32
    assert together.tokens.shape[0] == together.pooled.shape[0] == len(photos)
    weights = torch.randn(together.pooled.shape[-1])
    spread = torch.randn(together.tokens.shape[-1])
    ((together.pooled @ weights).sum() + (together.mean_token() @ spread).sum()).backward()
    for photo in photos:
        assert photo.grad is not None
        assert torch.isfinite(photo.grad).all()
        assert photo.grad.abs().sum() > 0

    with torch.no_grad():
        for index, photo in enumerate(photos):
            alone = encoder([photo])
            count = alone.tokens.shape[1]
            if together.mask is not None:
                assert int(together.mask[index].sum()) == count
            tokens = together.tokens[index, :count]
            torch.testing.assert_close(tokens, alone.tokens[0], atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(
                together.pooled[index], alone.pooled[0], atol=1e-4, rtol=1e-4
            )
        window = torch.tensor([[4.0, 8.0, 40.0, 48.0]])
        seen = encoder([photos[0]], window)
        cut = encoder([photos[0][:, 4:44, 8:56]])
        torch.testing.assert_close(seen.tokens, cut.tokens, atol=1e-4, rtol=1e-4)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = encoder(photos)
        assert rough.tokens.dtype == rough.pooled.dtype == torch.float32
        near = torch.nn.functional.cosine_similarity(rough.pooled, together.pooled, dim=-1)
        assert near.min() > 0.98

    info = encoder.info
    assert info.name == encoder.name
    assert info.parameters == sum(weight.numel() for weight in encoder.parameters())
    assert info.flops > 0
    assert len(info.weights_sha256) == 64
    assert info.dim == together.tokens.shape[-1]
    assert info.pooled_dim == together.pooled.shape[-1]
