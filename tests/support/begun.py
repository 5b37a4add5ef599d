"""A run that stopped in its middle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from stopping import stop_after

from fiftyone_dp2vl.errors import Cancelled
from fiftyone_dp2vl.store import protect_dataset

__all__ = ["begin_of_ten"]


def begin_of_ten(dataset: Any, quick: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Begins run ``one`` on ten of twelve photos, confined to their left halves.

    Returns:
        its settings
    """
    import fiftyone as fo

    left = fo.Detections(detections=[fo.Detection(bounding_box=[0, 0, 0.5, 1])])
    dataset.set_values("box", [left.copy() for _ in range(12)])
    settings = {**quick, "group_field": "identity", "mask_field": "box"}
    with pytest.raises(Cancelled):
        protect_dataset(
            dataset.limit(10), "one", output_dir=str(folder), cancel=stop_after(27), **settings
        )
    assert 0 < len(list((folder / "photos").iterdir())) < 10
    return settings
