"""Tables as text on a terminal. Truth: what the table holds, character by character."""

import polars as pl
import pytest

from graftline.tables.value import ReportTable, TableColumn, TableRow
from graftline.terminal import print_table


def test_names_that_look_like_markup_are_printed_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = "tube [day 5] of a patient with a long name [/bold].fcs"
    table = ReportTable(
        "t",
        "Gates [x]",
        (TableColumn("No."), TableColumn("Gate [/i]", "left")),
        (
            TableRow(("1", "CD3[+]"), name),
            TableRow(("2", "[/red]"), name),
            TableRow(("3", "a\\[b"), "[bold]"),
        ),
        pl.DataFrame(),
        ("of [all] events [/x]",),
    )
    print_table(table)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "Gates [x]"
    # The group stands on one line, though its first column is two characters wide.
    assert lines[-7:] == [
        *(name, "1  CD3[+]", "2  [/red]", "[bold]", "3  a\\[b"),
        *("", "of [all] events [/x]"),
    ]
    assert "No.  Gate [/i]" in lines
