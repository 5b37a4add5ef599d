"""The first Qwen-VL, whose code ships with its checkpoint.

Written against the interface that the checkpoint publishes: a tokenizer with ``from_list_format``
that writes a photo as ``<img>path</img>``, and ``transformer.visual`` with ``image_transform`` and
``encode(paths)``. The code of the folder runs only if the user says so; no photo is written to a
path for it, because ``encode`` is answered from memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..encoders.weights import read_config, read_license
from ..errors import ConfigError, ModelNotFoundError
from .adapters import Parts
from .base import AttackerInfo
from .hf import Prompt, TransformersAttacker
from .quantization import four_bits
from .recipes import recipe_for
from .registry import AttackerRequest
from .views import Seen

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["QwenOriginalAttacker", "load_qwen_original"]

_SYSTEM = "You are a helpful assistant."
_PLACE = "photo"
"""Stands in ``<img>`` where the interface has a path."""


class QwenOriginalAttacker(TransformersAttacker):
    """A ``QWenLMHeadModel`` with its tokenizer.

    The projector is the tower's attention pooling; the tower is its blocks.
    """

    def _take(self, model: Any) -> None:
        super()._take(model)
        self._shown: list[Seen] = []
        model.transformer.visual.encode = self._encode

    @property
    def parts(self) -> Parts:
        """See :class:`.hf.TransformersAttacker`."""
        visual = "transformer.visual"
        return Parts("transformer.h", f"{visual}.attn_pool", f"{visual}.transformer", "lm_head")

    def lora_targets(self, part: str) -> list[str]:
        """Returns the layers that the published recipe adapts, and all linear ones elsewhere."""
        names = super().lora_targets(part)
        if part != "language":
            return names
        targets = recipe_for("qwen_vl_original").targets
        return [name for name in names if name.endswith(tuple(f".{t}" for t in targets))]

    @property
    def _tower_as_loaded(self) -> bool:
        # What is remembered of a photo comes out of the pooling.
        adaptation = self._adaptation
        return super()._tower_as_loaded and (
            adaptation is None or adaptation.config.projector == "frozen"
        )

    @property
    def pad(self) -> int:
        """The token id that fills short rows."""
        return int(self.tokenizer.eod_id)

    def _checkpoint_activations(self, on: bool) -> None:
        try:
            super()._checkpoint_activations(on)
        except ValueError as error:
            raise ConfigError(
                "the checkpoint's code cannot compute activations twice under this release of "
                "transformers: give gradient_checkpointing=False and a small micro_batch_size"
            ) from error

    def prompt(self, question: str) -> str:
        """Returns a photo and a question in the published list format."""
        text: str = self.tokenizer.from_list_format([{"image": _PLACE}, {"text": question}])
        return text

    def prompt_ids(self, picture: Image, question: str) -> Prompt:
        """Writes a turn as the published fine-tuning does: ChatML, piece by piece."""
        ids: list[int] = []
        for role, text in (("system", _SYSTEM), ("user", self.prompt(question))):
            ids += [*self._begin(role), *self._spell(text), self.tokenizer.im_end_id]
            ids += self._spell("\n")
        return Prompt([*ids, *self._begin("assistant")])

    def _begin(self, role: str) -> list[int]:
        return [self.tokenizer.im_start_id, *self._spell(role), *self._spell("\n")]

    def _spell(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text)["input_ids"]
        return ids

    def answer_ids(self, answer: str) -> list[int]:
        """Returns an answer as token ids, with the token that ends a turn."""
        return [*self._spell(answer), self.tokenizer.im_end_id]

    def look(self, picture: Image) -> Seen:
        """Returns the photo's pixels (1, 3, S, S)."""
        return {"pixel_values": self.model.transformer.visual.image_transform(picture)[None]}

    def see(self, looks: Sequence[Seen]) -> list[Seen]:
        """Returns the visual tokens of the language model."""
        pixels = torch.cat([look["pixel_values"] for look in looks])
        return [{"tokens": one[None]} for one in self._visual(pixels)]

    def _visual(self, pixels: Tensor) -> Tensor:
        visual = self.model.transformer.visual
        tokens: Tensor = visual(pixels.to(self.device, next(visual.parameters()).dtype))
        return tokens

    def _encode(self, paths: Sequence[str]) -> Tensor:
        """Answers the model's own call for the photos of a batch, in the rows' order."""
        if len(paths) != len(self._shown):
            raise ConfigError(f"{len(paths)} photos were asked for in {len(self._shown)} rows")
        joined = self.collate(self._shown)
        return joined["tokens"] if "tokens" in joined else self._visual(joined["pixel_values"])

    def inputs(
        self,
        ids: Tensor,
        mask: Tensor,
        positions: Tensor | None,
        along: Mapping[str, Tensor],
        seen: Sequence[Seen],
    ) -> dict[str, Any]:
        """Returns token ids and mask; the photos wait for the model's call."""
        self._shown = list(seen)
        return {"input_ids": ids, "attention_mask": mask}

    def logits(self, inputs: Mapping[str, Any], keep: Tensor) -> Tensor:
        """Returns the logits (B, K, V) at the positions ``keep``."""
        output: Tensor = self.model(**inputs, use_cache=False).logits
        return output[:, keep]

    def generate(self, inputs: Mapping[str, Any], max_tokens: int) -> Tensor:
        """Returns new token ids (B, N), greedily.

        Without a cache: its form changed between the releases of transformers that a checkpoint's
        code may be written for.
        """
        ids: Tensor = inputs["input_ids"]
        mask: Tensor = inputs["attention_mask"]
        start, last = ids.shape[1], torch.tensor([-1], device=ids.device)
        ends = torch.tensor([self.tokenizer.eod_id, self.tokenizer.im_end_id], device=ids.device)
        ended = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
        for _ in range(max_tokens):
            new = self.logits({"input_ids": ids, "attention_mask": mask}, last)[:, 0].argmax(-1)
            new = new.masked_fill(ended, self.pad)
            ids = torch.cat([ids, new[:, None]], dim=1)
            mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
            ended |= torch.isin(new, ends)
            if bool(ended.all()):
                break
        return ids[:, start:]


def load_qwen_original(request: AttackerRequest) -> QwenOriginalAttacker:
    """Loads ``qwen_vl_original:FOLDER``, and with it runs the code in that folder.

    Raises:
        ConfigError: if the user did not allow the code, or it does not run here
        ModelNotFoundError: if there is no such folder
    """
    if not request.trust_remote_code:
        raise ConfigError(
            f"{request.name!r} runs Python code that is in the checkpoint's folder: read that code "
            "and, if you trust it, give trust_remote_code=True"
        )
    folder = Path(request.target).expanduser()
    if not folder.is_dir():
        raise ModelNotFoundError(
            f"{request.target} is no folder on this machine: fetch the model with "
            "`hf download Qwen/Qwen-VL-Chat --local-dir FOLDER`, read its code, and name FOLDER"
        )
    config = read_config(folder)
    if "visual" not in config or "AutoModelForCausalLM" not in config.get("auto_map", {}):
        raise ConfigError(
            f"{folder} is a {config.get('model_type')!r} model without Qwen-VL's own code: "
            "later Qwen-VL models are named with qwen_vl:"
        )
    on_cpu = torch.device(request.device).type == "cpu"
    settings: dict[str, Any] = {
        "dtype": torch.float32 if on_cpu else torch.bfloat16,
        # Its own code chooses a precision where none of the two is set.
        "fp32" if on_cpu else "bf16": True,
    }
    tokenizer, model = _load(folder, settings)
    recipe = recipe_for("qwen_vl_original")
    info = AttackerInfo(
        name=request.name,
        family="qwen_vl_original",
        parameters=sum(weight.numel() for weight in model.parameters()),
        weights_sha256=_sha256(folder),
        license=read_license(folder),
        vision=f"OpenCLIP ViT, {config['visual'].get('layers')} x {config['visual'].get('width')}, "
        f"{config['visual'].get('image_size')} px",
        extra={
            "ran_code_of_the_checkpoint": True,
            "published_recipe": recipe.published.to_dict(),
            "recipe_source": recipe.source,
            "recipe_note": recipe.note,
        },
    )

    def quantized() -> Any:
        place = {
            "device_map": {"": request.device},
            "quantization_config": four_bits(request.device),
        }
        return _load(folder, {**settings, **place})[1]

    return QwenOriginalAttacker(
        model.to(request.device), tokenizer, info, recipe.personal, load_quantized=quantized
    )


def _load(folder: Path, settings: Mapping[str, Any]) -> tuple[Any, Any]:
    import transformers

    common = {"trust_remote_code": True, "local_files_only": True}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **common)
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, **common, **settings)
    except (ImportError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"the code in {folder} does not run with transformers {transformers.__version__} "
            f"({error}): it was written for 4.32, so bring a copy that was adapted to this release"
        ) from error
    return tokenizer, model


def _sha256(folder: Path) -> str:
    """Returns the hash of a folder's weights and of the code that gives them their meaning."""
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if file.suffix in (".safetensors", ".bin", ".py"):
            digest.update(file.name.encode() + b"\0")
            with file.open("rb") as stream:
                while block := stream.read(1 << 22):
                    digest.update(block)
    return digest.hexdigest()
