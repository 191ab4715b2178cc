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


@dataclass(frozen=True, slots=True)
class Clones:
    """Clones of one or more samples and what was left out on the way to them.

    ``clones`` has ``sample``, the columns of the key and ``count``, sorted by sample, falling
    count and key. ``tally`` has one row per ``sample, locus, status`` with ``rows, reads,
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


def count_spectrum(
    rearrangements: Rearrangements,
    *,
    key: CloneKey,
    locus: str | None,
    productive: Literal["only", "all"],
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """How many clones have which count, per sample: all that diversity needs.

    Sequences are never held: ten million rows stream through.

    Returns
    -------
    DataFrame [sample, count, clones]
        Of the rows that are kept; sorted by sample and count.
    DataFrame
        The tally, as in `Clones`.

    Raises
    ------
    InputError
        A count is missing, negative or not whole (every kind, with its first row), or the file
        is damaged.

    Notes
    -----
    Sequences are told apart by a hash of 64 bits, samples and genes exactly. The chance that any
    two of n sequences share a hash is below n^2 / 2^65: 3e-6 for ten million.
    """
    sequence = pl.col(KEY_COLUMNS[key][0]).hash().alias("sequence")
    groups, kinds = _grouped(rearrangements, sequence, key=key, locus=locus, productive=productive)
    kept = kinds.filter(status="kept").with_columns(
        first=pl.col("kind").min().over("sample", *_genes(key))
    )
    other = kept.filter(pl.col("kind") != pl.col("first"))
    counted = _by_count(groups.lazy())
    tally = _tally(counted, kinds)
    if not other.is_empty():
        # Alleles of one gene, "T" and "true": a clone comes in rows of several kinds.
        one_kind = pl.col("kind").replace(other["kind"], other["first"])
        sums = pl.col("count", "rows").sum()
        counted = _by_count(groups.lazy().group_by(one_kind, "sequence").agg(sums))
    spectrum = (
        counted.join(kept.select("kind", "sample"), on="kind")
        .group_by("sample", "count")
        .agg(pl.col("clones").sum())
        .sort("sample", "count")
    )
    return spectrum, tally


def _by_count(groups: pl.LazyFrame) -> pl.DataFrame:
    clones, rows = pl.len().alias("clones"), pl.col("rows").sum()
    # Few counts are different: streaming, which adds up as it goes, takes a third of the time.
    return groups.group_by("kind", "count").agg(clones, rows).collect(engine="streaming")


def _genes(key: CloneKey) -> tuple[str, ...]:
    return KEY_COLUMNS[key][1:]


def _grouped(
    rearrangements: Rearrangements,
    sequence: pl.Expr,
    *,
    key: CloneKey,
    locus: str | None,
    productive: Literal["only", "all"],
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Counts summed over kind and sequence; and the kinds of rows, judged.

    Rows of one kind agree in all but sequence and count: in sample, locus, gene calls, flag and
    what `_faults` says. A file has thousands of kinds where it has millions of rows, so that
    cutting genes out of calls and judging is done on kinds.

    Returns
    -------
    DataFrame [kind, sequence, count, rows]
    DataFrame [kind, sample, locus, v_gene, j_gene, conflict, status]
    """
    calls = rearrangements.calls
    faults = _faults(key, productive)
    rows = rearrangements.rows.select(
        _hash_of(calls, faults).alias("kind"), sequence, "count", faults.alias("faults"), *calls
    )
    groups, kinds = _collect(
        rearrangements,
        rows.group_by("kind", sequence.meta.output_name()).agg(
            pl.col("count").sum(), pl.len().alias("rows")
        ),
        rows.group_by("kind").agg(pl.col("faults", *calls).first()),
    )
    status = _status(locus=locus, productive=productive).alias("status")
    called = kinds.with_columns(rearrangements.genes)
    described = called.select("kind", "faults", "v_gene", "j_gene", *rearrangements.described)
    return groups, described.with_columns(status).drop("faults", "productive")


# What may be wrong with the sequence of a row: bits of `faults`.
_SIGNS, _NO_AMINO_ACIDS, _NO_SEQUENCE = 1, 2, 4


def _faults(key: CloneKey, productive: Literal["only", "all"]) -> pl.Expr:
    keyless = pl.col(KEY_COLUMNS[key][0]).is_null().cast(pl.UInt8) * _NO_SEQUENCE
    if productive == "all":
        return keyless
    amino_acids = pl.col("junction_aa")
    signs = amino_acids.str.contains("[^A-Za-z]").fill_null(value=False).cast(pl.UInt8) * _SIGNS
    return keyless + signs + amino_acids.is_null().cast(pl.UInt8) * _NO_AMINO_ACIDS


def _hash_of(calls: Sequence[str], faults: pl.Expr) -> pl.Expr:
    # Odd factors, so that one column's value does not stand for another's.
    parts = (pl.col(name).hash(n) * (2 * n + 1) for n, name in enumerate(calls))
    return reduce(add, parts, faults.cast(pl.UInt64) * 0x9E3779B97F4A7C15)


def _status(*, locus: str | None, productive: Literal["only", "all"]) -> pl.Expr:
    """Why a kind of rows is kept or left out.

    A row is productive if its flag says so and its CDR3 has letters only; without a flag the CDR3
    decides alone. Letters mean no stop (``*``) and no frame mark (``_ ~ # ?``).
    """
    flag = pl.col("productive")
    signs, no_amino_acids, no_sequence = (
        (pl.col("faults") & fault) > 0 for fault in (_SIGNS, _NO_AMINO_ACIDS, _NO_SEQUENCE)
    )
    cases = [] if locus is None else [(pl.col("locus").ne_missing(locus), "other_locus")]
    if productive == "only":
        cases.append((~flag | (flag.is_null() & signs), "non_productive"))
        cases.append((flag.is_null() & no_amino_acids, "no_cdr3"))
    cases += [(no_sequence, "no_cdr3"), (signs, "stop_in_cdr3")]
    status: pl.Expr = pl.lit("kept")
    for case, word in reversed(cases):
        status = pl.when(case).then(pl.lit(word)).otherwise(status)
    return status


def _collect(rearrangements: Rearrangements, *queries: pl.LazyFrame) -> list[pl.DataFrame]:
    """The answers of several queries from one pass over the file; the first has ``count``."""
    try:
        results = pl.collect_all(queries, engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as damage:
        problems = count_problems(rearrangements)
        raise (
            InputError(problems) if problems else unreadable_table(rearrangements.table, damage)
        ) from None
    invalid = results[0]["count"].is_nan()
    if invalid.any():
        if problems := count_problems(rearrangements):
            raise InputError(problems)
        # Blank lines, which are no rows.
        results[0] = results[0].filter(~invalid)
    return results


def _tally(counted: pl.DataFrame, kinds: pl.DataFrame) -> pl.DataFrame:
    rows, reads = pl.col("rows"), pl.col("count") * pl.col("clones")
    return (
        counted.join(kinds, on="kind")
        .group_by("sample", "locus", "status")
        .agg(
            rows.sum().cast(pl.Int64),
            reads.sum().cast(pl.Int64).alias("reads"),
            rows.filter("conflict").sum().cast(pl.Int64).alias("conflicts"),
        )
        .sort("sample", "locus", "status")
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
            groups, kinds = _grouped(
                scanned,
                pl.col(KEY_COLUMNS[key][0]),
                key=key,
                locus=locus,
                productive=productive,
            )
            tally = _tally(_by_count(groups.lazy()), kinds)
            problems = (*scanned.problems, *tally_problems(scanned, tally, locus=locus))
            kept = kinds.filter(status="kept").select("kind", "sample", *_genes(key))
            parts.append((groups.join(kept, on="kind"), tally, problems))
            names = counted.get(scanned.count_column, ())
            counted[scanned.count_column] = (*names, Path(one).name)
        except InputError as wrong:
            errors.extend(wrong.problems)
    if errors:
        raise InputError(errors)
    columns = KEY_COLUMNS[key]
    # Several files may hold parts of one sample.
    clones = (
        pl.concat(part[0] for part in parts)
        .filter(pl.col("count") > 0)
        .group_by("sample", *columns)
        .agg(pl.col("count").sum().cast(pl.Int64))
        .sort("sample", "count", *columns, descending=[False, True, *[False] * len(columns)])
    )
    tally = pl.concat([p[1] for p in parts])
    return Clones(key, locus, clones, tally, tuple(q for p in parts for q in p[2]), counted)
