"""The encoders that the database's runs were made with."""

from __future__ import annotations

from .records import METHOD

__all__ = ["surrogates_of_runs"]


def surrogates_of_runs() -> list[str]:
    """Returns the names of all runs' surrogates, sorted; no dataset is loaded for it."""
    import fiftyone.core.odm as foo

    runs = foo.get_db_conn().runs
    names = runs.distinct("config.record.protection.encoders", {"config.method": METHOD})
    return sorted(str(name) for name in names)
