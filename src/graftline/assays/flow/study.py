"""Flow cytometry of a study: every sample of a sheet gated, counted and brought to the trial."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from graftline.assays.flow.fcs import read_fcs
from graftline.assays.flow.gates import gate_sample
from graftline.assays.flow.gating_file import Gating, read_gating
from graftline.assays.flow.sample import (
    FlowRow,
    FlowThresholds,
    SamplePanels,
    SampleResult,
    measure_sample,
)
from graftline.assays.sheet import read_sheet
from graftline.problems import InputError, Problem, Severity, sorted_problems, stops_results
from graftline.schema.sheets import FLOW_SHEET


@dataclass(frozen=True, slots=True)
class FlowStudy:
    """Counts of every sample and what they say about T cells, blasts and residual disease.

    ``labs`` and ``marrow`` are rows of the trial's tables. ``t_cells``, ``blasts`` and ``mrd`` have
    a row per sample whose gating file has the roles; controls are in ``samples``, ``gates`` and
    ``panels`` only.
    """

    samples: pl.DataFrame
    gates: pl.DataFrame
    t_cells: pl.DataFrame
    blasts: pl.DataFrame
    mrd: pl.DataFrame
    labs: pl.DataFrame
    marrow: pl.DataFrame
    panels: tuple[SamplePanels, ...]
    thresholds: FlowThresholds
    problems: tuple[Problem, ...]


def flow_study(
    sheet: Path,
    *,
    gating: Path | None = None,
    thresholds: FlowThresholds | None = None,
    without: Collection[int] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> FlowStudy:
    """Every sample of a sheet (``assays/flow.csv``), gated and counted.

    Parameters
    ----------
    sheet : Path
    gating : Path, optional
        Gating file of the rows that name none.
    thresholds : FlowThresholds, optional
    without : collection of int
        Rows of the sheet to leave out.

    Raises
    ------
    InputError
        The sheet, a gating file or an FCS file cannot be used, a gate's channel is missing, a role
        for a concentration is missing, two samples would be the same laboratory value; every one.
    """
    return study_samples(
        _sheet_rows(sheet, gating, without),
        file=sheet.name,
        thresholds=thresholds or FlowThresholds(),
        progress=progress,
    )


def _sheet_rows(sheet: Path, gating: Path | None, without: Collection[int]) -> list[FlowRow]:
    table = read_sheet(sheet, FLOW_SHEET.columns, without=without)
    absent = table.filter(pl.col("gating").is_null())["row"].to_list()
    if absent and gating is None:
        remedy = "name one in the column gating (graftline flow FILE --starter writes one to begin)"
        raise InputError(
            Problem(sheet.name, "a gating file", remedy, row=row, column="gating") for row in absent
        )
    return [
        FlowRow(
            **{
                **row,
                "file": Path(row["file"]),
                "gating": Path(row["gating"] or str(gating)),
            }
        )
        for row in table.iter_rows(named=True)
    ]


def study_samples(
    rows: Sequence[FlowRow],
    *,
    file: str,
    thresholds: FlowThresholds,
    progress: Callable[[str], None] = lambda _: None,
) -> FlowStudy:
    """As `flow_study`, for samples given one by one; ``file`` is named in findings about rows.

    Raises
    ------
    InputError
        As `flow_study`.
    """
    problems: list[Problem] = []
    gatings: dict[Path, Gating] = {}
    for path in dict.fromkeys(row.gating for row in rows):
        try:
            gatings[path] = read_gating(path)
        except InputError as error:
            problems += error.problems
    samples: list[SampleResult] = []
    for number, row in enumerate(rows, start=1):
        progress(f"{row.file.name} ({number} of {len(rows)})")
        try:
            sample = read_fcs(row.file, data_set=1 if row.data_set is None else row.data_set)
            if row.gating in gatings:
                gated = gate_sample(sample, gatings[row.gating])
                samples.append(measure_sample(row, gated, thresholds, file))
        except InputError as error:
            problems += [replace(p, patient=p.patient or row.patient) for p in error.problems]
    problems += [p for s in samples for p in s.problems]
    problems += [
        *_same_files(rows, file),
        *_same_values(samples, file),
        *_without_counts(samples, file),
    ]
    problems = sorted_problems(dict.fromkeys(problems))
    if stops_results(problems):
        raise InputError(problems)
    return FlowStudy(
        _joined(samples, lambda s: s.facts),
        _joined(samples, lambda s: s.gates),
        _joined(samples, lambda s: s.t_cells),
        _joined(samples, lambda s: s.blasts),
        _joined(samples, lambda s: s.mrd),
        _rows(s.labs for s in samples),
        _rows(s.marrow for s in samples),
        tuple(s.panels for s in samples),
        thresholds,
        tuple(problems),
    )


def _joined(
    samples: Sequence[SampleResult], table: Callable[[SampleResult], pl.DataFrame | None]
) -> pl.DataFrame:
    """The samples' tables below each other, each with what its row says of the sample."""
    frames = []
    for sample in samples:
        frame = table(sample)
        if frame is not None:
            frames.append(frame.select(*_identity(sample.row), *frame.columns))
    return _rows(frames)


def _identity(row: FlowRow) -> list[pl.Expr]:
    return [
        pl.lit(row.file.name).alias("sample"),
        pl.lit(row.patient, pl.String).alias("patient"),
        pl.lit(row.day, pl.Float64).alias("day"),
        pl.lit(row.specimen, pl.String).alias("specimen"),
        pl.lit(row.timepoint, pl.String).alias("timepoint"),
        pl.lit(row.control, pl.String).alias("control"),
    ]


def _rows(frames: Iterable[pl.DataFrame | None]) -> pl.DataFrame:
    known = [frame for frame in frames if frame is not None]
    return pl.concat(known) if known else pl.DataFrame()


def _same_files(rows: Sequence[FlowRow], file: str) -> list[Problem]:
    """Files named for two patients or days: one sample would confirm itself."""
    first: dict[tuple[Path, int], FlowRow] = {}
    problems = []
    for row in rows:
        if row.patient is None or row.control is not None:
            continue
        other = first.setdefault((row.file, row.data_set or 1), row)
        if (other.patient, other.day) != (row.patient, row.day):
            problems.append(
                Problem(
                    file,
                    f"a file of its own for each patient and day; row {other.row} has it too",
                    "correct the name of the file, or mark one as a control",
                    row=row.row,
                    column="file",
                    patient=row.patient,
                    found=row.file.name,
                )
            )
    return problems


def _without_counts(samples: Sequence[SampleResult], file: str) -> list[Problem]:
    """Samples without a reference, of patients who have one elsewhere: counts pass them over."""
    of_blood = [s for s in samples if s.t_cells is not None and s.row.patient is not None]
    counted = {s.row.patient for s in of_blood if _has_counts(s)}
    columns = ("beads_per_ul", "lymphocytes_1e9_per_l", "wbc_1e9_per_l")
    return [
        Problem(
            file,
            "a number to count by, as other samples of the patient have",
            f"add it as {', '.join(columns[:-1])} or {columns[-1]}; without it the sample takes no "
            "part in eradication by counts",
            Severity.WARNING,
            row=s.row.row,
            column=columns[-1],
            patient=s.row.patient,
        )
        for s in of_blood
        if s.row.patient in counted and all(getattr(s.row, c) is None for c in columns)
    ]


def _has_counts(sample: SampleResult) -> bool:
    labs = sample.labs
    return labs is not None and (labs["unit"] == "cells/uL").any()


def _same_values(samples: Sequence[SampleResult], file: str) -> list[Problem]:
    """Samples that would be the same laboratory value: they would confirm each other."""
    first: dict[tuple[object, ...], FlowRow] = {}
    problems = []
    for sample in samples:
        for kind, table in (("labs", sample.labs), ("marrow", sample.marrow)):
            if table is None or table.is_empty():
                continue
            row = sample.row
            key = (kind, row.patient, row.day, row.specimen if kind == "marrow" else None)
            other = first.setdefault(key, row)
            if other is not row:
                problems.append(
                    Problem(
                        file,
                        f"one sample per patient and day for {kind}; row {other.row} is another",
                        "write the day with decimals, or mark one as a control",
                        row=row.row,
                        column="day",
                        patient=row.patient,
                        found=row.file.name,
                    )
                )
    return problems
