"""Tables of the kinetics page: each patient, and the cohort, in every parameter computed."""

import polars as pl

from graftline.assess.kinetics import ASSAYS
from graftline.assess.kinetics_study import KineticsStudy
from graftline.tables.format import number, significant
from graftline.tables.kinetics import kinetics_rules
from graftline.tables.value import ReportTable, TableColumn, TableRow

LISTING_LIMIT = 60
_ASSAY_WORDS = {"car_t_qpcr": "qPCR", "car_t_flow": "flow cytometry"}
_REASONS = {
    "too_few_samples": "few samples",
    "never_quantified": "never seen",
    "not_quantified_in_window": "none in time",
    "no_area": "no area",
    "no_sample_at_infusion": "no start",
    "too_few_points": "few points",
    "not_declining": "no decline",
    "poor_fit": "poor fit",
}
_UNITS = "; ".join(f"{_ASSAY_WORDS[assay]} in {unit}" for assay, unit in ASSAYS.items())


def choices(study: KineticsStudy) -> tuple[str, ...]:
    """The rules of this analysis, as sentences."""
    options = study.options
    return kinetics_rules(
        blq=study.blq,
        trapezoid=options.trapezoid,
        start=options.start,
        samples=options.minimum_samples,
        half_life_r2=options.half_life_r2,
        until=options.auc_until,
        peak_until=options.peak_until,
    )


def parameters_table(study: KineticsStudy) -> ReportTable:
    """Cmax, Tmax, area, last quantifiable value and half-life of each patient and assay."""
    rows = tuple(
        TableRow(
            (
                row["patient"],
                _value(row["cmax"], row["reason_cmax"], bound=row["above_limit"], sign=">"),
                _day(row["tmax"]),
                _value(row["auc"], row["reason_auc"]) + _until(row, study),
                _day(row["tlast"]) + ("+" if row["detectable_last"] else ""),
                _half_life(row),
                _fit(row),
                _percent(row["extrapolated_percent"]),
                _second(row),
            ),
            f"By {_ASSAY_WORDS[row['assay']]}",
        )
        for row in study.parameters.head(LISTING_LIMIT).iter_rows(named=True)
    )
    more = study.parameters.height - LISTING_LIMIT
    until = f"{study.options.auc_until:g}"
    return ReportTable(
        "kinetics-parameters",
        "CAR-T kinetics of each patient",
        (
            TableColumn("Patient", "left"),
            TableColumn("Cmax"),
            TableColumn("Tmax"),
            TableColumn(f"AUC0-{until}"),
            TableColumn("Tlast"),
            TableColumn("Half-life"),
            TableColumn("r2"),
            TableColumn("Beyond Tlast"),
            TableColumn("Second rise"),
        ),
        rows,
        study.parameters,
        (
            f"{_UNITS}; times in days. AUC followed by (to d): it ends before day {until}. Tlast "
            "with +: still quantifiable at the last sample. r2: adjusted, of the half-life. Beyond "
            "Tlast: part of the area to infinity that the half-life extrapolates.",
            *_explained(study),
            *((f"{more} rows more; all are in the data.",) if more > 0 else ()),
        ),
    )


def cohort_table(study: KineticsStudy) -> ReportTable:
    """Geometric mean with geometric CV, median and range of each parameter, by assay."""
    words = {
        "cmax": "Cmax",
        "tmax": "Tmax, days",
        "auc": f"AUC0-{study.options.auc_until:g}, x days",
        "tlast": "Tlast, days",
        "half_life": "Half-life, days",
        "auc_infinity": "AUC to infinity, x days",
    }
    rows = tuple(
        TableRow(
            (
                words[row["parameter"]],
                str(row["n"]),
                significant(row["geometric_mean"]) if row["geometric_mean"] is not None else "",
                f"{number(row['geometric_cv_percent'], digits=0)}%"
                if row["geometric_cv_percent"] is not None
                else "",
                significant(row["median"]) if row["n"] else "",
                f"{significant(row['minimum'])} to {significant(row['maximum'])}"
                if row["n"]
                else "",
            ),
            f"By {_ASSAY_WORDS[row['assay']]}",
        )
        for row in _qpcr_first(study.cohort).iter_rows(named=True)
    )
    return ReportTable(
        "kinetics-cohort",
        "CAR-T kinetics of the cohort",
        (
            TableColumn("Parameter", "left"),
            TableColumn("n"),
            TableColumn("Geometric mean"),
            TableColumn("Geometric CV"),
            TableColumn("Median"),
            TableColumn("Range"),
        ),
        rows,
        study.cohort,
        (
            f"{_UNITS}. Geometric CV: square root of exp(s2) - 1, s2 the variance of the "
            "logarithms; geometric figures over values above 0.",
            *_left_out(study),
        ),
    )


def _explained(study: KineticsStudy) -> tuple[str, ...]:
    """What the words of the table mean, those that stand in it."""
    shown = study.parameters.head(LISTING_LIMIT)
    found = {
        reason
        for column in ("reason_cmax", "reason_auc", "reason_half_life")
        for reason in shown[column].drop_nulls().unique()
    }
    words = {
        "too_few_samples": f"fewer than {study.options.minimum_samples} from day 5 to 21",
        "never_quantified": "never at or above the limit of quantification",
        "not_quantified_in_window": f"not quantifiable to day {study.options.peak_until:g}",
        "no_sample_at_infusion": "no sample at infusion",
        "too_few_points": "fewer than three samples quantifiable after the peak",
        "not_declining": "the last of them do not fall",
        "poor_fit": f"adjusted r2 below {study.options.half_life_r2:g}",
    }
    meanings = [f"{_REASONS[key]}: {words[key]}" for key in words if key in found]
    return ("; ".join(meanings)[:1].upper() + "; ".join(meanings)[1:] + ".",) if meanings else ()


def _left_out(study: KineticsStudy) -> tuple[str, ...]:
    """Profiles that were never quantifiable: they are in no figure of the cohort."""
    never = study.parameters.filter(pl.col("quantifiable") == 0)
    counts = {assay: never.filter(pl.col("assay") == assay).height for assay in _ASSAY_WORDS}
    named = [f"{_ASSAY_WORDS[assay]} {count}" for assay, count in counts.items() if count]
    return (f"Never quantifiable, and not in n: {', '.join(named)}.",) if named else ()


def _qpcr_first(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sort(pl.col("assay") != "car_t_qpcr", maintain_order=True)


def _value(value: float | None, reason: str | None, *, bound: bool = False, sign: str = "") -> str:
    if value is None:
        return _REASONS.get(reason or "", "not evaluable")
    return (sign if bound else "") + significant(value)


def _day(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _until(row: dict[str, object], study: KineticsStudy) -> str:
    end = row["auc_to"]
    if row["auc"] is None or not isinstance(end, float) or end >= study.options.auc_until:
        return ""
    return f" (to {end:.4g})"


def _half_life(row: dict[str, object]) -> str:
    value = row["half_life"]
    if not isinstance(value, float):
        return _REASONS.get(str(row["reason_half_life"]), "not evaluable")
    return significant(value)


def _fit(row: dict[str, object]) -> str:
    r2 = row["half_life_adjusted_r2"]
    return number(r2, digits=2) if isinstance(r2, float) else ""


def _percent(value: float | None) -> str:
    return "" if value is None else f"{number(value, digits=0)}%"


def _second(row: dict[str, object]) -> str:
    day = row["second_expansion_day"]
    return f"day {day:g}" if isinstance(day, float) else ""
