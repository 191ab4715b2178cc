"""Row-wise rules on arrays: the words of polars that such rules use, answered at once.

A rule that looks at one row is written once, against ``words``: polars itself for the records of a
trial, ``OnArrays`` for one visit day of virtual patients, where planning a query would take longer
than the answer. Unknown is unknown here as there: comparisons with it are unknown, and "and", "or",
"not" follow Kleene.
"""

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]
Booleans = NDArray[np.bool_]
# polars, or OnArrays: what a rule needs of either is small, and neither could be named by the other
Words = Any


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """Values and which of them are known; the value of an unknown one means nothing.

    ``cases`` are those of a choice to which more may be added.
    """

    values: Values
    known: Booleans
    cases: "Cases" = ()

    def __lt__(self, other: Any) -> "Column":
        return self._with(other, operator.lt)

    def __le__(self, other: Any) -> "Column":
        return self._with(other, operator.le)

    def __gt__(self, other: Any) -> "Column":
        return self._with(other, operator.gt)

    def __ge__(self, other: Any) -> "Column":
        return self._with(other, operator.ge)

    def __eq__(self, other: Any) -> "Column":  # type: ignore[override]  # compares rows, as polars
        return self._with(other, operator.eq)

    def __truediv__(self, other: "Column") -> "Column":
        known = self.known & other.known
        out = np.zeros(known.shape)
        return Column(np.divide(self.values, other.values, out=out, where=known), known)

    def __radd__(self, other: Any) -> "Column":
        return self._with(other, operator.add)

    def __rmul__(self, other: Any) -> "Column":
        return self._with(other, operator.mul)

    def __and__(self, other: "Column") -> "Column":
        denied = (self.known & ~self.values) | (other.known & ~other.values)
        return Column(self.values & other.values, (self.known & other.known) | denied)

    def __or__(self, other: "Column") -> "Column":
        return ~(~self & ~other)

    def __invert__(self) -> "Column":
        return Column(~self.values, self.known)

    def is_null(self) -> "Column":
        """Whether each value is unknown."""
        return Column(~self.known, np.ones_like(self.known))

    def is_not_null(self) -> "Column":
        """Whether each value is known."""
        return Column(self.known, np.ones_like(self.known))

    def is_between(self, low: float, high: float) -> "Column":
        """Whether each value lies between two limits, both included."""
        return (self >= low) & (self <= high)

    def fill_null(self, value: Any) -> "Column":
        """A value in place of each unknown one."""
        return Column(np.where(self.known, self.values, value), np.ones_like(self.known))

    def round(self, decimals: int) -> "Column":
        """Values rounded."""
        return Column(np.round(self.values.astype(np.float64), decimals), self.known)

    def cast(self, _: Any) -> "Column":
        """The column itself: an array has the type its values need."""
        return self

    def when(self, condition: "Column") -> "When":
        """A further case of a choice, for where none before holds."""
        return When(self.cases, condition)

    def otherwise(self, value: Any) -> "Column":
        """What stands where no case of a choice holds."""
        return _choose(self.cases, _like(self, value))

    def _with(self, other: Any, compare: Any) -> "Column":
        if isinstance(other, Column):
            return Column(compare(self.values, other.values), self.known & other.known)
        return Column(compare(self.values, other), self.known)


Cases = tuple[tuple[Column, Column], ...]


@dataclass(frozen=True, slots=True)
class When:
    """A choice that waits for what stands where its last condition holds."""

    cases: Cases
    condition: Column

    def then(self, value: Any) -> Column:
        """What stands where the condition holds and none before."""
        cases = (*self.cases, (self.condition, _like(self.condition, value)))
        return _choose(cases, _like(self.condition, None))


def _like(column: Column, value: Any) -> Column:
    """One value in as many rows as a column has; None is unknown; a column is itself."""
    if isinstance(value, Column):
        return value
    rows = column.known.shape
    return Column(
        np.full(rows, False if value is None else value), np.full(rows, value is not None)
    )


def _choose(cases: Cases, last: Column) -> Column:
    values, known = last.values, last.known
    if not known.any():
        # so that text beside nothing stays text
        values = np.zeros(known.shape, dtype=cases[0][1].values.dtype)
    for condition, case in reversed(cases):
        holds = condition.known & condition.values
        values = np.where(holds, case.values, values)
        known = np.where(holds, case.known, known)
    return Column(values, known, cases)


@dataclass(frozen=True, slots=True)
class OnArrays:
    """Columns by name, with the words of polars that row-wise rules are written in.

    Parameters
    ----------
    columns : mapping of name to array [row] or Column
        Every value of an array is known, none is NaN; a column that is not there is unknown in
        every row.
    rows : int
    """

    columns: Mapping[str, Values | Column]
    rows: int

    def col(self, name: str) -> Column:
        """A column by name."""
        values = self.columns.get(name)
        if values is None or isinstance(values, Column):
            return self.lit(None) if values is None else values
        return Column(values, np.ones(self.rows, dtype=np.bool_))

    def lit(self, value: Any) -> Column:
        """One value in every row; None is unknown."""
        return _like(Column(np.empty(self.rows), np.empty(self.rows, dtype=np.bool_)), value)

    def when(self, condition: Column) -> When:
        """Begin a choice between cases."""
        return When((), condition)

    def coalesce(self, *columns: Column) -> Column:
        """The first known of several columns."""
        first = columns[0]
        for column in columns[1:]:
            values = np.where(first.known, first.values, column.values)
            first = Column(values, first.known | column.known)
        return first

    def max_horizontal(self, *columns: Column) -> Column:
        """The largest known of several columns."""
        largest = columns[0]
        for column in columns[1:]:
            over = column.known & (~largest.known | (column.values > largest.values))
            values = np.where(over, column.values, largest.values)
            largest = Column(values, largest.known | column.known)
        return largest

    def all_horizontal(self, *columns: Column) -> Column:
        """Whether all of several columns hold."""
        whole = self.lit(value=True)
        for column in columns:
            whole = whole & column
        return whole
