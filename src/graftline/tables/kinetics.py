"""CAR-T kinetics by non-compartmental analysis: each patient, and the cohort."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from graftline.assess.nca import (
    BLQ_RULES,
    START_RULES,
    TRAPEZOIDS,
    BlqRule,
    StartRule,
    Trapezoid,
)
from graftline.tables.format import MISSING, median_range, number, significant
from graftline.tables.layout import listed, listing_notes
from graftline.tables.value import ReportTable, TableColumn, TableRow

ASSAYS = {"qpcr": "qPCR", "flow": "flow cytometry"}
UNITS = {"qpcr": "copies/ug DNA", "flow": "cells/uL"}
_PARAMETERS = {
    "cmax": "Cmax",
    "tmax": "Tmax",
    "auc0_28": "AUC0-28",
    "tlast": "Tlast",
    "half_life": "Half-life",
}


def kinetics_rules(
    *,
    blq: BlqRule = "pknca",
    trapezoid: Trapezoid = "linear_up_log_down",
    start: StartRule = "zero",
    samples: int = 3,
    half_life_r2: float = 0.8,
    until: float = 28,
    peak_until: float = 28,
) -> tuple[str, ...]:
    """The rules of an analysis, as sentences; defaults are those of `assess.kinetics.car_t_nca`."""
    needs = f"Cmax, Tmax and the area need {samples} samples from day 5 to 21. " if samples else ""
    return (
        f"{BLQ_RULES[blq][:1].upper()}{BLQ_RULES[blq][1:]}.",
        f"Area: {TRAPEZOIDS[trapezoid]}; from infusion to day {until:g}, "
        "interpolated there, never extrapolated; to the last sample where that is earlier, and to "
        f"the last quantifiable value where it is before day 21; {START_RULES[start]}.",
        "Half-life: log-linear over three or more points after the peak, the best adjusted r2"
        + (f", at least {half_life_r2:g}" if half_life_r2 > -1 else "")
        + "; none where the last points rise.",
        f"Cmax and Tmax: to day {peak_until:g}. {needs}Of equal peaks the earliest counts. "
        "A second infusion is marked and does not divide the curve.",
    )


def kinetic_parameters(chosen: pl.DataFrame) -> pl.DataFrame:
    """One row per patient and assay with its kinetic parameters; null = not evaluable.

    Returns
    -------
    DataFrame [patient, assay, cmax, tmax, auc0_28, tlast, half_life, detectable_last]
        Days for times, the assay's unit for Cmax.
    """
    wanted = [f"car_t_{assay}_{key}" for assay in ASSAYS for key in _PARAMETERS]
    values = chosen.filter(pl.col("rule").is_in(wanted)).with_columns(
        assay=pl.col("rule").str.extract(r"^car_t_(qpcr|flow)_"),
        parameter=pl.col("rule").str.extract(r"^car_t_(?:qpcr|flow)_(.*)$"),
        # a parameter that is itself a day may be carried by either column
        number=pl.when(pl.col("state") == "yes").then(pl.coalesce("value", "day")),
    )
    keys = values.select("patient", "assay").unique().sort("assay", "patient")
    for parameter in _PARAMETERS:
        part = values.filter(pl.col("parameter") == parameter).select(
            "patient", "assay", number=pl.col("number")
        )
        keys = keys.join(
            part.rename({"number": parameter}), on=["patient", "assay"], how="left", validate="1:1"
        )
    last = chosen.filter(pl.col("rule").is_in([f"car_t_{a}_detectable_last" for a in ASSAYS]))
    last = last.select(
        "patient",
        assay=pl.col("rule").str.extract(r"^car_t_(qpcr|flow)_"),
        detectable_last=pl.col("state"),
    )
    return keys.join(last, on=["patient", "assay"], how="left", validate="1:1").sort(
        "assay", "patient", descending=[True, False]
    )


def summarise_kinetics(parameters: pl.DataFrame) -> pl.DataFrame:
    """Geometric mean with its CV% (of positive values), median and range per assay.

    The geometric CV is ``sqrt(exp(s^2) - 1)`` with s the standard deviation of the natural
    logarithms (n - 1); none for fewer than two values.

    Returns
    -------
    DataFrame [assay, parameter, n, missing, geometric_mean, geometric_cv, median, minimum, maximum]
    """
    rows = []
    for assay in ASSAYS:
        part = parameters.filter(pl.col("assay") == assay)
        for parameter in _PARAMETERS:
            values = part[parameter].drop_nulls().sort()
            if values.is_empty():
                continue
            logs = np.log(values.filter(values > 0).to_numpy())
            spread = float(np.std(logs, ddof=1)) if logs.size > 1 else None
            rows.append(
                {
                    "assay": assay,
                    "parameter": parameter,
                    "n": values.len(),
                    "missing": part.height - values.len(),
                    "geometric_mean": float(np.exp(logs.mean())) if logs.size else None,
                    "geometric_cv": None if spread is None else float(np.sqrt(np.expm1(spread**2))),
                    "median": values.median(),
                    "minimum": values.min(),
                    "maximum": values.max(),
                }
            )
    schema: dict[str, type[pl.DataType]] = {
        "assay": pl.String,
        "parameter": pl.String,
        "n": pl.Int64,
        "missing": pl.Int64,
        "geometric_mean": pl.Float64,
        "geometric_cv": pl.Float64,
        "median": pl.Float64,
        "minimum": pl.Float64,
        "maximum": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def kinetics_summary_table(chosen: pl.DataFrame, *, rules: Sequence[str] = ()) -> ReportTable:
    """Kinetics of the cohort, per assay; qPCR and flow are never mixed."""
    numbers = summarise_kinetics(kinetic_parameters(chosen))
    rows = []
    for row in numbers.iter_rows(named=True):
        exact = row["parameter"] in ("cmax", "auc0_28")
        middle = (
            f"{significant(row['median'])} "
            f"({significant(row['minimum'])} to {significant(row['maximum'])})"
            if exact
            else median_range(row["median"], row["minimum"], row["maximum"])
        )
        cv = row["geometric_cv"]
        cells = [_label(row["parameter"], row["assay"]), str(row["n"]), str(row["missing"])]
        mean = significant(row["geometric_mean"]) if row["n"] else MISSING
        cells += [mean, "not estimable" if cv is None else f"{number(100 * cv, digits=0)}%"]
        cells += [middle if row["n"] else MISSING]
        rows.append(TableRow(tuple(cells), f"By {ASSAYS[row['assay']]}"))
    return ReportTable(
        "kinetics",
        "CAR-T kinetics in blood",
        (
            TableColumn("Parameter", "left"),
            TableColumn("n"),
            TableColumn("Not evaluable"),
            TableColumn("Geometric mean"),
            TableColumn("Geometric CV"),
            TableColumn("Median (range)"),
        ),
        tuple(rows),
        numbers,
        tuple(rules),
    )


def kinetics_listing(chosen: pl.DataFrame) -> ReportTable:
    """Kinetics of each patient with samples, or of the first where they are many."""
    numbers = kinetic_parameters(chosen)
    known = pl.any_horizontal(pl.col(p).is_not_null() for p in _PARAMETERS)
    numbers = numbers.filter(known | pl.col("detectable_last").is_in(["yes", "no"]))
    rows = []
    for row in numbers.head(listed(numbers.height)).iter_rows(named=True):
        cells = [row["patient"]]
        cells += [_cell(row[p], exact=p in ("cmax", "auc0_28")) for p in _PARAMETERS]
        cells += [(row["detectable_last"] or "not evaluable").replace("_", " ")]
        unit = UNITS[row["assay"]]
        rows.append(TableRow(tuple(cells), f"{ASSAYS[row['assay']]} ({unit}; times in days)"))
    return ReportTable(
        "kinetics-patients",
        "CAR-T kinetics of each patient",
        (
            TableColumn("Patient", "left"),
            *(TableColumn(title) for title in _PARAMETERS.values()),
            TableColumn("Detectable at last sample", "left"),
        ),
        tuple(rows),
        numbers,
        listing_notes(numbers.height),
    )


def _label(parameter: str, assay: str) -> str:
    units = {"cmax": UNITS[assay], "auc0_28": f"day x {UNITS[assay]}"}
    return f"{_PARAMETERS[parameter]} ({units.get(parameter, 'days')})"


def _cell(value: float | None, *, exact: bool) -> str:
    if value is None:
        return "not evaluable"
    return significant(value) if exact else number(value)
