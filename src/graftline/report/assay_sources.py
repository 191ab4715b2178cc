"""Where an assay is read from: its sheet, the trial it belongs to, and the settings that hold."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from graftline.assays.sheet import is_sheet, read_sheet, sheet_notes
from graftline.problems import InputError, Problem, Severity
from graftline.schema.sheets import SHEETS, Sheet
from graftline.settings.assays import chosen_settings
from graftline.settings.value import Settings, Value
from graftline.trial import Trial
from graftline.trial.cut import rows_after_cut
from graftline.trial.identity import safe_text
from graftline.trial.read import read_trial
from graftline.trial.timeline import hsct_days

FOLDER = "assays"


@dataclass(frozen=True, slots=True)
class AssaySource:
    """One sheet to be read.

    ``without`` are its rows after the data cut, which are left out; ``everything_cut`` where none
    is left. ``gating`` is the gating file of rows that name none. ``trial_folder`` is where the
    trial lies. ``problems`` are findings about the sheet and the trial; they stop nothing.
    """

    sheet: Path
    settings: Settings
    trial: Trial | None = None
    without: tuple[int, ...] = ()
    everything_cut: bool = False
    gating: Path | None = None
    trial_folder: Path | None = None
    problems: tuple[Problem, ...] = ()


def is_trial(path: Path) -> bool:
    """Whether a path is a trial folder."""
    return (path / "protocol.toml").is_file()


def has_sheet(assay: str, inputs: Sequence[Path]) -> bool:
    """Whether what a command was given is a trial folder or a sample sheet, and not files."""
    return len(inputs) == 1 and (is_trial(inputs[0]) or is_sheet(inputs[0], SHEETS[assay].columns))


def find_source(assay: str, path: Path, given: Mapping[str, Value]) -> AssaySource:
    """What a command is to read: a trial's sheet, or one by itself.

    A trial folder, or a sheet where a trial has it (``TRIAL/assays/<assay>.csv``), is read as the
    trial's report reads it: with its settings, its days of HSPC and its data cut.

    Parameters
    ----------
    given : mapping of name to value
        Settings of the command line; they come before the trial's.

    Raises
    ------
    InputError
        The trial or the sheet cannot be used.
    """
    # links are not followed: a sheet linked into a trial is the trial's
    declared, full = SHEETS[assay], Path(os.path.abspath(path))
    folder = full if is_trial(full) else full.parent.parent
    sheet = folder / FOLDER / f"{assay}.csv"
    if full not in (folder, sheet) or not is_trial(folder):
        settings = chosen_settings(assay, given=given)
        return AssaySource(path, settings, problems=tuple(sheet_notes(path, declared.columns)))
    if not sheet.is_file():
        expected = f"a sample sheet {FOLDER}/{assay}.csv in the trial folder"
        remedy = "write one; the guide of the trial folder (docs/trial-folder.md) has its columns"
        raise InputError([Problem(path.name, expected, remedy, Severity.UNREADABLE)])
    found = trial_source(declared, sheet, read_trial(folder), given=given)
    return replace(found, trial_folder=folder)


def trial_source(
    sheet: Sheet, path: Path, trial: Trial | None, *, given: Mapping[str, Value] | None = None
) -> AssaySource:
    """A sheet of a trial folder, with what the trial says about it.

    Parameters
    ----------
    trial : Trial, optional
        None where it cannot be read: the settings are then the defaults, and nothing is cut.

    Raises
    ------
    InputError
        The sheet cannot be used.
    """
    rows = read_sheet(path, sheet.columns)
    notes = sheet_notes(path, sheet.columns)
    if trial is None:
        return AssaySource(path, chosen_settings(sheet.name, given=given), problems=tuple(notes))
    settings = chosen_settings(
        sheet.name,
        given=given,
        folder=trial.settings.assays.get(sheet.name),
        definitions=trial.protocol.definitions.model_dump(),
    )
    known = rows.with_columns(pl.lit(None, pl.Float64).alias("day")) if "day" not in rows else rows
    cut = rows_after_cut(known, trial)["row"].to_list()
    notes += [
        *_strangers(path.name, rows, trial),
        *_other_hsct_days(path.name, rows, trial),
        *_cut_notes(path.name, rows, cut, trial),
    ]
    return AssaySource(
        path, settings, trial, tuple(cut), len(cut) == rows.height, problems=tuple(notes)
    )


def _strangers(file: str, rows: pl.DataFrame, trial: Trial) -> list[Problem]:
    """Patients of the sheet whom the trial does not know, each once."""
    known = trial.patients["patient"].drop_nulls().unique().to_list()
    found = (
        rows.filter(pl.col("patient").is_not_null(), ~pl.col("patient").is_in(known))
        .group_by("patient", maintain_order=True)
        .agg(pl.col("row").min(), count=pl.len())
    )
    return [
        Problem(
            file,
            "a patient of the trial",
            "correct the study ID, or add the patient to patients.csv",
            Severity.WARNING,
            row=row,
            column="patient",
            found=safe_text(patient),
            count=count,
        )
        for patient, row, count in found.rows()
    ]


def _other_hsct_days(file: str, rows: pl.DataFrame, trial: Trial) -> list[Problem]:
    """Patients whose day of HSPC in the sheet is not that of the trial."""
    if "hsct_day" not in rows.columns:
        return []
    known = hsct_days(trial).select("patient", trial_day="hsct_day")
    other = (
        rows.join(known, on="patient", how="inner", validate="m:1", maintain_order="left")
        .filter(pl.col("hsct_day") != pl.col("trial_day"))
        .group_by("patient", "hsct_day", "trial_day", maintain_order=True)
        .agg(pl.col("row").min())
    )
    return [
        Problem(
            file,
            f"the trial's day of HSPC, {day:g}",
            "months count from the sheet's day; correct one of the two, or empty the column",
            Severity.WARNING,
            row=row,
            column="hsct_day",
            patient=safe_text(patient),
            found=f"{own:g}",
        )
        for patient, own, day, row in other.rows()
    ]


def _cut_notes(file: str, rows: pl.DataFrame, cut: list[int], trial: Trial) -> list[Problem]:
    """What the data cut left out, or that it could not be applied."""
    if cut:
        remedy = "later samples are left out of every result"
        note = Problem(
            file,
            "samples up to the data cut",
            remedy,
            Severity.NOTE,
            row=cut[0],
            column="day",
            count=len(cut),
        )
        return [note]
    if "day" in rows.columns or not trial.cut_days.height:
        return []
    remedy = "nothing was cut: the sheet has no days; delete the rows of files after the cut"
    return [Problem(file, "files up to the data cut", remedy, Severity.NOTE)]
