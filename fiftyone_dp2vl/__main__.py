"""``python -m fiftyone_dp2vl`` is the ``dp2vl`` command."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
