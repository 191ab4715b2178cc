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
    number = text.cast(pl.Float64, strict=False)
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
    blank = pl.all_horizontal(pl.all().is_null())
    query = (
        scan_table(rearrangements.table)
        .select(text.alias("found"), kind.alias("kind"), blank.alias("blank"))
        .with_row_index("row", offset=2)
        .filter(~pl.col("blank"))
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
    return [
        *_left_out(file, tally, locus),
        *_nothing_kept(file, tally),
        *_conflicts(file, tally),
        *_no_count(file, tally),
        *_cells(rearrangements),
    ]


def _nothing_kept(file: str, tally: pl.DataFrame) -> list[Problem]:
    left = set(tally.filter(pl.col("status") != "other_locus")["status"])
    remedies = {
        "no_cdr3": "name a key the file has, such as --key nt, or export the amino acids too",
        "non_productive": "check the file's productive column, or ask for --rows all",
    }
    return [
        Problem(
            file,
            "rows that can be counted; all of the locus are left out",
            remedy,
            severity=Severity.WARNING,
            found=status.replace("_", " "),
        )
        for status, remedy in remedies.items()
        if left == {status}
    ]


def _cells(rearrangements: Rearrangements) -> list[Problem]:
    """A row per cell: its molecules say how much a cell expresses, not how many cells there are."""
    table = rearrangements.table
    name = next((name for name in table.columns if name.lower() == "cell_id"), None)
    if name is None or scan_table(table).select(name).head(1000).collect()[name].is_null().all():
        return []
    return [
        Problem(
            table.path.name,
            "one row per clone; single-cell files have one per cell and chain",
            f"{rearrangements.count_column} is summed over cells, so that a cell that expresses "
            "more weighs more; for clones in cells, count the cells of each clone first",
            severity=Severity.WARNING,
            column=name,
        )
    ]


def cut_problems(clones: pl.DataFrame, source: str) -> list[Problem]:
    """Samples whose CDR3s end elsewhere than those of the others: nothing would be shared.

    IMGT's junction has the anchors C and F or W, its CDR3 lies between them. Formats mean either
    by the word CDR3.

    Parameters
    ----------
    clones : DataFrame [sample, junction_aa, ...]
        Without the column nothing is known.
    """
    if "junction_aa" not in clones.columns or clones.is_empty():
        return []
    anchored = pl.col("junction_aa").str.contains("^C.*[FW]$").mean() > 0.5
    samples = clones.group_by("sample").agg(anchored.alias("anchored")).sort("sample")
    without = samples.filter(~pl.col("anchored"))["sample"]
    if without.len() in (0, samples.height):
        return []
    return [
        Problem(
            source,
            "CDR3s cut alike in all samples (from C to F or W, or between them)",
            "clones of these samples are found in no other; export the junction (junction_aa)",
            severity=Severity.WARNING,
            column="junction_aa",
            found="without their ends: " + ", ".join(without.head(8)),
        )
    ]


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
