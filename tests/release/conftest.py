"""A small protected set by a real surrogate, and a good release of it, made once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_dp2vl.config import OutputConfig, ProtectionConfig, SelectionConfig
from fiftyone_dp2vl.encoders import Encoder, load_encoder
from fiftyone_dp2vl.release import AuditReport, PrivatePhoto, PrivateSet, audit_release
from fiftyone_dp2vl.release.containers import strip
from fiftyone_dp2vl.runs import PhotoItem, protect_photos

PEOPLE = ("Ada Lind", "Bo Rask", "Cy Oyelaran")


def picture(number: int, size: tuple[int, int] = (120, 96)) -> Image.Image:
    """A smooth scene of a few coarse shapes, another one for each number."""
    rng = np.random.default_rng(number)
    coarse = Image.fromarray(rng.integers(30, 225, (6, 7, 3), dtype=np.uint8))
    return coarse.resize(size, Image.Resampling.BICUBIC)


@dataclass(frozen=True)
class Share:
    """A private set with its run, and a release of it."""

    private: PrivateSet
    encoder: Encoder
    release: Path
    names: dict[str, str]
    """Key -> path in the release."""

    def original(self, key: str) -> Path:
        return next(p.original for p in self.private.photos if p.key == key)

    def protected(self, key: str) -> Path:
        path = next(p.protected for p in self.private.photos if p.key == key)
        assert path is not None
        return path


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: str) -> Share:
    folder = tmp_path_factory.mktemp("share")
    originals = folder / "originals"
    originals.mkdir()
    items = []
    for number in range(10):
        path = originals / f"IMG_20{number:02d}.jpg"
        exif = Image.Exif()
        exif[0x010F] = "Camera"
        picture(number).save(path, quality=92, exif=exif)
        items.append(PhotoItem(f"{number:024x}", path, group=PEOPLE[number % 3]))
    config = ProtectionConfig(
        encoders=(tiny_encoder,),
        strategy="swap",
        steps=20,
        lanes=4,
        grid_pixels=16384,
        transforms=(),
    )
    encoder = load_encoder(tiny_encoder)
    result = protect_photos(
        items[:8], folder / "run", config, SelectionConfig(), OutputConfig(), encoders=[encoder]
    )
    records = {record.key: record for record in result.records}
    photos = []
    for item in items:
        record = records.get(item.key)
        photos.append(
            PrivatePhoto(
                item.key,
                Path(item.path),
                record.path if record else None,
                record.linf if record else None,
                dict(record.cosines) if record else {},
            )
        )
    rng = np.random.default_rng(0)
    private = PrivateSet(
        photos,
        epsilon=config.epsilon,
        encoders=config.encoders,
        identities=PEOPLE,
        embeddings={"clean": rng.normal(size=(10, 16))},
        run="one",
    )
    release = folder / "release"
    (release / "data").mkdir(parents=True)
    names = {}
    for place, item in enumerate(reversed(items[:8]), start=1):
        names[item.key] = f"data/photo-{place:06d}.png"
        found = records[item.key].path
        assert found is not None
        (release / names[item.key]).write_bytes(strip(found.read_bytes()))
    labels = {"labels": {name: {"label": "beach"} for name in names.values()}}
    (release / "labels.json").write_text(json.dumps(labels))
    return Share(private, encoder, release, names)


@pytest.fixture
def share(made: Share, tmp_path: Path) -> Share:
    """A copy of the release, to plant leaks in."""
    copy = tmp_path / "release"
    shutil.copytree(made.release, copy)
    return Share(made.private, made.encoder, copy, made.names)


@pytest.fixture
def audit(share: Share) -> Callable[..., AuditReport]:
    def go(**settings: object) -> AuditReport:
        return audit_release(
            share.release,
            share.private,
            encoders=[share.encoder],
            **settings,  # type: ignore[arg-type]
        )

    return go
