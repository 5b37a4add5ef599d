"""The photos of a view, or one sentence that says why it has none that can be protected."""

from __future__ import annotations

from typing import Any

from ..errors import ConfigError

__all__ = [
    "GROUP_KINDS",
    "MASK_KINDS",
    "all_photos",
    "field_kind",
    "field_problem",
    "fields_of",
    "group_counts",
    "group_values",
    "obvious_group_field",
    "require_dataset",
    "require_photos",
    "view_problem",
]

GROUP_KINDS = ("StringField", "Classification")
"""Fields that can say who is on a photo."""

MASK_KINDS = ("Detections", "Detection", "Segmentation")
"""Fields that can say which part of a photo may change."""

_NAMES_OF_PEOPLE = frozenset(
    ("identity", "individual", "people", "person", "person_id", "subject", "subject_id", "who")
)


def require_dataset(name: str) -> None:
    """Refuses a name that is no dataset's.

    Raises:
        ConfigError: with the names that there are
    """
    import fiftyone as fo

    if not fo.dataset_exists(name):
        names = ", ".join(fo.list_datasets())
        known = f"the datasets are {names}" if names else "there are none yet: import photos first"
        raise ConfigError(f"no dataset {name!r}: {known}")


def all_photos(dataset: Any) -> Any:
    """Returns every photo of a dataset, of all slices where it is grouped.

    A grouped dataset itself stands for the photos of one slice only.
    """
    if dataset.media_type == "group":
        return dataset.select_group_slices(media_type="image")
    return dataset


def view_problem(view: Any, filepath_field: str = "filepath") -> str | None:
    """Returns one sentence that says why a view cannot be protected, or None where it can.

    Args:
        view: a FiftyOne dataset or view
        filepath_field: the field with the photos' files
    """
    import fiftyone.core.collections as foc

    if not isinstance(view, foc.SampleCollection):
        shown = repr(view) if isinstance(view, str) else f"a {type(view).__name__}"
        how = f"fiftyone.load_dataset({shown})" if isinstance(view, str) else "one of photos"
        return f"{shown} is no dataset or view: give {how}"
    if view.media_type == "group":
        return (
            "the dataset is grouped: choose one slice with view.select_group_slices('NAME') and "
            "use that view"
        )
    if view.media_type == "video":
        return "videos cannot be protected: make photos of their frames with view.to_frames() first"
    # an empty dataset has no media type yet, which the next sentence says better
    if view.media_type not in ("image", None):
        return f"{view.media_type} media cannot be protected: choose a view of photos"
    if getattr(view, "_is_generated", False):
        return "patches, clips and frames cannot be protected: use the view of the whole photos"
    if not view.has_sample_field(filepath_field):
        return f"no field {filepath_field!r}: name the field that holds the photos' files"
    if not view.limit(1).values("id"):
        return "the view is empty: choose at least one photo"
    return None


def require_photos(view: Any, filepath_field: str = "filepath") -> None:
    """Checks that a view can be protected.

    Raises:
        ConfigError: as :func:`view_problem`
    """
    problem = view_problem(view, filepath_field)
    if problem is not None:
        raise ConfigError(problem)


def field_problem(view: Any, field: str | None, kinds: tuple[str, ...]) -> str | None:
    """Returns one sentence that says why a field will not do, or None.

    Args:
        view: a FiftyOne dataset or view
        field: the field's name, or None for no field
        kinds: names of the classes of field or label that will do
    """
    if field is None:
        return None
    found = field_kind(view, field)
    if found is None:
        return f"no field {field!r} on the dataset"
    if found not in kinds:
        return f"field {field!r} is of type {found}: choose one of {', '.join(kinds)}"
    return None


def field_kind(view: Any, field: str) -> str | None:
    """Returns the name of a field's label class or, without one, field class; None: no field."""
    schema = view.get_field(field)
    if schema is None:
        return None
    document = getattr(schema, "document_type", None)
    return str((document or type(schema)).__name__)


def group_values(view: Any, field: str | None) -> list[str | None]:
    """Returns the group (the person) of every photo of a view, in its order.

    Args:
        view: a FiftyOne dataset or view
        field: a field of strings or of classifications, or None for no groups

    Raises:
        ConfigError: if the field is not of such a type
    """
    if field is None:
        # not len(view): a database that was killed may count wrongly ever after
        return [None] * len(view.values("id"))
    values: list[str | None] = view.values(_group_path(view, field))
    return values


def group_counts(view: Any, field: str | None) -> dict[str | None, int]:
    """Returns the number of a view's photos of each group; counted by the database.

    Args:
        view: a FiftyOne dataset or view
        field: as for :func:`group_values`; without one all photos are of the group None

    Raises:
        ConfigError: as :func:`group_values`
    """
    if field is None:
        return {None: len(view)}
    counts: dict[str | None, int] = view.count_values(_group_path(view, field))
    return counts


def _group_path(view: Any, field: str) -> str:
    problem = field_problem(view, field, GROUP_KINDS)
    if problem is not None:
        raise ConfigError(problem)
    return f"{field}.label" if field_kind(view, field) == "Classification" else field


def fields_of(view: Any, kinds: tuple[str, ...]) -> list[str]:
    """Returns a view's top-level fields of given classes that are not the plugin's own."""
    hidden = ("dp2vl_", "_")
    names = [name for name in view.get_field_schema() if not name.startswith(hidden)]
    own = ("filepath", "id", "media_type")
    return [name for name in names if name not in own and field_kind(view, name) in kinds]


def obvious_group_field(view: Any) -> str | None:
    """Returns the field that says who is on a photo where its name leaves no doubt, else None."""
    found = [f for f in fields_of(view, GROUP_KINDS) if f.lower() in _NAMES_OF_PEOPLE]
    return found[0] if len(found) == 1 else None
