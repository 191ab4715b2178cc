"""The assays of a trial folder: a section of the report for each sample sheet in ``assays/``."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from graftline.assays.sheet import named_files
from graftline.problems import ExtraMissingError, InputError, Problem, Severity
from graftline.report.assay_sources import FOLDER, trial_source
from graftline.report.value import Section
from graftline.schema.sheets import SHEETS, Sheet
from graftline.trial import Trial

_TOLD = 8
_NOT_DATA = (".md", ".txt", ".pdf", ".html")


@dataclass(frozen=True, slots=True)
class AssaySections:
    """Sections in the order of the sheets' declaration, and every finding."""

    sections: tuple[Section, ...] = ()
    problems: tuple[Problem, ...] = ()


def assay_sections(
    folder: Path,
    trial: Trial | None = None,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> AssaySections:
    """A section for each sample sheet in the trial folder's ``assays``.

    A sheet or file that cannot be used stops its own section only, which then says why.

    Parameters
    ----------
    folder : Path
        The trial folder.
    trial : Trial, optional
        Samples of patients it does not know are findings; those after its data cut are left out.
    """
    sections, problems = [], list[Problem]()
    for sheet, path in _sheets(folder):
        progress(f"Assays: {sheet.title}")
        try:
            # readers bring libraries that a trial without assays does not wait for
            from graftline.report.assay_readers import read_assay

            page = read_assay(trial_source(sheet, path, trial))
            section, found = page.section, page.problems
            found = _placed(found, folder, sheet, path)
        except InputError as error:
            found = _placed(error.problems, folder, sheet, path)
            section = _stopped(sheet, found)
        except ExtraMissingError as absent:
            found = _placed([_extra(path, str(absent))], folder, sheet, path)
            section = _without_extra(sheet, str(absent))
        sections.append(replace(section, id=f"assay-{sheet.name}"))
        problems += found
    return AssaySections(tuple(sections), (*problems, *_folder_findings(folder)))


def inspect_assays(
    folder: Path,
    trial: Trial | None = None,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Problem]:
    """Everything that is wrong with the assays of a trial folder; never raises for bad input."""
    problems = _folder_findings(folder)
    for sheet, path in _sheets(folder):
        progress(f"Assays: {sheet.title}")
        try:
            from graftline.report.assay_readers import inspect_assay

            found = inspect_assay(trial_source(sheet, path, trial))
        except InputError as error:
            found = error.problems
        except ExtraMissingError as absent:
            found = [_extra(path, str(absent))]
        problems += _placed(found, folder, sheet, path)
    return problems


def _sheets(folder: Path) -> Iterable[tuple[Sheet, Path]]:
    for name, sheet in SHEETS.items():
        path = folder / FOLDER / f"{name}.csv"
        if os.path.lexists(path):
            yield sheet, path


def _placed(problems: Iterable[Problem], folder: Path, sheet: Sheet, path: Path) -> list[Problem]:
    """Findings with the file's place in the trial folder instead of its name alone."""
    root = folder.resolve()
    files = {root / FOLDER / path.name, *named_files(path, sheet.columns)}
    places = {
        file.name: file.relative_to(root).as_posix() for file in files if file.is_relative_to(root)
    }
    return [replace(p, file=places.get(p.file, p.file)) for p in problems]


def _folder_findings(folder: Path) -> list[Problem]:
    """What lies in ``assays`` and is not read: sheets of another name, files no sheet names."""
    inside = folder / FOLDER
    if not os.path.lexists(inside):
        return []
    if not (inside.is_dir() and os.access(inside, os.R_OK | os.X_OK)):
        remedy = "nothing in it is read; make it a folder, or ask for the right to open it"
        return [Problem(FOLDER, "a folder that can be opened", remedy, Severity.UNREADABLE)]
    sheets = list(_sheets(folder))
    named = {path for _, path in sheets}
    for sheet, path in sheets:
        named |= named_files(path, sheet.columns)
    unread = sorted(
        path
        for path in inside.rglob("*")
        if os.path.isfile(path)
        and not {path, Path(os.path.realpath(path))} & named
        and not path.name.startswith((".", "~$"))
    )
    lacking = set(SHEETS) - {sheet.name for sheet, _ in sheets}
    misnamed = [p for p in unread if p.parent == inside and p.stem.lower() in lacking]
    others = [p for p in unread if p not in misnamed and p.suffix.lower() not in _NOT_DATA]
    return [_misnamed(path) for path in misnamed] + _unread(
        [path.relative_to(folder).as_posix() for path in others]
    )


def _misnamed(path: Path) -> Problem:
    expected = f"a sample sheet named {path.stem.lower()}.csv"
    remedy = "it is not read; save it as CSV under this name"
    return Problem(f"{FOLDER}/{path.name}", expected, remedy, Severity.WARNING)


def _unread(unread: list[str]) -> list[Problem]:
    if not unread:
        return []
    more = f" and {len(unread) - _TOLD} more" if len(unread) > _TOLD else ""
    known = ", ".join(f"{name}.csv" for name in SHEETS)
    return [
        Problem(
            FOLDER,
            f"files that a sample sheet ({known}) names",
            "these files are not read; add them to the sheet of their assay",
            Severity.WARNING,
            found=", ".join(unread[:_TOLD]) + more,
        )
    ]


def _stopped(sheet: Sheet, problems: Sequence[Problem]) -> Section:
    lines = [_line(problem) for problem in problems[:_TOLD]]
    if len(problems) > _TOLD:
        lines.append(f"{len(problems) - _TOLD} more; graftline check lists all.")
    opening = f"{FOLDER}/{sheet.name}.csv or a file it names cannot be used as it is:"
    return Section(sheet.name, sheet.title, missing=(opening, *lines))


def _line(problem: Problem) -> str:
    return "; ".join(part.strip() for part in str(problem).splitlines())


def _without_extra(sheet: Sheet, message: str) -> Section:
    return Section(sheet.name, sheet.title, missing=(" ".join(message.split()),))


def _extra(path: Path, message: str) -> Problem:
    said, _, how = " ".join(message.split()).partition(" Install it with: ")
    return Problem(path.name, "a package that is installed", how or said, Severity.WARNING)
