"""T-cell function of a trial: stimulated wells of a sheet, patients beside their donors."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from graftline.assays.flow.fcs import read_fcs
from graftline.assays.flow.gates import gate_sample
from graftline.assays.flow.gating_file import read_gating
from graftline.assays.function import (
    compare_people,
    net_responses,
    read_stimulation,
    summarize_responses,
)
from graftline.assays.intensities import gate_of
from graftline.assays.long_tables import read_stimulation_file
from graftline.assays.sheet import read_sheet
from graftline.assays.table_file import open_table_file
from graftline.problems import InputError, Problem
from graftline.schema.sheets import FUNCTION_SHEET

_WELL = ("subject", "role", "day", "stimulus", "replicate", "responding", "parent")


@dataclass(frozen=True, slots=True)
class FunctionStudy:
    """What stimulated wells say.

    ``wells`` [subject, patient, role, day, stimulus, replicate, responding, parent, percent,
    background_percent, net_percent], the unstimulated ones too (their net is null). ``summary`` as
    `function.summarize_responses` with ``patient``; ``people`` as `function.compare_people`.
    """

    wells: pl.DataFrame
    summary: pl.DataFrame
    people: pl.DataFrame
    problems: tuple[Problem, ...]


def function_study(
    path: Path,
    *,
    level: float = 0.05,
    without: Collection[int] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> FunctionStudy:
    """Percent responding net of unstimulated, per well, person and patients beside donors.

    Parameters
    ----------
    path : Path
        A sheet (columns as `graftline.schema.sheets.FUNCTION_SHEET`) or a table of wells with
        ``subject`` and ``role`` in place of ``patient`` and ``person``.
    level : float
        One-sided level of Fisher's exact test at which a person responds.
    without : collection of int
        Rows of the sheet to leave out.

    Raises
    ------
    InputError
        Faults of the sheet or of a file it names; as `function.read_stimulation`.
    """
    wells, problems = _wells(path, without, progress)
    owners = wells.select("subject", "patient").unique()
    summary = summarize_responses(wells.select(_WELL), level=level).join(
        owners, on="subject", how="left", validate="m:1"
    )
    net = net_responses(wells.select(_WELL)).drop("percent", "role")
    keys = ["subject", "day", "stimulus", "replicate"]
    table = (
        wells.with_columns(percent=100 * pl.col("responding") / pl.col("parent"))
        .join(net, on=keys, how="left", validate="1:1")
        .sort("patient", "role", "day", pl.col("stimulus") != "none", "stimulus", "replicate")
    )
    people = compare_people(summary, value="net_mean", role="role", person="subject")
    return FunctionStudy(
        table, summary.sort("patient", "role", "day", "stimulus"), people, problems
    )


def inspect_function(path: Path, *, without: Collection[int] = ()) -> list[Problem]:
    """Everything that is wrong with a sheet and the files it names."""
    return list(_wells(path, without, lambda _: None)[1])


def _wells(
    path: Path, without: Collection[int], progress: Callable[[str], None]
) -> tuple[pl.DataFrame, tuple[Problem, ...]]:
    if _is_plain_table(path):
        wells = read_stimulation_file(path)
        return wells.with_columns(patient=pl.col("subject").cast(pl.String)), ()
    rows = read_sheet(path, FUNCTION_SHEET.columns, without=without)
    counted, problems = _counts(path, rows, progress)
    table = counted.with_columns(
        subject=pl.concat_str("patient", "person", separator=" "), role="person"
    )
    wells = read_stimulation(table, file=path.name)
    owners = table.select("subject", "patient").unique()
    return wells.join(owners, on="subject", how="left", validate="m:1"), problems


def _is_plain_table(path: Path) -> bool:
    if path.is_dir():
        return False
    try:
        names = {name.lower() for name in open_table_file(path).columns}
    except InputError:
        return False  # the reader of sheets says what is wrong
    return {"subject", "role"} <= names and "person" not in names


def _counts(
    path: Path, rows: pl.DataFrame, progress: Callable[[str], None]
) -> tuple[pl.DataFrame, tuple[Problem, ...]]:
    """Events that respond and of their parent: as written, or counted in the file."""
    problems = _incomplete(path.name, rows)
    if problems:
        raise InputError(problems)
    responding, parent, notes = [], [], list[Problem]()
    for row in rows.iter_rows(named=True):
        if row["file"] is None:
            responding.append(row["responding"])
            parent.append(row["parent"])
            continue
        progress(f"Reading {Path(row['file']).name}")
        try:
            sample = read_fcs(row["file"])
            gating = Path(row["gating"])
            gated = gate_sample(sample, read_gating(gating))
            inside = [
                gate_of(gated, row[f"{side}_gate"], gating) for side in ("responding", "parent")
            ]
        except InputError as error:
            problems += error.problems
            continue
        notes += sample.problems
        responding.append(int((inside[0] & inside[1]).sum()))
        parent.append(int(inside[1].sum()))
    if problems:
        raise InputError(dict.fromkeys(problems))
    counted = rows.with_columns(
        responding=pl.Series(responding, dtype=pl.Int64), parent=pl.Series(parent, dtype=pl.Int64)
    )
    return counted, tuple(dict.fromkeys(notes))


def _incomplete(file: str, rows: pl.DataFrame) -> list[Problem]:
    problems = []
    for row in rows.iter_rows(named=True):
        wanted = (
            ("responding", "parent")
            if row["file"] is None
            else ("gating", "responding_gate", "parent_gate")
        )
        lacking = [name for name in wanted if row[name] is None]
        if lacking:
            expected = (
                "counts (responding, parent), or a file with gating, responding_gate, parent_gate"
            )
            problems.append(
                Problem(file, expected, f"fill in {', '.join(lacking)}", row=row["row"])
            )
    return problems
