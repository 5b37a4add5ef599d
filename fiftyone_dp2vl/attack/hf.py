"""What all attackers that are models of the transformers style share.

A family says how a photo and a question are written (:meth:`TransformersAttacker.prompt_ids`), what
is computed of a photo before any trained weight (:meth:`TransformersAttacker.see`), how both go
into the model (:meth:`TransformersAttacker.inputs`) and where the model's parts lie
(:attr:`TransformersAttacker.parts`). Everything has a default that works through the processor.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..errors import ConfigError
from . import questioning, saving
from .adapters import Adaptation, Parts, linear_layers
from .augment import augmented
from .base import Attacker, AttackerInfo, Conversation, Epoch, Pictures, Question
from .config import FineTuneConfig
from .finetune import train
from .precision import autocast, reproducible
from .quantization import four_bits
from .rows import log_likelihoods
from .trees import Row, Utterance
from .views import FeatureMemory, Prompt, Seen, Views

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Prompt", "TransformersAttacker"]


class TransformersAttacker(Attacker):
    """A vision-language model with a processor.

    Args:
        model: ready to use, on its device
        processor: with ``tokenizer``; makes prompts and image tensors
        info: what it is
        defaults: the recipe where none is given
        load_quantized: loads the same model with quantised weights
    """

    packs: ClassVar[bool] = False
    """Whether the model takes a mask of who sees whom (B, 1, L, L) and explicit positions, so that
    questions about one photo can share its tokens."""
    rows_at_once: int = 8
    """Rows of a forward pass outside training."""

    def __init__(
        self,
        model: Any,
        processor: Any,
        info: AttackerInfo,
        defaults: FineTuneConfig,
        *,
        load_quantized: Callable[[], Any] | None = None,
    ) -> None:
        self.processor, self.info, self.defaults = processor, info, defaults
        self.tokenizer: Any = getattr(processor, "tokenizer", processor)
        self._load_quantized, self._quantized = load_quantized, False
        self._memory = FeatureMemory()
        self._adaptation: Adaptation | None = None
        self._take(model)

    def _take(self, model: Any) -> None:
        self.model: Any = model.eval()
        self.model.requires_grad_(False)
        self.half = any(w.dtype in (torch.bfloat16, torch.float16) for w in model.parameters())
        self._memory.clear()

    # What a family may say otherwise

    @property
    def decodes_together(self) -> bool:
        """Whether questions about one photo share its tokens in free answers too."""
        return self.packs

    @property
    def parts(self) -> Parts:
        """Where the model's parts lie."""
        raise NotImplementedError

    def lora_targets(self, part: str) -> list[str]:
        """Returns the full names of the modules of ``"language"`` ... that LoRA is laid on."""
        return linear_layers(self.model, getattr(self.parts, part))

    def prompt(self, question: str) -> str:
        """Returns the text of a question about a photo, up to where the answer begins."""
        content = [{"type": "image"}, {"type": "text", "text": question}]
        text: str = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        return text

    def prompt_ids(self, picture: Image, question: str) -> Prompt:
        """Returns a photo and a question as the processor writes them."""
        made = self._process(picture, self.prompt(question))
        ids = made.pop("input_ids")
        along = {n: v[0].tolist() for n, v in made.items() if v.shape == ids.shape}
        along.pop("attention_mask", None)
        return Prompt(ids[0].tolist(), along)

    def answer_ids(self, answer: str) -> list[int]:
        """Returns an answer as token ids, with the token that ends it."""
        ids: list[int] = self.tokenizer(answer, add_special_tokens=False)["input_ids"]
        return [*ids, self.tokenizer.eos_token_id]

    def writes(self, text: str) -> bool:
        """Whether no part of a text becomes the unknown token."""
        # without the token that ends the answer, which some tokenizers use for the unknown as well
        return self.tokenizer.unk_token_id not in self.answer_ids(text)[:-1]

    def look(self, picture: Image) -> Seen:
        """Returns a photo's tensors as the processor makes them."""
        made = self._process(picture, self.prompt(""))
        shape = made["input_ids"].shape
        return {n: v for n, v in made.items() if v.shape != shape}

    def see(self, looks: Sequence[Seen]) -> list[Seen]:
        """Returns what can be computed of photos once, while the vision tower stays as it was."""
        return list(looks)

    def inputs(
        self,
        ids: Tensor,
        mask: Tensor,
        positions: Tensor | None,
        along: Mapping[str, Tensor],
        seen: Sequence[Seen],
    ) -> dict[str, Any]:
        """Returns the model's arguments.

        Args:
            ids: (B, L) int64
            mask: (B, L) int64, 0 where padded, or float (B, 1, L, L) to be added to attention
            positions: (B, L) int64, or None to let the model count
            along: (B, L) each
            seen: of each row's photo
        """
        given = {"input_ids": ids, "attention_mask": mask, **along, **self.collate(seen)}
        if positions is not None:
            given["position_ids"] = positions
        return given

    def collate(self, seen: Sequence[Seen]) -> dict[str, Tensor]:
        """Joins the image tensors of a batch."""
        return {n: torch.cat([s[n] for s in seen]).to(self.device) for n in seen[0]}

    def logits(self, inputs: Mapping[str, Any], keep: Tensor) -> Tensor:
        """Returns the logits (B, K, V) at the positions ``keep`` (K,)."""
        output: Tensor = self.model(**inputs, use_cache=False, logits_to_keep=keep).logits
        return output

    def generate(self, inputs: Mapping[str, Any], max_tokens: int) -> Tensor:
        """Returns new token ids (B, N), greedily decoded, for prompts padded at the left."""
        made: Tensor = self.model.generate(
            **inputs,
            do_sample=False,
            num_beams=1,
            temperature=None,
            top_p=None,
            top_k=None,
            max_new_tokens=max_tokens,
            pad_token_id=self.pad,
            eos_token_id=self.tokenizer.eos_token_id,
        )
        # Embedded prompts do not come back.
        start = inputs["input_ids"].shape[1] if "input_ids" in inputs else 0
        return made[:, start:]

    # What is the same for all

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device  # type: ignore[no-any-return]

    @property
    def pad(self) -> int:
        """The token id that fills short rows."""
        pad = self.tokenizer.pad_token_id
        return int(self.tokenizer.eos_token_id if pad is None else pad)

    @property
    def _tower_as_loaded(self) -> bool:
        return self._adaptation is None or self._adaptation.config.tower == "frozen"

    def _process(self, picture: Image, text: str) -> dict[str, Tensor]:
        return dict(self.processor(images=[picture], text=[text], return_tensors="pt"))

    def views(self, pictures: Pictures, augment_seed: int | None = None) -> Views:
        """Returns what this model sees of photos.

        Args:
            pictures: gives the photos
            augment_seed: changes photos at random in every turn; None never does
        """
        if not self._tower_as_loaded:
            self._memory.clear()
        change = None if augment_seed is None else functools.partial(_change, augment_seed)
        return Views(pictures, self._see, self._memory, change)

    @torch.no_grad()
    def _see(self, pictures: Sequence[Image]) -> list[Seen]:
        found: list[Seen] = []
        for start in range(0, len(pictures), 16):
            looks = [self.look(p.convert("RGB")) for p in pictures[start : start + 16]]
            if self._tower_as_loaded:
                with autocast(self.device, "fp32", self.half):
                    looks = self.see(looks)
            found += [{name: value.cpu() for name, value in look.items()} for look in looks]
        return found

    def utterance(self, photo: str, question: str, answer: str, views: Views) -> Utterance:
        """Returns a question about a photo and its answer as token ids."""
        prompt = self.prompt_of(photo, question, views)
        return Utterance(photo, prompt.ids, self.answer_ids(answer), prompt.along)

    def prompt_of(self, photo: str, question: str, views: Views) -> Prompt:
        """Returns a question about a photo as token ids, remembered with the views."""
        if (photo, question) not in views.prompts:
            views.prompts[photo, question] = self.prompt_ids(views.picture(photo), question)
        return views.prompts[photo, question]

    def log_likelihoods(self, rows: Sequence[Row], seen: Mapping[str, Seen]) -> Tensor:
        """Returns the log-likelihood of every target of the rows, in order, in nats, (N,)."""
        return log_likelihoods(self, rows, seen)

    # The attacker

    def fine_tune(
        self,
        conversations: Sequence[Conversation],
        pictures: Pictures,
        config: FineTuneConfig,
        *,
        seed: int = 0,
        on_step: Callable[[float], None] | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> list[Epoch]:
        """See :meth:`.base.Attacker.fine_tune`.

        Raises:
            ConfigError: if there is nothing to learn, or the recipe does not suit the model
        """
        if not conversations:
            raise ConfigError("there are no conversations to learn: give photos with facts")
        with reproducible(self.device, seed):
            adaptation = self._adapt(config)
            if config.gradient_checkpointing:
                self._checkpoint_activations(True)
            try:
                return train(
                    self,
                    adaptation,
                    conversations,
                    pictures,
                    config,
                    seed=seed,
                    on_step=on_step,
                    on_epoch=on_epoch,
                )
            finally:
                if config.gradient_checkpointing:
                    self._checkpoint_activations(False)
                self.model.zero_grad(set_to_none=True)
                self.model.eval()

    def _checkpoint_activations(self, on: bool) -> None:
        # transformers 5 has another name for it
        stem = (
            "activation" if hasattr(self.model, "activation_checkpointing_enable") else "gradient"
        )
        if on:
            getattr(self.model, f"{stem}_checkpointing_enable")({"use_reentrant": False})
        else:
            getattr(self.model, f"{stem}_checkpointing_disable")()

    def _adapt(self, config: FineTuneConfig) -> Adaptation:
        self.reset()
        self._quantize(config.quantize == "4bit")
        targets = {part: self.lora_targets(part) for part in ("language", "projector", "tower")}
        self._adaptation = Adaptation(self.model, self.parts, config, targets)
        count = sum(weight.numel() for _, weight in self._adaptation.trained())
        self.info = replace(self.info, trained_parameters=count)
        return self._adaptation

    def _quantize(self, wanted: bool) -> None:
        if wanted == self._quantized:
            return
        if not wanted:
            raise ConfigError("the model was loaded in 4 bits: load the attacker again to go back")
        if self._load_quantized is None:
            raise ConfigError(f"{self.info.name} cannot be loaded in 4 bits: give quantize=''")
        four_bits(self.device)  # says what is missing while there still is a model
        self.model = None
        self._take(self._load_quantized())
        self._quantized = True

    def answer(
        self, questions: Sequence[Question], pictures: Pictures, *, max_tokens: int = 24
    ) -> list[str]:
        """See :meth:`.base.Attacker.answer`."""
        return questioning.answer(self, questions, pictures, max_tokens)

    def score_choices(
        self, questions: Sequence[Question], pictures: Pictures
    ) -> list[npt.NDArray[np.float64]]:
        """See :meth:`.base.Attacker.score_choices`; the token that ends an answer counts."""
        return questioning.score_choices(self, questions, pictures)

    def reset(self) -> None:
        """See :meth:`.base.Attacker.reset`."""
        if self._adaptation is not None:
            if not self._tower_as_loaded:
                self._memory.clear()
            self._adaptation.remove()
            self._adaptation = None

    def save(self, folder: Path) -> None:
        """See :meth:`.base.Attacker.save`.

        Raises:
            ConfigError: if nothing was fine-tuned
        """
        if self._adaptation is None:
            raise ConfigError("nothing was fine-tuned: there is nothing to save")
        saving.save(self._adaptation, self.info, folder)

    def load(self, folder: Path) -> None:
        """See :meth:`.base.Attacker.load`.

        Raises:
            DP2VLError: if the folder was written for another model
        """
        adaptation = self._adapt(saving.read_config(folder, self.info))
        adaptation.load(folder)
        self.model.eval()


def _change(seed: int, photo: str, turn: int, picture: Image) -> Image:
    return augmented(picture.convert("RGB"), photo, turn, seed)
