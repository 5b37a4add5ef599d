"""What is measured already: every cell on disk, under all that determines it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..measure.cells import CellCache, code_digest, fingerprint
from .cells import recipe_of
from .contents import sha
from .evaluation import CellOf, Evaluation
from .workbench import Material

__all__ = ["Ledger"]

# what prepares files, whose bytes are in a cell's key, and what reads results
_NOT_MEASURING = frozenset(
    {
        *("adaptive", "arms", "benchmark", "changes", "contents", "controls", "denoiser"),
        *("detector", "face", "folders", "options", "proxies", "proxy_cell", "settings"),
        *("evaluate", "evaluation", "findings", "ledger", "matching", "memory", "plan", "scores"),
        *("tool", "workbench", "__init__"),
    }
)
_PROXY_ROOMS = (
    *("attack/asking", "attack/pairs", "attack/proxies", "attack/proxy_cell"),
    *("measure/arrays", "measure/features", "measure/probe", "encoders", "media"),
)


def _model_rooms() -> list[str]:
    here = Path(__file__).parent
    names = {p.stem for p in here.iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()}
    return [f"attack/{name}" for name in sorted(names - _NOT_MEASURING)] + ["media"]


class Ledger:
    """The cells of an evaluation that are on disk.

    Args:
        evaluation: whose
    """

    def __init__(self, evaluation: Evaluation) -> None:
        self.evaluation = evaluation
        self._cells = CellCache(evaluation.cache / "cells" / "attack")
        self._sketches = CellCache(evaluation.cache / "cells" / "attack-plan")
        self._digests: dict[int, str] = {}

    def digest(self, repetition: int) -> str:
        """Returns the digest of a repetition's album, computed once."""
        place = repetition % len(self.evaluation.albums)
        if place not in self._digests:
            self._digests[place] = self.evaluation.albums[place].digest
        return self._digests[place]

    def known(self, cell: CellOf, material: Material) -> dict[str, Any] | None:
        """Returns a cell's result if it is measured, by whatever evaluation."""
        spec = self.spec(cell, material)
        result = self._cells.load(spec)
        if result is not None and self.seconds(cell) is None:
            self._note(cell, spec, self._cells.seconds(spec) or 0.0)
        return result

    def keep(
        self, cell: CellOf, material: Material, result: Mapping[str, Any], seconds: float
    ) -> None:
        """Keeps a cell's result on disk."""
        spec = self.spec(cell, material)
        self._cells.store(spec, result, seconds)
        self._note(cell, spec, seconds)

    def _note(self, cell: CellOf, spec: Mapping[str, Any], seconds: float) -> None:
        self._sketches.store(self.sketch(cell), {"cell": fingerprint(spec)}, seconds)

    def seconds(self, cell: CellOf) -> float | None:
        """Returns how long a measured cell took; None where it is not measured.

        What an arm trains on is not made for this, and no model is loaded.
        """
        sketch = self.sketch(cell)
        made = self._sketches.load(sketch)
        if made is None or not self._cells.has(made["cell"]):
            return None
        return self._sketches.seconds(sketch)

    def sketch(self, cell: CellOf) -> dict[str, Any]:
        """Returns what is known of a cell before its photos are made and its model is loaded."""
        files = self.evaluation.protected[cell.repetition % len(self.evaluation.albums)]
        asked = self.evaluation.config.to_dict()
        for name in ("attackers", "proxies", "transfer", "arms", "seeds", "setting"):
            del asked[name]
        proxy = cell.attacker in self.evaluation.proxies
        return {
            "attacker": cell.attacker,
            "arm": cell.option.id,
            "setting": cell.setting,
            "seed": cell.repetition,
            "album": self.digest(cell.repetition),
            "protected": None if files is None else {k: sha(p) for k, p in sorted(files.items())},
            "protection": None
            if self.evaluation.protection is None
            else self.evaluation.protection.to_dict(),
            "asked": asked,
            "device": (self.evaluation.device or "cpu").split(":")[0],
            "code": code_digest(*(_PROXY_ROOMS if proxy else _model_rooms())),
        }

    def spec(self, cell: CellOf, material: Material) -> dict[str, Any]:
        """Returns everything that determines a cell's result."""
        proxy = self.evaluation.proxies.get(cell.attacker)
        spec: dict[str, Any] = {
            "kind": "attack",
            "attacker": cell.attacker,
            "setting": cell.setting,
            "album": self.digest(cell.repetition),
            "photos": [
                [p.key, p.person, p.scenario, p.affiliation, list(p.descriptions), sha(p.path)]
                for p in material.photos
            ],
            "queries": {key: sha(path) for key, path in sorted(material.queries.items())},
            "pairs": [[sha(pair.photo.path), sha(pair.protected)] for pair in material.pairs],
            "facts": {name: list(values) for name, values in material.facts.items()},
            "asked": [
                self.evaluation.config.max_questions,
                self.evaluation.config.question_seed,
                self.evaluation.config.wording,
            ],
        }
        if proxy is not None:
            facts = proxy.facts(self.evaluation.device)
            return {**spec, "weights": facts["weights_sha256"], "code": code_digest(*_PROXY_ROOMS)}
        attacker = self.evaluation.model(cell.attacker)
        return {
            **spec,
            "weights": attacker.info.weights_sha256,
            "recipe": recipe_of(attacker, material, self.evaluation.config).to_dict()
            if material.photos
            else None,
            "seed": self.evaluation.seed(cell) if material.photos else None,
            "free_words": self.evaluation.config.free_words,
            "epochs_measured": self.evaluation.config.epochs_measured if material.photos else None,
            "device": (self.evaluation.device or "cpu").split(":")[0],
            "code": code_digest(*_model_rooms()),
        }
