"""What is wrong, or worth knowing, about a repertoire file."""

import polars as pl

from graftline.assays.tcr.read import Rearrangements, scan_table, unreadable_table
from graftline.problems import InputError, Problem, Severity

_NOT_ONE = "fill in the count, or name another column in count_column; it is never taken as 1"


def count_problems(rearrangements: Rearrangements) -> list[Problem]:
    """Every kind of invalid count in the file, with the first row of each kind and how many.

    Raises
    ------
    InputError
        The file cannot be read to its end.
    """
    name = rearrangements.count_column
    text = pl.col(name)
    number = text.str.strip_chars().cast(pl.Float64, strict=False)
    kind = (
        pl.when(text.is_null())
        .then(pl.lit("missing"))
        .when(number.is_null() | ~number.is_finite())
        .then(pl.lit("not a number"))
        .when(number < 0)
        .then(pl.lit("negative"))
        .when(number.floor() != number)
        .then(pl.lit("not whole"))
    )
    query = (
        scan_table(rearrangements.table)
        .select(text.alias("found"), kind.alias("kind"))
        .with_row_index("row", offset=2)
        .drop_nulls("kind")
        .group_by("kind")
        .agg(pl.col("row").min(), pl.col("found").sort_by("row").first(), pl.len())
    )
    try:
        faults = query.collect()
    except (pl.exceptions.PolarsError, OSError) as damage:
        raise unreadable_table(rearrangements.table, damage) from None
    return [
        Problem(
            rearrangements.table.path.name,
            f"a whole number of reads or templates, 0 or more; this one is {fault['kind']}",
            _NOT_ONE,
            row=fault["row"],
            column=name,
            found=fault["found"] or "",
            count=fault["len"],
        )
        for fault in faults.sort("row").iter_rows(named=True)
    ]


def tally_problems(
    rearrangements: Rearrangements, tally: pl.DataFrame, *, locus: str | None
) -> list[Problem]:
    """Findings about what was kept and what was left out.

    Raises
    ------
    InputError
        No rows, or several loci and none chosen.
    """
    file = rearrangements.table.path.name
    if tally.is_empty():
        raise InputError([Problem(file, "at least one row of data", "export the file again")])
    loci = tally["locus"].drop_nulls().unique().sort().to_list()
    if locus is None and len(loci) > 1:
        remedy = f"choose one locus, such as {loci[-1]}; pooled loci have no common denominator"
        raise InputError([Problem(file, "rows of one locus", remedy, found=", ".join(loci))])
    if locus is not None and not (tally["locus"] == locus).any():
        raise InputError(
            [
                Problem(
                    file,
                    f"rows of locus {locus}",
                    "choose the locus the file has (--locus), or all where it names no genes",
                    found=", ".join(loci) or "no locus and no gene calls",
                )
            ]
        )
    return [*_left_out(file, tally, locus), *_conflicts(file, tally), *_no_count(file, tally)]


def _left_out(file: str, tally: pl.DataFrame, locus: str | None) -> list[Problem]:
    words = {
        "other_locus": (f"rows of locus {locus}", Severity.NOTE),
        "stop_in_cdr3": ("no stop or frame shift in a CDR3 flagged productive", Severity.WARNING),
        "no_cdr3": ("a CDR3 in every productive row", Severity.WARNING),
    }
    return [
        Problem(
            file,
            f"{expected}; {rows} rows left out",
            "nothing to do if this is meant",
            severity=severity,
            found=status.replace("_", " "),
        )
        for status, (expected, severity) in words.items()
        if (rows := int(tally.filter(pl.col("status") == status)["rows"].sum()))
    ]


def _conflicts(file: str, tally: pl.DataFrame) -> list[Problem]:
    rows = int(tally["conflicts"].sum())
    if not rows:
        return []
    expected = f"V genes of the locus stated in the same row; they differ in {rows} rows"
    remedy = "the stated locus was used; check how the file was annotated"
    return [Problem(file, expected, remedy, severity=Severity.WARNING, column="locus")]


def _no_count(file: str, tally: pl.DataFrame) -> list[Problem]:
    empty = tally.filter(pl.col("reads") == 0, pl.col("status") == "kept")
    if empty.is_empty():
        return []
    expected = "counts above 0; some samples have none"
    return [Problem(file, expected, "check the count column", severity=Severity.WARNING)]
