"""MiniGPT-v2 in an attacker's hands, from its own format or the published files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch import Tensor

from ...encoders.weights import find_model
from ...errors import ConfigError
from ..adapters import Parts
from ..base import AttackerInfo
from ..hf import Prompt, TransformersAttacker
from ..loading import Loaded, describe, load_pretrained, weights_sha256
from ..recipes import recipe_for
from ..registry import AttackerRequest
from ..views import Seen
from .checkpoint import is_published, load_published, published_files
from .configuration import MiniGPTv2Config
from .modeling import MiniGPTv2ForConditionalGeneration
from .processing import MiniGPTv2Processor, image_processor, prompt

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["PARTS", "MiniGPTv2Attacker", "convert_published", "from_published", "load_minigpt_v2"]

PARTS = Parts("llama_model.model", "llama_proj", "visual_encoder", "llama_model.lm_head")
LLAMA = "meta-llama/Llama-2-7b-chat-hf"
"""The language model that the published checkpoint was trained with."""

transformers.AutoConfig.register("minigpt_v2", MiniGPTv2Config, exist_ok=True)
transformers.AutoProcessor.register(MiniGPTv2Config, MiniGPTv2Processor, exist_ok=True)


class MiniGPTv2Attacker(TransformersAttacker):
    """A MiniGPT-v2."""

    packs = True

    @property
    def parts(self) -> Parts:
        """See :class:`..hf.TransformersAttacker`."""
        return PARTS

    def lora_targets(self, part: str) -> list[str]:
        """Returns the layers that the published recipe adapts, and all linear ones elsewhere."""
        names = super().lora_targets(part)
        if part != "language":
            return names
        targets = recipe_for("minigpt_v2").targets
        return [name for name in names if name.rpartition(".")[2] in targets]

    def prompt(self, question: str) -> str:
        """Returns the published wording of a question about a photo."""
        return prompt(question)

    def prompt_ids(self, picture: Image, question: str) -> Prompt:
        """Writes the question around the photo's visual tokens, as many for every photo."""
        return Prompt(self.processor.encode(self.prompt(question)))

    def look(self, picture: Image) -> Seen:
        """Returns the photo's pixels (1, 3, S, S)."""
        made = self.processor(images=[picture])
        return {"pixel_values": made["pixel_values"]}

    def see(self, looks: Sequence[Seen]) -> list[Seen]:
        """Returns what the projection is given."""
        pixels = torch.cat([look["pixel_values"] for look in looks]).to(self.device)
        return [{"image_features": one[None]} for one in self.model.encode_images(pixels)]

    def inputs(
        self,
        ids: Tensor,
        mask: Tensor,
        positions: Tensor | None,
        along: Mapping[str, Tensor],
        seen: Sequence[Seen],
    ) -> dict[str, Any]:
        """Puts the photos' visual tokens in their places."""
        given = {
            "inputs_embeds": self.model.embed(ids, **self.collate(seen)),
            "attention_mask": mask,
        }
        if positions is not None:
            given["position_ids"] = positions
        return given


def from_published(
    folder: Path, llama: Path, config: MiniGPTv2Config | None = None, **options: Any
) -> MiniGPTv2ForConditionalGeneration:
    """Builds the model from the published files.

    Args:
        folder: with ``eva_vit_g.pth`` and the checkpoint's file
        llama: a folder of Llama-2 chat in the transformers format
        config: the sizes; None takes the published ones with this language model's
        options: arguments of the language model's ``from_pretrained``

    Raises:
        ModelNotFoundError: if a tensor is in no file
        DP2VLError: if a tensor does not fit
    """
    language = transformers.AutoModelForCausalLM.from_pretrained(
        llama, local_files_only=True, use_safetensors=True, trust_remote_code=False, **options
    )
    config = config or MiniGPTv2Config(text_config=language.config)
    with torch.device("meta"):
        model = MiniGPTv2ForConditionalGeneration(config)
    model.llama_model = language
    for part in (model.visual_encoder, model.ln_vision, model.llama_proj):
        part.to(language.dtype).to_empty(device="cpu")
    model.ln_vision.reset_parameters()
    load_published(model, folder)
    model.eval()
    return model


def _processor(llama: Path, config: MiniGPTv2Config) -> MiniGPTv2Processor:
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        llama, local_files_only=True, trust_remote_code=False
    )
    vision: Any = config.vision_config
    return MiniGPTv2Processor(
        image_processor(vision.image_size),
        tokenizer,
        image_tokens=config.image_tokens,
        image_token_id=config.image_token_id,
    )


def convert_published(
    folder: Path, llama: Path, output: Path, config: MiniGPTv2Config | None = None
) -> None:
    """Writes the published files as one folder in the transformers format, in safetensors.

    Only such a folder can be loaded in 4 bits, because published adapters are merged on the way.

    Args:
        folder: see :func:`from_published`
        llama: see :func:`from_published`
        output: a folder to write
        config: see :func:`from_published`
    """
    model = from_published(folder, llama, config)
    model.save_pretrained(output)
    _processor(llama, model.config).save_pretrained(output)


def load_minigpt_v2(request: AttackerRequest) -> MiniGPTv2Attacker:
    """Loads ``minigpt_v2:FOLDER``.

    The folder is in the transformers format, or holds the published files: ``eva_vit_g.pth`` and
    the checkpoint. For these the language model is looked for in the folder's own ``llama``,
    then by the hub id that was published; ``minigpt_v2:FOLDER?llama=FOLDER_OR_ID`` names another.

    Raises:
        ModelNotFoundError: if a part is not here and cannot be fetched
        ConfigError: if the folder holds another model, or an option is unknown
        DP2VLError: if the files do not fit together
    """
    target, _, option = request.target.partition("?")
    key, _, named = option.partition("=")
    if option and (key != "llama" or not named):
        raise ConfigError(f"unknown option {option!r} in {request.name!r}: give ?llama=FOLDER")
    folder = Path(target).expanduser()
    if folder.is_dir() and is_published(folder):
        loaded, sha256 = _load_published(request, folder, named)
    else:
        plain = AttackerRequest(
            request.name, target, request.device, request.local_files_only, False
        )
        kinds = {"minigpt_v2": MiniGPTv2ForConditionalGeneration}
        loaded = load_pretrained(plain, kinds, family="MiniGPT-v2")
        # The library would resample with torch, a level off Pillow here and there.
        loaded.processor.image_processor = image_processor(
            loaded.model.config.vision_config.image_size
        )
        sha256 = weights_sha256(loaded.folder)
    recipe = recipe_for("minigpt_v2")
    extra = {
        "published_recipe": recipe.published.to_dict(),
        "recipe_source": recipe.source,
        "recipe_note": recipe.note,
    }
    told = describe(request, loaded, "minigpt_v2", extra)
    return MiniGPTv2Attacker(
        loaded.model,
        loaded.processor,
        AttackerInfo(**{**vars(told), "weights_sha256": sha256}),
        recipe.personal,
        load_quantized=loaded.quantized,
    )


def _load_published(request: AttackerRequest, folder: Path, named: str) -> tuple[Loaded, str]:
    own = folder / "llama"
    llama = find_model(
        named or (str(own) if own.is_dir() else LLAMA), local_files_only=request.local_files_only
    )
    on_cpu = torch.device(request.device).type == "cpu"
    model = from_published(
        folder,
        llama,
        dtype=torch.float32 if on_cpu else torch.bfloat16,
        attn_implementation="eager" if on_cpu else "sdpa",
    ).to(request.device)
    digest = hashlib.sha256(weights_sha256(llama).encode())
    for file in published_files(folder):
        with file.open("rb") as stream:
            while block := stream.read(1 << 22):
                digest.update(block)

    def quantized() -> Any:
        raise ConfigError(
            f"{folder} holds the published files, which cannot be loaded in 4 bits: "
            "write them as one model with convert_published and name that folder"
        )

    return Loaded(folder, model, _processor(llama, model.config), quantized), digest.hexdigest()
