"""Spillover matrices: from FCS keywords or CSV, and compensation by them."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graftline.problems import InputError, Problem, Severity

Floats = NDArray[np.float64]
_PERCENT = 10
# What FlowJo and others put before the names of channels that they export compensated.
_APPLIED = "Comp-"
_KEYWORDS = ("$SPILLOVER", "SPILLOVER", "SPILL", "$SPILL", "$COMP", "COMP")


@dataclass(frozen=True, slots=True)
class Spillover:
    """Share of each detector's dye (row) that other detectors (columns) see; diagonal 1."""

    detectors: tuple[str, ...]
    matrix: Floats


def read_spillover(
    path: Path,
    keywords: Mapping[str, str],
    channels: Sequence[str],
    markers: Sequence[str] = (),
) -> tuple[Spillover | None, list[Problem]]:
    """The matrix of an FCS file under any of its keyword spellings, None if it has none.

    A matrix that cannot be used is reported and left out: the file is still good uncompensated.
    """
    problems: list[Problem] = []
    for keyword in _KEYWORDS:
        text = keywords.get(keyword, "").strip()
        if not text:
            continue
        found = _parse(text, channels, markers)
        if isinstance(found, Spillover):
            return found, problems
        applied = [name for name in channels if name.startswith(_APPLIED)]
        expected = f"a usable matrix: {found}"
        remedy = "give the matrix as a CSV file in the gating file"
        if applied:
            expected = f"a matrix still to apply; {', '.join(applied)} are compensated"
            remedy = "nothing to do: values are gated as they are"
        problems.append(
            Problem(path.name, expected, remedy, Severity.WARNING, column=keyword, found=text[:60])
        )
    return None, problems


def _parse(text: str, channels: Sequence[str], markers: Sequence[str]) -> Spillover | str:
    tokens = [token.strip() for token in text.replace("\t", ",").split(",")]
    if not (tokens[0].isascii() and tokens[0].isdigit()):
        return "the number of detectors comes first"
    n = int(tokens[0])
    if n < 1 or len(tokens) < 1 + n + n * n:
        return f"{n} detectors need {n} names and {n * n} numbers"
    names = [_channel(name, channels, markers) for name in tokens[1 : n + 1]]
    try:
        matrix = np.array([float(t) for t in tokens[n + 1 : n + 1 + n * n]]).reshape(n, n)
    except ValueError:
        return "all coefficients are numbers"
    absent = [name for name in names if name not in channels]
    if absent:
        return f"its detectors are channels of the file, unlike {', '.join(absent)}"
    fault = _fault(names, matrix)
    return fault or Spillover(tuple(names), matrix)


def _channel(name: str, channels: Sequence[str], markers: Sequence[str]) -> str:
    """The channel meant: by name, marker ($PnS), parameter number, or name in other case."""
    if name in channels:
        return name
    if list(markers).count(name) == 1:
        return channels[list(markers).index(name)]
    if name.isascii() and name.isdigit() and 0 < int(name) <= len(channels):
        return channels[int(name) - 1]
    return next((c for c in channels if c.upper() == name.upper()), name)


def _fault(names: Sequence[str], matrix: Floats) -> str | None:
    if len(set(names)) < len(names):
        return "each detector occurs once"
    if not np.isfinite(matrix).all():
        return "all coefficients are numbers"
    if not np.linalg.cond(matrix) < 1e12:
        return "it can be inverted"
    if (np.diag(matrix) > _PERCENT).all():
        return "its diagonal is 1; these seem to be percentages, to be divided by 100"
    return None


def changes_nothing(spillover: Spillover) -> bool:
    """Whether a matrix leaves every value as it is: spectral files carry such ones."""
    return bool(np.allclose(spillover.matrix, np.eye(len(spillover.detectors)), atol=1e-5))


def read_spillover_csv(path: str | Path) -> Spillover:
    """A matrix as CSV: detectors in the first line, one row of numbers per detector.

    The first line may begin with ``#``; a first column of row names is allowed. Of FlowJo's names
    (``FITC-A :: CD3``) the detector is taken. Cells are separated by commas, semicolons or tabs.

    Raises
    ------
    InputError
        Not square, not numbers, or not invertible.
    """
    path = Path(path)
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError([_csv_problem(path, f"a readable text file ({fault})")]) from None
    separator = max(",;\t", key=lines[0].count) if lines else ","
    try:
        parted = list(csv.reader(lines, delimiter=separator))
    except csv.Error as fault:
        raise InputError([_csv_problem(path, f"a matrix as CSV ({fault})")]) from None
    rows = [row for row in parted if any(cell.strip() for cell in row)]
    if len(rows) < 2:
        raise InputError([_csv_problem(path, "a line of detectors and rows of numbers")])
    header = [cell.strip().removeprefix("#").strip() for cell in rows[0]]
    named = header[0] == "" or len(rows[1]) == len(header) + 1
    names = [name.split(" :: ")[0] for name in (header[1:] if header[0] == "" else header)]
    body = [row[1:] if named else row for row in rows[1:]]
    try:
        matrix = np.array([[float(cell) for cell in row] for row in body])
    except ValueError:
        raise InputError([_csv_problem(path, "numbers in rows of equal length")]) from None
    if matrix.shape != (len(names), len(names)):
        expected = f"a square matrix, {len(names)} x {len(names)} as the first line says"
        raise InputError([_csv_problem(path, expected)])
    fault_found = _fault(names, matrix)
    if fault_found:
        raise InputError([_csv_problem(path, f"a usable matrix: {fault_found}")])
    return Spillover(tuple(names), matrix)


def _csv_problem(path: Path, expected: str) -> Problem:
    return Problem(path.name, expected, "export the matrix again as CSV")


def compensate(values: Floats, spillover: Spillover) -> Floats:
    """Events with spillover removed: each row times the inverse of the matrix.

    Parameters
    ----------
    values : array, shape (events, detectors)
        Linear values in the order of ``spillover.detectors``.
    """
    return np.asarray(np.linalg.solve(spillover.matrix.T, values.T).T, dtype=np.float64)
