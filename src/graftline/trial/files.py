"""The files of a trial folder as text: CSV, Parquet, an Excel workbook. Nothing is interpreted."""

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from zipfile import BadZipFile

import polars as pl

from graftline.problems import Problem, Severity
from graftline.schema import TABLES, table
from graftline.trial.trial import SourceFile

MAX_COLUMNS = 500
_IGNORED = {"licence", "license", "expected.csv"}
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_SUFFIXES = (".csv", ".parquet")
_NOT_TABLES = (".md", ".py", ".r", ".txt", ".toml", ".pdf", ".html")


@dataclass(frozen=True, slots=True)
class RawTable:
    """One table as it stands in its file.

    ``frame`` has ``row`` (header = 1) and the columns of the file, as text (CSV, Excel) or in the
    types of the Parquet file.
    """

    table: str
    source: SourceFile
    frame: pl.DataFrame


def read_folder(folder: Path) -> tuple[list[RawTable], list[Problem]]:
    """Read every table file of a folder.

    Returns
    -------
    tables : list of RawTable
    problems : list of Problem
        Files that cannot be read, are missing, are given twice, or are not known.
    """
    if not folder.is_dir():
        return [], [_unreadable(folder.name, "a folder that exists", "check the path of the trial")]
    tables: list[RawTable] = []
    problems: list[Problem] = []
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        found, issues = _read_file(path)
        tables += found
        problems += issues
    counts = Counter(raw.table for raw in tables)
    for name in sorted(n for n, count in counts.items() if count > 1):
        names = ", ".join(raw.source.name for raw in tables if raw.table == name)
        problems.append(
            _unreadable(names, f"table {name} in one file only", "keep one of the files")
        )
    broken = {Path(p.file).stem for p in problems}
    for declared in TABLES.values():
        if declared.required and declared.name not in counts and declared.name not in broken:
            problems.append(_missing(declared.name))
    return tables, problems


def _missing(name: str) -> Problem:
    return _unreadable(
        f"{name}.csv",
        f"the table {name}: {table(name).description.lower()}",
        "add the file (or a sheet of that name); graftline init writes an explained empty one",
    )


def _read_file(path: Path) -> tuple[list[RawTable], list[Problem]]:
    name, suffix = path.stem.lower(), path.suffix.lower()
    if path.name.lower() in _IGNORED or path.name.startswith((".", "~$")) or suffix in _NOT_TABLES:
        return [], []
    if suffix == ".xlsx":
        return _read_workbook(path)
    if suffix not in _SUFFIXES or name not in TABLES:
        known = ", ".join(TABLES)
        return [], [
            Problem(
                path.name,
                f"the name of a table ({known}) with .csv or .parquet, or one .xlsx workbook",
                "this file is not read; rename it if it belongs to the trial",
                Severity.WARNING,
            )
        ]
    return read_table_file(path, name)


def read_table_file(path: Path, name: str) -> tuple[list[RawTable], list[Problem]]:
    """One table of a trial from a file of any name; no table if it is unreadable.

    CSV, Parquet, or an Excel workbook whose sheet of the table's name, or whose only sheet, it is.
    """
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        return _read_sheet(path, name)
    try:
        data = path.read_bytes()
    except OSError as error:
        return [], [_unreadable(path.name, "a readable file", error.strerror or str(error))]
    if not data:
        return [], [
            _unreadable(path.name, "a header row", "export the table again", "an empty file")
        ]
    if data.startswith(_OLD_EXCEL):
        problem = "an Excel 97 workbook, or one behind a password"
        return [], [_unreadable(path.name, "text, or .xlsx", "save it as .xlsx or CSV", problem)]
    source = SourceFile(path.name, name, hashlib.sha256(data).hexdigest(), 0)
    if path.suffix.lower() == ".parquet":
        return _read_parquet(data, source)
    return _read_csv(data, source)


def _read_parquet(data: bytes, source: SourceFile) -> tuple[list[RawTable], list[Problem]]:
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        first = str(error).splitlines()[0][:120]
        return [], [_unreadable(source.name, "a Parquet file", "write it again", first)]
    if "row" not in frame.columns:
        frame = frame.with_row_index("row", offset=2)
    return [_raw(frame, source)], []


def _read_csv(data: bytes, source: SourceFile) -> tuple[list[RawTable], list[Problem]]:
    text, problems = decode(data, source.name)
    if text is None:
        return [], problems
    delimiter = _delimiter(text.split("\n", 1)[0][:100_000], source.table)
    if delimiter != ",":
        shown = {"\t": "tab"}.get(delimiter, delimiter)
        problems.append(
            _warning(
                source.name, "fields separated by commas", "read as it is; nothing is lost", shown
            )
        )
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        remedy = "look for an unclosed quotation mark or a line without breaks, and export again"
        return [], [*problems, _unreadable(source.name, "a CSV table", remedy, str(error))]
    raw, found = _table_of(iter(rows), source)
    return ([raw] if raw else []), problems + found


def decode(data: bytes, file: str) -> tuple[str | None, list[Problem]]:
    """Text of a file's bytes; UTF-8 is expected, what else is certain is read with a warning.

    A byte order mark, UTF-16 with a mark and Windows-1252 (Latin-1) are read; a NUL byte is not.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            text = data.decode("utf-16")
        except UnicodeDecodeError:
            return None, [_unreadable(file, "text in UTF-8", "export the table again as UTF-8")]
        return text, [_warning(file, "UTF-8", "read as UTF-16; save it as UTF-8")]
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        problem = _unreadable(
            file, "text without NUL bytes", "export the table again", "a NUL byte"
        )
        return None, [_at_row(problem, line)]
    problems = []
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
        problems.append(_warning(file, "UTF-8 without byte order mark", "the mark is ignored"))
    try:
        return data.decode("utf-8"), problems
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        warning = _warning(
            file, "text in UTF-8", "read as Windows-1252 (Latin-1); save it as UTF-8"
        )
        return data.decode("cp1252", errors="replace"), [*problems, _at_row(warning, line)]


def _delimiter(header: str, name: str) -> str:
    declared = {*table(name).names, "date"}

    def known(delimiter: str) -> tuple[int, int]:
        fields = [f.strip().strip('"').lower() for f in header.split(delimiter)]
        return sum(f in declared for f in fields), len(fields)

    return max((",", ";", "\t"), key=known)


def _read_workbook(path: Path) -> tuple[list[RawTable], list[Problem]]:
    sheets, digest, problems = _sheets(path)
    tables = []
    for title, rows in sheets:
        name = title.strip().lower()
        where = f"{path.name}[{title}]"
        if name not in TABLES:
            problems.append(_warning(where, "a sheet named like a table", "this sheet is not read"))
            continue
        raw, found = _table_of(rows, SourceFile(where, name, digest, 0))
        tables += [raw] if raw else []
        problems += found
    return tables, problems


def _read_sheet(path: Path, name: str) -> tuple[list[RawTable], list[Problem]]:
    """The sheet named like the table, or the only one."""
    sheets, digest, problems = _sheets(path)
    if problems:
        return [], problems
    read = [(title, list(rows)) for title, rows in sheets]
    filled = [sheet for sheet in read if any(any(row) for row in sheet[1])] or read[:1]
    named = [sheet for sheet in filled if sheet[0].strip().lower() == name]
    chosen = named if named else filled
    if len(chosen) != 1:
        found = "sheets " + ", ".join(title for title, _ in filled[:8])
        expected = f"one sheet, or a sheet named {name}"
        return [], [_unreadable(path.name, expected, "rename the sheet that is meant", found)]
    title, rows = chosen[0]
    raw, found_in_it = _table_of(iter(rows), SourceFile(f"{path.name}[{title}]", name, digest, 0))
    return ([raw] if raw else []), found_in_it


def _sheets(
    path: Path,
) -> tuple[list[tuple[str, Iterator[list[str]]]], str, list[Problem]]:
    """Title and rows, as text, of every sheet of a workbook, and the digest of the file."""
    import openpyxl

    try:
        data = path.read_bytes()
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except (BadZipFile, KeyError, ValueError, OSError) as error:
        problem = _unreadable(
            path.name, "an Excel workbook (.xlsx)", "save it again", str(error)[:120]
        )
        return [], "", [problem]
    sheets = [(sheet.title, _sheet_rows(sheet.iter_rows(values_only=True))) for sheet in book]
    return sheets, hashlib.sha256(data).hexdigest(), []


def _sheet_rows(rows: Iterable[tuple[object, ...]]) -> Iterator[list[str]]:
    for row in rows:
        yield [_cell_text(value) for value in row]


def _cell_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return (
            value.date().isoformat() if value.time() == datetime.min.time() else value.isoformat()
        )
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _table_of(
    rows: Iterator[list[str]], source: SourceFile
) -> tuple[RawTable | None, list[Problem]]:
    """Text rows into a frame; ragged rows, blank rows and header faults become problems."""
    header = next(rows, None)
    if header is None or not any(h.strip() for h in header):
        return None, [
            _unreadable(source.name, "a header row", "export the table again", "no header")
        ]
    if len(header) > MAX_COLUMNS:
        found = f"{len(header)} columns"
        remedy = "look for missing line breaks, and export the table again"
        return None, [_unreadable(source.name, f"at most {MAX_COLUMNS} columns", remedy, found)]
    names, problems = _header_names(header, source)
    if names is None:
        return None, problems
    width = len(names)
    records: list[list[str | None]] = []
    numbers: list[int] = []
    blank = 0
    for number, row in enumerate(rows, start=2):
        if not any(cell.strip() for cell in row):
            blank += 1
            continue
        if (len(row) != width and any(cell.strip() for cell in row[width:])) or len(row) < width:
            problems.append(
                _at_row(
                    Problem(
                        source.name,
                        f"{width} fields as in the header",
                        "look for a missing or an extra separator, or an unquoted one in a text",
                        found=f"{len(row)} fields",
                    ),
                    number,
                )
            )
        records.append([*row[:width], *[None] * (width - len(row))])
        numbers.append(number)
    if blank:
        problems.append(
            _warning(source.name, "no blank rows", "they are ignored", f"{blank} blank rows")
        )
    columns = _columns(records, names)
    frame = pl.DataFrame(
        {"row": pl.Series(numbers, dtype=pl.UInt32), **columns},
    )
    return _raw(frame, source), problems


def _columns(records: Iterable[list[str | None]], names: list[str]) -> dict[str, pl.Series]:
    cells = list(zip(*records, strict=True)) or [()] * len(names)
    return {name: pl.Series(list(cells[i]), dtype=pl.String) for i, name in enumerate(names)}


def _header_names(header: list[str], source: SourceFile) -> tuple[list[str] | None, list[Problem]]:
    declared = table(source.table).names
    problems, names = [], []
    for position, cell in enumerate(header, start=1):
        name = cell.strip()
        lowered = name.lower().replace(" ", "_")
        if name not in declared and lowered in declared:
            problems.append(
                _warning(source.name, f"the column name {lowered}", "read as that", name)
            )
            name = lowered
        names.append(name or f"column_{position}")
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        found = ", ".join(twice)
        remedy = "keep one of them, or give the other its own name"
        return None, [*problems, _unreadable(source.name, "each column once", remedy, found)]
    return names, problems


def _raw(frame: pl.DataFrame, source: SourceFile) -> RawTable:
    counted = SourceFile(source.name, source.table, source.sha256, frame.height)
    return RawTable(source.table, counted, frame)


def _at_row(problem: Problem, row: int) -> Problem:
    return replace(problem, row=row)


def _unreadable(file: str, expected: str, remedy: str, found: str | None = None) -> Problem:
    return Problem(file, expected, remedy, Severity.UNREADABLE, found=found)


def _warning(file: str, expected: str, remedy: str, found: str | None = None) -> Problem:
    return Problem(file, expected, remedy, Severity.WARNING, found=found)
