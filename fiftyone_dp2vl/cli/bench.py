"""``dp2vl bench``: measures speed, after a burn-in, and says on what."""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..encoders import Encoder
    from ..measure.cards import Row


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-command's arguments."""
    parser.add_argument("--encoder", default="embedded", help="the surrogate (embedded)")
    parser.add_argument("--photos", type=int, default=16, help="photos a round (16)")
    parser.add_argument("--steps", type=int, default=20, help="steps a photo when paired (20)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, at least 2 (5)")
    parser.add_argument("--lanes", type=int, help="photos side by side (the default protection's)")
    parser.add_argument("--device", help="torch's name of a device; by default CUDA, if there")
    parser.add_argument(
        "--gpu-large",
        action="store_true",
        help="CLIP ViT-L/14 at 336 px with random weights, 100 steps, bf16: for a GPU",
    )
    parser.add_argument("--layers", type=int, default=24, help=argparse.SUPPRESS)
    parser.add_argument(
        "--no-pgd", action="store_true", help="leave out the comparison with torchattacks"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("docs/results"), help="where the card is written"
    )


def run(args: argparse.Namespace) -> int:
    """Runs the sub-command."""
    import torch

    from ..encoders import default_device
    from ..errors import ConfigError
    from ..measure.cards import ResultCard
    from ..measure.environment import device_name, environment
    from ..measure.render import card_markdown

    if args.rounds < 2:
        raise ConfigError("--rounds is under 2: an interval needs at least two rounds")
    device = args.device or default_device()
    print(
        f"device: {device_name(device)}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads",
        flush=True,
    )
    if args.gpu_large:
        name, title = "bench_gpu", "Speed with a tower of real size"
        encoders, configs, rows, notes = _large(args, device)
    else:
        name, title = "bench", "Speed of the engine, and against torchattacks' PGD"
        encoders, configs, rows, notes = _paired(args, device)
    card = ResultCard(
        name=name,
        title=title,
        command="dp2vl bench" + (" --gpu-large" if args.gpu_large else ""),
        rows=rows,
        environment=environment(device),
        configs=configs,
        encoders=encoders,
        seeds=[0],
        date=date.today().isoformat(),
        notes=notes,
    )
    print(card_markdown(card))
    print(f"\nwrote {card.save(args.out)}")
    return 0


_Measured = tuple[dict[str, str], dict[str, str], "list[Row]", list[str]]


def _large(args: argparse.Namespace, device: str) -> _Measured:
    from ..bench.gpu import bench_large

    lanes = args.lanes or 64
    rows = bench_large(
        device, steps=100, lanes=lanes, rounds=max(2, args.rounds // 2), layers=args.layers
    )
    notes = [
        f"{lanes} photos side by side; random weights, on which speed does not depend.",
        "MFU: useful FLOPs (2 x linear + 3 x attention, forward) over the device's dense bf16 "
        "peak by its data sheet; left out where that is not known.",
    ]
    return {}, {}, rows, notes


def _paired(args: argparse.Namespace, device: str) -> _Measured:
    from ..bench.compare import compare_with_pgd
    from ..bench.wall import CAMERA, wall_over_engine
    from ..config import ProtectionConfig
    from ..encoders import load_encoder

    def note(what: str, done: int) -> None:
        print(f"  {what}: round {done} of {args.rounds}", file=sys.stderr, flush=True)

    encoder: Encoder = load_encoder(args.encoder, device=device)
    default = ProtectionConfig(encoders=(args.encoder,))
    lanes = args.lanes or default.lanes
    # both engines compute in float32: torchattacks knows nothing else
    paired = ProtectionConfig(
        encoders=(args.encoder,), steps=args.steps, lanes=lanes, precision="fp32"
    )
    rows: list[Row] = []
    if not args.no_pgd:
        rows += compare_with_pgd(
            encoder, paired, photos=args.photos, rounds=args.rounds, on_round=note
        )
    print("  whole runs, from files to files", file=sys.stderr, flush=True)
    rows += wall_over_engine(encoder, default, photos=args.photos, rounds=5)
    print("  the same with photos of 12 megapixels", file=sys.stderr, flush=True)
    rows += wall_over_engine(encoder, default, photos=args.photos, rounds=5, size=CAMERA)
    notes = [
        f"Paired: {args.photos} photos, {args.steps} steps, {lanes} side by side, float32, the "
        "same loss; the two take turns in one process.",
        "The whole photo is the photo as it comes; the grid is where this engine keeps the "
        "perturbation (twice the side of the encoder's input).",
        "Wall over engine: the engine's time goes by photos and steps, that for files by pixels.",
    ]
    configs = {"paired": paired.fingerprint(), "default": default.fingerprint()}
    return {args.encoder: encoder.info.weights_sha256}, configs, rows, notes
