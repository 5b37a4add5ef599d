"""The FiftyOne plugin: makes its library importable, registers operators and panels.

FiftyOne executes this file again at every access to its registry, so it only imports and
registers; whatever is heavy or must be kept lives in sub-modules.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

_LIBRARY = "fiftyone_dp2vl"
_FOLDER = Path(__file__).resolve().parent / _LIBRARY


def _load_library() -> None:
    """Makes the one package ``fiftyone_dp2vl`` importable.

    An installed library is used where there is one. Otherwise, as when
    ``fiftyone plugins download`` copied nothing but this folder, exactly that package is loaded
    from the folder under its own name: with the folder on ``sys.path``, ``operators`` and
    ``tests`` would become importable too, and would hide other packages of these names.
    """
    if _LIBRARY in sys.modules:
        return
    spec = importlib.util.find_spec(_LIBRARY)
    if spec is None or spec.origin is None:  # an empty folder of that name has no origin
        _execute_library()


def _execute_library() -> None:
    spec = importlib.util.spec_from_file_location(
        _LIBRARY, _FOLDER / "__init__.py", submodule_search_locations=[str(_FOLDER)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[_LIBRARY] = module
    spec.loader.exec_module(module)


if __name__ == _LIBRARY:
    # Python found this folder where the library was meant: a clone named like the library lies
    # in the current directory. Importers must get the library, whose copy this call puts in place.
    _execute_library()
elif __package__:
    _load_library()
    from .operators import OPERATORS
    from .panels import PANELS

    def register(plugin: Any) -> None:
        """Registers the operators and panels; ``fiftyone.yml`` lists the same ones."""
        for part in (*OPERATORS, *PANELS):
            plugin.register(part)
