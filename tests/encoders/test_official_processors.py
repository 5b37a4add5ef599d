"""Our preprocessing against the official processors, each read from the file it saves.

Run as a script, this measures the differences on real photos and writes the tables into
``docs/encoders.md``.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PIL
import pytest
import torch
from PIL import Image

from fiftyone_dp2vl.encoders.base import PreprocessSpec
from fiftyone_dp2vl.encoders.preprocess import preprocess, resize_each
from fiftyone_dp2vl.encoders.processor import processor_spec, read_processor

ROOT = Path(__file__).resolve().parents[2]
PHOTOS = ROOT.parent / "shared" / "data" / "photos"


class Case(NamedTuple):
    """One official processor, and the specification that must say the same."""

    name: str
    spec: PreprocessSpec
    run: Callable[[Image.Image], torch.Tensor]


def photos(count: int | None = None) -> list[Image.Image]:
    """Returns real photos where there are some, else drawn ones of awkward sizes."""
    files = sorted(PHOTOS.glob("*.jpg"))[:count]
    if files:
        return [Image.open(file).convert("RGB") for file in files]
    rng = np.random.default_rng(0)
    drawn = []
    for height, width in ((427, 640), (640, 427), (333, 500), (301, 301))[:count]:
        coarse = rng.integers(0, 256, (height // 6, width // 6, 3), dtype=np.uint8)
        drawn.append(Image.fromarray(coarse).resize((width, height), Image.Resampling.NEAREST))
    return drawn


def to_tensor(photo: Image.Image) -> torch.Tensor:
    """Returns float32 (3, H, W) in [0, 1]."""
    return torch.from_numpy(np.asarray(photo).copy()).permute(2, 0, 1).float() / 255


def _processor_case(name: str, family: str, processor: Any) -> Case:
    with tempfile.TemporaryDirectory() as folder:
        processor.save_pretrained(folder)
        spec = processor_spec(family, read_processor(Path(folder)))

    def run(photo: Image.Image) -> torch.Tensor:
        out = processor(photo, do_normalize=False, return_tensors="pt")
        return unpack(out, processor)

    return Case(name, spec, run)


def unpack(out: Any, processor: Any) -> torch.Tensor:
    """Returns (3, h, w) from whatever layout a processor writes."""
    pixels = out["pixel_values"].float()
    if "image_grid_thw" in out:
        _, rows, columns = out["image_grid_thw"][0].tolist()
        m, p, t = processor.merge_size, processor.patch_size, processor.temporal_patch_size
        parts = pixels.view(rows // m, columns // m, m, m, 3, t, p, p)[:, :, :, :, :, 0]
        return parts.permute(4, 0, 2, 5, 1, 3, 6).reshape(3, rows * p, columns * p)
    if "spatial_shapes" in out:
        rows, columns = out["spatial_shapes"][0].tolist()
        p = processor.patch_size
        parts = pixels[0, : rows * columns].view(rows, columns, p, p, 3)
        return parts.permute(4, 0, 2, 1, 3).reshape(3, rows * p, columns * p)
    return pixels[0]


def _open_clip_case(name: str, size: int, **settings: Any) -> Case:
    import open_clip
    from torchvision.transforms import Normalize

    from fiftyone_dp2vl.encoders.openclip import open_clip_spec

    transform = open_clip.image_transform(size, is_train=False, **settings)
    transform.transforms = [t for t in transform.transforms if not isinstance(t, Normalize)]
    return Case(name, open_clip_spec(settings, size), transform)


def cases() -> list[Case]:
    """Returns every processor that the encoders are pinned against."""
    import importlib

    def of(module: str, name: str) -> Any:
        return getattr(importlib.import_module(f"transformers.models.{module}"), name)

    fast: list[tuple[str, str, str, dict[str, Any]]] = [
        ("clip", "CLIPImageProcessor", "CLIP", {}),
        ("siglip", "SiglipImageProcessor", "SigLIP", {}),
        ("siglip2", "Siglip2ImageProcessor", "SigLIP 2 NaFlex", {}),
        ("llava", "LlavaImageProcessor", "LLaVA pad", {"do_pad": True}),
        ("qwen2_vl", "Qwen2VLImageProcessor", "Qwen2-VL native", {}),
        ("bit", "BitImageProcessor", "DINOv2", {"size": {"shortest_edge": 256}}),
    ]
    found = []
    for module, kind, name, settings in fast:
        family = {"llava": "clip", "bit": "dinov2"}.get(module, module)
        if module == "llava":
            settings = {**settings, "size": {"height": 336, "width": 336}, "do_center_crop": False}
        for suffix, backend in (("", "torchvision"), ("_pil", "Pillow")):
            path = f"{module}.image_processing{suffix}_{module}"
            processor = of(path, kind + ("Pil" if suffix else ""))(**settings)
            found.append(_processor_case(f"{name}, transformers ({backend})", family, processor))
    small = of("qwen2_vl.image_processing_pil_qwen2_vl", "Qwen2VLImageProcessorPil")
    found.append(
        _processor_case(
            "Qwen2-VL, at most 256 tokens, transformers (Pillow)",
            "qwen2_vl",
            small(max_pixels=256 * 28 * 28),
        )
    )
    # transformers resizes SigLIP 2 of fixed size bilinearly, which its checkpoints' files say.
    processor = of("siglip.image_processing_pil_siglip", "SiglipImageProcessorPil")
    found.append(
        _processor_case(
            "SigLIP 2 fixed size, transformers (Pillow)",
            "siglip",
            processor(size={"height": 384, "width": 384}, resample=2),
        )
    )
    processor = of("dinov3_vit.image_processing_dinov3_vit", "DINOv3ViTImageProcessor")
    found.append(_processor_case("DINOv3, transformers (torchvision)", "dinov3_vit", processor()))
    found.append(_open_clip_case("CLIP, open_clip", 224))
    found.append(_open_clip_case("CLIP at 336, open_clip", 336))
    found.append(_open_clip_case("SigLIP, open_clip", 256, resize_mode="squash"))
    found.append(_open_clip_case("longest side and border, open_clip", 224, resize_mode="longest"))
    return found


class Distance(NamedTuple):
    """How far two preprocessings are apart, in levels of 8 bits.

    Attributes:
        mean: over pixels and photos
        largest: over pixels and photos
        above: share of the values that differ by more than 4 levels
    """

    mean: float
    largest: float
    above: float


def distance(
    first: Callable[[Image.Image], torch.Tensor],
    second: Callable[[Image.Image], torch.Tensor],
    given: list[Image.Image],
) -> Distance:
    """Returns how far two preprocessings are apart over photos."""
    values = []
    for photo in given:
        one, other = first(photo), second(photo)
        assert one.shape == other.shape, (one.shape, other.shape)
        values.append(((one - other).abs() * 255).flatten())
    means = [float(v.mean()) for v in values]
    every = torch.cat(values)
    return Distance(sum(means) / len(means), float(every.max()), float((every > 4).double().mean()))


def ours(case: Case, rounding: bool = False) -> Callable[[Image.Image], torch.Tensor]:
    """Returns our preprocessing before normalisation."""
    return lambda photo: resize_each([to_tensor(photo)], case.spec, rounding=rounding)[0]


ROUNDED_ASIDE = {
    # Pillow 13 picks the order of its passes by the photo's shape, and cuts overshoots off to
    # 8 bits between them; torchvision goes through the width first, always, and so do we. Where a
    # photo hardly changes its size, the two official backends differ by as much.
    "SigLIP, transformers (Pillow)",
    "SigLIP, open_clip",
    "Qwen2-VL native, transformers (Pillow)",
    "Qwen2-VL, at most 256 tokens, transformers (Pillow)",
}


@pytest.fixture(scope="module")
def every() -> dict[str, Case]:
    pytest.importorskip("open_clip")
    return {case.name: case for case in cases()}


def test_every_official_processor_is_met_within_half_a_level(every: dict[str, Case]) -> None:
    given = photos(8)
    for name, case in every.items():
        found = distance(ours(case), case.run, given)
        assert found.mean <= 0.5, (name, found)
        if name in ROUNDED_ASIDE:
            assert found.above <= 2e-4, (name, found)
        else:
            assert found.largest <= 4, (name, found)


def test_what_is_left_is_their_rounding_between_the_passes(every: dict[str, Case]) -> None:
    given = photos(4)
    older = tuple(map(int, torch.__version__.split(".")[:2])) < (2, 10)
    for name, case in every.items():
        if older and "NaFlex" in name:  # seen with 2.8, whose resizing rounds otherwise
            continue
        if name not in ROUNDED_ASIDE and "DINOv3" not in name:  # DINOv3's rounds nothing
            assert distance(ours(case, rounding=True), case.run, given).mean < 0.03, name


def test_normalised_input_is_the_official_one(every: dict[str, Case]) -> None:
    from transformers import CLIPImageProcessor

    processor = CLIPImageProcessor()
    (photo,) = photos(1)
    mine = preprocess([to_tensor(photo)], every["CLIP, transformers (torchvision)"].spec)[0]
    theirs = processor(photo, return_tensors="pt")["pixel_values"][0]
    assert (mine - theirs).abs().max() <= 4 / 255 / 0.26


def main() -> int:
    """Writes the tables of measured differences into the documentation."""
    given, every = photos(), cases()
    lines = [
        f"Measured on {len(given)} photos with Pillow {PIL.__version__}, in levels of 8 bits, "
        "before normalisation.",
        "",
        "| official processor | mean | largest | above 4 levels "
        "| mean, rounding as it does | largest |",
        "|---|---|---|---|---|---|",
    ]
    for case in every:
        plain = distance(ours(case), case.run, given)
        rounded = distance(ours(case, rounding=True), case.run, given)
        lines.append(
            f"| {case.name} | {plain.mean:.3f} | {plain.largest:.2f} | {plain.above:.1e} "
            f"| {rounded.mean:.4f} | {rounded.largest:.0f} |"
        )
        print(lines[-1])
    lines += [
        "",
        "| the official backends, one against the other | mean | largest |",
        "|---|---|---|",
    ]
    by_name = {case.name: case for case in every}
    for name, case in by_name.items():
        other = by_name.get(name.replace("(torchvision)", "(Pillow)"))
        if other is not None and other is not case:
            between = distance(case.run, other.run, given)
            title = name.partition(",")[0]
            lines.append(f"| {title} | {between.mean:.3f} | {between.largest:.0f} |")
            print(lines[-1])
    page = ROOT / "docs" / "encoders.md"
    text = page.read_text("utf-8")
    start, end = "<!-- measured: preprocessing -->", "<!-- end -->"
    head, _, rest = text.partition(start)
    tail = rest.partition(end)[2]
    page.write_text(f"{head}{start}\n" + "\n".join(lines) + f"\n{end}{tail}", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
