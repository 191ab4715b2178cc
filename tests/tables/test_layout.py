"""A frame laid out row by row (truth: law)."""

import polars as pl

from graftline.tables.layout import frame_table
from graftline.tables.value import TableColumn

COLUMNS = (
    (TableColumn("Name", "left"), lambda row: row["name"]),
    (TableColumn("Twice", unit="mL"), lambda row: str(2 * row["value"])),
)
FRAME = pl.DataFrame({"name": ["a", "b", "c"], "value": [1, 2, 3], "kind": ["x", "x", None]})


def test_each_cell_stands_under_its_column() -> None:
    table = frame_table("t", "T", FRAME, COLUMNS, group=lambda row: row["kind"])
    assert [column.heading for column in table.columns] == ["Name", "Twice (mL)"]
    assert [row.cells for row in table.rows] == [("a", "2"), ("b", "4"), ("c", "6")]
    assert [row.group for row in table.rows] == ["x", "x", None]
    assert table.footnotes == ()
    assert table.data.equals(FRAME)


def test_what_is_not_printed_is_said_and_kept() -> None:
    table = frame_table("t", "T", FRAME, COLUMNS, limit=2, footnotes=("A note.",))
    assert len(table.rows) == 2
    assert table.footnotes == ("A note.", "The first 2 of 3 rows; the table as CSV has all.")
    assert table.data.height == 3
    assert frame_table("t", "T", FRAME, COLUMNS, limit=3).footnotes == ()


def test_an_empty_frame_has_a_heading_and_no_rows() -> None:
    table = frame_table("t", "T", FRAME.clear(), COLUMNS)
    assert (len(table.columns), table.rows) == (2, ())
