"""STR chimerism of a trial: samples of a sheet into donor percent and rows of the trial."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from graftline.assays.long_tables import read_str_genotypes, read_str_peaks
from graftline.assays.sheet import read_sheet, repeated_rows
from graftline.assays.str_chimerism import (
    Chimerism,
    chimerism_row,
    detection_statement,
    estimate_chimerism,
)
from graftline.problems import InputError, Problem
from graftline.schema.sheets import CHIMERISM_SHEET

DETECTION_PERCENT = 5.0


@dataclass(frozen=True, slots=True)
class ChimerismStudy:
    """What the samples of a sheet say.

    ``samples`` [row, patient, day, lineage, specimen, donor, donor_percent, standard_error, mean,
    sd, cv_percent, informative, stutter, label, statement, detection_percent]: percent of all
    donors together. ``loci`` [patient, day, lineage, donor, locus, informative, donor_percent,
    residual, reason]. ``trial_rows`` are rows of the trial's table ``chimerism``, one per donor.
    """

    samples: pl.DataFrame
    loci: pl.DataFrame
    trial_rows: pl.DataFrame
    full_percent: float
    problems: tuple[Problem, ...]


def chimerism_study(
    sheet: Path,
    *,
    stutter: float | None = None,
    detection_percent: float = DETECTION_PERCENT,
    full_percent: float = 95.0,
    without: Collection[int] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> ChimerismStudy:
    """Donor percent of every sample, by locus and in all.

    Parameters
    ----------
    sheet : Path
        Columns as `graftline.schema.sheets.CHIMERISM_SHEET`.
    stutter, detection_percent : float
        Where the sheet does not name its own; no stutter: estimated from the sample.
    full_percent : float
        Donor percent at and above which chimerism is full.
    without : collection of int
        Rows of the sheet to leave out.

    Raises
    ------
    InputError
        Faults of the sheet, of a file it names, or of a sample, all of them.
    """
    rows = _rows(sheet, without)
    tables, problems = _tables(rows, progress)
    found: list[tuple[dict[str, Any], Chimerism]] = []
    for row in rows.iter_rows(named=True):
        if not {row["file"], row["genotypes"]} <= set(tables):
            continue
        row["stutter"] = stutter if row["stutter"] is None else row["stutter"]
        row["detection_percent"] = row["detection_percent"] or detection_percent
        try:
            one = _one(row, tables, full_percent)
        except InputError as error:
            problems += [_at(problem, sheet, row) for problem in error.problems]
            continue
        found.append((row, one))
    if problems:
        raise InputError(problems)
    notes = tuple(_at(p, sheet, row) for row, one in found for p in one.problems)
    return ChimerismStudy(
        pl.DataFrame([_sample(row, one) for row, one in found]).sort("patient", "lineage", "day"),
        pl.concat(_loci(row, one) for row, one in found).sort("patient", "lineage", "day", "locus"),
        pl.concat(_trial_rows(row, one) for row, one in found).sort(
            "patient", "day", "lineage", "donor"
        ),
        full_percent,
        notes,
    )


def _rows(sheet: Path, without: Collection[int]) -> pl.DataFrame:
    rows = read_sheet(sheet, CHIMERISM_SHEET.columns, without=without).with_columns(
        pl.col("specimen").fill_null("blood")
    )
    problems = repeated_rows(
        rows.with_columns(pl.col("day").cast(pl.String)),
        ["patient", "day", "lineage", "specimen"],
        file=sheet.name,
        expected="one row per patient, day, lineage and specimen",
        remedy="delete one, or correct the day",
    )
    bounds = (
        ("stutter", 0.0, 0.5, "a ratio from 0 to 0.5, such as 0.08"),
        ("detection_percent", 0.01, 50.0, "a percent above 0 and up to 50"),
    )
    for name, low, high, expected in bounds:
        wrong = rows.filter(~pl.col(name).is_between(low, high))
        problems += [
            Problem(sheet.name, expected, "correct it", row=n, column=name, found=f"{value:g}")
            for n, value in wrong.select("row", name).rows()
        ]
    problems += [
        Problem(
            sheet.name,
            "one person or several joined by +, each once, none of them the recipient",
            "write the donors as the genotype file names them",
            row=row["row"],
            column="donor",
            found=row["donor"],
        )
        for row in rows.iter_rows(named=True)
        if len({row["recipient"], *(people := _donors(row))}) != len(people) + 1 or "" in people
    ]
    if problems:
        raise InputError(problems)
    return rows


def _donors(row: dict[str, Any]) -> list[str]:
    return [name.strip() for name in row["donor"].split("+")]


def _tables(
    rows: pl.DataFrame, progress: Callable[[str], None]
) -> tuple[dict[str, pl.DataFrame], list[Problem]]:
    """Every file once, by its path."""
    tables, problems = dict[str, pl.DataFrame](), list[Problem]()
    for column, reader in (("file", read_str_peaks), ("genotypes", read_str_genotypes)):
        for path in rows[column].unique(maintain_order=True):
            progress(f"Reading {Path(path).name}")
            try:
                tables[path] = reader(path)
            except InputError as error:
                problems += error.problems
    return tables, problems


def _one(row: dict[str, Any], tables: dict[str, pl.DataFrame], full_percent: float) -> Chimerism:
    peaks = tables[row["file"]]
    names = peaks["sample"].drop_nulls().unique().sort().to_list()
    wanted = row["sample"]
    if wanted is not None or len(names) > 1:
        if wanted not in names:
            file, expected = Path(row["file"]).name, "one of the samples of the peaks file"
            remedy = f"write it in the column sample, one of: {', '.join(names)}"[:300]
            raise InputError([Problem(file, expected, remedy, found=wanted)])
        peaks = peaks.filter(pl.col("sample") == wanted)
    return estimate_chimerism(
        peaks,
        tables[row["genotypes"]],
        recipient=row["recipient"],
        donors=_donors(row),
        stutter=row["stutter"],
        full_percent=full_percent,
        detection_percent=row["detection_percent"],
        sample=Path(row["file"]).name,
    )


def _at(problem: Problem, sheet: Path, row: dict[str, Any]) -> Problem:
    """The finding with the row of the sheet whose sample it is of."""
    place = f"{problem.expected} (sample of {row['patient']}, day {row['day']:g}, {row['lineage']})"
    if problem.row is not None:
        return replace(problem, expected=place)
    return replace(
        problem,
        file=sheet.name,
        row=row["row"],
        expected=f"{place} in {problem.file}" if problem.file != sheet.name else place,
    )


def _sample(row: dict[str, Any], found: Chimerism) -> dict[str, object]:
    percent = 100 - found.percent[row["recipient"]]
    return {
        **{name: row[name] for name in ("row", "patient", "day", "lineage", "specimen", "donor")},
        "donor_percent": percent,
        "standard_error": _known(found.standard_error),
        "mean": found.mean,
        "sd": _known(found.sd),
        "cv_percent": _known(found.cv_percent),
        "informative": found.informative,
        "stutter": found.stutter,
        "label": found.label,
        "statement": detection_statement(percent, detection_percent=row["detection_percent"]),
        "detection_percent": row["detection_percent"],
    }


def _known(value: float) -> float | None:
    return None if value != value else value


def _loci(row: dict[str, Any], found: Chimerism) -> pl.DataFrame:
    return found.loci.select(
        *(pl.lit(row[name]).alias(name) for name in ("patient", "day", "lineage", "donor")),
        *("locus", "informative", "donor_percent", "residual", "reason"),
    )


def _trial_rows(row: dict[str, Any], found: Chimerism) -> pl.DataFrame:
    return pl.concat(
        chimerism_row(
            found,
            patient=row["patient"],
            day=row["day"],
            lineage=row["lineage"],
            donor=person,
            specimen=row["specimen"],
        )
        for person in found.percent
        if person != row["recipient"]
    )
