"""What a fine-tuning trains of a model: LoRA adapters and whole parts; and how to undo it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..errors import ConfigError, DP2VLError
from .config import FineTuneConfig

__all__ = ["Adaptation", "Parts", "linear_layers"]


_TOWER_SHARE = {"lora": 0.1, "full": 0.01}
"""Of the adapters' rate, for a vision encoder's: at the full rate it forgets how to see, and the
model learns less than with a frozen one."""


@dataclass(frozen=True)
class Parts:
    """Where the parts of a vision-language model lie, as dotted names of modules.

    Attributes:
        language: the language model's blocks and embeddings
        projector: what carries image features to it; empty if there is none
        tower: the vision encoder
        head: the output embeddings; empty if they are part of ``language``
    """

    language: str
    projector: str
    tower: str
    head: str = ""


class Adaptation:
    """A model prepared for one fine-tuning.

    The model is changed in place; :meth:`remove` gives back the very weights it had.

    Args:
        model: the model, in evaluation mode
        parts: where its parts lie
        config: what is trained, and how fast
        targets: names of the modules of a part that LoRA is laid on

    Raises:
        ConfigError: if nothing would be trained
    """

    def __init__(
        self,
        model: nn.Module,
        parts: Parts,
        config: FineTuneConfig,
        targets: Mapping[str, list[str]],
    ) -> None:
        self.model, self.parts, self.config = model, parts, config
        self._before: dict[str, Tensor] = {}
        self._wrapped: Any = None
        model.requires_grad_(False)
        chosen = list(targets["language"]) if config.lora_rank else []
        for part in ("projector", "tower"):
            if getattr(config, part) == "lora":
                if not config.lora_rank:
                    raise ConfigError(f"{part} is 'lora' and lora_rank 0: give a rank above 0")
                chosen += targets[part]
        if chosen:
            self._wrapped = _wrap(model, chosen, config)
        whole = [] if config.lora_rank else [parts.language, parts.head]
        whole += [getattr(parts, p) for p in ("projector", "tower") if getattr(config, p) == "full"]
        for part in filter(None, whole):
            for name, weight in model.get_submodule(part).named_parameters(prefix=part):
                if not weight.is_floating_point():
                    raise ConfigError(f"{name} is quantised and cannot be trained: use LoRA")
                self._before[name] = weight.detach().to("cpu", copy=True)
                weight.data = weight.data.float()  # AdamW's steps would be lost in half precision
                weight.requires_grad_(True)

    def trained(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yields the weights that are trained, by name."""
        return ((n, w) for n, w in self.model.named_parameters() if w.requires_grad)

    def groups(self) -> list[dict[str, Any]]:
        """Returns AdamW's parameter groups: each part has its own rate, vectors no decay."""
        config = self.config
        slower = {
            self.parts.projector: config.projector_learning_rate or config.learning_rate,
            self.parts.tower: config.tower_learning_rate
            or config.learning_rate * _TOWER_SHARE.get(config.tower, 1.0),
        }
        made: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, weight in self.trained():
            # a part that a model does not have is called "", and no name begins with a dot
            own = (rate for part, rate in slower.items() if name.startswith(f"{part}."))
            rate = next(own, config.learning_rate)
            decay = config.weight_decay if weight.ndim > 1 else 0.0
            made.setdefault((rate, decay), []).append(weight)
        return [
            {"params": weights, "lr": rate, "weight_decay": decay}
            for (rate, decay), weights in made.items()
        ]

    def remove(self) -> None:
        """Takes the adapters off and puts the trained weights back."""
        if self._wrapped is not None:
            self._wrapped.unload()
            self._wrapped = None
        names = dict(self.model.named_parameters())
        for name, before in self._before.items():
            weight = names[name]
            weight.data = before.to(weight.device)
        self.model.requires_grad_(False)

    def save(self, folder: Path) -> None:
        """Writes adapters in peft's format, and the other trained weights beside them."""
        from safetensors.torch import save_file

        if self._wrapped is not None:
            self._wrapped.save_pretrained(folder)
        if self._before:
            names = dict(self.model.named_parameters())
            whole = {n: names[n].detach().cpu().contiguous() for n in self._before}
            save_file(whole, folder / "trained.safetensors")

    def load(self, folder: Path) -> None:
        """Takes the weights that :meth:`save` wrote for the same model and configuration.

        Raises:
            DP2VLError: if they do not fit
        """
        from peft import get_peft_model_state_dict, set_peft_model_state_dict
        from safetensors.torch import load_file

        try:
            if self._wrapped is not None:
                state = load_file(folder / "adapter_model.safetensors")
                if state.keys() != get_peft_model_state_dict(self._wrapped).keys():
                    raise KeyError("other adapters")
                set_peft_model_state_dict(self._wrapped, state)
            whole = load_file(folder / "trained.safetensors") if self._before else {}
            names = dict(self.model.named_parameters())
            for name in self._before:
                names[name].data.copy_(whole[name])
        except (OSError, KeyError, RuntimeError) as error:
            raise DP2VLError(
                f"{folder} does not fit this model: name a folder that the same attacker saved"
            ) from error


def _wrap(model: nn.Module, names: list[str], config: FineTuneConfig) -> Any:
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=names,
        bias="none",
    )
    with warnings.catch_warnings():
        # peft asks for it by a name that transformers is about to drop
        warnings.filterwarnings(
            "ignore", message=".*is_gradient_checkpointing", category=FutureWarning
        )
        return get_peft_model(model, lora)


def linear_layers(model: nn.Module, part: str) -> list[str]:
    """Returns the full names of a part's linear layers, quantised ones among them."""
    if not part:
        return []
    return [
        name
        for name, module in model.get_submodule(part).named_modules(prefix=part)
        if isinstance(module, nn.Linear)
    ]
