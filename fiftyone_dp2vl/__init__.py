"""Protects photo sets against identity-affiliation learning by vision-language models.

Heavy dependencies (torch, transformers, FiftyOne) are imported when first needed, so that
``import fiftyone_dp2vl`` is cheap and the core works without FiftyOne installed.
"""

from __future__ import annotations

__version__ = "0.1.0"
