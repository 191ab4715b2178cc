"""Sparse elimination planned once: which pivot when, which entries fill in."""

from collections.abc import Iterable
from dataclasses import dataclass

Entry = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Elimination:
    """A pivot order and all entries that the factors hold, fill-in included.

    ``lower[k]`` are the rows still to come with an entry in the column of pivot ``k``, ``upper[k]``
    the columns still to come with an entry in its row.
    """

    order: tuple[int, ...]
    entries: tuple[Entry, ...]
    lower: dict[int, tuple[int, ...]]
    upper: dict[int, tuple[int, ...]]


def plan_elimination(states: Iterable[int], nonzero: Iterable[Entry]) -> Elimination:
    """Pivots on the diagonal, the one with the fewest products first (Markowitz 1957).

    No pivoting by value: the matrices are ``1/(gamma h)`` on the diagonal minus a Jacobian, and the
    error control shortens a step whose solution is bad.
    """
    left = set(states)
    entries = set(nonzero) | {(i, i) for i in left}
    order: list[int] = []
    lower: dict[int, tuple[int, ...]] = {}
    upper: dict[int, tuple[int, ...]] = {}
    while left:
        rows = {k: [i for i in left if i != k and (i, k) in entries] for k in left}
        columns = {k: [j for j in left if j != k and (k, j) in entries] for k in left}
        pivot = min(left, key=lambda k: (len(rows[k]) * len(columns[k]), len(columns[k]), k))
        entries |= {(i, j) for i in rows[pivot] for j in columns[pivot]}
        lower[pivot], upper[pivot] = tuple(sorted(rows[pivot])), tuple(sorted(columns[pivot]))
        order.append(pivot)
        left.remove(pivot)
    return Elimination(tuple(order), tuple(sorted(entries)), lower, upper)
