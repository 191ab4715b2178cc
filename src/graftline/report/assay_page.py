"""One assay on a page of its own: what the command of an assay writes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from graftline.problems import Problem
from graftline.report.value import Report, Section
from graftline.report.write import says_unwritable, write_files
from graftline.tables.findings import findings_table


def write_assay_page(
    section: Section,
    out: Path,
    *,
    name: str,
    title: str,
    source: str,
    problems: Sequence[Problem] = (),
    facts: Sequence[tuple[str, str]] = (),
    figures: Sequence[str] = (),
) -> Path:
    """Write ``<name>.html``, its tables as CSV and its figures; return the page.

    Parameters
    ----------
    section : Section
        The assay's section of the report.
    out : Path
        Where to write; made if absent.
    name : str
        Of the page's file, without ending.
    title, source : str
        Heading of the page, and what it was made from.
    problems : sequence of Problem
        Findings that stopped nothing; listed in full below the section.
    facts : sequence of (name, value)
        What a reader wants first.
    figures : sequence of {"pdf", "png", "svg"}

    Raises
    ------
    InputError
        The folder cannot be written.
    """
    sections = [section]
    findings = findings_table(problems)
    if findings.rows:
        sections.append(Section("data", "The data", (), (findings,)))
    report = Report(title, source, False, tuple(facts), (), tuple(sections))
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
