"""From photos and texts to MiniGPT-v2's inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import transformers
from transformers import BatchFeature, ProcessorMixin

__all__ = ["IMAGE_PLACE", "MiniGPTv2Processor", "image_processor", "prompt"]

IMAGE_PLACE = "<ImageHere>"
"""What stands in a text where the photo goes."""

_MEAN = [0.48145466, 0.4578275, 0.40821073]
_STD = [0.26862954, 0.26130258, 0.27577711]


def prompt(question: str, task: str = "vqa") -> str:
    """Returns the published wording of one turn.

    Args:
        question: the question
        task: a task identifier such as ``"vqa"``; empty for none, as in plain conversation
    """
    mark = f"[{task}] " if task else ""
    return f"[INST] <Img>{IMAGE_PLACE}</Img> {mark}{question} [/INST]"


def image_processor(side: int) -> Any:
    """Returns the published preprocessing: a bicubic squash to a square, CLIP's mean and spread.

    Args:
        side: of the square, in pixels
    """
    # Pillow's resampling, as in the published code; older releases have only that.
    kind = getattr(transformers, "BlipImageProcessorPil", None) or transformers.BlipImageProcessor
    return kind(size={"height": side, "width": side}, image_mean=_MEAN, image_std=_STD, resample=3)


class MiniGPTv2Processor(ProcessorMixin):  # type: ignore[misc]
    """An image processor and a Llama tokenizer.

    The text around the photo is tokenised piece by piece, as in the published code: the pieces'
    first words are spelt as at the beginning of a text.

    Args:
        image_processor: see :func:`image_processor`
        tokenizer: of the language model
        image_tokens: visual tokens of a photo
        image_token_id: the number that stands for them
    """

    attributes = ["image_processor", "tokenizer"]  # noqa: RUF012  (the library's convention)

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        image_tokens: int = 256,
        image_token_id: int = 32000,
        **kwargs: Any,
    ) -> None:
        self.image_tokens = image_tokens
        self.image_token_id = image_token_id
        super().__init__(image_processor, tokenizer, **kwargs)

    def encode(self, text: str) -> list[int]:
        """Returns a text's tokens, the beginning's first, the photo's places filled in."""
        ids: list[int] = []
        if self.tokenizer.bos_token_id is not None:
            ids.append(self.tokenizer.bos_token_id)
        for number, piece in enumerate(text.split(IMAGE_PLACE)):
            if number:
                ids += [self.image_token_id] * self.image_tokens
            ids += self.tokenizer(piece, add_special_tokens=False)["input_ids"]
        return ids

    def __call__(
        self,
        images: Any = None,
        text: str | Sequence[str] | None = None,
        padding_side: str = "right",
        **kwargs: Any,
    ) -> BatchFeature:
        """Returns ``input_ids`` and ``attention_mask`` (B, T), ``pixel_values`` (B, 3, S, S).

        Args:
            images: a photo, or one for each text; None for text alone
            text: with :data:`IMAGE_PLACE` where a photo goes
            padding_side: ``"right"`` or ``"left"``
            kwargs: passed to the image processor
        """
        data: dict[str, Any] = {}
        kwargs.pop("return_tensors", None)
        if images is not None:
            data.update(self.image_processor(images, return_tensors="pt", **kwargs))
        if text is not None:
            rows = [self.encode(one) for one in ([text] if isinstance(text, str) else text)]
            longest = max(map(len, rows))
            blank = self.tokenizer.pad_token_id or 0
            ids = torch.full((len(rows), longest), blank)
            mask = torch.zeros_like(ids)
            for row, tokens in enumerate(rows):
                where = (
                    slice(0, len(tokens))
                    if padding_side == "right"
                    else slice(longest - len(tokens), longest)
                )
                ids[row, where] = torch.tensor(tokens)
                mask[row, where] = 1
            data.update(input_ids=ids, attention_mask=mask)
        return BatchFeature(data)


if int(transformers.__version__.partition(".")[0]) < 5:  # newer releases find them, and warn
    MiniGPTv2Processor.image_processor_class = "AutoImageProcessor"
    MiniGPTv2Processor.tokenizer_class = "AutoTokenizer"
