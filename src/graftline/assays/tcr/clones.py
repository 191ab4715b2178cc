"""Rows of a repertoire file into clones: locus, productive filter, clone key, summed counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from pathlib import Path
from typing import Literal

import polars as pl

from graftline.assays.tcr.findings import count_problems, tally_problems
from graftline.assays.tcr.read import Rearrangements, scan_rearrangements, unreadable_table
from graftline.problems import InputError, Problem

CloneKey = Literal["nt", "aa", "aa_v", "aa_v_j", "nt_v_j"]
KEY_COLUMNS: dict[str, tuple[str, ...]] = {
    "nt": ("junction",),
    "aa": ("junction_aa",),
    "aa_v": ("junction_aa", "v_gene"),
    "aa_v_j": ("junction_aa", "v_gene", "j_gene"),
    "nt_v_j": ("junction", "v_gene", "j_gene"),
}
_TALLY = ("sample", "locus", "status")
STATUSES = ("kept", "other_locus", "non_productive", "no_cdr3", "stop_in_cdr3")


@dataclass(frozen=True, slots=True)
class Clones:
    """Clones of one or more samples and what was left out on the way to them.

    ``clones`` has ``sample``, the columns of the key and ``count``, sorted by sample, falling
    count and key. ``tally`` has one row per ``sample, locus, status`` with ``rows, reads, clones,
    conflicts`` (rows whose V gene is not of the locus stated); status is ``kept``,
    ``non_productive``, ``stop_in_cdr3`` (flagged productive with a stop or frame shift in the amino
    acids), ``no_cdr3`` or ``other_locus``. ``counted`` says which files were counted by which
    column.
    """

    key: CloneKey
    locus: str | None
    clones: pl.DataFrame
    tally: pl.DataFrame
    problems: tuple[Problem, ...]
    counted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def group_clones(
    rearrangements: Rearrangements,
    *,
    key: CloneKey = "aa_v_j",
    locus: str | None = "TRB",
    productive: Literal["only", "all"] = "only",
) -> pl.LazyFrame:
    """Counts summed over identical clone keys; streams.

    Returns
    -------
    LazyFrame [sample, locus, status, key columns, count, rows, conflicts]
        ``status`` by number, as in `STATUSES`. ``count`` is NaN for a group that holds an invalid
        count.

    Notes
    -----
    A row is productive if its flag says so and its CDR3 has letters only; without a flag the CDR3
    decides alone. Letters mean no stop (``*``) and no frame mark (``_ ~ # ?``).
    """
    rows = _judged(rearrangements, key=key, locus=locus, productive=productive)
    return rows.group_by(*_TALLY, *KEY_COLUMNS[key]).agg(*_SUMS)


_SUMS = (
    pl.col("count").sum(),
    pl.len().alias("rows"),
    (pl.col("mark") >= 4).sum().alias("conflicts"),
)


def _judged(
    rearrangements: Rearrangements,
    *,
    key: CloneKey,
    locus: str | None,
    productive: Literal["only", "all"],
) -> pl.LazyFrame:
    """Rows with their status: the same clone has one status, whichever way its rows say so."""
    sequence = KEY_COLUMNS[key][0]
    rows = rearrangements.rows
    flag = pl.col("mark") % 4
    cases = [] if locus is None else [(pl.col("locus").ne_missing(locus), "other_locus")]
    keyless = pl.col(sequence).is_null()
    if productive == "only":
        # Rows out of frame collapse into one group per gene: they are counted, not kept apart.
        rows = rows.with_columns(
            pl.when(flag != 0).then(pl.col(name)).alias(name)
            for name in dict.fromkeys((sequence, "junction_aa"))
        )
        signs = pl.col("junction_aa").str.contains(r"[^A-Za-z]").fill_null(value=False)
        wordless = pl.col("junction_aa").is_null()
        cases += [
            ((flag == 0) | ((flag == 2) & signs), "non_productive"),
            (keyless | ((flag == 2) & wordless), "no_cdr3"),
            (signs, "stop_in_cdr3"),
        ]
    else:
        cases.append((keyless, "no_cdr3"))
    status: pl.Expr = _status("kept")
    for case, word in reversed(cases):
        status = pl.when(case).then(_status(word)).otherwise(status)
    return rows.with_columns(status.alias("status"))


def _status(word: str) -> pl.Expr:
    return pl.lit(STATUSES.index(word), dtype=pl.UInt8)


def _in_words(groups: pl.DataFrame) -> pl.DataFrame:
    words = pl.Series(STATUSES)
    return groups.with_columns(
        status=pl.col("status").replace_strict(dict(enumerate(words)), return_dtype=pl.String)
    )


def count_spectrum(
    rearrangements: Rearrangements,
    *,
    key: CloneKey,
    locus: str | None,
    productive: Literal["only", "all"],
) -> pl.DataFrame:
    """How many clones have which count, per sample and status: all that diversity needs.

    Neither the clones nor their sequences are ever held: ten million rows stream through.

    Raises
    ------
    InputError
        A count is missing, negative or not whole (every kind, with its first row), or the file
        is damaged.

    Notes
    -----
    Clones are told apart by a hash of 64 bits of their key, and by sample, locus and status
    exactly. The chance that any two of n clones of a sample share a hash is below n^2 / 2^65:
    3e-6 for ten million.
    """
    rows = _judged(rearrangements, key=key, locus=locus, productive=productive).select(
        _clone_hash(KEY_COLUMNS[key]),
        # Numbers instead of texts: grouping takes half the time.
        pl.col("sample", "locus").cast(pl.Categorical),
        "status",
        "mark",
        "count",
    )
    groups = rows.group_by("clone", *_TALLY).agg(*_SUMS)
    if locus is None:
        groups = _whatever_locus(groups)
    query = groups.group_by(*_TALLY, "count").agg(
        pl.len().alias("clones"), pl.col("rows", "conflicts").sum()
    )
    counted = _collect(rearrangements, query).with_columns(
        pl.col("sample", "locus").cast(pl.String)
    )
    return _in_words(counted).sort(*_TALLY, "count")


def _whatever_locus(groups: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of a clone with and without a gene call are one clone where no locus was asked for."""
    return groups.group_by("clone", "sample", "status").agg(
        pl.col("count", "rows", "conflicts").sum(), pl.col("locus").drop_nulls().first()
    )


def _clone_hash(names: Sequence[str]) -> pl.Expr:
    odd = (1, 3, 5)  # the parts of a key do not stand for each other
    parts = (pl.col(name).hash(n) * odd[n] for n, name in enumerate(names))
    return reduce(add, parts).alias("clone")


def _collect(rearrangements: Rearrangements, query: pl.LazyFrame) -> pl.DataFrame:
    try:
        result = query.collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as damage:
        problems = count_problems(rearrangements)
        raise (
            InputError(problems) if problems else unreadable_table(rearrangements.table, damage)
        ) from None
    if result["count"].is_nan().any():
        raise InputError(count_problems(rearrangements))
    return result


def tally_of(groups: pl.DataFrame) -> pl.DataFrame:
    """Rows, reads and clones per sample, locus and status."""
    clones = pl.col("clones").sum() if "clones" in groups.columns else pl.len().alias("clones")
    reads = (
        (pl.col("count") * pl.col("clones")).sum()
        if "clones" in groups.columns
        else pl.col("count").sum()
    )
    return (
        groups.group_by(*_TALLY)
        .agg(
            pl.col("rows", "conflicts").sum().cast(pl.Int64),
            reads.cast(pl.Int64).alias("reads"),
            clones,
        )
        .sort(*_TALLY)
    )


def read_clones(
    path: str | Path | Sequence[str | Path],
    *,
    key: CloneKey = "aa_v_j",
    locus: str | None = "TRB",
    productive: Literal["only", "all"] = "only",
    sample: str | None = None,
    count_column: str | None = None,
    dialect: str | None = None,
) -> Clones:
    """Clones of one file or several: one locus, productive rows, counts summed over the key.

    Parameters
    ----------
    path : str, Path or sequence of them
        AIRR, immunoSEQ or MiXCR files; a file may hold several samples.
    key : {"nt", "aa", "aa_v", "aa_v_j", "nt_v_j"}
        What makes two rows the same clone. V and J are IMGT genes: alleles are dropped.
    locus : str or None
        Rows of other loci are left out and counted. None takes all, if the file has only one.
    productive : {"only", "all"}
        Whether out-of-frame rows and rows with stops are left out.
    sample, count_column, dialect : str, optional
        As in `scan_rearrangements`.

    Raises
    ------
    InputError
        Unreadable files, missing counts, several loci without a choice; of all files at once.
    """
    paths = [path] if isinstance(path, str | Path) else list(path)
    parts: list[tuple[pl.DataFrame, pl.DataFrame, tuple[Problem, ...]]] = []
    errors: list[Problem] = []
    counted: dict[str, tuple[str, ...]] = {}
    for one in paths:
        try:
            scanned = scan_rearrangements(
                one, sample=sample, count_column=count_column, dialect=dialect
            )
            groups = group_clones(scanned, key=key, locus=locus, productive=productive)
            collected = _in_words(_collect(scanned, groups))
            tally = tally_of(collected)
            problems = (*scanned.problems, *tally_problems(scanned, tally, locus=locus))
            parts.append((collected, tally, problems))
            names = counted.get(scanned.count_column, ())
            counted[scanned.count_column] = (*names, Path(one).name)
        except InputError as wrong:
            errors.extend(wrong.problems)
    if errors:
        raise InputError(errors)
    kept = pl.concat([p[0] for p in parts]).filter(
        (pl.col("status") == "kept") & (pl.col("count") > 0)
    )
    columns = KEY_COLUMNS[key]
    # Several files may hold parts of one sample.
    clones = (
        kept.group_by("sample", *columns)
        .agg(pl.col("count").sum().cast(pl.Int64))
        .sort("sample", "count", *columns, descending=[False, True, *[False] * len(columns)])
    )
    tally = pl.concat([p[1] for p in parts])
    return Clones(key, locus, clones, tally, tuple(q for p in parts for q in p[2]), counted)
