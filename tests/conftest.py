"""One database, home and plugins directory of their own for every test process.

The environment is set when this file is imported, before any test imports FiftyOne: a user's
database, plugins and settings are never read or written.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]

_SCRATCH = Path(tempfile.mkdtemp(prefix="dp2vl-tests-"))
atexit.register(shutil.rmtree, _SCRATCH, ignore_errors=True)

for _name in [name for name in os.environ if name.startswith("FIFTYONE_")]:
    if _name != "FIFTYONE_DATABASE_URI":
        del os.environ[_name]

os.environ.update(
    HOME=str(_SCRATCH / "home"),
    FIFTYONE_DATABASE_DIR=str(_SCRATCH / "database"),
    FIFTYONE_DATABASE_NAME=f"dp2vl_tests_{os.getpid()}",
    FIFTYONE_DEFAULT_DATASET_DIR=str(_SCRATCH / "datasets"),
    FIFTYONE_PLUGINS_DIR=str(_SCRATCH / "plugins"),
    FIFTYONE_DATABASE_VALIDATION="false",
    FIFTYONE_DO_NOT_TRACK="true",
    FIFTYONE_SHOW_PROGRESS_BARS="false",
    HF_HUB_OFFLINE="1",
    OMP_NUM_THREADS="1",
)
for _folder in ("home", "plugins/@dp2vl"):
    (_SCRATCH / _folder).mkdir(parents=True)
(_SCRATCH / "plugins/@dp2vl/fiftyone_dp2vl").symlink_to(REPOSITORY, target_is_directory=True)
