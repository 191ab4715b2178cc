"""Small assay tables from CSV or TSV: STR peaks and genotypes, stimulation wells."""

from pathlib import Path

import polars as pl

from graftline.assays.function import read_stimulation
from graftline.assays.table_file import TableFile, open_table_file
from graftline.problems import InputError, Problem, Severity

_MISSING = ["", "NA", "NaN", "nan", "null"]


def read_str_peaks(path: str | Path) -> pl.DataFrame:
    """STR peaks of one or more samples.

    Either long (``sample, locus, allele, area``) or as genotyping software exports them, one row
    per sample and marker with ``Allele 1, Area 1, Allele 2, ...``; ``Height`` where there is no
    ``Area``, ``Marker`` for ``locus``, ``Sample Name`` or ``Sample File Name`` for ``sample``.
    Off-ladder (OL) peaks and peaks of no locus are left out.

    Returns
    -------
    DataFrame [sample, locus, allele, area]

    Raises
    ------
    InputError
        Unreadable, columns missing, areas that are no numbers (all of them).
    """
    table = open_table_file(Path(path))
    rows = _text_rows(table).rename(_known_names(table))
    size = "area" if any(name.startswith("area") for name in rows.columns) else "height"
    if "allele" not in rows.columns:
        rows = _long_from_wide(rows, size)
    rows = _needs(
        table, rows.rename({size: "area"}, strict=False), ("sample", "locus", "allele", "area")
    )
    peaks = rows.filter(
        pl.col("locus").is_not_null(),
        pl.col("allele").is_not_null(),
        pl.col("allele").str.strip_chars().str.to_uppercase() != "OL",
    )
    return _numbers(table, peaks, "area").select("sample", "locus", "allele", "area")


def read_str_genotypes(path: str | Path) -> pl.DataFrame:
    """Genotypes, long (``person, locus, allele``) or with ``allele_1`` and ``allele_2``.

    Returns
    -------
    DataFrame [person, locus, allele]

    Raises
    ------
    InputError
        Unreadable or columns missing.
    """
    table = open_table_file(Path(path))
    rows = _text_rows(table).rename(_known_names(table)).rename({"sample": "person"}, strict=False)
    if "allele" not in rows.columns:
        wide = [name for name in rows.columns if name.startswith("allele")]
        if wide:
            rows = rows.unpivot(wide, index=["row", "person", "locus"], value_name="allele")
    rows = _needs(table, rows, ("person", "locus", "allele"))
    return rows.drop_nulls("allele").select("person", "locus", "allele")


def read_stimulation_file(path: str | Path) -> pl.DataFrame:
    """Wells of a stimulation assay, checked as `graftline.assays.function.read_stimulation`.

    Raises
    ------
    InputError
        Unreadable, numbers that are no numbers, or any fault of the wells.
    """
    table = open_table_file(Path(path))
    rows = _text_rows(table).rename({name: name.lower() for name in table.columns})
    for name in ("day", "replicate", "responding", "parent"):
        if name in rows.columns:
            rows = _numbers(table, rows, name)
    return read_stimulation(rows.drop("row"), file=table.path.name)


def _text_rows(table: TableFile) -> pl.DataFrame:
    if len(set(table.columns)) < len(table.columns):
        raise InputError([Problem(table.path.name, "each column name once", "rename one", row=1)])
    try:
        return pl.read_csv(
            table.path,
            separator=table.separator,
            new_columns=list(table.columns),
            infer_schema=False,
            null_values=_MISSING,
            encoding="utf8" if table.utf8 else "utf8-lossy",
            row_index_name="row",
            row_index_offset=2,
        )
    except (pl.exceptions.PolarsError, OSError) as damage:
        first = str(damage).strip().splitlines()[0]
        raise InputError(
            [
                Problem(
                    table.path.name,
                    f"rows that can be read to the end ({first})",
                    "copy or export the file again",
                    severity=Severity.UNREADABLE,
                )
            ]
        ) from None


def _known_names(table: TableFile) -> dict[str, str]:
    other = {"marker": "locus", "sample_name": "sample"}
    plain = {name: name.lower().replace(" ", "_") for name in table.columns}
    if not {"sample", "sample_name"} & set(plain.values()):
        # a table of peaks names the sample by its file
        other |= {"sample_file_name": "sample", "sample_file": "sample"}
    return {name: other.get(lower, lower) for name, lower in plain.items()}


def _long_from_wide(rows: pl.DataFrame, size: str) -> pl.DataFrame:
    numbers = [
        name.removeprefix("allele_")
        for name in rows.columns
        if name.startswith("allele_") and f"{size}_{name.removeprefix('allele_')}" in rows.columns
    ]
    keys = [name for name in ("row", "sample", "locus") if name in rows.columns]
    parts = [
        rows.select(*keys, pl.col(f"allele_{n}").alias("allele"), pl.col(f"{size}_{n}").alias(size))
        for n in numbers
    ]
    return pl.concat(parts) if parts else rows


def _needs(table: TableFile, rows: pl.DataFrame, names: tuple[str, ...]) -> pl.DataFrame:
    absent = [name for name in names if name not in rows.columns]
    if absent:
        found = ", ".join(table.columns)[:200]
        raise InputError(
            Problem(table.path.name, f"a column {name}", "add it", row=1, column=name, found=found)
            for name in absent
        )
    return rows


def _numbers(table: TableFile, rows: pl.DataFrame, name: str) -> pl.DataFrame:
    number = pl.col(name).str.strip_chars().cast(pl.Float64, strict=False)
    wrong = rows.filter(number.is_null() & pl.col(name).is_not_null()).select("row", name)
    if not wrong.is_empty():
        raise InputError(
            Problem(table.path.name, "a number", "correct it", row=row, column=name, found=found)
            for row, found in wrong.rows()
        )
    return rows.with_columns(number)
