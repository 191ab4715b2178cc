"""How many clones have which count: a repertoire without its sequences."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Distinct clone counts, ascending, and the number of clones that have each.

    Every diversity measure depends on the counts alone, so a repertoire of ten million clones
    is a few thousand pairs.
    """

    size: Floats
    clones: Floats

    @property
    def richness(self) -> float:
        """Number of clones."""
        return float(self.clones.sum())

    @property
    def reads(self) -> float:
        """Sum of counts."""
        return float((self.size * self.clones).sum())

    def clones_with(self, size: int) -> float:
        """Number of clones with exactly this count."""
        return float(self.clones[self.size == size].sum())


def spectrum_of(counts: ArrayLike, clones: ArrayLike | None = None) -> Spectrum:
    """Spectrum of clone counts, one per clone, or of distinct counts with their clone numbers.

    Zero counts are not clones and are dropped.

    Raises
    ------
    ValueError
        A count is missing, negative or not whole.
    """
    size = np.atleast_1d(np.asarray(counts, dtype=np.float64))
    many = np.ones_like(size) if clones is None else np.asarray(clones, dtype=np.float64)
    if not (np.isfinite(size).all() and (size >= 0).all() and (size == np.floor(size)).all()):
        raise ValueError("clone counts must be whole numbers, 0 or more, none missing")
    distinct, place = np.unique(size, return_inverse=True)
    total = np.bincount(place, weights=many, minlength=distinct.size).astype(np.float64)
    seen = distinct > 0
    return Spectrum(distinct[seen], total[seen])
