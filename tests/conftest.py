"""A database, home and plugins directory of their own for the tests.

The environment is set when this file is imported, before any test imports FiftyOne: a user's
database, plugins and settings are never read or written.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fiftyone_dp2vl.doctor import find_mongod
from fiftyone_dp2vl.store.database import VARIABLE, start_database

REPOSITORY = Path(__file__).resolve().parents[1]

_SCRATCH = Path(tempfile.mkdtemp(prefix="dp2vl-tests-"))
atexit.register(shutil.rmtree, _SCRATCH, ignore_errors=True)

for _name in [name for name in os.environ if name.startswith("FIFTYONE_")]:
    if _name != VARIABLE:
        del os.environ[_name]

os.environ.update(
    HOME=str(_SCRATCH / "home"),
    FIFTYONE_DATABASE_NAME=f"dp2vl_tests_{os.getpid()}",
    FIFTYONE_DEFAULT_DATASET_DIR=str(_SCRATCH / "datasets"),
    FIFTYONE_PLUGINS_DIR=str(_SCRATCH / "plugins"),
    FIFTYONE_DATABASE_VALIDATION="false",
    FIFTYONE_DO_NOT_TRACK="true",
    FIFTYONE_SHOW_PROGRESS_BARS="false",
    HF_HUB_OFFLINE="1",
    OMP_NUM_THREADS="1",
)
for _folder in ("home", "database", "plugins/@dp2vl"):
    (_SCRATCH / _folder).mkdir(parents=True)
(_SCRATCH / "plugins/@dp2vl/fiftyone_dp2vl").symlink_to(REPOSITORY, target_is_directory=True)


# one server for all test processes; nobody waits for it here, the first to connect does
if find_mongod() is not None:
    start_database(_SCRATCH / "database", wait=False)


PEOPLE = ("ada", "bob", "cy")


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a CLIP of the real architecture, tiny and with random weights."""
    import torch
    import transformers as tf

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2}
    config = tf.CLIPConfig(
        vision_config={**sizes, "num_hidden_layers": 2, "image_size": 32, "patch_size": 8},
        text_config={**sizes, "num_hidden_layers": 1, "vocab_size": 64},
        projection_dim=16,
    )
    folder = tmp_path_factory.mktemp("models") / "tiny_clip"
    tf.CLIPModel(config).eval().save_pretrained(folder)
    side = {"height": 32, "width": 32}
    tf.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=side).save_pretrained(folder)
    return f"hf:{folder}"


@pytest.fixture
def quick(tiny_encoder: str) -> dict[str, Any]:
    """Settings with which a protection of a few photos takes a second."""
    return {"encoders": [tiny_encoder], "steps": 3, "lanes": 4}


@pytest.fixture
def photo_folder(tmp_path: Path) -> Path:
    """Twelve small photos, four of each of three people: the person is the prevailing colour."""
    folder = tmp_path / "originals"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for row in range(12):
        base = np.zeros(3)
        base[row % 3] = 90
        coarse = rng.integers(40, 160, (8, 10, 3)) + base
        image = Image.fromarray(coarse.clip(0, 255).astype(np.uint8))
        image = image.resize((80, 64), Image.Resampling.BICUBIC)
        image.save(folder / f"photo{row:02d}.png")
    return folder


@pytest.fixture
def dataset(photo_folder: Path) -> Iterator[Any]:
    """A FiftyOne dataset of :func:`photo_folder` with the person as field ``identity``."""
    import fiftyone as fo

    dataset = fo.Dataset()
    dataset.add_samples(
        fo.Sample(filepath=str(path), identity=PEOPLE[row % 3])
        for row, path in enumerate(sorted(photo_folder.iterdir()))
    )
    yield dataset
    dataset.delete()


def hashes(folder: Path) -> dict[str, str]:
    """Returns every file below a folder with its bytes' hash."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def originals_untouched(photo_folder: Path) -> Iterator[None]:
    """Fails a test that changed, added or removed an original file."""
    before = hashes(photo_folder)
    yield
    assert hashes(photo_folder) == before
