"""How a table of the trial folder is declared: columns, types, units, allowed values, bounds.

Kept-up polars schema libraries were tried first (dataframely, pandera): both cast or reject a whole
frame and report counts, while a trial needs the file's row, the text as it stood, a remedy, unit
conversion and templates from the same declaration.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

Kind = Literal["text", "category", "number", "integer", "flag", "day", "date"]

POLARS_TYPES: Mapping[Kind, type[pl.DataType]] = {
    "text": pl.String,
    "category": pl.String,
    "number": pl.Float64,
    "integer": pl.Int64,
    "flag": pl.Boolean,
    "day": pl.Float64,
    "date": pl.Date,
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name carries the unit, its kind the type.

    ``minimum`` and ``maximum`` are hard (outside is an error); ``plausible`` only warns.
    ``identifying`` columns are never echoed in findings, logs or reports. A ``day`` column may be
    given as a date in the column named ``date_column``.
    """

    name: str
    kind: Kind
    description: str
    unit: str | None = None
    required: bool = False
    allowed: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    plausible: tuple[float, float] | None = None
    identifying: bool = False

    @property
    def date_column(self) -> str | None:
        """Name of the column that may hold this day as a calendar date."""
        if self.kind != "day":
            return None
        return "date" if self.name == "day" else self.name.removesuffix("_day") + "_date"

    @property
    def dtype(self) -> type[pl.DataType]:
        """Polars type once read."""
        return POLARS_TYPES[self.kind]


@dataclass(frozen=True, slots=True)
class Quantity:
    """One member of a long table's vocabulary (an analyte, a virus), with its unit."""

    name: str
    unit: str
    description: str
    plausible: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the trial folder."""

    name: str
    description: str
    columns: tuple[Column, ...]
    required: bool = False
    key: tuple[str, ...] = ()
    quantity_column: str | None = None
    quantities: tuple[Quantity, ...] = field(default=())

    def column(self, name: str) -> Column | None:
        """Declaration of one column, ``None`` when it is not declared."""
        return next((c for c in self.columns if c.name == name), None)

    def quantity(self, name: str) -> Quantity | None:
        """Declaration of one analyte, ``None`` when it is not declared."""
        return next((q for q in self.quantities if q.name == name), None)

    @property
    def names(self) -> tuple[str, ...]:
        """Declared column names in order."""
        return tuple(c.name for c in self.columns)

    def empty(self) -> pl.DataFrame:
        """Frame without rows, in the types a reader returns (with ``row``, the file's row)."""
        return pl.DataFrame(schema={"row": pl.UInt32, **{c.name: c.dtype for c in self.columns}})


def patient_column() -> Column:
    """Return the study ID column that every table has."""
    return Column(
        "patient", "text", "Study ID of the patient; never a name or a record number", required=True
    )


def day_column(what: str, *, name: str = "day", required: bool = False) -> Column:
    """Return a day column, counted from the index infusion (day 0)."""
    return Column(name, "day", what, unit="day", required=required, minimum=-20000, maximum=20000)


def day_range_columns() -> tuple[Column, Column]:
    """Return the bounds of a day that is known only as a range."""
    return (
        day_column("Earliest possible day, where the day itself is not known", name="day_low"),
        day_column("Latest possible day, where the day itself is not known", name="day_high"),
    )


def provenance_columns() -> tuple[Column, ...]:
    """Return the columns that say where a value comes from, and whether it is used."""
    return (
        Column(
            "assumed",
            "text",
            "Reason, where a value of this row is assumed and not recorded; else empty",
        ),
        Column(
            "excluded",
            "text",
            "Reason, where the row is set aside: it stays in the file, is listed, and is not used",
        ),
        Column("source", "text", "Where the value is stated (form, page, publication)"),
        Column("comment", "text", "Free remark; not used by any rule"),
    )
