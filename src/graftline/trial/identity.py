"""What could identify a person in a file: found by shape, never echoed."""

import csv
import hashlib
import re
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path

import polars as pl

from graftline.problems import Problem, Severity, sorted_problems
from graftline.schema import table
from graftline.schema.sheets import SHEETS
from graftline.trial.files import RawTable, decode, read_folder
from graftline.trial.trial import SourceFile

# column names that hold identifiers by their meaning, whatever the values look like
_NAMES = re.compile(
    r"(^|_)(first|last|full|family|given|sur|maiden)?_?name($|_)|initials|birth|dob|mrn|record_?(no|number|id)"
    r"|hospital_?(no|number|id)|admission_?(no|number|id)|ssn|social_security|passport|id_?card|national_id"
    r"|phone|telephone|mobile|e?mail|address|street|postcode|zip"
)
_PATTERNS = {
    "a full date": r"\b(19|20)\d\d[-/.](0?[1-9]|1[0-2])[-/.](0?[1-9]|[12]\d|3[01])\b"
    r"|\b(0?[1-9]|[12]\d|3[01])[-/.](0?[1-9]|1[0-2])[-/.](19|20)\d\d\b",
    "an e-mail address": r"[\w.+-]+@[\w-]+\.\w+",
    "a record or telephone number": r"(\b|_)\d{7,}(\b|_)|\+\d[\d ]{7,}\d",
    "a personal name": r"\b(Mr|Mrs|Ms|Dr|Herr|Frau|Mme)\.? [A-Z][a-z]+"
    r"|^[A-Z][a-z]{2,},? [A-Z][a-z]{2,}$",
}
_ANY = "|".join(f"(?:{pattern})" for pattern in _PATTERNS.values())
_ASSAYS = "assays/"
# free text where two capitalised words are ordinary (organisms, sites, terms, references)
_PROSE = {
    "organism",
    "site",
    "term",
    "system",
    "source",
    "assumed",
    "comment",
    "label",
    "criteria",
    "stopped_reason",
    "failure",
    "quantity",
    "cohort",
    "drug",
    "vasopressors",
}


def shape(value: str) -> str:
    """The value with digits as ``#`` and letters as ``a``: what it looks like, not what it says."""
    return re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "#", value))[:40]


def safe_text(value: str) -> str:
    """The value, or only its shape where it could identify somebody."""
    return shape(value) if re.search(_ANY, value) else value[:80]


def find_identifiers(tables: Iterable[RawTable]) -> list[Problem]:
    """Look for names, full dates and record numbers in the files as they are.

    Returns
    -------
    list of Problem
        Severity error, one per column and kind with the first row and the count; values are shown
        as shapes. Dates that stand in a date column of the schema are a warning: they are turned
        into study days and go nowhere else, but the file that is passed on still holds them.
    """
    problems = []
    for raw in tables:
        for column in raw.frame.columns:
            if column != "row":
                problems += _of_column(raw, column)
    return problems


def _of_column(raw: RawTable, column: str) -> list[Problem]:
    if _NAMES.search(column.lower()) and raw.frame[column].drop_nulls().len() > 0:
        return [
            _finding(
                raw,
                column,
                "a column that identifies",
                int(raw.frame["row"][0]),
                None,
                raw.frame[column].drop_nulls().len(),
            )
        ]
    values = raw.frame.select("row", value=pl.col(column).cast(pl.String).str.strip_chars())
    found = []
    for kind, pattern in _PATTERNS.items():
        if kind == "a personal name" and column in _PROSE:
            continue
        if kind == "a record or telephone number" and _is_number(raw.table, column):
            continue
        hits = values.filter(pl.col("value").str.contains(pattern))
        if hits.height:
            row, value = hits.row(0)
            found.append(_finding(raw, column, kind, row, shape(value), hits.height))
    return found


def _is_number(name: str, column: str) -> bool:
    declared = (
        SHEETS[name.removeprefix(_ASSAYS)].columns if _is_sheet(name) else table(name).columns
    )
    kinds = [c.kind for c in declared if c.name == column]
    return bool(kinds) and kinds[0] in ("number", "integer", "day")


def _is_sheet(name: str) -> bool:
    return name.startswith(_ASSAYS)


def _finding(
    raw: RawTable, column: str, kind: str, row: int, found: str | None, count: int
) -> Problem:
    dates = () if _is_sheet(raw.table) else [c.date_column for c in table(raw.table).columns]
    expected_date = kind == "a full date" and column in dates
    return Problem(
        raw.source.name,
        f"no {kind.split(' ', 1)[1]}"
        if not kind.startswith("a column")
        else "no identifying column",
        "replace dates by study days (day 0 = index infusion)"
        if kind == "a full date"
        else "remove it; a trial folder needs the study ID only",
        Severity.WARNING if expected_date else Severity.ERROR,
        row=row,
        column=column,
        found=found,
        count=count,
    )


def _sample_sheets(folder: Path) -> list[RawTable]:
    """Sample sheets of ``assays/`` as they stand; faults in their form are `check`'s to tell."""
    found = []
    for name in SHEETS:
        path = folder / "assays" / f"{name}.csv"
        data = path.read_bytes() if path.is_file() else b""
        text, _ = decode(data, path.name)
        if not text:
            continue
        lines = text.splitlines()
        delimiter = max(",;\t", key=lines[0].count)
        header, *rows = csv.reader(lines, delimiter=delimiter)
        columns = list(zip_longest(*rows, fillvalue="")) or [() for _ in header]
        # cells beyond the header have no name, but could hold one
        names = [*header, *(f"column {i + 1}" for i in range(len(header), len(columns)))]
        frame = pl.DataFrame(
            {n.strip(): c for n, c in zip(names, columns, strict=False)},
            schema_overrides={n.strip(): pl.String for n in names[: len(columns)]},
        ).with_row_index("row", offset=2)
        source = SourceFile(
            f"{_ASSAYS}{name}.csv", name, hashlib.sha256(data).hexdigest(), len(rows)
        )
        found.append(RawTable(f"{_ASSAYS}{name}", source, frame))
    return found


def check_privacy(folder: Path) -> list[Problem]:
    """Read the tables and sample sheets of a trial folder and report what could identify somebody.

    Returns
    -------
    list of Problem
        With the files that cannot be read; sorted.
    """
    tables, problems = read_folder(folder)
    return sorted_problems(
        [*problems, *find_identifiers(tables), *find_identifiers(_sample_sheets(folder))]
    )
