"""Trains one of the shipped encoders from the benchmark's synthetic photos.

    python training/train_encoder.py --recipe embedded

Runs on CUDA where there is one, in bfloat16 autocast on either device. Writes the encoder in
transformers' CLIP format to the recipe's folder, and its figures to
``training/results/<recipe>.json``.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gates
import losses
import numpy as np
import torch
from augment import augment, carry_boxes, inside, normalise
from encoder_model import (
    NORMS,
    AnyEncoder,
    Heads,
    build_model,
    build_tower,
    encode,
    encode_text,
)
from photo_cache import AFFILIATIONS, LABEL_TYPE, build, render_square
from PIL import Image
from recipes import RECIPES, Recipe
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    AutoConfig,
    AutoTokenizer,
    CLIPImageProcessor,
    CLIPModel,
    SiglipImageProcessor,
    SiglipVisionModel,
)
from vocabulary import SUBJECTS, build_tokenizer

from fiftyone_dp2vl.benchmark.names import GIVEN_NAMES
from fiftyone_dp2vl.benchmark.photos import PhotoSpec, render_photo
from fiftyone_dp2vl.benchmark.scenarios import SCENARIOS, describe
from fiftyone_dp2vl.encoders import default_device

_PHOTOS_PER_PERSON = 4
_WARM_UP = 100
_CHECK_EVERY = 200


# Attributes are averaged over seven and scaled to 1 at chance, so they weigh most.
WEIGHTS = {
    "token_look": 4.0,
    "token_thing": 0.5,
    "pooled_look": 3.0,
    "caption": 0.7,
    "same_pooled": 0.3,
    "same_embeds": 0.5,
    "same_patch": 0.3,
    "known": 0.1,
}


class Photos:
    """The memory-mapped training photos and their labels."""

    def __init__(self, folder: Path, side: int) -> None:
        labels = np.fromfile(folder / "labels.bin", dtype=LABEL_TYPE)
        shape = (len(labels), side, side, 3)
        self.pixels = np.memmap(folder / "pixels.u8", np.uint8, "r", shape=shape)
        self.labels = labels
        order = np.argsort(labels["person"], kind="stable")
        self.rows = np.split(order, np.unique(labels["person"][order], return_index=True)[1][1:])

    def draw(self, rng: np.random.Generator, batch: int) -> Any:
        """Draws rows: several photos of each of several people."""
        people = rng.choice(len(self.rows), batch // _PHOTOS_PER_PERSON, replace=False)
        return np.concatenate(
            [rng.choice(self.rows[p], _PHOTOS_PER_PERSON, replace=False) for p in people]
        )


def draw_captions(rng: np.random.Generator) -> list[str]:
    """Writes one caption for every affiliation, about a random subject."""
    lines = []
    for scenario, name in AFFILIATIONS:
        chosen = SCENARIOS[scenario]
        template = chosen.templates[int(rng.integers(len(chosen.templates)))]
        subject = SUBJECTS[int(rng.integers(len(SUBJECTS)))]
        if rng.random() < 0.5:
            subject = GIVEN_NAMES[int(rng.integers(len(GIVEN_NAMES)))]
        lines.append(describe(template, subject, chosen.affiliation(name).phrase))
    return lines


class Trainer:
    """One training run."""

    def __init__(self, recipe: Recipe, name: str, cache: Path, resume: Path | None = None) -> None:
        self.recipe, self.name = recipe, name
        self.device = default_device()
        torch.manual_seed(recipe.seed)
        self.rng = np.random.default_rng(recipe.seed)
        self.photos = Photos(build(name, cache), recipe.photos.side)
        start = resume or recipe.start
        a = recipe.architecture
        self.tokenizer: Any = None
        if start is not None:
            model, self.tokenizer = load(start, attn_implementation="eager")
        elif a is not None and a.family == "siglip":
            model = build_tower(a)
        else:
            assert a is not None, "a recipe has an architecture or a start"
            self.tokenizer = build_tokenizer()
            model = build_model(a, len(self.tokenizer), self.tokenizer.eos_token_id)
        self.model = model.to(self.device)
        vision = getattr(model.config, "vision_config", model.config)
        self.norm = NORMS["clip" if isinstance(model, CLIPModel) else "siglip"]
        self.side, self.grid = vision.image_size, vision.image_size // vision.patch_size
        self.heads = Heads(vision.hidden_size, len(AFFILIATIONS), recipe.photos.people)
        self.heads.to(self.device)
        self.optimiser = torch.optim.AdamW(self._groups(), lr=recipe.rate, betas=(0.9, 0.98))
        self.check = _small_check(self.side, self.norm)
        self.history: list[dict[str, Any]] = []

    def _groups(self) -> list[dict[str, Any]]:
        named = [*self.model.named_parameters(), *self.heads.named_parameters()]
        plain = [p for n, p in named if p.ndim < 2 or "embedding" in n]
        decayed = [p for n, p in named if not (p.ndim < 2 or "embedding" in n)]
        return [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]

    def step(self) -> dict[str, Tensor]:
        """Computes all losses of one batch."""
        rows = self.photos.draw(self.rng, self.recipe.batch)
        labels = self.photos.labels[rows]
        raw = torch.from_numpy(self.photos.pixels[rows]).to(self.device)
        strength = 1.0 if self.recipe.architecture is not None else 1.3
        pixels, windows = augment(raw, self.side, strength, self.norm)
        people = torch.from_numpy(labels["person"].astype(np.int64)).to(self.device)
        look = torch.from_numpy(labels["attributes"].astype(np.int64)).to(self.device)
        affiliation = torch.from_numpy(labels["affiliation"].astype(np.int64)).to(self.device)
        boxes = {
            key: inside(
                carry_boxes(torch.from_numpy(labels[key].copy()).to(self.device), windows),
                self.grid,
            )
            for key in ("face", "thing")
        }
        with torch.autocast(self.device, dtype=torch.bfloat16):
            patches, pooled, embeds = encode(self.model, pixels)
            naming = self._name_things(pooled, embeds, affiliation)
            shown = boxes["thing"] & (affiliation >= 0)[:, None]
            looks, things = losses.dense(
                self.heads, patches, boxes["face"], shown, look, affiliation
            )
            pooled_look = losses.attributes(
                self.heads.pooled_attributes(pooled), look, self.heads.sizes
            )
        return {
            "token_look": looks,
            "token_thing": things,
            "pooled_look": pooled_look,
            "caption": naming,
            "same_pooled": losses.same_person(pooled, people),
            "same_embeds": losses.same_person(embeds, people),
            "same_patch": losses.same_person(patches.float().mean(1), people),
            "known": losses.known_person(pooled, self.heads.proxies, people),
        }

    def _name_things(self, pooled: Tensor, embeds: Tensor, affiliation: Tensor) -> Tensor:
        """Asks for the visible affiliation: by captions, or by a head if there is no text."""
        if self.tokenizer is None:
            shown = affiliation >= 0
            logits = self.heads.pooled_things(pooled[shown]).float()
            return functional.cross_entropy(logits, affiliation[shown])
        lines = draw_captions(self.rng)
        read = self.tokenizer(lines, padding=True, return_tensors="pt").to(self.device)
        texts = encode_text(self.model, read["input_ids"], read["attention_mask"])
        return losses.captions(embeds, texts, affiliation, self.model.logit_scale)

    def train(self, minutes: float) -> None:
        """Trains until the steps or the minutes are used up, the rate falling to zero."""
        recipe, began = self.recipe, time.time()
        best = -1.0
        step = 0
        while True:
            elapsed = (time.time() - began) / 60
            progress = max(step / recipe.steps, elapsed / minutes)
            if progress >= 1:
                break
            rate = recipe.rate * min(1, (step + 1) / _WARM_UP) * (1 + math.cos(math.pi * progress))
            for group in self.optimiser.param_groups:
                group["lr"] = rate / 2
            self.model.train()
            parts = self.step()
            total = torch.stack([WEIGHTS[k] * v for k, v in parts.items()]).sum()
            self.optimiser.zero_grad(set_to_none=True)
            total.backward()
            nn.utils.clip_grad_norm_([*self.model.parameters(), *self.heads.parameters()], 1.0)
            self.optimiser.step()
            step += 1
            if step % 25 == 0 or step < 5:
                shown = " ".join(f"{k} {v.item():.3f}" for k, v in parts.items())
                speed = step * recipe.batch / (time.time() - began)
                print(f"{elapsed:5.1f} min {step:5d} {speed:4.0f}/s {shown}", flush=True)
            if step % _CHECK_EVERY == 0:
                best = max(best, self.inspect(step, best))
        self.inspect(step, best)
        self.seconds = time.time() - began
        self.steps = step

    def inspect(self, step: int, best: float) -> float:
        """Measures on development people; keeps the encoder where it is the best so far."""
        (_, labels), things, identity_pixels, thing_pixels = self.check
        features = gates.embed(self.model, identity_pixels.to(self.device))
        figures = {k: round(gates.nearest_neighbour(v, labels), 4) for k, v in features.items()}
        seen = gates.embed(self.model, thing_pixels.to(self.device))["embeds"]
        if self.tokenizer is None:
            recall = gates.thing_recall_by_head(self.heads, seen, things)
        else:
            recall = gates.thing_recall(self.model, self.tokenizer, seen, things)
        self.history.append({"step": step, **figures, "things": recall["mean"]})
        print("CHECK", step, figures, recall, flush=True)
        if (
            min(*figures.values(), 1.0) >= gates.IDENTITY_GATE
            and recall["mean"] >= gates.THING_GATE
        ):
            print("PASSES", flush=True)
        score = min(figures["embeds"] - 0.9, recall["mean"] - 0.8)
        if score > best:
            self.save(Path(".cache/encoders") / self.name)
        return score

    def save(self, folder: Path, half: bool = False) -> None:
        """Writes the encoder in transformers' format."""
        folder.mkdir(parents=True, exist_ok=True)
        model = type(self.model)(self.model.config)
        model.load_state_dict(self.model.state_dict())
        model = model.half() if half else model
        model.save_pretrained(folder)
        (folder / "model.safetensors").chmod(0o644)
        edge = {"height": self.side, "width": self.side}
        settings = {
            "size": edge,
            "resample": Image.Resampling.BICUBIC,
            "image_mean": list(self.norm[0]),
            "image_std": list(self.norm[1]),
        }
        if self.tokenizer is None:
            SiglipImageProcessor(**settings).save_pretrained(folder)
            return
        self.tokenizer.save_pretrained(folder)
        processor = CLIPImageProcessor(do_center_crop=False, crop_size=edge, **settings)
        processor.save_pretrained(folder)


def load(folder: Path, **options: Any) -> tuple[AnyEncoder, Any]:
    """Loads a saved encoder in float32, and its tokenizer where it has one."""
    if AutoConfig.from_pretrained(folder).model_type == "clip":
        model = CLIPModel.from_pretrained(folder, dtype=torch.float32, **options)
        return model, AutoTokenizer.from_pretrained(folder)
    return SiglipVisionModel.from_pretrained(folder, dtype=torch.float32, **options), None


def _small_check(side: int, norm: Any) -> Any:
    """Development photos, rendered small: enough to watch a run."""
    people = gates.identity_specs("dev", 101)
    things = gates.thing_specs("dev", 102, each=3)
    pixels = [
        normalise(_squares(specs, side).permute(0, 3, 1, 2).float() / 255, norm)
        for specs in (people[0], things)
    ]
    return people, things, *pixels


def _squares(specs: list[PhotoSpec], side: int) -> Tensor:
    return gates.stack([render_square(spec, side)[0] for spec in specs])


def final_figures(folder: Path, split: str = "eval") -> dict[str, Any]:
    """Measures a saved encoder on full-size photos, through transformers' own processor."""
    model, tokenizer = load(folder)
    kind = CLIPImageProcessor if tokenizer is not None else SiglipImageProcessor
    processor = kind.from_pretrained(folder)

    def pixels(specs: list[PhotoSpec]) -> Tensor:
        photos = (Image.fromarray(render_photo(spec)) for spec in specs)
        return torch.cat([processor(p, return_tensors="pt")["pixel_values"] for p in photos])

    specs, labels = gates.identity_specs(split, 201)
    features = gates.embed(model, pixels(specs))
    figures: dict[str, Any] = {
        "split": split,
        "people": 50,
        "photos_per_person": 5,
        "identity": {k: round(gates.nearest_neighbour(v, labels), 4) for k, v in features.items()},
    }
    if tokenizer is not None:
        things = gates.thing_specs(split, 202, each=3)
        embeds = gates.embed(model, pixels(things))["embeds"]
        figures["things_photos"] = len(things)
        figures["things"] = gates.thing_recall(model, tokenizer, embeds, things)
    return figures


def main() -> None:
    """Trains the recipe named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", choices=sorted(RECIPES), required=True)
    parser.add_argument("--cache", type=Path, default=Path(".cache"))
    parser.add_argument("--minutes", type=float, help="time limit instead of the recipe's")
    parser.add_argument("--resume", type=Path, help="continue from this saved encoder")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--half", action="store_true", help="save float16 weights")
    parser.add_argument("--target", type=Path, help="folder to write to instead of the recipe's")
    parser.add_argument("--report", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    recipe = RECIPES[arguments.recipe]
    target = arguments.target or recipe.target
    began = time.time()
    trainer = Trainer(recipe, arguments.recipe, arguments.cache, arguments.resume)
    prepared = time.time() - began
    trainer.train(arguments.minutes or recipe.minutes)
    trainer.save(target, half=arguments.half)
    figures = final_figures(target)
    report = {
        "recipe": json.loads(json.dumps(asdict(recipe), default=str)),
        "parameters": sum(p.numel() for p in trainer.model.parameters()),
        "continued_from": str(arguments.resume) if arguments.resume else None,
        "weights": WEIGHTS,
        "steps": trainer.steps,
        "minutes_of_photos": round(prepared / 60, 1),
        "minutes": round(trainer.seconds / 60, 1),
        "device": trainer.device,
        "threads": arguments.threads,
        "figures": figures,
        "passes": bool(
            min(figures["identity"].values()) >= gates.IDENTITY_GATE
            and figures.get("things", {"mean": 1.0})["mean"] >= gates.THING_GATE
        ),
        "sha256": gates.sha256(target / "model.safetensors"),
        "history": trainer.history,
    }
    file = arguments.report or Path("training/results") / f"{arguments.recipe}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps({k: v for k, v in report.items() if k not in ("history", "recipe")}, indent=1))


if __name__ == "__main__":
    main()
