"""What the grid beside a panel shows and has selected, told in photos.

In a view of patches the grid's ids are the patches' own; a run knows photos only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from typing import Any

import fiftyone.operators as foo
import fiftyone.server.view as fosv

__all__ = ["extended", "in_grid", "photos_of", "selected", "view_key", "visible"]

_PHOTO_OF_PATCH = "sample_id"


def _view(ctx: foo.ExecutionContext) -> Any:
    """Returns the grid's view without what panels select in it, or None for the whole dataset."""
    asked = ctx.request_params
    if asked.get("view_name"):
        return ctx.dataset.load_saved_view(asked["view_name"])
    if not asked.get("view") and not asked.get("filters"):
        return None
    return fosv.get_view(ctx.dataset, stages=asked.get("view"), filters=asked.get("filters"))


def _patches(ctx: foo.ExecutionContext) -> Any:
    """Returns the grid's view if it is one of patches, else None."""
    view = _view(ctx)
    return view if view is not None and view.has_sample_field(_PHOTO_OF_PATCH) else None


def view_key(ctx: foo.ExecutionContext) -> str:
    """Returns a hash of the grid's view, without what panels select in it."""
    asked = [ctx.request_params.get(name) or None for name in ("view_name", "view", "filters")]
    text = json.dumps([str(ctx.dataset.name), *asked], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def visible(ctx: foo.ExecutionContext) -> set[str] | None:
    """Returns the ids of the photos in the grid's view, None for the whole dataset."""
    view = _view(ctx)
    if view is None:
        return None
    return set(view.values(_PHOTO_OF_PATCH if view.has_sample_field(_PHOTO_OF_PATCH) else "id"))


def extended(ctx: foo.ExecutionContext) -> tuple[list[str], str | None]:
    """Returns the ids that a panel selected in the grid, and which panel's they are."""
    asked = ctx.extended_selection or {}
    return list(asked.get("selection") or ()), asked.get("scope")


def selected(ctx: foo.ExecutionContext, *, but: str) -> set[str]:
    """Returns the ids of the photos that are selected, by hand or by another panel.

    Args:
        ctx: the panel's
        but: the scope of the panel's own selection, which does not count
    """
    chosen, scope = extended(ctx)
    return photos_of(ctx, {*ctx.selected, *(chosen if scope != but else ())})


def photos_of(ctx: foo.ExecutionContext, ids: Collection[str]) -> set[str]:
    """Returns the ids of the photos that ids of the grid stand for."""
    patches = _patches(ctx) if ids else None
    if patches is None:
        return set(ids)
    shown = dict(zip(*patches.values(["id", _PHOTO_OF_PATCH]), strict=True))
    # the panel of labels' embeddings selects photos in a grid of patches, too
    return {shown.get(key, key) for key in ids}


def in_grid(ctx: foo.ExecutionContext, photos: Collection[str]) -> list[str]:
    """Returns the ids by which the grid knows photos: of a photo's patches, all."""
    patches = _patches(ctx)
    if patches is None:
        return list(photos)
    wanted = set(photos)
    ids, shown = patches.values(["id", _PHOTO_OF_PATCH])
    return [key for key, photo in zip(ids, shown, strict=True) if photo in wanted]
