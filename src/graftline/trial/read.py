"""A trial folder into a ``Trial``: read, cast, dated, cut and checked, with every finding."""

from dataclasses import replace
from pathlib import Path

import polars as pl

from graftline.problems import InputError, Problem, Severity, sorted_problems, stops_results
from graftline.protocol import Protocol, TrialSettings, read_trial_protocol
from graftline.trial.cast import cast_table
from graftline.trial.check import check_trial
from graftline.trial.cut import cut_days, cut_table
from graftline.trial.dates import index_dates, resolve_days
from graftline.trial.files import RawTable, read_folder
from graftline.trial.findings import Findings
from graftline.trial.trial import Trial, trial_from_tables


def read_trial(folder: Path | str) -> Trial:
    """Read a trial folder that results can be computed from.

    Parameters
    ----------
    folder : path
        Holds ``protocol.toml`` and the tables as CSV, Parquet or one Excel workbook.

    Raises
    ------
    InputError
        Something stops results; it carries all findings, warnings too.
    """
    trial, problems = inspect_trial(folder)
    if trial is None or stops_results(problems):
        raise InputError(problems)
    return trial


def inspect_trial(folder: Path | str) -> tuple[Trial | None, list[Problem]]:
    """Read a trial folder and say everything that is wrong with it; never raises for bad input.

    Returns
    -------
    trial : Trial or None
        None where the protocol or a required table cannot be read. With problems of severity error
        the trial is there to look at, but no result may be computed from it.
    problems : list of Problem
        Sorted by severity, file, row.
    """
    folder = Path(folder)
    problems: list[Problem] = []
    protocol, settings = _protocol(folder, problems)
    raw, found = read_folder(folder)
    problems += found
    if protocol is None or settings is None or any(_is_fatal(p) for p in found):
        for one in raw:  # say what is wrong with the readable tables all the same
            problems += cast_table(one)[1]
        return None, sorted_problems(problems)
    trial, found = _assemble(raw, protocol, settings)
    problems = sorted_problems(problems + found)
    return replace(trial, problems=tuple(problems)), problems


def _protocol(
    folder: Path, problems: list[Problem]
) -> tuple[Protocol | None, TrialSettings | None]:
    if not folder.is_dir():
        return None, None
    try:
        return read_trial_protocol(folder / "protocol.toml")
    except InputError as error:
        problems += error.problems
        return None, None


def _is_fatal(problem: Problem) -> bool:
    return problem.severity == Severity.UNREADABLE


def _assemble(
    raw: list[RawTable], protocol: Protocol, settings: TrialSettings
) -> tuple[Trial, list[Problem]]:
    problems: list[Problem] = []
    cast: dict[str, pl.DataFrame] = {}
    for one in raw:
        cast[one.table], found = cast_table(one, decimal=settings.decimal)
        problems += found
    index = index_dates(cast["infusions"], protocol.index_infusion)
    cuts = cut_days(index, settings.data_cut, None)
    if settings.data_cut_day is not None:
        everyone = (
            cast["patients"]
            .select("patient")
            .drop_nulls()
            .unique()
            .join(cuts, on="patient", how="left")
        )
        cuts = everyone.with_columns(
            cut_day=pl.min_horizontal("cut_day", pl.lit(float(settings.data_cut_day)))
        )
    tables = {}
    for one in raw:
        days, findings = resolve_days(cast[one.table], one, index)
        tables[one.table] = set_aside(days, findings)
        problems += findings.problems
    whole = trial_from_tables(
        protocol, tables, settings=settings, files=tuple(one.source for one in raw)
    )
    problems += check_trial(whole)
    if settings.data_cut is not None and index.height == 0:
        problems.append(_no_dates(settings))
    if cuts.select(pl.col("cut_day").is_null().all()).item():
        return whole, problems
    cut = {name: cut_table(frame, name, cuts) for name, frame in tables.items()}
    left_out = sum(tables[name].height - frame.height for name, frame in cut.items())
    if left_out:
        problems.append(_cut_note(left_out))
    known = trial_from_tables(protocol, cut, settings=settings, files=whole.files)
    return replace(known, cut_days=cuts), problems


def set_aside(frame: pl.DataFrame, findings: Findings) -> pl.DataFrame:
    """Leave out the rows marked ``excluded``, and list each with its reason."""
    if "excluded" not in frame.columns:
        return frame
    marked = frame.filter(pl.col("excluded").is_not_null())
    findings.rows(
        marked.select("row", "patient", found="excluded"),
        "excluded",
        "rows that are used",
        "this row is set aside for the reason given; empty the field to use it",
        severity=Severity.NOTE,
    )
    return frame.filter(pl.col("excluded").is_null())


def _no_dates(settings: TrialSettings) -> Problem:
    return Problem(
        "protocol.toml",
        "infusion dates in infusions, for a calendar data cut to be applied",
        "nothing was cut; the records are taken as they stood at the cut",
        Severity.NOTE,
        column="trial.data_cut",
        found=str(settings.data_cut),
    )


def _cut_note(rows: int) -> Problem:
    return Problem(
        "protocol.toml",
        "records up to the data cut",
        f"{rows} later records were left out of every result",
        Severity.NOTE,
        column="trial.data_cut",
    )
