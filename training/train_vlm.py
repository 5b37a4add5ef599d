"""Trains one of the embedded vision-language models from the benchmark's synthetic photos.

    python training/train_vlm.py --recipe embedded

The vision encoder is one of ours and stays frozen; projector and language model start from nothing.
Writes the model in LLaVA's format to the recipe's folder, and its figures to
``training/results/<recipe>_vlm.json``.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import gates
import numpy as np
import torch
import vlm_gates
import vlm_model
from augment import augment
from photo_cache import LABEL_TYPE, build as build_photos
from recipes import RECIPES
from torch import Tensor, nn
from vlm_lessons import draw_lessons
from vlm_recipes import VLM_RECIPES, VlmRecipe

from fiftyone_dp2vl.attack import AttackerInfo
from fiftyone_dp2vl.attack.llava import EMBEDDED_RECIPE, LlavaAttacker
from fiftyone_dp2vl.attack.trees import Utterance, lay_out
from fiftyone_dp2vl.attack.views import Seen
from fiftyone_dp2vl.encoders import default_device

_WARM_UP = 60


class Trainer:
    """One training run."""

    def __init__(self, recipe: VlmRecipe, cache: Path, resume: Path | None = None) -> None:
        self.recipe = recipe
        self.device = torch.device(default_device())
        self.rng = np.random.default_rng(recipe.seed)
        photos = RECIPES[recipe.photos].photos
        folder = build_photos(recipe.photos, cache)
        count = photos.people * photos.photos_per_person
        shape = (count, photos.side, photos.side, 3)
        self.pixels = np.memmap(folder / "pixels.u8", np.uint8, "r", shape=shape)
        self.labels = np.memmap(folder / "labels.bin", LABEL_TYPE, "r", shape=(count,))
        self.model, self.words = vlm_model.build(recipe, resume)
        self.model.to(self.device)
        info = AttackerInfo("", "llava", 0, "")
        self.reader = LlavaAttacker(self.model, self.words, info, EMBEDDED_RECIPE)
        self.model.requires_grad_(True)
        self.model.model.vision_tower.requires_grad_(False)
        self.trained = [w for w in self.model.parameters() if w.requires_grad]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": [w for w in self.trained if w.ndim > 1], "weight_decay": 0.05},
                {"params": [w for w in self.trained if w.ndim < 2], "weight_decay": 0.0},
            ],
            lr=recipe.rate,
            betas=(0.9, 0.98),
        )
        vision = self.model.config.vision_config
        self.side = vision.image_size
        images = self.words.image_processor
        self.norm = (tuple(images.image_mean), tuple(images.image_std))
        extra = int(vision.model_type.startswith("clip")) - int(recipe.select == "default")
        self.tokens = (self.side // vision.patch_size) ** 2 + extra
        self._written: dict[str, list[int]] = {}

    def _prompt(self, question: str) -> list[int]:
        if question not in self._written:
            ids = self.words.tokenizer(self.reader.prompt(question))["input_ids"]
            image = self.model.config.image_token_id
            spread = [[i] * self.tokens if i == image else [i] for i in ids]
            self._written[question] = [i for group in spread for i in group]
        return self._written[question]

    @torch.no_grad()
    def _see(self, rows: np.ndarray) -> dict[str, Seen]:
        raw = torch.from_numpy(self.pixels[rows]).to(self.device)
        photos, _ = augment(raw, self.side, 1.0, self.norm)
        seen = self.reader.see([{"pixel_values": photo[None]} for photo in photos])
        return {str(row): one for row, one in zip(rows, seen, strict=True)}

    def step(self) -> Tensor:
        """Computes the loss of one batch, in nats a token."""
        rows = np.sort(self.rng.choice(len(self.pixels), self.recipe.batch, replace=False))
        said = []
        for row in rows:
            for question, answer in draw_lessons(self.rng, self.labels[row]):
                ids = self.reader.answer_ids(answer)
                said.append(Utterance(str(row), self._prompt(question), ids))
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            seen = self._see(rows)
            return -self.reader.log_likelihoods(lay_out(said, share=True), seen).mean()

    def train(self, minutes: float) -> None:
        """Trains until the steps or the minutes are used up, the rate falling to zero."""
        recipe, began, step = self.recipe, time.time(), 0
        mean = math.nan
        self.history: list[dict[str, float]] = []
        self.model.train()
        self.model.model.vision_tower.eval()
        while True:
            elapsed = (time.time() - began) / 60
            progress = max(step / recipe.steps, elapsed / minutes)
            if progress >= 1:
                break
            rate = recipe.rate * min(1, (step + 1) / _WARM_UP) * (1 + math.cos(math.pi * progress))
            for group in self.optimiser.param_groups:
                group["lr"] = rate / 2
            loss = self.step()
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.trained, 1.0)
            self.optimiser.step()
            step += 1
            now = loss.item()
            mean = now if math.isnan(mean) else 0.95 * mean + 0.05 * now
            if step % 25 == 0 or step < 3:
                print(f"{elapsed:5.1f} min {step:5d} loss {mean:.3f}", flush=True)
                self.history.append({"step": step, "loss": round(mean, 4)})
        self.steps, self.seconds = step, time.time() - began
        self.model.eval()


def main() -> None:
    """Trains the recipe named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", choices=sorted(VLM_RECIPES), required=True)
    parser.add_argument("--cache", type=Path, default=Path(".cache"))
    parser.add_argument("--minutes", type=float, help="time limit instead of the recipe's")
    parser.add_argument("--rate", type=float, help="peak learning rate instead of the recipe's")
    parser.add_argument("--resume", type=Path, help="continue from this saved model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--target", type=Path, help="folder to write to instead of the recipe's")
    parser.add_argument("--no-gates", action="store_true", help="do not measure")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    recipe = VLM_RECIPES[arguments.recipe]
    target = arguments.target or recipe.target
    if arguments.rate:
        recipe = replace(recipe, rate=arguments.rate)
    trainer = Trainer(recipe, arguments.cache, arguments.resume)
    trainer.train(arguments.minutes or recipe.minutes)
    vlm_model.save(trainer.model, trainer.words, target)
    if arguments.no_gates:
        return
    figures = vlm_gates.measure(target, arguments.cache / "vlm_gates")
    size = sum(file.stat().st_size for file in target.iterdir())
    report: dict[str, Any] = {
        "recipe": json.loads(json.dumps(asdict(recipe), default=str)),
        "parameters": sum(w.numel() for w in trainer.model.parameters()),
        "trained_parameters": sum(w.numel() for w in trainer.trained),
        "bytes": size,
        "continued_from": str(arguments.resume) if arguments.resume else None,
        "steps": trainer.steps,
        "minutes": round(trainer.seconds / 60, 1),
        "device": str(trainer.device),
        "figures": figures,
        "passes": vlm_gates.passes(figures) and size <= recipe.limit,
        "sha256": gates.sha256(target / "model.safetensors"),
        "encoder_sha256": gates.sha256(recipe.encoder / "model.safetensors"),
        "history": trainer.history,
    }
    results = Path("training/results")
    results.mkdir(parents=True, exist_ok=True)
    file = results / f"{arguments.recipe}_vlm.json"
    file.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps({k: v for k, v in report.items() if k not in ("history", "recipe")}, indent=1))


if __name__ == "__main__":
    main()
