"""What is measured: identity probes, separation, intervals, result cards and studies.

Metrics take numpy arrays or torch tensors and return floats; nothing here knows FiftyOne.
"""

from __future__ import annotations

from .clusters import silhouette
from .intervals import Interval, bootstrap_interval, seed_interval
from .mmd import MMD, mmd_test
from .probe import PROBES, ProbeResult, class_mean_probe, identity_probe, knn_probe
from .separability import Separability, linear_separability
from .shift import (
    CentroidShift,
    NaturalRange,
    centroid_shift,
    directional_consistency,
    directional_cosines,
    natural_cosine,
    paired_cosine,
    token_cosine,
)
from .wrong_answers import (
    commonest_wrong_share,
    commonest_wrong_shares,
    expected_commonest_share,
)

__all__ = [
    "MMD",
    "PROBES",
    "CentroidShift",
    "Interval",
    "NaturalRange",
    "ProbeResult",
    "Separability",
    "bootstrap_interval",
    "centroid_shift",
    "class_mean_probe",
    "commonest_wrong_share",
    "commonest_wrong_shares",
    "directional_consistency",
    "directional_cosines",
    "expected_commonest_share",
    "identity_probe",
    "knn_probe",
    "linear_separability",
    "mmd_test",
    "natural_cosine",
    "paired_cosine",
    "seed_interval",
    "silhouette",
    "token_cosine",
]
