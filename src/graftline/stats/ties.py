"""Distinct values of a long array without sorting it.

A million times usually hold a few thousand distinct ones. One pass through a hash table finds them
and each row's place, several times faster than sorting the rows.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

# With more distinct values than this the table no longer fits the cache, and sorting is as fast.
_MOST_DISTINCT = 1 << 15
_SLOTS = 1 << 17
# Multiplying by this odd number (2^64 over the golden ratio) spreads the bits of close floats.
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(64 - 17)


def few_distinct(
    values: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
    """Distinct values in order and each value's place among them; None when they are too many.

    ``values`` are finite.
    """
    # Adding 0 turns -0.0, which has other bits, into 0.0.
    found, place = _hash_places((values + 0.0).view(np.uint64), _MOST_DISTINCT)
    if found.size == 0:
        return None
    distinct = found.view(np.float64)
    order = np.argsort(distinct)
    rank = np.empty(order.size, dtype=np.int64)
    rank[order] = np.arange(order.size)
    return distinct[order], rank[place]


@njit(cache=True)
def _hash_places(
    bits: NDArray[np.uint64], most: int
) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    slots = np.full(_SLOTS, -1, dtype=np.int32)
    found = np.empty(most, dtype=np.uint64)
    place = np.empty(bits.size, dtype=np.int32)
    count = 0
    for row in range(bits.size):
        key = bits[row]
        slot = np.int64((key * _SPREAD) >> _SHIFT)
        while True:
            held = slots[slot]
            if held < 0:
                if count == most:
                    return found[:0], place[:0]
                slots[slot] = count
                found[count] = key
                place[row] = count
                count += 1
                break
            if found[held] == key:
                place[row] = held
                break
            slot = (slot + 1) & (_SLOTS - 1)
    return found[:count], place
