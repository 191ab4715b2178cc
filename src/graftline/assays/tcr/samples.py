"""Which repertoire file is whose sample: from a sample sheet, or from the files alone."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import polars as pl

from graftline.assays.sheet import read_sheet, repeated_rows
from graftline.assays.tcr.clones import CloneKey, Clones, read_clones
from graftline.problems import InputError, Problem
from graftline.schema.sheets import TCR_SHEET

DAYS_PER_MONTH = 30.4375
_FILES = "files"
_ORDER = {"donor": 0, "product": 1, "patient": 2}
_COLUMNS = {
    "sample": pl.String,
    "patient": pl.String,
    "sample_type": pl.String,
    "day": pl.Float64,
    "month": pl.Float64,
    "file": pl.String,
    "repertoire": pl.String,
    "format": pl.String,
    "count_column": pl.String,
}


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples in the order to show them: patients as in the sheet, the donor first, then by day.

    ``table`` has ``row, sample, patient, sample_type, day, month, file, repertoire, format,
    count_column``. ``day`` counts from HSPC where the sheet has ``hsct_day`` (``from_hsct``), else
    from day 0 of the sheet; ``month`` is 30.4375 days.
    """

    table: pl.DataFrame
    source: str
    from_hsct: bool


def samples_of_sheet(
    path: Path, *, hsct_days: pl.DataFrame | None = None, without: Collection[int] = ()
) -> Samples:
    """Samples of a sheet.

    Parameters
    ----------
    path : Path
        Columns as declared in `graftline.schema.sheets.TCR_SHEET`.
    hsct_days : DataFrame [patient, hsct_day], optional
        Days of HSPC, used for patients for whom the sheet has none; a patient with neither has no
        months.
    without : collection of int
        Rows of the sheet to leave out.

    Raises
    ------
    InputError
        Everything `read_sheet` finds; samples or files named twice; a patient's sample without a
        day; days of HSPC that differ within a patient or are given for some patients only.
    """
    rows = read_sheet(path, TCR_SHEET.columns, without=without)
    if hsct_days is not None:
        known = hsct_days.select("patient", known_hsct_day="hsct_day")
        rows = (
            rows.join(known, on="patient", how="left", validate="m:1", maintain_order="left")
            .with_columns(hsct_day=pl.coalesce("hsct_day", "known_hsct_day"))
            .drop("known_hsct_day")
        )
    rows = rows.with_columns(sample=pl.coalesce("sample", _label()))
    if problems := _sheet_problems(rows, path.name, partly=hsct_days is not None):
        raise InputError(problems)
    hsct = pl.col("hsct_day").max().over("patient")
    from_hsct = rows["hsct_day"].is_not_null().any()
    return Samples(
        _ordered(rows.with_columns(day=pl.col("day") - hsct) if from_hsct else rows),
        path.name,
        from_hsct,
    )


def samples_of_files(
    paths: Sequence[Path], *, dialect: str | None = None, count_column: str | None = None
) -> Samples:
    """One sample per file, named after it; no patient and no day is known.

    Raises
    ------
    InputError
        Two files of one name.
    """
    names = [path.name.removesuffix(".gz").rsplit(".", 1)[0] for path in paths]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        remedy = "rename one of the files, or write a sample sheet"
        raise InputError(Problem(name, "each file name once", remedy, found=name) for name in twice)
    table = pl.DataFrame(
        {
            "row": range(1, len(names) + 1),
            "sample": names,
            "file": [str(path) for path in paths],
            "format": [dialect] * len(names),
            "count_column": [count_column] * len(names),
        },
        schema_overrides={"format": pl.String, "count_column": pl.String},
    )
    absent = [pl.lit(None, t).alias(n) for n, t in _COLUMNS.items() if n not in table.columns]
    return Samples(table.with_columns(absent).select("row", *_COLUMNS), _FILES, False)


def _label() -> pl.Expr:
    day = pl.when(pl.col("day").is_not_null()).then(
        " d" + pl.col("day").map_batches(_plain, return_dtype=pl.String)
    )
    kind = pl.col("sample_type")
    return (
        pl.col("patient")
        + pl.when(kind == "patient").then(pl.lit("")).otherwise(" " + kind)
        + day.fill_null("")
    )


def _plain(days: pl.Series) -> pl.Series:
    return pl.Series([None if day is None else f"{day:g}" for day in days], dtype=pl.String)


def _sheet_problems(rows: pl.DataFrame, file: str, *, partly: bool) -> list[Problem]:
    undated = rows.filter(pl.col("sample_type") == "patient", pl.col("day").is_null())
    problems = [
        Problem(
            file,
            "a day for every sample of a patient",
            "fill in the study day, or write donor as sample_type",
            row=row,
            column="day",
            patient=patient,
            found="",
        )
        for row, patient in undated.select("row", "patient").rows()
    ]
    problems += repeated_rows(
        rows,
        ("sample",),
        file=file,
        expected="each sample once",
        remedy="delete one of the rows, or give each a name of its own in column sample",
    )
    problems += repeated_rows(
        rows.with_columns(
            named=pl.col("file").str.extract(r"([^/\\]+)$")
            + pl.when(pl.col("repertoire").is_null())
            .then(pl.lit(""))
            .otherwise(", " + pl.col("repertoire"))
        ).filter(pl.struct("file", "repertoire").is_duplicated()),
        ("named",),
        file=file,
        expected="each file once",
        remedy="correct the name; of a file with several samples name each in column repertoire",
    )
    return problems + _hsct_problems(rows, file, partly=partly)


def _hsct_problems(rows: pl.DataFrame, file: str, *, partly: bool) -> list[Problem]:
    days = rows.group_by("patient", maintain_order=True).agg(
        pl.col("row").first(), pl.col("hsct_day").drop_nulls().unique().sort()
    )
    given = days.filter(pl.col("hsct_day").list.len() > 0)
    problems = [
        Problem(
            file,
            "one day of HSPC for each patient",
            "correct the others",
            row=row,
            column="hsct_day",
            patient=patient,
            found=", ".join(f"{day:g}" for day in several),
        )
        for patient, row, several in given.filter(pl.col("hsct_day").list.len() > 1).rows()
    ]
    if 0 < given.height < days.height and not partly:
        without = days.filter(pl.col("hsct_day").list.len() == 0)
        problems += [
            Problem(
                file,
                "a day of HSPC for every patient, or for none",
                "fill it in, or empty the column: time has one origin",
                row=row,
                column="hsct_day",
                patient=patient,
                found="",
            )
            for patient, row, _ in without.rows()
        ]
    return problems


def _ordered(rows: pl.DataFrame) -> pl.DataFrame:
    return (
        rows.with_columns(
            month=pl.col("day") / DAYS_PER_MONTH,
            place=pl.col("row").min().over("patient"),
            kind=pl.col("sample_type").replace_strict(_ORDER, return_dtype=pl.Int64),
        )
        .sort("place", "kind", "day", "row", nulls_last=False)
        .select("row", *_COLUMNS)
    )


def read_sample_clones(
    samples: Samples,
    *,
    key: CloneKey,
    locus: str | None,
    productive: Literal["only", "all"] = "only",
) -> tuple[Samples, Clones]:
    """Clones of every sample under the sample's name; each file is read once.

    Returns
    -------
    Samples
        As given; a file without a sheet that holds several samples has a row for each.
    Clones

    Raises
    ------
    InputError
        Files that cannot be used, and files with several samples of which the sheet does not say
        which; of all files at once.
    """
    parts: list[Clones] = []
    names: list[pl.DataFrame] = []
    errors: list[Problem] = []
    for rows in samples.table.partition_by("file", "format", "count_column", maintain_order=True):
        one = rows.row(0, named=True)
        try:
            found = read_clones(
                one["file"],
                key=key,
                locus=locus,
                productive=productive,
                count_column=one["count_column"],
                dialect=one["format"],
            )
            named = _names(found, rows, samples.source)
        except InputError as wrong:
            errors += wrong.problems
            continue
        names.append(named)
        parts.append(_renamed(found, named))
    if errors:
        raise InputError(errors)
    table = samples.table.drop("sample").join(
        pl.concat(names).select("row", "sample"), on="row", how="left", maintain_order="left"
    )
    return replace(samples, table=table.select("row", *_COLUMNS)), Clones(
        key,
        locus,
        pl.concat(part.clones for part in parts),
        pl.concat(part.tally for part in parts),
        tuple(problem for part in parts for problem in part.problems),
        _merged(part.counted for part in parts),
    )


def _merged(counted: Iterable[Mapping[str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    merged: dict[str, tuple[str, ...]] = {}
    for one in counted:
        for column, files in one.items():
            merged[column] = (*merged.get(column, ()), *files)
    return merged


def _names(found: Clones, rows: pl.DataFrame, source: str) -> pl.DataFrame:
    """Which sample of a file belongs to which row: [row, inside, sample]."""
    inside = found.tally["sample"].unique().sort().to_list()
    file = Path(rows["file"][0]).name
    names: list[tuple[int, str, str]] = []
    problems = []
    for row, sample, repertoire in rows.select("row", "sample", "repertoire").rows():
        if repertoire is not None and repertoire in inside:
            names.append((row, repertoire, sample))
        elif repertoire is None and len(inside) == 1:
            names.append((row, inside[0], sample))
        elif source == _FILES:
            names += [(row, name, f"{sample}:{name}") for name in inside]
        else:
            problems.append(
                Problem(
                    source,
                    f"which sample of {file}, one of {', '.join(inside[:8])}",
                    "name it in column repertoire, one row for each",
                    row=row,
                    column="repertoire",
                    found=repertoire or "",
                )
            )
    if problems:
        raise InputError(problems)
    return pl.DataFrame(names, schema=["row", "inside", "sample"], orient="row")


def _renamed(found: Clones, names: pl.DataFrame) -> Clones:
    clones, tally = (
        frame.rename({"sample": "inside"})
        .join(names.drop("row"), on="inside", validate="m:1", maintain_order="left")
        .select(frame.columns)
        for frame in (found.clones, found.tally)
    )
    return replace(found, clones=clones, tally=tally)
