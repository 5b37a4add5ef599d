"""The plugin's operators: a form becomes a configuration, a configuration a library call."""

from __future__ import annotations

from .doctor import Doctor

OPERATORS = (Doctor,)
"""Every operator, in the order of ``fiftyone.yml``."""
