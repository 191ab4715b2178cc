"""Sample sheets: which file is whose sample and of which day, every fault at once."""

import csv
import io
import math
import os
import stat
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

import polars as pl

from graftline.problems import InputError, Problem, Severity
from graftline.schema.sheets import SheetColumn, SheetKind
from graftline.trial.files import decode
from graftline.trial.identity import safe_text

_TYPES: dict[SheetKind, type[pl.DataType]] = {
    "text": pl.String,
    "file": pl.String,
    "number": pl.Float64,
    "integer": pl.Int64,
    "day": pl.Float64,
    "flag": pl.Boolean,
}
_MISSING = {"", "NA", "N/A", "na", "NaN", "nan", "null", "NULL", "None"}
_FLAGS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_FAR_DAY = 20_000
_HEADER_BYTES = 65536
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # .xlsx and .xls, whatever their names say


@dataclass(frozen=True, slots=True)
class _Text:
    """A sheet as it stands: rows with the row number of a spreadsheet (the header is row 1)."""

    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    notes: tuple[Problem, ...]
    ragged: tuple[Problem, ...]


def read_sheet(
    path: Path, columns: Sequence[SheetColumn], *, without: Collection[int] = ()
) -> pl.DataFrame:
    """Rows of a sample sheet in declared types, paths resolved.

    Parameters
    ----------
    path : Path
        A CSV with commas, semicolons or tabs.
    columns : sequence of SheetColumn
        What the sheet may hold. Further columns are ignored; one whose name is nearly that of a
        declared column that lacks is an error, because it would be lost.
    without : collection of int
        Rows of the sheet to leave out, such as those after a data cut; their faults still count.

    Returns
    -------
    DataFrame [row, declared columns]
        ``row`` is the sheet's row (header = 1). Every declared column is there, null where the
        sheet has none. A ``file`` is the absolute path.

    Raises
    ------
    InputError
        Unreadable; columns missing; values missing, of another kind or not among the choices; files
        absent, folders, or outside the sheet's folder. Every one, with row and column.
    """
    text = _read_text(path, columns)
    problems = _header_faults(path, text, columns)
    if {column.name for column in columns} & set(text.header):
        problems += text.ragged
    if not text.rows and not problems:
        problems.append(Problem(path.name, "at least one sample", "add a row for each", row=2))
    place = {name: text.header.index(name) for name in text.header}
    frame: dict[str, pl.Series] = {
        "row": pl.Series([number for number, _ in text.rows], dtype=pl.Int64)
    }
    for column in columns:
        at = place.get(column.name)
        cells = [(n, None if at is None else _filled(cells[at])) for n, cells in text.rows]
        values, faults = _column(path, column, cells, given=at is not None)
        problems += faults
        frame[column.name] = pl.Series(values, dtype=_TYPES[column.kind])
    if problems:
        raise InputError(problems)
    return pl.DataFrame(frame).filter(~pl.col("row").is_in(list(without)))


def sheet_notes(path: Path, columns: Sequence[SheetColumn]) -> list[Problem]:
    """What is worth knowing of a readable sheet: its encoding, columns that are ignored.

    Raises
    ------
    InputError
        Unreadable.
    """
    text = _read_text(path, columns)
    known = {column.name for column in columns}
    own = [name for name in text.header if name and name not in known]
    notes = list(text.notes)
    if own and {column.name for column in columns if column.required} <= set(text.header):
        remedy = "these columns are ignored; nothing to do if they are your own"
        notes.append(
            Problem(
                path.name,
                "declared columns: " + ", ".join(c.name for c in columns),
                remedy,
                Severity.NOTE,
                row=1,
                found=", ".join(own)[:200],
            )
        )
    return notes


def is_sheet(path: Path, columns: Sequence[SheetColumn]) -> bool:
    """Whether a file is a sample sheet: its header has a column ``file``.

    False for what cannot be read at all; the reader that is tried next says why.
    """
    if not path.is_file():
        return False
    try:
        with path.open("rb") as stream:
            start, _ = decode(stream.read(_HEADER_BYTES), path.name)
    except OSError:
        return False
    if start is None:
        return False
    known = {column.name for column in columns}
    header = start.split("\n", 1)[0]
    separator = _separator(header, known)
    return "file" in {name.strip().strip('"').lower() for name in header.split(separator)}


def named_files(path: Path, columns: Sequence[SheetColumn]) -> set[Path]:
    """Every path that a sheet names, whether or not the rest of the sheet is in order."""
    try:
        text = _read_text(path, columns)
    except InputError:
        return set()
    kinds = {column.name for column in columns if column.kind == "file"}
    places = [i for i, name in enumerate(text.header) if name in kinds]
    values = (_filled(cells[i]) for _, cells in text.rows for i in places)
    found = (_resolved(path.parent, value) for value in values if value is not None)
    return {full for full in found if full is not None}


def repeated_rows(
    frame: pl.DataFrame, by: Sequence[str], *, file: str, expected: str, remedy: str
) -> list[Problem]:
    """A problem for each row that repeats an earlier one in the columns ``by``."""
    again = frame.with_columns(
        first=pl.col("row").min().over(*by), name=pl.concat_str(*by, separator=", ")
    ).filter(pl.col("row") > pl.col("first"))
    return [
        Problem(
            file, f"{expected}; row {first} is the same", remedy, row=row, found=safe_text(name)
        )
        for row, first, name in again.select("row", "first", "name").rows()
    ]


def _read_text(path: Path, columns: Sequence[SheetColumn]) -> _Text:
    if path.is_dir():
        raise _unreadable(path, "a sample sheet (CSV), not a folder", "name the file in it")
    try:
        data = path.read_bytes()
    except OSError as error:
        remedy = f"{error.strerror or error}: check the name and the folder"
        raise _unreadable(path, "a sample sheet that can be read", remedy) from None
    if data.startswith(_WORKBOOKS):
        remedy = "save it as CSV (in the spreadsheet: File, Save as)"
        raise _unreadable(path, "a CSV, not an Excel workbook", remedy)
    text, notes = decode(data, path.name)
    if text is None:
        raise InputError(notes)
    if not text.strip():
        raise _unreadable(path, "a header row; the file is empty", _columns_remedy(columns))
    known = {column.name for column in columns}
    separator = _separator(text.split("\n", 1)[0], known)
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        remedy = "look for an unclosed quotation mark, and save the sheet again"
        raise _unreadable(path, f"a CSV table ({error})", remedy) from None
    header = tuple(name.strip().lower().replace(" ", "_") for name in records[0])
    ragged: list[Problem] = []
    found = list(_numbered(path, records[1:], len(header), ragged))
    return _Text(header, tuple(found), tuple(notes), tuple(ragged))


def _separator(header: str, known: set[str]) -> str:
    def told(separator: str) -> tuple[int, int]:
        names = [name.strip().strip('"').lower() for name in header.split(separator)]
        return sum(name in known for name in names), len(names)

    return max(",;\t", key=told)


def _numbered(
    path: Path, records: Iterable[list[str]], width: int, ragged: list[Problem]
) -> Iterable[tuple[int, tuple[str, ...]]]:
    """Rows of the header's width with their numbers; the others are added to ``ragged``."""
    for number, cells in enumerate(records, start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) < width or any(cell.strip() for cell in cells[width:]):
            ragged.append(
                Problem(
                    path.name,
                    f"{width} fields as in the header",
                    "look for a missing or an extra separator",
                    row=number,
                    found=f"{len(cells)} fields",
                )
            )
            continue
        yield number, tuple(cells[:width])


def _header_faults(path: Path, text: _Text, columns: Sequence[SheetColumn]) -> list[Problem]:
    names = [column.name for column in columns]
    if not set(names) & set(text.header):
        needed = ", ".join(column.name for column in columns if column.required)
        expected, remedy = (
            f"a header row with {needed}",
            "write the column names into the first row",
        )
        found = ", ".join(safe_text(name) for name in text.header if name)[:200]
        return [Problem(path.name, expected, remedy, row=1, found=found)]
    twice = sorted({name for name in text.header if name and text.header.count(name) > 1})
    faults = [
        Problem(path.name, "each column once", "delete or rename one", row=1, column=name)
        for name in twice
    ]
    absent = [column for column in columns if column.name not in text.header]
    own = [name for name in text.header if name not in names]
    meant = {
        name: close[0]
        for name in own
        if (close := get_close_matches(name, [c.name for c in absent], n=1, cutoff=0.8))
    }
    for name, near in meant.items():
        faults.append(
            Problem(path.name, f"the column {near}", "rename it so", row=1, column=name, found=name)
        )
    for column in absent:
        if column.required and column.name not in meant.values():
            faults.append(
                Problem(
                    path.name,
                    f"a column {column.name}: {column.meaning[:1].lower()}{column.meaning[1:]}",
                    "add it",
                    row=1,
                    column=column.name,
                    found=", ".join(text.header)[:200],
                )
            )
    return faults


def _filled(cell: str) -> str | None:
    value = cell.strip()
    return None if value in _MISSING else value


def _column(
    path: Path, column: SheetColumn, cells: Sequence[tuple[int, str | None]], *, given: bool
) -> tuple[list[object], list[Problem]]:
    values: list[object] = []
    faults = []
    for row, cell in cells:
        value: object = None
        fault: tuple[str, str] | None = None
        if cell is not None:
            value, fault = _cast(path.parent, column, cell)
        elif column.required and given:
            fault = ("a value", f"fill it in: {column.meaning[:1].lower()}{column.meaning[1:]}")
        if fault is not None:
            expected, remedy = fault
            # a path is told as it is: its file is looked for
            found = cell if cell and column.kind == "file" else safe_text(cell or "")
            faults.append(
                Problem(path.name, expected, remedy, row=row, column=column.name, found=found)
            )
        values.append(value)
    return values, _told_once(faults) if column.kind == "file" else faults


def _told_once(faults: Sequence[Problem]) -> list[Problem]:
    """One finding for each path, at the first of the rows that name it."""
    rows = Counter(fault.found for fault in faults)
    first = {fault.found: fault for fault in reversed(faults)}
    return [replace(first[found], count=count) for found, count in rows.items()]


def _cast(folder: Path, column: SheetColumn, cell: str) -> tuple[object, tuple[str, str] | None]:
    if column.kind == "text":
        return _word(column, cell)
    if column.kind == "file":
        return _file(folder, cell)
    readers: dict[SheetKind, Callable[[str], object]] = {
        "number": _number,
        "integer": lambda text: _whole(_number(text)),
        "day": _day,
        "flag": lambda text: _FLAGS[text.lower()],
    }
    try:
        return readers[column.kind](cell), None
    except (ValueError, KeyError):
        return None, {
            "number": ("a number with a decimal point", "correct it"),
            "integer": ("a whole number", "correct it"),
            "day": (
                "a study day: a number, not a date",
                "write the day counted from day 0, with a decimal point",
            ),
            "flag": ("yes or no", "correct it"),
        }[column.kind]


def _word(column: SheetColumn, cell: str) -> tuple[object, tuple[str, str] | None]:
    if not column.choices:
        return cell, None
    if cell.lower() in column.choices:
        return cell.lower(), None
    return None, (f"one of {', '.join(column.choices)}", "correct it")


def _file(folder: Path, cell: str) -> tuple[object, tuple[str, str] | None]:
    full = _resolved(folder, cell)
    if full is None:
        return None, ("the path of a file", "correct it; a link must not lead back to itself")
    if not Path(cell).is_absolute() and not full.is_relative_to(folder.resolve()):
        remedy = "move the file beside the sheet, or write its whole path"
        return None, ("a path inside the folder of the sheet", remedy)
    try:
        mode = full.stat().st_mode
    except PermissionError:
        return None, ("a file that can be read", "ask for the right to open the folder it is in")
    except OSError:
        return None, ("a file that exists", _absent_remedy(full))
    if stat.S_ISDIR(mode):
        return None, ("a file, not a folder", "add a row for each file in it")
    if not stat.S_ISREG(mode):
        return None, ("a file", "name a file with the laboratory's data")
    if not os.access(full, os.R_OK):
        return None, ("a file that can be read", "ask for the right to read it")
    return str(full), None


def _resolved(folder: Path, cell: str) -> Path | None:
    """The whole path that a cell names, on Windows or elsewhere; None where it cannot be one."""
    try:
        return (folder / (cell if Path(cell).is_absolute() else cell.replace("\\", "/"))).resolve()
    except (OSError, RuntimeError, ValueError):
        return None


def _absent_remedy(full: Path) -> str:
    remedy = "check the name; it is relative to this sheet"
    try:
        there = _names_in(full.parent, full.parent.stat().st_mtime_ns)
    except OSError:
        return remedy
    near = there.get(full.name.lower()) or there.get(_stem(full.name))
    return f"{remedy}; {near} is there" if near else remedy


@lru_cache(maxsize=8)
def _names_in(folder: Path, _changed: int) -> dict[str, str]:
    """Names in a folder by what they are in small letters, and by that without their endings."""
    names = sorted(os.listdir(folder), reverse=True)
    return {_stem(name): name for name in names} | {name.lower(): name for name in names}


def _stem(name: str) -> str:
    return name.lower().split(".")[0]


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _whole(value: float) -> int:
    if value != int(value):
        raise ValueError(value)
    return int(value)


def _day(text: str) -> float:
    value = _number(text)
    if abs(value) > _FAR_DAY:
        raise ValueError(text)
    return value


def _columns_remedy(columns: Sequence[SheetColumn]) -> str:
    needed = ", ".join(column.name for column in columns if column.required)
    return f"write a header with {needed}, and a row for each sample"


def _unreadable(path: Path, expected: str, remedy: str) -> InputError:
    return InputError([Problem(path.name, expected, remedy, Severity.UNREADABLE)])
