"""The CD7 locus of a trial: ATAC signal, variants and single cells, by a sheet of files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from graftline.assays.cd7_locus.atac import (
    Floats,
    locus_signal,
    signal_notes,
    signal_profile,
)
from graftline.assays.cd7_locus.expression import (
    cluster_shares,
    compare_cluster_shares,
    expression_by_cluster,
)
from graftline.assays.cd7_locus.gene import CD7, Region, read_exons
from graftline.assays.cd7_locus.h5ad import read_annotated
from graftline.assays.cd7_locus.sheet_files import read_files
from graftline.assays.cd7_locus.variants import compare_variants, read_variants, variant_notes
from graftline.problems import InputError, Problem, Severity, stops_results
from graftline.schema.sheets import CD7_SHEET

BASELINE, RELAPSE = "baseline", "relapse"
_SHOWN_BESIDE = 12_000
_SHEET_TIMES = next(column.choices for column in CD7_SHEET.columns if column.name == "time")


@dataclass(frozen=True, slots=True)
class Cd7Study:
    """What files on CD7 say.

    ``signal`` [patient, time, sample, region, start, end, covered_bases, mean, mean_covered,
    minimum, maximum, over_flanks, against_baseline]; ``profiles`` bases and signal by sample, for
    the figure. ``variants`` [patient, position, ..., call] as `variants.compare_variants`, of the
    patients ``compared``. ``clusters`` [file, cluster, cells, samples, detected_percent, mean],
    ``shares`` [file, sample, time, cluster, cells, share], ``changes`` as
    `expression.compare_cluster_shares` with ``file``. Empty where the sheet has no such file.

    ``before`` and ``after`` are the times of single cells that are compared, ``reference`` and
    ``late`` those of the sheet.
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
    compared: tuple[str, ...] = ()
    gene: str = CD7.name
    before: str = BASELINE
    after: str = RELAPSE
    reference: str = BASELINE
    late: str = RELAPSE


def cd7_study(
    sheet: Path,
    *,
    gene: str = CD7.name,
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
        The times that are compared; in an h5ad file, words of its column of times. A word that is
        no time of the sheet is one of the h5ad files alone: signal and variants are then compared
        between baseline and relapse.

    Raises
    ------
    InputError
        Faults of the sheet or of a file it names, all of them.
    ExtraMissingError
        A reader that the files need is not installed.
    """
    rows, problems = read_files(sheet)
    reference = before if before in _SHEET_TIMES else BASELINE
    late = after if after in _SHEET_TIMES else RELAPSE
    signal, profiles = _signal(rows, reference, problems, progress)
    variants, exons, compared = _variants(rows, (reference, late), problems, progress)
    clusters, shares, changes = _cells(rows, gene, before, after, problems, progress)
    if stops_results(problems):
        raise InputError(problems)
    return Cd7Study(
        signal=signal,
        profiles=profiles,
        variants=variants,
        exons=exons,
        clusters=clusters,
        shares=shares,
        changes=changes,
        missing=(
            *_not_compared(rows, reference, late),
            *_shares_not_compared(shares, changes, before, after),
        ),
        problems=tuple(problems),
        compared=compared,
        gene=gene,
        before=before,
        after=after,
        reference=reference,
        late=late,
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
            problems += signal_notes(row["file"], table)
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
    times: tuple[str, str],
    problems: list[Problem],
    progress: Callable[[str], None],
) -> tuple[pl.DataFrame, tuple[Region, ...], tuple[str, ...]]:
    read: dict[tuple[str, str], pl.DataFrame] = {}
    exons: dict[str, tuple[Region, ...]] = {}
    for row in _files(rows, "vcf"):
        progress(f"Reading {Path(row['file']).name}")
        try:
            found = read_variants(row["file"], sample=row["sample"])
            problems += variant_notes(row["file"], found)
            read[row["patient"], row["time"]] = found
            if row["exons"] is not None:
                exons[row["patient"]] = read_exons(row["exons"])
        except InputError as error:
            problems += error.problems
    before, after = times
    # Exons are those of the gene: one row that names them is enough for all patients.
    known = next(iter(exons.values()), ())
    compared = tuple(
        patient
        for patient in dict.fromkeys(patient for patient, _ in read)
        if (patient, before) in read and (patient, after) in read
    )
    tables = [
        compare_variants(
            read[patient, before], read[patient, after], exons=exons.get(patient, known)
        ).select(pl.lit(patient).alias("patient"), pl.all())
        for patient in compared
    ]
    return (pl.concat(tables) if tables else pl.DataFrame()), known, compared


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
            shares = cluster_shares(cells, file=file.name)
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
    file, expected = Path(row["file"]).name, f"a {', a '.join(names)} for each cell"
    _, columns, values = read_annotated(
        row["file"], gene=gene, columns=list(dict.fromkeys(names.values())), layer=row["layer"]
    )
    cells = pl.DataFrame(
        {kind: [_word(value) for value in columns[name]] for kind, name in names.items()},
        schema=dict.fromkeys(names, pl.String),
    ).with_columns(value=pl.Series(values, dtype=pl.Float64).fill_nan(None))
    if cells.is_empty():
        raise InputError([Problem(file, "cells", "write the file with its cells", found="none")])
    known = cells.drop_nulls(list(names))
    if known.is_empty():
        raise InputError(
            [Problem(file, expected, "fill the columns of obs", found="no cell has all")]
        )
    notes = _unlike_logarithms(file, gene, known["value"])
    if known.height < cells.height:
        remedy = "these cells are left out; fill the columns of obs to keep them"
        found = f"{cells.height - known.height} of {cells.height} cells without"
        notes.append(Problem(file, expected, remedy, Severity.WARNING, found=found))
    return known, notes


def _word(value: Any) -> str | None:
    """An annotation as text; clusters that a file keeps as decimals are whole numbers."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return None if value is None else str(value)


def _unlike_logarithms(file: str, gene: str, values: pl.Series) -> list[Problem]:
    """Warnings of values that are no logarithms of normalised counts."""
    numbers = values.drop_nulls().to_numpy()
    notes = []
    if numbers.size < len(values):
        remedy = "these cells count in no mean; write the file again without such values"
        found = f"{len(values) - numbers.size} of {len(values)} cells without a number"
        expected = f"a value of {gene} for each cell"
        notes.append(Problem(file, expected, remedy, Severity.WARNING, found=found))
    remedy = "write the layer with normalised values, or raw, in the column layer"
    if (numbers < 0).any():
        expected = "log-normalised values; these look scaled, so that detection is not told"
        found = f"down to {numbers.min():.3g}"
        notes.append(Problem(file, expected, remedy, Severity.WARNING, found=found))
    elif (numbers > 0).any() and (numbers == np.round(numbers)).all():
        expected = "log-normalised values; these look like counts, whose means depend on depth"
        found = f"whole numbers up to {numbers.max():g}"
        notes.append(Problem(file, expected, remedy, Severity.WARNING, found=found))
    return notes


def _not_compared(rows: pl.DataFrame, before: str, after: str) -> list[str]:
    sentences = []
    for kind, words in (("atac", "ATAC signal"), ("vcf", "Variants")):
        patients = rows.filter(pl.col("kind") == kind, pl.col("patient").is_not_null())
        for (patient,), own in patients.group_by("patient", maintain_order=True):
            sentences += _lacking(words, str(patient), own["time"].to_list(), before, after, kind)
    return sentences


def _lacking(
    words: str, patient: str, times: Sequence[str], before: str, after: str, kind: str
) -> list[str]:
    lacks = [time for time in (before, after) if time not in times]
    if not lacks or (kind == "atac" and before in times):
        return []
    return [f"{words} of {patient} not compared: no file of {' or '.join(lacks)}."]


def _shares_not_compared(
    shares: pl.DataFrame, changes: pl.DataFrame, before: str, after: str
) -> list[str]:
    if shares.is_empty():
        return []
    done = set(changes["file"]) if changes.height else set()
    sentences = []
    for (file,), own in shares.group_by("file", maintain_order=True):
        if file in done:
            continue
        times = own["time"].unique().sort().to_list()
        lacks = " and of ".join(time for time in (before, after) if time not in times)
        sentences.append(
            f"Cluster shares of {file} are not compared: no samples of {lacks}; its times are "
            f"{', '.join(times[:8])} (options --before and --after)."
        )
    return sentences
