"""What a report is before it is written anywhere: sections of text, tables and figures."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl
from matplotlib.figure import Figure

from graftline.assess.assessment import Assessments
from graftline.figures.drawing import Drawing
from graftline.tables.analyses import Analysis
from graftline.tables.value import ReportTable
from graftline.trial import Trial


@dataclass(frozen=True, slots=True)
class Inputs:
    """What every section is made from: the trial, its answers, its endpoint rows."""

    trial: Trial
    assessed: Assessments
    endpoints: pl.DataFrame


@dataclass(frozen=True, slots=True)
class ReportFigure:
    """One figure with its caption; ``title`` is what a reader who cannot see it is told."""

    id: str
    title: str
    caption: str
    figure: Figure | Drawing


@dataclass(frozen=True, slots=True)
class Section:
    """One section: paragraphs, tables, figures, and what is missing in plain sentences."""

    id: str
    title: str
    text: tuple[str, ...] = ()
    tables: tuple[ReportTable, ...] = ()
    figures: tuple[ReportFigure, ...] = ()
    missing: tuple[str, ...] = ()
    list_items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report; ``patients`` are the pages of single patients."""

    title: str
    subtitle: str
    simulated: bool
    facts: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    sections: tuple[Section, ...]
    patients: tuple[Section, ...] = field(default=())

    @property
    def tables(self) -> tuple[ReportTable, ...]:
        """Every table of the sections and of the patients' pages, in order."""
        return tuple(t for s in (*self.sections, *self.patients) for t in s.tables)

    @property
    def figures(self) -> tuple[ReportFigure, ...]:
        """Every figure, in order."""
        return tuple(f for s in (*self.sections, *self.patients) for f in s.figures)


def no_records(trial: Trial, what: str, tables: Sequence[str]) -> str:
    """Say plainly that something cannot be shown, and which table would be needed.

    Parameters
    ----------
    what : str
        What is missing, in words, such as ``"CAR-T kinetics"``.
    tables : sequence of str
        Tables of the trial folder it would come from.
    """
    if trial.settings.simulated:
        return f"{what[:1].upper()}{what[1:]}: not modelled."
    absent = [f"{name}.csv" for name in tables if name not in trial.present]
    if absent:
        return f"No records: {what} would come from {' or '.join(absent)}, not in the trial folder."
    names = " or ".join(f"{name}.csv" for name in tables)
    return f"No records: {names} has no rows that bear on {what}."


def assumed_times(analyses: Sequence[Analysis]) -> str:
    """Say how many of the times of a curve are assumed; empty where none is."""
    counts = [int(a.rows["assumed"].sum()) for a in analyses]
    if not any(counts):
        return ""
    parts = (f"{n} of {a.rows.height}" for n, a in zip(counts, analyses, strict=True))
    return f"Times assumed: {', '.join(dict.fromkeys(parts))}."


def no_course(what: str) -> str:
    """Say that a course over time is not drawn because no event of it has a recorded day."""
    return (
        f"The cumulative incidence of {what} is not drawn: no follow-up, or no event with a "
        "recorded day. Counts are in the tables."
    )


def filled(
    trial: Trial, table: ReportTable | None, what: str, tables: Sequence[str]
) -> tuple[tuple[ReportTable, ...], tuple[str, ...]]:
    """The table where it has rows, else the sentence that says what is missing."""
    if table is not None and table.rows:
        return (table,), ()
    return (), (no_records(trial, what, tables),)
