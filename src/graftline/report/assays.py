"""The assays of a trial folder: a section of the report for each sample sheet in ``assays/``."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from graftline.assays.sheet import named_files, read_sheet, sheet_notes
from graftline.problems import ExtraMissingError, InputError, Problem, Severity
from graftline.report.value import Section
from graftline.schema.sheets import SHEETS, Sheet
from graftline.trial import Trial

if TYPE_CHECKING:
    from graftline.report.assay_readers import AssayReader

FOLDER = "assays"
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
        Samples of patients it does not know are findings.
    """
    sections, problems = [], list[Problem]()
    for sheet, path in _sheets(folder):
        progress(f"Assays: {sheet.title}")
        try:
            section, found = _reader(sheet).section(path, trial)
            found = (*found, *_sheet_findings(sheet, path, trial))
        except InputError as error:
            section, found = _stopped(sheet, error.problems), tuple(error.problems)
        except ExtraMissingError as absent:
            section, found = _without_extra(sheet, str(absent)), (_extra(path, str(absent)),)
        sections.append(replace(section, id=f"assay-{sheet.name}"))
        problems += _placed(found, folder, sheet, path)
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
            found = [*_reader(sheet).inspect(path, trial)]
            found += _sheet_findings(sheet, path, trial)
        except InputError as error:
            found = error.problems
        except ExtraMissingError as absent:
            found = [_extra(path, str(absent))]
        problems += _placed(found, folder, sheet, path)
    return problems


def _reader(sheet: Sheet) -> "AssayReader":
    # Readers bring libraries that a trial without assays does not wait for.
    from graftline.report.assay_readers import READERS

    return READERS[sheet.name]


def _sheets(folder: Path) -> Iterable[tuple[Sheet, Path]]:
    for name, sheet in SHEETS.items():
        path = folder / FOLDER / f"{name}.csv"
        if path.exists():
            yield sheet, path


def _sheet_findings(sheet: Sheet, path: Path, trial: Trial | None) -> list[Problem]:
    notes = sheet_notes(path, sheet.columns)
    if trial is None:
        return notes
    rows = read_sheet(path, sheet.columns)
    if "patient" not in rows.columns:
        return notes
    known = trial.patients["patient"].drop_nulls().unique().to_list()
    found = [*notes, *_after_cut(path, rows, trial)]
    strangers = rows.filter(pl.col("patient").is_not_null(), ~pl.col("patient").is_in(known))
    return found + [
        Problem(
            path.name,
            "a patient of the trial",
            "correct the study ID, or add the patient to patients.csv",
            Severity.WARNING,
            row=row,
            column="patient",
            found=patient,
        )
        for row, patient in strangers.select("row", "patient").rows()
    ]


def _after_cut(path: Path, rows: pl.DataFrame, trial: Trial) -> list[Problem]:
    cut = trial.settings.data_cut_day
    if cut is None or "day" not in rows.columns:
        return []
    return [
        Problem(
            path.name,
            f"samples up to the data cut, day {cut:g}",
            "the assay's section holds it all the same; delete the row to leave it out",
            Severity.WARNING,
            row=row,
            column="day",
            found=f"{day:g}",
        )
        for row, day in rows.filter(pl.col("day") > cut).select("row", "day").rows()
    ]


def _placed(
    problems: Iterable[Problem], folder: Path, sheet: Sheet, path: Path
) -> Iterable[Problem]:
    """Findings with the file's place in the trial folder instead of its name alone."""
    root = folder.resolve()
    files = {path.resolve(), *named_files(path, sheet.columns)}
    places = {
        file.name: file.relative_to(root).as_posix() for file in files if file.is_relative_to(root)
    }
    return (replace(p, file=places.get(p.file, p.file)) for p in problems)


def _folder_findings(folder: Path) -> list[Problem]:
    """Files in ``assays`` that no sheet names."""
    inside = folder / FOLDER
    if not inside.is_dir():
        return []
    named = {path.resolve() for _, path in _sheets(folder)}
    for sheet, path in _sheets(folder):
        named |= named_files(path, sheet.columns)
    unread = sorted(
        path.relative_to(folder).as_posix()
        for path in inside.rglob("*")
        if path.is_file()
        and path.resolve() not in named
        and not path.name.startswith((".", "~$"))
        and path.suffix.lower() not in _NOT_DATA
    )
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
