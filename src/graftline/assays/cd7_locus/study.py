"""The CD7 locus of a trial: ATAC signal, variants and single cells, by a sheet of files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from graftline.assays.cd7_locus.atac import Floats, locus_signal, signal_profile
from graftline.assays.cd7_locus.expression import (
    cluster_shares,
    compare_cluster_shares,
    expression_by_cluster,
    read_cells,
)
from graftline.assays.cd7_locus.gene import CD7, Region, read_exons
from graftline.assays.cd7_locus.variants import compare_variants, read_variants
from graftline.assays.sheet import read_sheet
from graftline.problems import InputError, Problem, Severity, stops_results
from graftline.schema.sheets import CD7_SHEET

BASELINE, RELAPSE = "baseline", "relapse"
_SHOWN_BESIDE = 12_000
_LARGEST_LOGARITHM = 15.0


@dataclass(frozen=True, slots=True)
class Cd7Study:
    """What files on CD7 say.

    ``signal`` [patient, time, sample, region, start, end, covered_bases, mean, mean_covered,
    maximum, over_flanks, against_baseline]; ``profiles`` bases and signal by sample, for the
    figure. ``variants`` [patient, position, ..., call] as `variants.compare_variants`. ``clusters``
    [file, cluster, cells, samples, detected_percent, mean], ``shares`` [file, sample, time,
    cluster, cells, share], ``changes`` as `expression.compare_cluster_shares` with ``file``. Empty
    where the sheet has no such file.
    """

    signal: pl.DataFrame = field(default_factory=pl.DataFrame)
    profiles: dict[str, tuple[Floats, Floats]] = field(default_factory=dict)
    variants: pl.DataFrame = field(default_factory=pl.DataFrame)
    exons: tuple[Region, ...] = ()
    clusters: pl.DataFrame = field(default_factory=pl.DataFrame)
    shares: pl.DataFrame = field(default_factory=pl.DataFrame)
    changes: pl.DataFrame = field(default_factory=pl.DataFrame)
    missing: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def cd7_study(
    sheet: Path,
    *,
    gene: str = "CD7",
    before: str = BASELINE,
    after: str = RELAPSE,
    progress: Callable[[str], None] = lambda _: None,
) -> Cd7Study:
    """Signal, variants and clusters of the files that a sheet names.

    Parameters
    ----------
    sheet : Path
        Columns as `graftline.schema.sheets.CD7_SHEET`.
    gene : str
        Gene of the h5ad files.
    before, after : str
        The times that are compared; in an h5ad file, words of its column of times.

    Raises
    ------
    InputError
        Faults of the sheet or of a file it names, all of them.
    ExtraMissingError
        A reader that the files need is not installed.
    """
    rows = _rows(sheet)
    problems: list[Problem] = []
    signal, profiles = _signal(rows, before, problems, progress)
    variants, exons = _variants(rows, before, after, problems, progress)
    clusters, shares, changes = _cells(rows, gene, before, after, problems, progress)
    if stops_results(problems):
        raise InputError(problems)
    return Cd7Study(
        signal,
        profiles,
        variants,
        exons,
        clusters,
        shares,
        changes,
        _missing(rows, before, after, changes),
        tuple(problems),
    )


def inspect_cd7(sheet: Path) -> list[Problem]:
    """Everything that is wrong with a sheet and the files it names."""
    return list(cd7_study(sheet).problems)


def _rows(sheet: Path) -> pl.DataFrame:
    rows = read_sheet(sheet, CD7_SHEET.columns)
    problems = []
    for row in rows.iter_rows(named=True):
        if row["kind"] != "h5ad" and row["time"] is None:
            remedy = "write baseline, remission, relapse or control"
            problems.append(
                Problem(
                    sheet.name,
                    f"a time for {row['kind']}",
                    remedy,
                    row=row["row"],
                    column="time",
                )
            )
        if row["kind"] == "vcf" and row["patient"] is None:
            problems.append(
                Problem(
                    sheet.name,
                    "the patient of a VCF",
                    "variants are compared within a patient: fill it in",
                    row=row["row"],
                    column="patient",
                )
            )
    keys = ["patient", "time"]
    again = rows.filter(pl.col("kind") == "vcf", ~pl.struct("kind", *keys).is_first_distinct())
    problems += [
        Problem(
            sheet.name,
            "one VCF per patient and time",
            "keep one row, or write another time",
            row=row,
            found=f"{patient}, {time}",
        )
        for row, patient, time in again.select("row", *keys).rows()
        if patient is not None and time is not None
    ]
    if problems:
        raise InputError(problems)
    shown = pl.coalesce(
        "sample",
        pl.concat_str("patient", "time", separator=" ", ignore_nulls=True),
    )
    return rows.with_columns(
        shown=shown
        + pl.when(pl.struct("kind", shown).is_duplicated() & (pl.col("kind") == "atac"))
        .then(" (row " + pl.col("row").cast(pl.String) + ")")
        .otherwise(pl.lit(""))
    )


def _files(rows: pl.DataFrame, kind: str) -> list[dict[str, Any]]:
    return rows.filter(pl.col("kind") == kind).to_dicts()


def _signal(
    rows: pl.DataFrame, before: str, problems: list[Problem], progress: Callable[[str], None]
) -> tuple[pl.DataFrame, dict[str, tuple[Floats, Floats]]]:
    tables, profiles = [], dict[str, tuple[Floats, Floats]]()
    around = Region("around", CD7.chromosome, CD7.start - _SHOWN_BESIDE, CD7.end + _SHOWN_BESIDE)
    for row in _files(rows, "atac"):
        progress(f"Reading {Path(row['file']).name}")
        try:
            table = locus_signal(row["file"], sample=row["shown"])
            profiles[row["shown"]] = signal_profile(row["file"], around)
        except InputError as error:
            problems += error.problems
            continue
        tables.append(
            table.with_columns(
                patient=pl.lit(row["patient"], dtype=pl.String), time=pl.lit(row["time"])
            )
        )
    if not tables:
        return pl.DataFrame(), profiles
    whole = pl.concat(tables)
    keys = ["patient", "region"]
    reference = (
        whole.filter(pl.col("time") == before)
        .group_by(keys)
        .agg(reference=pl.col("over_flanks").mean())
    )
    ratio = pl.when(pl.col("reference") > 0).then(pl.col("over_flanks") / pl.col("reference"))
    compared = whole.join(
        reference, on=keys, how="left", validate="m:1", maintain_order="left", nulls_equal=True
    ).with_columns(against_baseline=ratio)
    return compared.select("patient", "time", *whole.columns[:-2], "against_baseline"), profiles


def _variants(
    rows: pl.DataFrame,
    before: str,
    after: str,
    problems: list[Problem],
    progress: Callable[[str], None],
) -> tuple[pl.DataFrame, tuple[Region, ...]]:
    read: dict[tuple[str, str], pl.DataFrame] = {}
    exons: dict[str, tuple[Region, ...]] = {}
    for row in _files(rows, "vcf"):
        progress(f"Reading {Path(row['file']).name}")
        try:
            read[row["patient"], row["time"]] = read_variants(row["file"], sample=row["sample"])
            if row["exons"] is not None:
                exons[row["patient"]] = read_exons(row["exons"])
        except InputError as error:
            problems += error.problems
    tables = [
        compare_variants(
            read[patient, before], read[patient, after], exons=exons.get(patient, ())
        ).select(pl.lit(patient).alias("patient"), pl.all())
        for patient in dict.fromkeys(patient for patient, _ in read)
        if (patient, before) in read and (patient, after) in read
    ]
    known = next(iter(exons.values()), ())
    return (pl.concat(tables) if tables else pl.DataFrame()), known


def _cells(
    rows: pl.DataFrame,
    gene: str,
    before: str,
    after: str,
    problems: list[Problem],
    progress: Callable[[str], None],
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    parts: list[tuple[pl.DataFrame, ...]] = []
    for row in _files(rows, "h5ad"):
        file = Path(row["file"])
        progress(f"Reading {file.name}")
        try:
            cells, left_out = _annotated(row, gene)
            problems += left_out
            shares = cluster_shares(cells)
        except InputError as error:
            problems += error.problems
            continue
        made = (
            expression_by_cluster(cells),
            shares,
            compare_cluster_shares(shares, before=before, after=after),
        )
        parts.append(tuple(t.select(pl.lit(file.name).alias("file"), pl.all()) for t in made))
    if not parts:
        return pl.DataFrame(), pl.DataFrame(), pl.DataFrame()
    clusters, shares, changes = (pl.concat(tables) for tables in zip(*parts, strict=True))
    return clusters, shares, changes


def _annotated(row: dict[str, Any], gene: str) -> tuple[pl.DataFrame, list[Problem]]:
    """Cells with a cluster, a sample and a time, and how many were left out for want of one."""
    names = {kind: row[f"{kind}_column"] or kind for kind in ("cluster", "sample", "time")}
    cells = read_cells(
        row["file"], gene=gene, columns=list(names.values()), layer=row["layer"]
    ).rename({name: kind for kind, name in names.items()})
    cells = cells.with_columns(pl.col(list(names)).cast(pl.String))
    known = cells.drop_nulls(list(names))
    file, expected = Path(row["file"]).name, f"a {', a '.join(names)} for each cell"
    if known.is_empty():
        raise InputError(
            [Problem(file, expected, "fill the columns of obs", found="no cell has all")]
        )
    notes = _counts_not_normalised(file, known["value"])
    if known.height < cells.height:
        remedy = "these cells are left out; fill the columns of obs to keep them"
        found = f"{cells.height - known.height} of {cells.height} cells without"
        notes.append(Problem(file, expected, remedy, Severity.WARNING, found=found))
    return known, notes


def _counts_not_normalised(file: str, values: pl.Series) -> list[Problem]:
    numbers = values.to_numpy()
    largest = float(numbers.max())
    if largest < _LARGEST_LOGARITHM or (numbers != np.round(numbers)).any():
        return []
    expected = "log-normalised values; these look like counts"
    remedy = "means depend on depth; write the layer with normalised values in the column layer"
    return [Problem(file, expected, remedy, Severity.WARNING, found=f"up to {largest:g}")]


def _missing(rows: pl.DataFrame, before: str, after: str, changes: pl.DataFrame) -> tuple[str, ...]:
    sentences = []
    for kind, words in (("atac", "ATAC signal"), ("vcf", "Variants")):
        patients = rows.filter(pl.col("kind") == kind, pl.col("patient").is_not_null())
        for (patient,), own in patients.group_by("patient", maintain_order=True):
            sentences += _lacking(words, str(patient), own["time"].to_list(), before, after, kind)
    if (rows["kind"] == "h5ad").any() and changes.is_empty():
        sentences.append(
            f"Cluster shares are not compared: no samples of both {before} and {after}."
        )
    return tuple(sentences)


def _lacking(
    words: str, patient: str, times: Sequence[str], before: str, after: str, kind: str
) -> list[str]:
    lacks = [time for time in (before, after) if time not in times]
    if not lacks or (kind == "atac" and before in times):
        return []
    return [f"{words} of {patient} not compared: no file of {' or '.join(lacks)}."]
