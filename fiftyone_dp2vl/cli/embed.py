"""``dp2vl embed``: lists encoders, says what one is, or writes a folder's embeddings."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, PhotoError

if TYPE_CHECKING:
    from ..encoders import Encoder

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-command's arguments."""
    parser.add_argument("encoder", nargs="?", help="an encoder's name (default: list them)")
    parser.add_argument("folder", nargs="?", type=Path, help="photos to embed")
    parser.add_argument("--output", type=Path, help="NumPy file to write, ending in .npz")
    parser.add_argument("--device", help="torch device (default: a GPU where there is one)")
    parser.add_argument("--local-files-only", action="store_true", help="never ask the hub")


def run(args: argparse.Namespace) -> int:
    """Lists, describes or embeds; returns the exit status."""
    from ..encoders import default_device, list_encoders, load_encoder

    if args.encoder is None:
        for listing in list_encoders():
            state = "" if listing.ready else "  (not installed)"
            print(f"{listing.name:12} {listing.description}{state}")
        return 0
    if args.folder is not None and (args.output is None or args.output.suffix != ".npz"):
        raise ConfigError("embedding a folder needs --output FILE.npz")
    device = args.device or default_device()
    encoder = load_encoder(args.encoder, device=device, local_files_only=args.local_files_only)
    if args.folder is None:
        facts = asdict(encoder.info) | {"preprocessing": encoder.spec.to_dict()}
        print(json.dumps(facts, indent=1))
        return 0
    return _embed(args, encoder)


def _embed(args: argparse.Namespace, encoder: Encoder) -> int:
    """Writes the pooled embedding of every photo that can be read."""
    import numpy as np
    import torch

    from ..media import read_photo

    files = sorted(f for f in args.folder.rglob("*") if f.suffix.lower() in _SUFFIXES)
    if not files:
        raise ConfigError(f"{args.folder} holds no photos: give a folder with image files")
    names, rows, failed = [], [], 0
    for file in files:
        try:
            pixels = torch.from_numpy(read_photo(file).pixels)
        except PhotoError as error:
            print(f"{file}: {error}")
            failed += 1
            continue
        pixels = pixels.to(encoder.device).float() / 255
        photo = pixels.expand(3, -1, -1) if pixels.ndim == 2 else pixels.permute(2, 0, 1)
        with torch.no_grad():
            rows.append(encoder([photo]).pooled[0].cpu().numpy())
        names.append(str(file.relative_to(args.folder)))
    if not rows:
        raise ConfigError(f"none of the {len(files)} photos in {args.folder} can be read")
    np.savez(args.output, names=np.array(names), embeddings=np.stack(rows))
    print(f"{len(rows)} embeddings of {rows[0].size} numbers in {args.output}, {failed} refused")
    return 1 if failed else 0
