"""One assay on a page of its own: what the command of an assay writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from graftline.problems import Problem
from graftline.report.value import Report, Section
from graftline.report.write import says_unwritable, write_files
from graftline.settings.value import Settings, value_text
from graftline.tables.findings import findings_table
from graftline.tables.settings import settings_table
from graftline.tables.value import ReportTable


@dataclass(frozen=True, slots=True)
class AssayPage:
    """What an assay shows: its section, the tables for the terminal, findings that stopped nothing.

    ``facts`` are what a reader wants first, as (name, value). ``trial_rows`` are rows of the
    trial's tables by name. ``said`` are sentences for the terminal: the page says it otherwise.
    """

    section: Section
    shown: Sequence[ReportTable] = ()
    problems: Sequence[Problem] = ()
    facts: Sequence[tuple[str, str]] = ()
    trial_rows: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    said: Sequence[str] = ()


def with_settings(page: AssayPage, settings: Settings) -> AssayPage:
    """The page with the table of its settings below all others."""
    tables = (*page.section.tables, settings_table(settings))
    chosen = [
        f"{one.setting.name.replace('_', ' ')} {value_text(one.setting, one.value)} ({one.origin})"
        for one in settings.chosen
        if one.value != one.setting.default
    ]
    said = (*page.said, *((f"Settings: {', '.join(chosen)}.",) if chosen else ()))
    return replace(page, section=replace(page.section, tables=tables), said=said)


def write_assay_page(
    page: AssayPage, out: Path, *, name: str, source: str, figures: Sequence[str] = ()
) -> Path:
    """Write ``<name>.html``, its tables as CSV and its figures; return the page.

    Parameters
    ----------
    page : AssayPage
        Its findings are listed in full below the section.
    out : Path
        Where to write; made if absent.
    name : str
        Of the page's file, without ending.
    source : str
        What the page was made from.
    figures : sequence of {"pdf", "png", "svg"}

    Raises
    ------
    InputError
        The folder cannot be written.
    """
    sections = [page.section]
    findings = findings_table(page.problems)
    if findings.rows:
        sections.append(Section("data", "The data", (), (findings,)))
    report = Report(page.section.title, source, False, tuple(page.facts), (), tuple(sections))
    with says_unwritable(out):
        written = write_files(report, out, figures=figures, tables=("csv",), page=f"{name}.html")
    return written[0]


def write_trial_rows(tables: Mapping[str, pl.DataFrame], out: Path) -> list[Path]:
    """Rows of the trial's tables as CSV in its declared columns, ``<table>.csv`` in a folder.

    Raises
    ------
    InputError
        The folder cannot be written.
    """
    written = []
    with says_unwritable(out):
        for name, table in tables.items():
            path = out / f"{name}.csv"
            table.write_csv(path)
            written.append(path)
    return written
