"""Any image model as an encoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from .base import Encoder, Features, PreprocessSpec

__all__ = ["wrap_module"]


def _as_features(output: Any) -> Features:
    """Returns features from (B, D), (B, T, D) or (B, C, h, w), or from (tokens, pooled)."""
    if isinstance(output, Features):
        return output
    if isinstance(output, (tuple, list)) and len(output) == 2:
        tokens, pooled = output
        return Features(_as_features(tokens).tokens, pooled.float())
    if not isinstance(output, Tensor) or output.ndim not in (2, 3, 4):
        shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(
            f"the module returned {shape}: an encoder needs (B, D), (B, T, D) or (B, C, h, w), "
            "or two tensors, the tokens and the pooled embedding; else pass tokens="
        )
    output = output.float()
    if output.ndim == 2:
        return Features(output.unsqueeze(1), output)
    tokens = output.flatten(2).mT if output.ndim == 4 else output
    return Features(tokens, tokens.mean(dim=1))


class ModuleEncoder(Encoder):
    """A user's module; see :func:`wrap_module`."""

    def __init__(
        self,
        module: nn.Module,
        spec: PreprocessSpec,
        tokens: Callable[[nn.Module, Tensor], Any] | None,
        name: str,
        license: str,
    ) -> None:
        super().__init__(spec, name=name, family="module", license=license)
        self.module = module
        self._tokens = tokens
        self.freeze()

    def encode(self, inputs: Tensor) -> Features:
        """Returns the features of preprocessed photos (B, 3, h, w)."""
        if self._tokens is not None:
            return _as_features(self._tokens(self.module, inputs))
        return _as_features(self.module(inputs))


def wrap_module(
    module: nn.Module,
    spec: PreprocessSpec,
    *,
    name: str,
    tokens: Callable[[nn.Module, Tensor], Any] | None = None,
    license: str = "unknown",
) -> Encoder:
    """Returns any image model as an encoder, frozen and in evaluation mode.

    Args:
        module: from float32 (B, 3, h, w), normalised as ``spec`` says, to an embedding (B, D),
            tokens (B, T, D), a feature map (B, C, h, w), or a pair of tokens and (B, P) pooled
        spec: the preprocessing
        name: what to call it in reports
        tokens: from the module and its input to one of the same, where the module itself returns
            something else
        license: of the weights

    Returns:
        an encoder whose tokens are the module's, and whose pooled embedding is the one it
        returns, or the mean of its tokens
    """
    return ModuleEncoder(module, spec, tokens, name, license)
