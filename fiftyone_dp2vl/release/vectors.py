"""Whether numbers hold one of some vectors, at any place among other numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

__all__ = ["SAME_EMBEDDING", "SHORTEST_VECTOR", "VectorFinder"]

SAME_EMBEDDING = 0.999
"""Cosine from which two vectors are the same embedding."""

SHORTEST_VECTOR = 8
"""Shorter vectors, such as places on a map, are too much like any other numbers to be told."""

_DIRECTIONS = 16
_BLOCK_BYTES = 16 * 2**20
_CONSTANT = 0.999

Floats = NDArray[np.float64]


class VectorFinder:
    """Finds vectors, whatever they were scaled by and whatever stands beside them.

    Unit vectors of cosine c are sqrt(2 - 2 c) apart, in any projection at most as much. So a window
    of numbers is compared with vectors only if a tree of their projections on a few orthonormal
    directions has one as near as that; none is missed.

    Args:
        matrix: (N, D); vectors of zeros or of one number are like too much to be looked for
    """

    def __init__(self, matrix: NDArray[Any]) -> None:
        rows = _unit(_finite(np.atleast_2d(matrix)))
        self.width = rows.shape[1]
        same = np.abs(rows.sum(axis=1)) / np.sqrt(max(self.width, 1))
        self._rows = rows[(np.abs(rows).sum(axis=1) > 0) & (same < _CONSTANT)]
        self._tree: cKDTree | None = None
        if self.width < SHORTEST_VECTOR or not len(self._rows):
            return
        wanted = np.random.default_rng(0).normal(size=(self.width, min(_DIRECTIONS, self.width)))
        wanted[:, 0] = 1
        # embeddings of one encoder share much, which a window that begins elsewhere lacks
        wanted[:, 1] = self._rows.mean(axis=0)
        self._directions = np.linalg.qr(wanted)[0]
        shadows = self._rows @ self._directions
        self._radius = float(np.sqrt(2 - 2 * SAME_EMBEDDING)) + 1e-6
        self._low = shadows.min(axis=0) - self._radius
        self._high = shadows.max(axis=0) + self._radius
        self._tree = cKDTree(shadows)

    def finds(self, array: NDArray[Any]) -> bool:
        """Says whether one of the vectors stands in an array: in a row, a column or all of it.

        Args:
            array: numbers of any shape; those that are not finite count as 0
        """
        if self._tree is None or array.size < self.width:
            return False
        return any(self._any_of(windows) for windows in self._windows(array))

    def _windows(self, array: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """Yields views (M, D) of what may be a vector."""
        width, flat = self.width, array.reshape(-1)
        tiny = array.dtype.itemsize == 1  # pixels and masks: only where they are laid out so
        rows = flat[None] if array.ndim < 2 else array.reshape(-1, array.shape[-1])
        columns = array.T if array.ndim == 2 else None
        for lines in (rows, columns):
            if lines is None or lines.shape[1] < width:
                continue
            if lines.shape[1] == width:
                yield lines
            elif not tiny:
                for line in lines:
                    yield np.lib.stride_tricks.sliding_window_view(line, width)
        if flat.size % width == 0:
            yield flat.reshape(-1, width)

    def _any_of(self, windows: NDArray[Any]) -> bool:
        assert self._tree is not None  # the caller made sure
        step = max(1, _BLOCK_BYTES // (8 * self.width))
        for start in range(0, len(windows), step):
            block = _unit(_finite(windows[start : start + step]))
            shadows = block @ self._directions
            near = ((shadows >= self._low) & (shadows <= self._high)).all(axis=1)
            near &= np.abs(shadows).sum(axis=1) > 0
            block, shadows = block[near], shadows[near]
            if not len(block):
                continue
            counts = self._tree.query_ball_point(shadows, self._radius, return_length=True)
            block = block[np.asarray(counts) > 0]
            for begin in range(0, len(block), 256):
                if float((block[begin : begin + 256] @ self._rows.T).max()) >= SAME_EMBEDDING:
                    return True
        return False


def _finite(rows: NDArray[Any]) -> Floats:
    values = np.real(rows).astype(np.float64)
    return np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


def _unit(rows: Floats) -> Floats:
    largest = np.abs(rows).max(axis=1, keepdims=True, initial=0)
    scaled = rows / np.where(largest > 0, largest, 1)
    norms = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.where(norms > 0, norms, 1))
