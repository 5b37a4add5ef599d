"""Where files of ours lie if nothing else is said: among FiftyOne's other files of datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["home", "home_of"]


def home() -> Path:
    """Returns the folder that holds a folder for each dataset with runs or evaluations."""
    import fiftyone as fo

    return Path(fo.config.default_dataset_dir).expanduser() / "dp2vl"


def home_of(dataset: Any) -> Path:
    """Returns a dataset's own folder, which need not exist."""
    return home() / str(dataset.name)
