"""Mixed-lymphocyte reaction of a trial: wells of a sheet, patients beside their donors."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from graftline.assays.function import compare_people
from graftline.assays.intensities import read_intensities
from graftline.assays.mlr import UNLABELLED, JudgedWell, Well, judge_wells, wells_table
from graftline.assays.sheet import read_sheet, repeated_rows
from graftline.problems import InputError, Problem, Severity, stops_results
from graftline.schema.sheets import MLR_SHEET

UNSTIMULATED = "none"
LEAST_UNSTIMULATED = 200
LEAST_STIMULATED = 50


@dataclass(frozen=True, slots=True)
class MlrOptions:
    """Highest generation looked for, and the autofluorescence where it is known."""

    generations: int = 8
    autofluorescence: float | None = None


@dataclass(frozen=True, slots=True)
class MlrStudy:
    """What the wells of a sheet say.

    ``wells`` are one row per labelled well: ``row, patient, person, day, file`` beside the columns
    of `mlr.wells_table`. ``replicates`` are means over wells [patient, person, day, subject,
    stimulus, replicates, net_mean, net_sd, low_mean, division_index_mean, division_index_sd].
    ``people`` compares patients with donors per stimulus, as `function.compare_people`. ``judged``
    are the fits, for figures; ``at_rest`` the unstimulated cells of each subject.
    """

    options: MlrOptions
    wells: pl.DataFrame
    replicates: pl.DataFrame
    people: pl.DataFrame
    judged: tuple[JudgedWell, ...]
    at_rest: dict[str, np.ndarray]
    problems: tuple[Problem, ...]


def mlr_study(
    sheet: Path,
    *,
    options: MlrOptions | None = None,
    without: Collection[int] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> MlrStudy:
    """Percent CFSE-low net of unstimulated, division indices and patients beside donors.

    Parameters
    ----------
    sheet : Path
        Columns as `graftline.schema.sheets.MLR_SHEET`.
    without : collection of int
        Rows of the sheet to leave out.

    Raises
    ------
    InputError
        Faults of the sheet or of a file it names, all of them; a person and day without an
        unstimulated well, or with fewer than 200 cells in it.
    """
    options = options or MlrOptions()
    rows = _rows(sheet, without)
    wells, problems = _read_wells(sheet, rows, progress)
    problems += _faulty_wells(sheet.name, rows, wells)
    if stops_results(problems):
        raise InputError(dict.fromkeys(problems))
    usable = {row: well for row, well in wells.items() if _is_enough(well)}
    progress("Fitting generations")
    judged = judge_wells(
        list(usable.values()),
        generations=options.generations,
        autofluorescence=options.autofluorescence,
    )
    table = _with_people(rows, usable, wells_table(judged))
    replicates = _replicates(table)
    return MlrStudy(
        options,
        table,
        replicates,
        compare_people(
            replicates.filter(pl.col("stimulus") != UNSTIMULATED), value="net_mean", role="person"
        ),
        judged,
        _at_rest(usable),
        tuple(dict.fromkeys(problems)),
    )


def inspect_mlr(sheet: Path, *, without: Collection[int] = ()) -> list[Problem]:
    """Everything that is wrong with a sheet and the files it names, without a fit."""
    rows = _rows(sheet, without)
    wells, problems = _read_wells(sheet, rows, lambda _: None)
    return list(dict.fromkeys([*problems, *_faulty_wells(sheet.name, rows, wells)]))


def _rows(sheet: Path, without: Collection[int]) -> pl.DataFrame:
    rows = read_sheet(sheet, MLR_SHEET.columns, without=without).with_columns(
        pl.col("stimulus").str.to_lowercase().str.replace_all(r"[\s-]+", "_")
    )
    problems = repeated_rows(
        rows.with_columns(pl.col("day", "replicate").cast(pl.String)),
        ["patient", "person", "day", "stimulus", "replicate"],
        file=sheet.name,
        expected="each well once",
        remedy="number the replicates",
    )
    problems += [
        Problem(sheet.name, "a gating file, as a population is named", "add it", row=row)
        for (row,) in rows.filter(pl.col("population").is_not_null(), pl.col("gating").is_null())
        .select("row")
        .rows()
    ]
    if problems:
        raise InputError(problems)
    several = pl.col("day").n_unique().over("patient", "person") > 1
    day = pl.col("day").cast(pl.String).str.replace(r"\.0$", "")
    return rows.with_columns(
        subject=pl.concat_str("patient", "person", separator=" ")
        + pl.when(several).then(pl.lit(" day ") + day).otherwise(pl.lit(""))
    )


def _read_wells(
    sheet: Path, rows: pl.DataFrame, progress: Callable[[str], None]
) -> tuple[dict[int, Well], list[Problem]]:
    wells, problems = dict[int, Well](), list[Problem]()
    for row in rows.iter_rows(named=True):
        file = Path(row["file"])
        progress(f"Reading {file.name}")
        try:
            values, found = read_intensities(
                file,
                channel=row["channel"],
                gating=None if row["gating"] is None else Path(row["gating"]),
                population=row["population"],
                scale=row["scale"],
            )
        except InputError as error:
            problems += error.problems
            continue
        problems += found
        wells[row["row"]] = Well(row["subject"], row["stimulus"], row["replicate"], values)
    return wells, problems


def _faulty_wells(file: str, rows: pl.DataFrame, wells: dict[int, Well]) -> list[Problem]:
    problems = []
    at_rest = {row["subject"] for row in rows.iter_rows(named=True) if row["stimulus"] == "none"}
    for (subject, patient), part in rows.group_by("subject", "patient", maintain_order=True):
        if subject not in at_rest:
            expected = f"an unstimulated well (stimulus none) of {subject}"
            remedy = "add it: the undivided peak comes from there"
            problems.append(
                Problem(file, expected, remedy, row=part["row"][0], patient=str(patient))
            )
    for row in rows.filter(pl.col("row").is_in(list(wells))).iter_rows(named=True):
        well = wells[row["row"]]
        cells = _positive(well)
        rest = [_positive(w) for w in wells.values() if _is_rest(w) and w.subject == well.subject]
        if _is_rest(well) and sum(rest) < LEAST_UNSTIMULATED:
            expected = (
                f"{LEAST_UNSTIMULATED} cells with CFSE in the unstimulated wells of {well.subject}"
            )
            remedy = "check the gate and the channel"
            problems.append(Problem(file, expected, remedy, row=row["row"], found=f"{cells} cells"))
        elif not _is_enough(well):
            expected = f"{LEAST_STIMULATED} cells with CFSE in a well"
            remedy = "the well is left out; check the gate and the channel"
            problems.append(
                Problem(
                    file, expected, remedy, Severity.WARNING, row=row["row"], found=f"{cells} cells"
                )
            )
    return problems


def _is_rest(well: Well) -> bool:
    return well.stimulus == UNSTIMULATED


def _positive(well: Well) -> int:
    return int((well.cfse > 0).sum())


def _is_enough(well: Well) -> bool:
    # few unstimulated cells are enough where the subject's replicates have more
    least = 1 if well.stimulus in (UNSTIMULATED, UNLABELLED) else LEAST_STIMULATED
    return _positive(well) >= least


def _at_rest(wells: dict[int, Well]) -> dict[str, np.ndarray]:
    subjects = dict.fromkeys(well.subject for well in wells.values())
    return {
        subject: np.concatenate(
            [w.cfse for w in wells.values() if w.subject == subject and _is_rest(w)]
        )
        for subject in subjects
    }


def _with_people(rows: pl.DataFrame, wells: dict[int, Well], table: pl.DataFrame) -> pl.DataFrame:
    known = rows.filter(pl.col("row").is_in(list(wells))).select(
        *("row", "patient", "person", "day", "subject", "stimulus", "replicate"),
        file=pl.col("file").str.split("/").list.last(),
    )
    keys = ["subject", "stimulus", "replicate"]
    return known.join(table, on=keys, how="inner", validate="1:1").sort(
        "patient", "day", "person", pl.col("stimulus") != UNSTIMULATED, "stimulus", "replicate"
    )


def _replicates(wells: pl.DataFrame) -> pl.DataFrame:
    keys = ["patient", "person", "day", "subject", "stimulus"]
    net, index = pl.col("net_cfse_low_percent"), pl.col("division_index")
    return wells.group_by(keys, maintain_order=True).agg(
        replicates=pl.len().cast(pl.Int64),
        low_mean=pl.col("cfse_low_percent").mean(),
        net_mean=net.mean(),
        net_sd=net.std(),
        division_index_mean=index.mean(),
        division_index_sd=index.std(),
    )
