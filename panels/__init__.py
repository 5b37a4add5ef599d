"""The plugin's panels: they show what fields, runs and report cards hold, and compute nothing."""

from __future__ import annotations

from .attack import Attack
from .clusters import Clusters
from .compare import Compare

PANELS = (Clusters, Attack, Compare)
"""Every panel, in the order of ``fiftyone.yml``."""
