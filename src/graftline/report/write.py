"""From a trial folder to files: report.html, figures, tables, JSON."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from graftline.assess.assessment import assess_trial
from graftline.endpoints import derive_endpoints
from graftline.figures.theme import MANY_PATIENTS, Format, figure_bytes
from graftline.problems import (
    InputError,
    Problem,
    Severity,
    sorted_problems,
    stops_results,
)
from graftline.report.assays import assay_sections
from graftline.report.build import build_report
from graftline.report.html import render_html
from graftline.report.machine import machine_report
from graftline.report.value import Report
from graftline.tables.render import csv_table, latex_table, word_document
from graftline.trial import Trial
from graftline.trial.read import read_trial


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """What was written: the page, every file, and a few lines to tell the user."""

    page: Path
    files: tuple[Path, ...]
    summary: tuple[str, ...]


def write_report(
    folder: Path,
    out: Path,
    *,
    figures: Sequence[str] = (),
    tables: Sequence[str] = (),
    every_patient: bool = False,
    machine: bool = False,
    monitoring: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> WrittenReport:
    """Read a trial folder, judge it, and write its report.

    Parameters
    ----------
    folder : Path
        The trial folder.
    out : Path
        Where to write; made if absent.
    figures : sequence of {"pdf", "png", "svg"}
    tables : sequence of {"docx", "latex", "csv"}
    every_patient : bool
        Write figures and tables of the patients' pages as files however many they are; otherwise
        only those of up to sixty patients. The page and the JSON hold them always.
    machine : bool
        Write report.json.
    monitoring : bool
        Add the data-monitoring pack.
    progress : callable
        Told what is being done.

    Raises
    ------
    InputError
        The trial cannot be read as it is, or the results cannot be written.
    ExtraMissingError
        Word tables were asked for and python-docx is not installed.
    """
    trial = read_trial(folder)
    assays = assay_sections(folder, trial, progress=progress)
    trial = replace(trial, problems=tuple(sorted_problems([*trial.problems, *assays.problems])))
    progress("Assessing every criterion")
    assessed = assess_trial(trial)
    progress("Deriving endpoints")
    endpoints = derive_endpoints(trial, assessed)
    report = build_report(
        trial,
        assessed,
        endpoints,
        assays=assays.sections,
        monitoring=monitoring,
        progress=progress,
    )
    with says_unwritable(out):
        written = write_files(
            report,
            out,
            figures=figures,
            tables=tables,
            every_patient=every_patient,
            machine=machine,
            progress=progress,
        )
    summary = _summary(trial, report)
    if (figures or tables) and report.patients and not (every_patient or _few(report)):
        summary += (
            f"Timelines and tables of the {len(report.patients):,} patients are in the page only; "
            "--every-patient writes them as files too",
        )
    return WrittenReport(written[0], written, summary)


@contextmanager
def says_unwritable(out: Path) -> Iterator[None]:
    """Say which folder cannot be written, in the words of the system.

    Raises
    ------
    InputError
        The folder cannot be written, or the disk is full.
    """
    try:
        yield
    except OSError as error:
        remedy = f"{error.strerror or error}: free the disk or name another folder with --out"
        problem = Problem(str(out), "a folder that can be written", remedy, Severity.UNREADABLE)
        raise InputError([problem]) from error


def write_files(
    report: Report,
    out: Path,
    *,
    figures: Sequence[str] = (),
    tables: Sequence[str] = (),
    every_patient: bool = False,
    machine: bool = False,
    page: str = "report.html",
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Path, ...]:
    """Write a report that is already built; the page comes first in what is returned.

    Parameters
    ----------
    every_patient : bool
        Write figures and tables of more than sixty patients as files too.
    """
    out.mkdir(parents=True, exist_ok=True)
    progress("Writing the page")
    written = [_text(out / page, render_html(report))]
    shown = report if every_patient or _few(report) else replace(report, patients=())
    mark = "SIMULATED" if report.simulated else ""
    for kind in figures:
        progress(f"Writing figures as {kind}")
        for figure in shown.figures:
            path = out / "figures" / f"{figure.id}.{kind}"
            content = figure_bytes(figure.figure, cast("Format", kind), mark=mark)
            written.append(_bytes(path, content))
    for kind in tables:
        progress(f"Writing tables as {kind}")
        written += _write_tables(shown, out / "tables", kind)
    if machine:
        progress("Writing report.json")
        written.append(_text(out / "report.json", machine_report(report)))
    return tuple(written)


def _few(report: Report) -> bool:
    return len(report.patients) <= MANY_PATIENTS


def _write_tables(report: Report, folder: Path, kind: str) -> list[Path]:
    shown = [table for table in report.tables if table.rows]
    if kind == "docx":
        return [_bytes(folder / "tables.docx", word_document(shown))]
    if kind == "latex":
        return [_text(folder / f"{table.id}.tex", latex_table(table)) for table in shown]
    return [_text(folder / f"{table.id}.csv", csv_table(table)) for table in shown]


def _summary(trial: Trial, report: Report) -> tuple[str, ...]:
    warnings = sum(p.count for p in trial.problems if p.severity is Severity.WARNING)
    missing = sum(len(section.missing) for section in report.sections)
    lines = [f"{name}: {value}" for name, value in report.facts]
    # a trial with findings that stop results has no report: these are of its assays
    stopped = sorted({p.file for p in trial.problems if stops_results([p])})
    if stopped:
        lines.append(f"Not used as it is: {', '.join(stopped)}; graftline check says why")
    if warnings:
        word = "warning" if warnings == 1 else "warnings"
        lines.append(f"{warnings:,} {word} about the data; see: The data")
    if missing:
        word = "result" if missing == 1 else "results"
        lines.append(f"{missing} {word} could not be shown; each section says which records lack")
    return tuple(lines)


def _text(path: Path, text: str) -> Path:
    return _bytes(path, text.encode("utf-8"))


def _bytes(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
