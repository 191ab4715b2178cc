"""From a statistics frame to a table: one row per label, one column per population."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from graftline.tables.format import (
    MISSING,
    count_interval,
    estimate_interval,
    median_range,
    number,
)
from graftline.tables.value import ReportTable, TableColumn, TableRow

INTERVAL_NOTE = (
    "Counts are n/N (%; exact 95% interval), N = patients with a recorded answer; "
    "other values are median (minimum\N{EN DASH}maximum)."
)


LISTING_LIMIT = 60
_SHOWN_OF_MANY = 10
_MOST_WITH_MISSING = 3


def listed(rows: int) -> int:
    """Rows of a listing that are printed: all up to sixty, else ten that show what it is like."""
    return rows if rows <= LISTING_LIMIT else _SHOWN_OF_MANY


def listing_notes(rows: int) -> tuple[str, ...]:
    """Say how many rows a listing leaves out, and where they are; empty where none."""
    if rows <= LISTING_LIMIT:
        return ()
    return (f"The first {_SHOWN_OF_MANY} of {rows:,} rows; --tables csv writes all of them.",)


def frame_table(
    id: str,
    title: str,
    frame: pl.DataFrame,
    columns: Sequence[tuple[TableColumn, Callable[[Mapping[str, Any]], str]]],
    *,
    group: Callable[[Mapping[str, Any]], str | None] = lambda _: None,
    limit: int | None = None,
    footnotes: Sequence[str] = (),
) -> ReportTable:
    """Lay out a frame row by row; each column stands beside what its cells say.

    Parameters
    ----------
    columns : sequence of (TableColumn, function of a row by column name)
    group : function of a row
        Heading the row stands under.
    limit : int, optional
        Rows that are printed; the data keep all, and a note says so.
    """
    rows = tuple(
        TableRow(tuple(cell(row) for _, cell in columns), group(row))
        for row in frame.head(frame.height if limit is None else limit).iter_rows(named=True)
    )
    notes = list(footnotes)
    if len(rows) < frame.height:
        notes.append(f"The first {limit:,} of {frame.height:,} rows; the table as CSV has all.")
    heads = tuple(column for column, _ in columns)
    return ReportTable(id, title, heads, rows, frame, tuple(notes))


def without_empty_columns(table: ReportTable) -> ReportTable:
    """The table without columns in which no row has anything; the data keep them."""
    kept = [i for i in range(len(table.columns)) if any(row.cells[i] for row in table.rows)]
    rows = tuple(replace(row, cells=tuple(row.cells[i] for i in kept)) for row in table.rows)
    return replace(table, columns=tuple(table.columns[i] for i in kept), rows=rows)


def statistic_text(row: Mapping[str, Any]) -> str:
    """One statistic as printed, without its missing count."""
    kind, digits = row["statistic"], row["digits"]
    if kind == "count":
        if row["total"] is None:
            return f"{row['n']} with it; nothing recorded of the others"
        if not row["total"]:
            return "none evaluable" if row["missing"] else "no patient"
        return count_interval(row["n"], row["total"], row["low"], row["high"])
    if kind == "spread":
        if row["value"] is None:
            return MISSING if row["missing"] else "no patient"
        if row["low"] == row["high"]:
            return f"{number(row['value'], digits=digits)} (all equal, n = {row['n']})"
        return median_range(row["value"], row["low"], row["high"], digits=digits)
    if kind == "estimate":
        return estimate_interval(row["value"], row["low"], row["high"], digits=digits)
    return number(row["value"], digits=digits)


def _nobody(frame: pl.DataFrame) -> pl.DataFrame:
    """Lines that no population has an answer to, by group and label."""
    empty = (
        pl.when(pl.col("statistic") == "count")
        .then((pl.col("total") == 0).fill_null(value=False))
        .otherwise(pl.col("value").is_null())
    ) & (pl.col("missing") > 0)
    lines = frame.group_by("group", "label", maintain_order=True).agg(nobody=empty.all())
    return lines.filter("nobody").select("group", "label")


def statistics_table(
    id: str,
    title: str,
    frame: pl.DataFrame,
    *,
    footnotes: Sequence[str] = (),
    first_column: str = "Characteristic",
    missing_label: str = "Missing",
) -> ReportTable:
    """Lay out a statistics frame; the missing count stands beside every statistic.

    Lines that nobody has an answer to are named in a note instead of filling rows with nothing.

    Parameters
    ----------
    frame : statistics frame
        Rows keep the order of their first appearance; populations become columns, each with its
        own column of missing counts, or where there are more than three with the count of missing
        values in the cell.
    """
    silent = _nobody(frame)
    shown = frame.join(silent, on=["group", "label"], how="anti", maintain_order="left")
    populations = shown["population"].unique(maintain_order=True).to_list()
    wide = len(populations) > _MOST_WITH_MISSING
    columns = [TableColumn(first_column, "left")]
    for population in populations:
        columns += [TableColumn(population)]
        columns += [] if wide else [TableColumn(missing_label)]
    keys = shown.select("group", "label").unique(maintain_order=True)
    found = {
        (row["group"], row["label"], row["population"]): row for row in shown.iter_rows(named=True)
    }
    rows = []
    for group, label in keys.rows():
        cells = [_row_label(label, found, group, populations)]
        for population in populations:
            entry = found.get((group, label, population))
            told = "" if entry is None else statistic_text(entry)
            if wide:
                cells.append(told + _missing_beside(entry, missing_label))
            else:
                cells += [told, "" if entry is None else str(entry["missing"])]
        rows.append(TableRow(tuple(cells), group))
    return ReportTable(
        id,
        title,
        tuple(columns),
        tuple(rows),
        frame,
        (INTERVAL_NOTE, *footnotes, *_silence(silent, shown)),
    )


def _missing_beside(entry: Mapping[str, Any] | None, label: str) -> str:
    """What a wide table says in the cell: the denominator of a count tells it already."""
    if entry is None or not entry["missing"] or entry["statistic"] == "count":
        return ""
    return f"; {label.lower()} {entry['missing']}"


def _silence(silent: pl.DataFrame, shown: pl.DataFrame) -> tuple[str, ...]:
    # the classes of one result share what stands before the colon
    told = {label.split(": ")[0] for label in shown["label"].unique()}
    names = [n for n in dict.fromkeys(x.split(": ")[0] for x in silent["label"]) if n not in told]
    if not names:
        return ()
    return (f"Not recorded or not evaluable for any patient: {', '.join(names)}.",)


def _row_label(
    label: str,
    found: Mapping[tuple[str, str, str], Mapping[str, Any]],
    group: str,
    populations: Sequence[str],
) -> str:
    units = [found[key]["unit"] for p in populations if (key := (group, label, p)) in found]
    unit = next((u for u in units if u), None)
    return f"{label} ({unit})" if unit else label
