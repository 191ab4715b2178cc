"""Opening a delimited text file from a laboratory: separator, quotes, compression, encoding."""

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

from graftline.problems import InputError, Problem, Severity

_GZIP = b"\x1f\x8b"
_SAMPLE = 65536
_OTHER_FORMATS = {
    b"PK\x03\x04": "a ZIP archive or Excel workbook",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"FCS": "a flow cytometry (FCS) file",
    b"\x89HDF": "an HDF5 file",
}
_SEPARATORS = ("\t", ";", ",")


@dataclass(frozen=True, slots=True)
class TableFile:
    """How to read one delimited file: columns in file order, separator, quoting, encoding.

    ``first_lines`` are the whole lines, header included, of the first 64 KiB: what is to be seen
    of a file is mostly to be seen there, and opening a large one takes ten times as long.
    """

    path: Path
    columns: tuple[str, ...]
    separator: str
    quoted: bool
    utf8: bool
    first_lines: bytes


def open_table_file(path: Path) -> TableFile:
    """Separator, quoting and column names of a delimited text file, plain or gzip.

    Tab, semicolon and comma are recognised from the first line. Compression is recognised by
    content, not by name.

    Raises
    ------
    InputError
        Absent, a folder, empty, damaged gzip, binary, or a single column.
    """
    start = _first_bytes(path)
    line, _, _ = start.partition(b"\n")
    # The last line may be cut by the sample's end, in the middle of a character too.
    lines = start if len(start) < _SAMPLE else start[: start.rfind(b"\n") + 1] or start
    utf8 = _is_utf8(lines)
    header = line.decode("utf-8-sig" if utf8 else "latin-1").rstrip("\r")
    separator = max(_SEPARATORS, key=header.count)
    if header.count(separator) == 0:
        if header.startswith("#"):
            expected = "the names of the columns in the first line, not a comment"
            raise _unreadable(path, expected, "delete the lines above them")
        raise _unreadable(path, "columns separated by tab, semicolon or comma", "export it as TSV")
    columns = tuple(name.strip().strip('"').strip() for name in header.split(separator))
    # Many writers quote only fields that need it, and commas within fields need it.
    begun = (f'{separator}"'.encode(), b'\n"')
    quoted = separator != "\t" or '"' in header or any(sign in lines for sign in begun)
    return TableFile(path, columns, separator, quoted, utf8, lines)


def _first_bytes(path: Path, size: int = _SAMPLE) -> bytes:
    if path.is_dir():
        raise _unreadable(path, "a file, not a folder", "name the files in it")
    if not path.is_file():
        raise _unreadable(path, "a file that exists", "check the name and the folder")
    with path.open("rb") as stream:
        start = stream.read(size)
    if start[:2] == _GZIP:
        start = _decompressed(path, size)
    elif path.suffix == ".gz" and start:
        raise _unreadable(path, "gzip content, as the name ends in .gz", "copy the file again")
    if not start.strip():
        raise _unreadable(path, "a header and rows; the file is empty", "copy the file again")
    for magic, what in _OTHER_FORMATS.items():
        if start.startswith(magic):
            raise _unreadable(path, f"delimited text, not {what}", "export it as TSV in UTF-8")
    if b"\x00" in start:
        raise _unreadable(path, "delimited text, not binary data", "export it as TSV in UTF-8")
    return start


def _decompressed(path: Path, size: int) -> bytes:
    try:
        with gzip.open(path) as stream:
            return stream.read(size)
    except (EOFError, OSError, zlib.error) as damage:
        raise _unreadable(path, f"an intact gzip file ({damage})", "copy the file again") from None


def _is_utf8(lines: bytes) -> bool:
    try:
        lines.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _unreadable(path: Path, expected: str, remedy: str) -> InputError:
    return InputError([Problem(path.name, expected, remedy, severity=Severity.UNREADABLE)])
