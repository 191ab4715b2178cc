"""CAR-T kinetics of a trial folder, or of one table of laboratory values, choices named."""

from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from graftline.assess.kinetics import ASSAYS, car_t_nca, car_t_profiles
from graftline.assess.nca import (
    BlqRule,
    StartRule,
    Trapezoid,
    area_to_infinity,
    summarise_parameters,
)
from graftline.problems import InputError, Problem, Severity, stops_results
from graftline.protocol import shipped_protocol
from graftline.schema import table
from graftline.trial import Trial, hsct_days, trial_from_tables
from graftline.trial.cast import cast_table
from graftline.trial.dates import index_dates, resolve_days
from graftline.trial.files import RawTable, read_table_file
from graftline.trial.read import read_trial

PARAMETERS = ("cmax", "tmax", "auc", "tlast", "half_life", "auc_infinity")
_ANALYTES = ("car_t_qpcr", "car_t_flow")
_LONE_PROTOCOL = "all-in-one-2024"


@dataclass(frozen=True, slots=True)
class KineticsOptions:
    """Choices of the analysis; None for the rule below quantification takes the protocol's.

    ``peak_until`` is the day to which Cmax and Tmax are looked for; ``decimal`` is the decimal
    mark of a lone table; a trial folder's protocol names its own.
    """

    blq: BlqRule | None = None
    trapezoid: Trapezoid = "linear_up_log_down"
    auc_until: float = 28
    minimum_samples: int = 3
    half_life_r2: float = 0.8
    start: StartRule = "zero"
    peak_until: float = 28
    decimal: str = "."


@dataclass(frozen=True, slots=True)
class KineticsStudy:
    """Parameters of every patient and assay, and of the cohort.

    ``parameters`` has the columns of ``kinetics.car_t_nca`` and of ``nca.area_to_infinity``;
    ``cohort`` those of ``nca.summarise_parameters`` by assay. ``trial`` holds what was read, for
    figures; ``blq`` is the rule that was used.
    """

    options: KineticsOptions
    blq: BlqRule
    trial: Trial
    parameters: pl.DataFrame
    cohort: pl.DataFrame
    problems: tuple[Problem, ...]


def kinetics_study(source: Path, *, options: KineticsOptions | None = None) -> KineticsStudy:
    """Non-compartmental analysis of CAR-T by qPCR and by flow cytometry.

    Parameters
    ----------
    source : Path
        A trial folder (HSPC is then marked), or a CSV, Parquet or Excel file with the columns of
        ``labs``.

    Raises
    ------
    InputError
        Faults of the files; no row of CAR-T.
    """
    options = options or KineticsOptions()
    trial = read_trial(source) if source.is_dir() else _lone_table(source, options.decimal)
    labs = trial["labs"]
    profiles = car_t_profiles(labs).with_columns(pl.col("assay").cast(pl.String))
    if profiles.is_empty():
        raise InputError([_nothing_to_analyse(labs, source)])
    blq = options.blq or trial.protocol.definitions.blq
    parameters = car_t_nca(
        labs,
        hsct_days(trial),
        blq=blq,
        trapezoid=options.trapezoid,
        start=options.start,
        auc_until=options.auc_until,
        peak_until=options.peak_until,
        minimum_samples=options.minimum_samples,
        half_life_r2=options.half_life_r2,
    )
    keys = ["patient", "assay"]
    beyond = area_to_infinity(
        profiles,
        parameters,
        by=keys,
        below="below",
        lloq="lloq",
        blq=blq,
        trapezoid=options.trapezoid,
        start=options.start,
    )
    rows = parameters.join(beyond, on=keys, how="left", validate="1:1").sort(
        pl.col("assay") != "car_t_qpcr", "patient"
    )
    problems = tuple(p for p in trial.problems if p.file.startswith(("labs", source.name)))
    return KineticsStudy(
        options,
        blq,
        trial,
        rows,
        summarise_parameters(rows, parameters=PARAMETERS, by=["assay"]),
        (*problems, *_repeated(profiles, source), *_before_infusion(labs, source)),
    )


def _lone_table(path: Path, decimal: str) -> Trial:
    raw, problems = read_table_file(path, "labs")
    labs = table("labs").empty()
    protocol = shipped_protocol(_LONE_PROTOCOL)
    if raw:
        frame, found = cast_table(raw[0], decimal=decimal)
        found = [*map(_decimal_named, found), *_without_unit(raw[0], frame["analyte"])]
        index = index_dates(table("infusions").empty(), protocol.index_infusion)
        labs, findings = resolve_days(frame, raw[0], index)
        problems += [*found, *findings.problems]
    if stops_results(problems):
        raise InputError(problems)
    patients = labs.select("patient").drop_nulls().unique().sort("patient")
    people = patients.with_columns(status=pl.lit("infused"))
    return trial_from_tables(protocol, {"labs": labs, "patients": people}, problems=tuple(problems))


def _decimal_named(problem: Problem) -> Problem:
    """Say where the decimal mark of a table without a protocol is declared."""
    elsewhere = 'declare decimal = "," in [trial] of protocol.toml'
    return replace(problem, remedy=problem.remedy.replace(elsewhere, "give --decimal ,"))


def _without_unit(raw: RawTable, analytes: pl.Series) -> list[Problem]:
    """Values whose unit is not written: the analyte's own is taken, and said."""
    unit = pl.col("unit").cast(pl.String) if "unit" in raw.frame.columns else pl.lit("")
    written = raw.frame.select(bare=unit.str.strip_chars().fill_null("") == "")
    bare = analytes.filter(written["bare"])
    problems = []
    for analyte, own in ASSAYS.items():
        count = int((bare == analyte).sum())
        if count:
            expected = f"the unit of every {analyte} value"
            remedy = f"read as {own}; write the unit, as values are never converted by guess"
            problems.append(
                Problem(
                    raw.source.name, expected, remedy, Severity.WARNING, column="unit", count=count
                )
            )
    return problems


def _nothing_to_analyse(labs: pl.DataFrame, source: Path) -> Problem:
    if labs.filter(pl.col("analyte").is_in(list(_ANALYTES))).is_empty():
        remedy = "add CAR-T in blood: day, value, unit, and lloq"
        return Problem(_file(source), f"rows of {' or '.join(_ANALYTES)}", remedy)
    remedy = "days count from infusion; look at their sign and origin"
    expected = "samples of CAR-T on the day of infusion or later"
    return Problem(_file(source), expected, remedy, column="day", found="days before 0 only")


def _before_infusion(labs: pl.DataFrame, source: Path) -> list[Problem]:
    """Patients with an assay before infusion only: they have no row in the results."""
    rows = labs.filter(pl.col("analyte").is_in(list(_ANALYTES)))
    last = rows.group_by("patient", "analyte").agg(pl.col("day").max()).filter(pl.col("day") < 0)
    lost = last["patient"].unique().sort().to_list()
    if not lost:
        return []
    return [
        Problem(
            _file(source),
            "samples of CAR-T on the day of infusion or later",
            "no kinetics without them; days count from infusion",
            Severity.WARNING,
            column="day",
            found=_shown(lost),
            count=len(lost),
        )
    ]


def _file(source: Path) -> str:
    return "labs.csv" if source.is_dir() else source.name


def _shown(patients: list[str]) -> str:
    return ", ".join(patients[:8]) + (" ..." if len(patients) > 8 else "")


def _repeated(profiles: pl.DataFrame, source: Path) -> list[Problem]:
    """Patients with several samples of one time: what is done with them is said."""
    keys = ["patient", "assay", "day"]
    again = profiles.filter(pl.struct(keys).is_duplicated())["patient"].unique().sort().to_list()
    if not again:
        return []
    expected = "one sample per patient, assay and time"
    remedy = "the area takes their mean and Cmax the highest; delete repeats that are mistakes"
    found = _shown(again)
    return [
        Problem(_file(source), expected, remedy, Severity.WARNING, found=found, count=len(again))
    ]
