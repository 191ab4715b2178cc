"""What is wrong with an input: where, what was found, what was expected, how to mend it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a problem stops.

    ``UNREADABLE`` stops everything, ``ERROR`` stops results, ``WARNING`` and ``NOTE`` stop nothing.
    """

    UNREADABLE = "unreadable"
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


_ORDER = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding about one place of an input.

    ``found`` is empty for identifying columns: privacy wins over helpfulness. ``row`` counts as a
    spreadsheet does: the header is row 1.
    """

    file: str
    expected: str
    remedy: str
    severity: Severity = Severity.ERROR
    row: int | None = None
    column: str | None = None
    patient: str | None = None
    found: str | None = None
    count: int = 1

    def __str__(self) -> str:
        """Three lines: place and value, what was expected, how to mend it."""
        place = [self.file]
        if self.row is not None:
            place.append(f"row {self.row}")
        if self.column is not None:
            place.append(f"column {self.column}")
        where = ", ".join(place)
        if self.patient is not None:
            where += f" ({self.patient})"
        found = "" if self.found is None else f": found {self.found!r}"
        more = f" (and {self.count - 1} more like it)" if self.count > 1 else ""
        return f"{where}{found}{more}\n  expected {self.expected}\n  {self.remedy}"


class InputError(Exception):
    """The files cannot be used as they are; carries every problem, not only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted_problems(problems)
        super().__init__(format_problems(self.problems))


class ExtraMissingError(ImportError):
    """A package of an optional extra is not installed; the message says which to install."""


class ProtocolError(InputError):
    """The protocol file cannot be used as it is."""


def sorted_problems(problems: Iterable[Problem]) -> list[Problem]:
    """Problems by file, row and column; in one place the gravest first."""
    return sorted(
        problems,
        key=lambda p: (p.file, p.row or 0, p.column or "", _ORDER[p.severity], p.found or ""),
    )


def stops_results(problems: Iterable[Problem]) -> bool:
    """Whether any of the problems forbids computing results."""
    return any(p.severity in (Severity.ERROR, Severity.UNREADABLE) for p in problems)


def exit_code(problems: Iterable[Problem]) -> int:
    """0 fine or warnings only, 1 findings that stop results, 2 unreadable."""
    severities = {p.severity for p in problems}
    if Severity.UNREADABLE in severities:
        return 2
    return 1 if Severity.ERROR in severities else 0


def format_problems(problems: Sequence[Problem]) -> str:
    """All problems as plain text, with the count at the end."""
    if not problems:
        return "No problems found."
    blocks = [f"{p.severity.upper()}: {p}" for p in problems]
    counts = Counter(dict.fromkeys(Severity, 0))
    for p in problems:
        counts[p.severity] += p.count
    parts = [_counted(n, severity.value) for severity, n in counts.items() if n]
    files = len({p.file for p in problems})
    end = f"{', '.join(parts)} in {_counted(files, 'file')}."
    if stops_results(problems):
        end += " Nothing was computed."
    return "\n".join([*blocks, end])


def _counted(number: int, noun: str) -> str:
    if noun == Severity.UNREADABLE:
        return f"{number} unreadable"
    return f"{number} {noun}{'s' * (number != 1)}"
