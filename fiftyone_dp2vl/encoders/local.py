"""A folder of any known kind."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigError, ModelNotFoundError
from .base import Encoder
from .registry import EncoderRequest
from .weights import read_config

__all__ = ["load_local"]


def load_local(request: EncoderRequest) -> Encoder:
    """Loads ``local:FOLDER``, whatever of the known kinds the folder holds.

    Raises:
        ModelNotFoundError: if there is no such folder
        ConfigError: if the folder holds a model of an unknown kind
    """
    folder = Path(request.target).expanduser()
    if not folder.is_dir():
        raise ModelNotFoundError(f"{folder} is no folder: give the one that holds the model")
    if (folder / "open_clip_config.json").is_file():
        from .openclip import load_open_clip

        return load_open_clip(request)
    kind = str(read_config(folder).get("model_type"))
    if kind == "llava":
        from .llava import load_llava

        return load_llava(request)
    if kind in ("qwen2_vl", "qwen2_5_vl", "qwen3_vl"):
        from .qwen_vl import load_qwen_vl

        return load_qwen_vl(request)
    from .vit import load_vit

    try:
        return load_vit(request)
    except ConfigError as error:
        raise ConfigError(str(error).replace("hf: reads", "the known kinds are")) from error
