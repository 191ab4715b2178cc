"""The DATA segment: where it really lies, its types, and values on the linear scale."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graftline.assays.flow.fcs_segments import Segments, unreadable
from graftline.problems import Problem, Severity

Floats = NDArray[np.float64]
_LITTLE, _BIG = ("1,2,3,4", "1,2", "1", "1,2,3,4,5,6,7,8"), ("4,3,2,1", "2,1", "8,7,6,5,4,3,2,1")
# The type says the size of floating-point parameters, whatever their number of bits is.
_MOST_BITS = 4096


@dataclass(frozen=True, slots=True)
class Parameter:
    """One measured parameter as TEXT declares it."""

    number: int
    name: str
    marker: str
    bits: int
    range: float
    decades: float
    offset: float
    gain: float
    kind: str


def number_keyword(path: Path, keywords: Mapping[str, str], name: str, default: str) -> float:
    """A keyword's value as a number.

    Raises
    ------
    InputError
        Not a finite number.
    """
    text = keywords.get(name, default).strip() or default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise unreadable(path, f"a number in {name}", found=text)
    return value


def whole_keyword(path: Path, keywords: Mapping[str, str], name: str, default: str) -> int:
    """A keyword's value as a whole number, 0 or more.

    Raises
    ------
    InputError
        Anything else.
    """
    value = number_keyword(path, keywords, name, default)
    if value < 0 or value != int(value):
        raise unreadable(path, f"a whole number in {name}", found=keywords.get(name))
    return int(value)


def read_parameters(path: Path, keywords: Mapping[str, str]) -> list[Parameter]:
    """All parameters of the file.

    Raises
    ------
    InputError
        $PAR missing, 0 or not a number, or a parameter without $PnB.
    """
    count = whole_keyword(path, keywords, "$PAR", "0")
    if not 0 < count < 10_000:
        raise unreadable(path, "at least one parameter in $PAR", found=keywords.get("$PAR"))
    absent = [f"$P{n}B" for n in range(1, count + 1) if f"$P{n}B" not in keywords]
    if absent:
        raise unreadable(path, "$PnB for every parameter", found="no " + ", ".join(absent[:5]))
    return [_parameter(path, keywords, n) for n in range(1, count + 1)]


def _parameter(path: Path, keywords: Mapping[str, str], n: int) -> Parameter:
    scale = keywords.get(f"$P{n}E", "0,0").replace(" ", "").split(",")
    try:
        decades, offset = float(scale[0]), float(scale[1]) if len(scale) > 1 else 0.0
    except ValueError:
        decades = offset = math.nan
    if not (0 <= decades <= 20 and math.isfinite(offset)):
        raise unreadable(path, f"decades and offset in $P{n}E", found=keywords[f"$P{n}E"])
    kind = keywords.get(f"$P{n}DATATYPE", keywords.get("$DATATYPE", "I")).strip().upper()
    name = keywords.get(f"$P{n}N", "").strip() or f"P{n}"
    bits = whole_keyword(path, keywords, f"$P{n}B", "0")
    gain = number_keyword(path, keywords, f"$P{n}G", "1")
    if bits > _MOST_BITS:
        raise unreadable(path, f"8 to 64 bits in $P{n}B", found=keywords[f"$P{n}B"])
    if gain < 0:
        raise unreadable(path, f"a gain above 0 in $P{n}G", found=keywords[f"$P{n}G"])
    return Parameter(
        n,
        name,
        keywords.get(f"$P{n}S", "").strip(),
        bits,
        number_keyword(path, keywords, f"$P{n}R", "0"),
        decades,
        offset,
        gain,
        kind,
    )


def event_type(
    path: Path, keywords: Mapping[str, str], parameters: list[Parameter]
) -> "np.dtype[np.void]":
    """Layout of one event in the file; integers of 3, 5, 6 or 7 bytes are fields of bytes.

    Raises
    ------
    InputError
        Histogram mode, ASCII data, mixed byte orders, odd bit widths.
    """
    mode = keywords.get("$MODE", "L").strip().upper()
    if mode != "L":
        raise unreadable(path, "list mode data ($MODE L)", found=mode)
    order = keywords.get("$BYTEORD", "").replace(" ", "")
    if order not in _LITTLE + _BIG:
        raise unreadable(path, "byte order 1,2,3,4 or 4,3,2,1 in $BYTEORD", found=order or "none")
    mark = "<" if order in _LITTLE else ">"
    fields: list[tuple[str, str]] = []
    for parameter in parameters:
        size = {"F": 32, "D": 64}.get(parameter.kind, parameter.bits)
        if parameter.kind not in ("I", "F", "D") or size not in range(8, 65, 8):
            found = f"{parameter.kind} with {parameter.bits} bits in parameter {parameter.number}"
            raise unreadable(path, "data of type I, F or D in 8, 16 ... 64 bits", found=found)
        code = "u" if parameter.kind == "I" else "f"
        whole = size in (8, 16, 32, 64)
        kind = f"{mark}{code}{size // 8}" if whole else f"({size // 8},)u1"
        fields.append((f"p{parameter.number}", kind))
    return np.dtype(fields)


def widen_integers(events: NDArray[np.void], keywords: Mapping[str, str]) -> NDArray[np.void]:
    """Events whose fields of bytes are 64-bit integers; the same events where there are none."""
    types = {name: events.dtype[name] for name in events.dtype.names or ()}
    odd = {name for name, type_ in types.items() if type_.subdtype is not None}
    if not odd:
        return events
    little = keywords["$BYTEORD"].replace(" ", "") in _LITTLE
    wide = np.zeros(events.size, [(n, "<u8" if n in odd else t) for n, t in types.items()])
    for name in types:
        if name not in odd:
            wide[name] = events[name]
            continue
        columns = events[name].T if little else events[name].T[::-1]
        for place, column in enumerate(columns):
            wide[name] |= column.astype(np.uint64) << np.uint64(8 * place)
    return wide


def locate_data(
    path: Path, segments: Segments, length: int, event_bytes: int, parameters: list[Parameter]
) -> tuple[int, int, list[Problem]]:
    """First byte of DATA, number of events, and findings about offsets that disagree.

    HEADER and TEXT may state different offsets, and files of several cytometers end one byte
    late. The number of events in $TOT decides which statement fits.

    Raises
    ------
    InputError
        DATA begins or ends past the end of the file, no statement fits $TOT, or DATA is longer and
        the widths of $PnB are not those of $DATATYPE.
    """
    keywords = segments.keywords
    stated = {"HEADER": segments.header_data}
    if segments.version != "FCS2.0" and "$BEGINDATA" in keywords:
        begin = whole_keyword(path, keywords, "$BEGINDATA", "0")
        stated["TEXT"] = (begin, whole_keyword(path, keywords, "$ENDDATA", "0"))
    usable = {place: (b, e) for place, (b, e) in stated.items() if b > 0 and e >= b - 1}
    # A writer that was stopped leaves $TOT at 0 before complete DATA.
    total = whole_keyword(path, keywords, "$TOT", "0")
    if not total and not any(e - b + 1 >= event_bytes for b, e in usable.values()):
        return 0, 0, []
    if not usable:
        raise unreadable(path, "the place of DATA in HEADER or TEXT", found=str(stated))
    uncounted = []
    if not total:
        total = max((e - b + 1) // event_bytes for b, e in usable.values())
        uncounted = [(f"the number of events in $TOT; DATA has room for {total}", "none")]
    needed = total * event_bytes
    excess = {place: e - b + 1 - needed for place, (b, e) in usable.items()}
    # One byte late is a known defect; a wrong begin shows in a length far from the need.
    place = min(excess, key=lambda name: (abs(excess[name]), name != "TEXT"))
    begin = usable[place][0]
    if begin + needed > length:
        complete = max(length - begin, 0) // event_bytes
        found = f"{length} bytes, which hold {complete} of {total} events"
        raise unreadable(path, f"{begin + needed} bytes for $TOT = {total} events", found=found)
    if excess[place] < 0:
        found = f"room for {(needed + excess[place]) // event_bytes}"
        raise unreadable(path, f"DATA for $TOT = {total} events", found=found)
    told = _offset_findings(path, usable, place, excess[place], uncounted)
    if excess[place] >= event_bytes:
        room = (needed + excess[place]) // event_bytes
        told.append(_too_long(path, total, room, parameters))
    return begin, total, told


def _too_long(path: Path, total: int, room: int, parameters: list[Parameter]) -> Problem:
    """A finding about DATA with room for more events than $TOT.

    Floating-point values have 32 bits (F) or 64 (D), whatever $PnB says: a writer that meant the
    other type gives numbers that nobody measured.
    """
    widths = {"F": 32, "D": 64}
    wrong = [p for p in parameters if p.bits != widths.get(p.kind, p.bits)]
    if wrong:
        found = f"{wrong[0].kind} with {wrong[0].bits} bits in $P{wrong[0].number}B"
        remedy = "correct $DATATYPE or $PnB, or export the file again"
        expected = "the width that $DATATYPE has: F 32 bits, D 64 bits"
        raise unreadable(path, expected, found=found, remedy=remedy)
    expected = f"room for $TOT = {total} events in DATA; only those were read"
    remedy = "if events are missing, export the file again"
    return Problem(path.name, expected, remedy, Severity.WARNING, found=f"room for {room}")


def _offset_findings(
    path: Path,
    usable: dict[str, tuple[int, int]],
    place: str,
    excess: int,
    findings: list[tuple[str, str]],
) -> list[Problem]:
    if len(set(usable.values())) > 1:
        text = "; ".join(f"{name} {b}-{e}" for name, (b, e) in usable.items())
        expected = f"the same place of DATA in HEADER and TEXT; {place} fits $TOT and was used"
        findings.append((expected, text))
    if excess:
        findings.append(("DATA of exactly $TOT events", f"{excess} more byte(s), ignored"))
    remedy = "nothing to do if the counts look right"
    return [
        Problem(path.name, expected, remedy, severity=Severity.WARNING, found=found)
        for expected, found in findings
    ]


def linear_values(parameter: Parameter, raw: NDArray[np.generic]) -> Floats:
    """Raw values of one parameter on the linear scale.

    Integers are masked to $PnR's bits and, with $PnE decades d and offset f, become
    f 10^(d x / $PnR); f = 0 is taken as 1. Otherwise values are divided by the gain $PnG, which is
    that of a linear amplifier.
    """
    if parameter.kind == "I" and parameter.range > 1:
        width = min(math.ceil(math.log2(parameter.range)), parameter.bits)
        raw = np.asarray(raw).astype(np.uint64) & np.uint64(2**width - 1)
    # Values that are no numbers, or too large for one, are told of when the file is read.
    with np.errstate(invalid="ignore", over="ignore"):
        values: Floats = np.ascontiguousarray(raw, dtype=np.float64)
        if parameter.kind == "I" and parameter.decades > 0 and parameter.range > 0:
            values = 10 ** (parameter.decades * values / parameter.range)
            values = values * (parameter.offset or 1.0)
        elif parameter.gain not in (0.0, 1.0):
            values = values / parameter.gain
    return values


def byte_order_finding(
    path: Path, parameters: list[Parameter], events: NDArray[np.void]
) -> Problem | None:
    """An error if the stated byte order gives impossible values and the other one sound values."""
    stated, swapped = (
        sum(_impossible(p, sample[f"p{p.number}"]) for p in parameters)
        for sample in (events[:2000], events[:2000].byteswap().view(events.dtype))
    )
    limit = 0.01 * max(min(events.size, 2000), 1)
    if stated <= limit * len(parameters) or swapped > 0.1 * stated:
        return None
    return Problem(
        path.name,
        "values within the parameters' ranges; the other byte order gives them",
        "correct $BYTEORD, or export the file again",
        severity=Severity.UNREADABLE,
        column="$BYTEORD",
    )


def _impossible(parameter: Parameter, values: NDArray[np.generic]) -> int:
    if parameter.kind == "I":
        return int((values.astype(np.float64) >= max(parameter.range, 2.0)).sum())
    with np.errstate(invalid="ignore"):
        size = np.abs(values.astype(np.float64))
        strange = ~np.isfinite(size) | (size > 1e15) | ((size > 0) & (size < 1e-15))
    return int(strange.sum())
