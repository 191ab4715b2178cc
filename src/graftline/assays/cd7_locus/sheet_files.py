"""The rows of a sheet of CD7 files, and what is wrong with them before any file is read."""

import re
from pathlib import Path

import polars as pl

from graftline.assays.sheet import read_sheet, repeated_rows
from graftline.problems import InputError, Problem, Severity, stops_results
from graftline.schema.sheets import CD7_SHEET

_TIME_WORDS = ("baseline", "remission", "relapse")


def read_files(sheet: Path) -> tuple[pl.DataFrame, list[Problem]]:
    """Rows of the sheet with ``shown``, the name of each track, and what is worth a warning.

    Raises
    ------
    InputError
        Faults of the sheet, all of them.
    """
    rows = read_sheet(sheet, CD7_SHEET.columns)
    problems = [
        *_without_time_or_patient(sheet.name, rows),
        *_repeated(sheet.name, rows),
        *_named_for_another_time(sheet.name, rows),
    ]
    if stops_results(problems):
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
    ), problems


def _without_time_or_patient(file: str, rows: pl.DataFrame) -> list[Problem]:
    problems = []
    for row, kind in (
        rows.filter(pl.col("kind") != "h5ad", pl.col("time").is_null()).select("row", "kind").rows()
    ):
        remedy = "write baseline, remission, relapse or control"
        problems.append(Problem(file, f"a time for {kind}", remedy, row=row, column="time"))
    for (row,) in (
        rows.filter(pl.col("kind") == "vcf", pl.col("patient").is_null()).select("row").rows()
    ):
        remedy = "variants are compared within a patient: fill it in"
        problems.append(Problem(file, "the patient of a VCF", remedy, row=row, column="patient"))
    return problems


def _repeated(file: str, rows: pl.DataFrame) -> list[Problem]:
    """A second VCF of a time, and a sample that stands for two: it would agree with itself."""
    vcf, atac = (rows.filter(pl.col("kind") == kind) for kind in ("vcf", "atac"))
    named = vcf.drop_nulls(["patient", "time"])
    return [
        *repeated_rows(
            named,
            ["patient", "time"],
            file=file,
            expected="one VCF per patient and time",
            remedy="keep one row, or join the files first (bcftools concat)",
        ),
        *repeated_rows(
            vcf.with_columns(
                name=pl.col("file").str.split("/").list.last(),
                sample=pl.col("sample").fill_null(""),
            ),
            ["file", "sample"],
            file=file,
            expected="a file, or a sample of it, for each time",
            remedy="it cannot differ from itself: name the other file, or fill in sample",
        ),
        *repeated_rows(
            atac,
            ["file"],
            file=file,
            expected="a bigWig for each time",
            remedy="it cannot differ from itself: name the other file",
        ),
    ]


def _named_for_another_time(file: str, rows: pl.DataFrame) -> list[Problem]:
    """Rows whose file or sample is named for another time than theirs: perhaps exchanged."""
    notes = []
    told = rows.filter(pl.col("kind") != "h5ad").drop_nulls("time")
    for row, path, sample, time in told.select("row", "file", "sample", "time").rows():
        for name in (sample, Path(path).name):
            words = [w for w in _TIME_WORDS if re.search(w, name or "", re.IGNORECASE)]
            if words and time not in words:
                expected = f"a file of {time}"
                remedy = "nothing to do if it is only named so; else exchange the rows"
                notes.append(
                    Problem(file, expected, remedy, Severity.WARNING, row, "time", found=name)
                )
                break
    return notes
