"""What a table of the report is: one frozen value, built once and rendered last."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

Align = Literal["left", "right", "center"]


@dataclass(frozen=True, slots=True)
class TableColumn:
    """Heading of one column, its alignment, and the unit printed under the label."""

    label: str
    align: Align = "right"
    unit: str | None = None

    @property
    def heading(self) -> str:
        """Label with its unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


@dataclass(frozen=True, slots=True)
class TableRow:
    """Formatted cells of one row and the row group they stand under."""

    cells: tuple[str, ...]
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Spanner:
    """A heading over columns ``first`` to ``last``, both included, counted from 0."""

    label: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class ReportTable:
    """One table: formatted cells for readers, ``data`` in full precision for machines."""

    id: str
    title: str
    columns: tuple[TableColumn, ...]
    rows: tuple[TableRow, ...]
    data: pl.DataFrame
    footnotes: tuple[str, ...] = ()
    spanners: tuple[Spanner, ...] = field(default=())

    def __post_init__(self) -> None:
        """Refuse rows that do not fit the columns.

        Raises
        ------
        ValueError
            A row has another number of cells than there are columns.
        """
        wrong = [i for i, row in enumerate(self.rows) if len(row.cells) != len(self.columns)]
        if wrong:
            raise ValueError(
                f"table {self.id}: rows {wrong[:5]} do not have {len(self.columns)} cells"
            )


def plain_rows(frame: pl.DataFrame, *, group: str | None = None) -> tuple[TableRow, ...]:
    """Rows of a frame of text columns; column ``group``, where named, gives the row groups."""
    names = [name for name in frame.columns if name != group]
    heads: Sequence[str | None] = [None] * frame.height if group is None else frame[group].to_list()
    cells = frame.select(names).rows()
    return tuple(
        TableRow(tuple("" if c is None else str(c) for c in row), head)
        for row, head in zip(cells, heads, strict=True)
    )
