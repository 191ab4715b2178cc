"""HEADER and TEXT of an FCS file, versions 2.0 to 3.2."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from graftline.problems import InputError, Problem, Severity

_HEADER_BYTES = 58
_PACKED = (b"\x1f\x8b", b"PK")
_VERSIONS = ("FCS2.0", "FCS3.0", "FCS3.1", "FCS3.2")


@dataclass(frozen=True, slots=True)
class Segments:
    """Version, keywords (upper case) and the data offsets that the HEADER states."""

    version: str
    keywords: Mapping[str, str]
    header_data: tuple[int, int]


def read_segments(path: Path, content: memoryview) -> Segments:
    """HEADER and TEXT; offsets are judged against the file's real length.

    Raises
    ------
    InputError
        Not FCS, cut inside HEADER or TEXT, offsets that are no numbers or point past the end.
    """
    version = str(content[:6], "latin-1")
    if bytes(content[:2]) in _PACKED:
        remedy = "unpack it first, with gunzip or unzip"
        raise unreadable(path, "an FCS file of version 2.0 to 3.2, not packed", remedy=remedy)
    if version not in _VERSIONS:
        found = version.encode("unicode_escape").decode()
        raise unreadable(path, "an FCS file of version 2.0, 3.0, 3.1 or 3.2", found=found)
    if len(content) < _HEADER_BYTES:
        raise unreadable(path, f"a header of {_HEADER_BYTES} bytes", found=f"{len(content)} bytes")
    offsets = [_offset(path, bytes(content[at : at + 8])) for at in range(10, 42, 8)]
    begin, end = offsets[0], offsets[1]
    if not _HEADER_BYTES <= begin < end or end >= len(content):
        place = f"bytes {begin} to {end} of {len(content)}"
        raise unreadable(path, "a TEXT segment inside the file", found=place)
    keywords = _keywords(path, bytes(content[begin : end + 1]))
    keywords = {**_supplement(path, content, keywords), **keywords}
    return Segments(version, keywords, (offsets[2], offsets[3]))


def _offset(path: Path, field: bytes) -> int:
    text = field.decode("latin-1").strip()
    if not text:
        return 0
    if not text.isdecimal() or not text.isascii():
        raise unreadable(path, "whole numbers as offsets in the header", found=text)
    return int(text)


def _supplement(path: Path, content: memoryview, keywords: Mapping[str, str]) -> dict[str, str]:
    begin, end = (
        int(text) if (text := keywords.get(name, "0").strip()).isascii() and text.isdigit() else 0
        for name in ("$BEGINSTEXT", "$ENDSTEXT")
    )
    # Many writers repeat the primary TEXT's offsets here, or point to a byte of padding.
    if begin < _HEADER_BYTES or end <= begin + 1 or end >= len(content):
        return {}
    return _pairs(*_body(bytes(content[begin : end + 1])))


def _body(segment: bytes) -> tuple[str, str]:
    try:
        text = segment.decode("utf-8")
    except UnicodeDecodeError:
        text = segment.decode("latin-1")
    delimiter = text[0]
    body = text[1:].rstrip("\x00 \r\n".replace(delimiter, ""))
    return body if body.endswith(delimiter) else body + delimiter, delimiter


def _keywords(path: Path, segment: bytes) -> dict[str, str]:
    body, delimiter = _body(segment)
    keywords = _pairs(body, delimiter)
    if "$PAR" not in keywords:
        raise unreadable(path, "keywords and values in TEXT, $PAR among them", found=body[:40])
    return keywords


def _pairs(body: str, delimiter: str) -> dict[str, str]:
    """Keywords in capitals and their values.

    The standard doubles a delimiter inside a value and forbids empty values; CellQuest and others
    leave values empty, which doubles the delimiter too. No keyword holds a delimiter: where one
    seems to, empty values stand before it.
    """
    tokens = _split_escaped(body, delimiter)
    if len(tokens) % 2:
        tokens = [*tokens, ""] if tokens[-1].startswith("$") else tokens[:-1]
    pairs: dict[str, str] = {}
    for token, value in zip(tokens[::2], tokens[1::2], strict=True):
        *empty, name = token.split(delimiter)
        if empty and not name:
            name, value = empty.pop(), delimiter + value
        pairs |= {key.strip().upper(): "" for key in empty}
        pairs[name.strip().upper()] = value
    return pairs


def _split_escaped(body: str, delimiter: str) -> list[str]:
    mark = re.escape(delimiter)
    # A doubled delimiter is one inside a token; read from the left, as the standard does.
    tokens: list[str] = re.findall(f"((?:[^{mark}]|{mark}{mark})*){mark}", body)
    return [token.replace(delimiter * 2, delimiter) for token in tokens]


def unreadable(
    path: Path,
    expected: str,
    *,
    found: str | None = None,
    remedy: str = "export the file again from the cytometer, or copy it again if it was cut short",
) -> InputError:
    """An FCS file that stops at a finding."""
    return InputError(
        [Problem(path.name, expected, remedy, severity=Severity.UNREADABLE, found=found)]
    )
