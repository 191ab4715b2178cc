"""Survival before and after HSCT, with HSCT as what it is: an event that comes during follow-up.

Patients who were ever transplanted are never compared with those who never were: the former were
certain to live until HSCT. Sources: Mantel and Byar 1974; Simon and Makuch 1984; Anderson, Cain
and Gelber 1983 (landmark).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from graftline.endpoints import REGISTRY, endpoint_spec
from graftline.endpoints.states import undated_grafts
from graftline.stats import (
    KaplanMeier,
    SimonMakuch,
    SwitchRows,
    kaplan_meier,
    landmark_rows,
    logrank,
    mantel_byar,
    simon_makuch,
    switch_rows,
)
from graftline.stats.event_counts import FloatArray, IntArray
from graftline.stats.probability_interval import IntervalType
from graftline.tables.analyses import YEAR_DAYS, Analysis, analyses
from graftline.tables.format import DAYS_PER_MONTH, estimate_interval, number, p_value
from graftline.tables.value import ReportTable, TableColumn, TableRow
from graftline.trial import Trial, hsct_days

MIN_PATIENTS_FOR_TEST: Final = 20
LANDMARK_DAYS: Final = (60.0, 90.0)
_ENDPOINTS: Final = ("overall_survival", "disease_free_survival")
_EVERYBODY: Final = ("infused", "enrolled")
_SCHEMA: Final[dict[str, type[pl.DataType]]] = {
    "endpoint": pl.String,
    "title": pl.String,
    "method": pl.String,
    "landmark_days": pl.Float64,
    "group": pl.String,
    "n": pl.Int64,
    "events": pl.Int64,
    "person_days": pl.Float64,
    "horizon_days": pl.Float64,
    "estimate": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "test": pl.String,
    "chi_square": pl.Float64,
    "p_value": pl.Float64,
}
BEFORE, AFTER = "Not or not yet transplanted", "After HSCT"


@dataclass(frozen=True, slots=True)
class HsctTiming:
    """One survival endpoint from CAR-T with each patient's day of HSCT (NaN for never)."""

    analysis: Analysis
    time: FloatArray
    status: IntArray
    switch: FloatArray

    def rows(self) -> SwitchRows:
        """Follow-up of each patient cut at HSCT."""
        return switch_rows(self.time, self.status, self.switch)

    def curves(self, *, interval: IntervalType) -> SimonMakuch:
        """Simon-Makuch curves from CAR-T on."""
        return simon_makuch(self.time, self.status, self.switch, interval=interval)


def hsct_timings(trial: Trial, endpoints: pl.DataFrame) -> Iterator[HsctTiming]:
    """Survival endpoints in which HSCT is to be shown as a time-dependent event.

    Those that count everybody infused (or enrolled) from CAR-T, in a trial in which some patients
    were never transplanted and some were during follow-up. Where HSCT or an event has no recorded
    day there is none.
    """
    if trial.protocol.index_infusion != "car_t" or not undated_grafts(trial).is_empty():
        return
    days = hsct_days(trial).select("patient", "hsct_day")
    for analysis in analyses(trial, endpoints):
        if not _shown(trial, analysis):
            continue
        rows = analysis.rows.join(days, on="patient", how="left", validate="1:1")
        never = int(rows["hsct_day"].null_count())
        switch = rows["hsct_day"].fill_null(float("nan")).to_numpy()
        time = rows["time_days"].to_numpy()
        status = (rows["status"] == 1).cast(pl.Int64).to_numpy()
        if not never or bool((rows["hsct_day"] < 0).any()):
            continue
        if switch_rows(time, status, switch).switched.any():
            yield HsctTiming(analysis, time, status, switch)


def _shown(trial: Trial, analysis: Analysis) -> bool:
    if analysis.endpoint not in _ENDPOINTS or analysis.endpoint not in REGISTRY:
        return False
    spec = endpoint_spec(trial.protocol, analysis.endpoint)
    plain = not (analysis.variant or analysis.late_entry or analysis.undated)
    return plain and spec.origin == "car_t" and spec.population in _EVERYBODY


def tests_allowed(trial: Trial, n: int) -> bool:
    """Whether p-values may be printed: real patients, at least 20 of them."""
    return n >= MIN_PATIENTS_FOR_TEST and not trial.settings.simulated


def summarise_hsct_timing(trial: Trial, timings: Iterator[HsctTiming]) -> pl.DataFrame:
    """Patients, events, time and survival before and after HSCT, and at the landmarks.

    Returns
    -------
    DataFrame of [endpoint, title, method, landmark_days, group, n, events, person_days,
    horizon_days, estimate, lower, upper, test, chi_square, p_value]
        Days and proportions; a patient transplanted during follow-up counts in both groups of
        the first method. ``estimate`` is survival at 12 months from CAR-T (from the landmark on
        for landmarks), null where nobody of the group is under observation then. Tests only with
        20 patients or more (at risk at the landmark).
    """
    rows: list[dict[str, object]] = []
    interval = trial.protocol.definitions.survival_interval
    for timing in timings:
        rows += _switching(trial, timing, interval)
        for day in LANDMARK_DAYS:
            rows += _landmark(trial, timing, day, interval)
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _switching(trial: Trial, timing: HsctTiming, interval: IntervalType) -> list[dict[str, object]]:
    cut = timing.rows()
    test: dict[str, object] = {}
    if tests_allowed(trial, timing.time.size):
        found = mantel_byar(timing.time, timing.status, timing.switch)
        test = {
            "test": "Mantel-Byar",
            "chi_square": found.chi_square,
            "p_value": _known(found.p_value),
        }
    curves = timing.curves(interval=interval)
    rows = []
    for place, (group, curve) in enumerate(((BEFORE, curves.unswitched), (AFTER, curves.switched))):
        own = cut.switched == place
        rows.append(
            _head(timing, "time-dependent", None, group)
            | {
                "n": int(own.sum()),
                "events": int(cut.event[own].sum()),
                "person_days": float((cut.stop[own] - cut.start[own]).sum()),
            }
            | _survival(curve, YEAR_DAYS)
            | test
        )
    return rows


def _landmark(
    trial: Trial, timing: HsctTiming, day: float, interval: IntervalType
) -> list[dict[str, object]]:
    if not np.any(timing.time > day):
        return []
    found = landmark_rows(timing.time, timing.status, timing.switch, landmark=day)
    if not 0 < found.switched.sum() < found.switched.size:
        return []
    test: dict[str, object] = {}
    if tests_allowed(trial, found.time.size):
        compared = logrank(found.time, found.status, found.switched)
        test = {
            "test": "log-rank",
            "chi_square": compared.chi_square,
            "p_value": _known(compared.p_value),
        }
    rows = []
    names = (f"Not transplanted by day {day:g}", f"Transplanted by day {day:g}")
    for place, group in enumerate(names):
        own = found.switched == place
        curve = kaplan_meier(found.time[own], found.status[own], interval=interval)
        rows.append(
            _head(timing, "landmark", day, group)
            | {
                "n": int(own.sum()),
                "events": int(found.status[own].sum()),
                "person_days": float(found.time[own].sum()),
            }
            | _survival(curve, YEAR_DAYS - day)
            | test
        )
    return rows


def _head(timing: HsctTiming, method: str, day: float | None, group: str) -> dict[str, object]:
    return {
        "endpoint": timing.analysis.endpoint,
        "title": timing.analysis.title,
        "method": method,
        "landmark_days": day,
        "group": group,
        "horizon_days": YEAR_DAYS,
    }


def _survival(curve: KaplanMeier, at: float) -> dict[str, object]:
    point = curve.at([at])
    survival = float(point.survival[0])
    # beyond the last row of the group only a curve that has come down to 0 is still known
    if float(curve.time.max()) < at and survival > 0.0:
        return {}
    limits = {"lower": _known(float(point.lower[0])), "upper": _known(float(point.upper[0]))}
    return {"estimate": survival, **limits}


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def hsct_timing_table(trial: Trial, endpoints: pl.DataFrame) -> ReportTable | None:
    """Before and after HSCT, and the landmarks; none where HSCT need not be shown so."""
    numbers = summarise_hsct_timing(trial, hsct_timings(trial, endpoints))
    if numbers.is_empty():
        return None
    tested = bool(numbers["p_value"].is_not_null().any())
    labels = (
        TableColumn("Group", "left"),
        TableColumn("Patients"),
        TableColumn("Events"),
        TableColumn("Time at risk", unit="months"),
        TableColumn("At 12 months (95% CI)", unit="%"),
        *((TableColumn("P value", "left"),) if tested else ()),
    )
    rows = tuple(_row(row, tested=tested) for row in numbers.iter_rows(named=True))
    return ReportTable(
        "hsct-timing",
        "Before and after HSCT",
        labels,
        rows,
        numbers,
        _notes(trial, tested=tested),
    )


def _row(row: Mapping[str, object], *, tested: bool) -> TableRow:
    head = str(row["title"])
    if row["method"] == "landmark":
        head = f"{head}, from day {row['landmark_days']:g} on (landmark)"
    value, low, high = (
        float(v) * 100 if isinstance(v := row[k], float) else None
        for k in ("estimate", "lower", "upper")
    )
    if value is None:
        shown = "not estimable"
    elif low is None or high is None:
        shown = f"{number(value)}"
    else:
        shown = estimate_interval(value, low, high)
    days = row["person_days"]
    cells = [
        str(row["group"]),
        str(row["n"]),
        str(row["events"]),
        number(float(days) / DAYS_PER_MONTH) if isinstance(days, float) else "",
        shown,
    ]
    if tested:
        p = row["p_value"]
        first = str(row["group"]).startswith("Not ")  # printed once per pair of groups
        cells.append(f"{p_value(p)} ({row['test']})" if first and isinstance(p, float) else "")
    return TableRow(tuple(cells), head)


def _notes(trial: Trial, *, tested: bool) -> tuple[str, ...]:
    interval = trial.protocol.definitions.survival_interval
    notes = [
        "HSCT is an event during follow-up: a patient counts as not transplanted until the day of "
        "HSCT and as transplanted after it, and so in both groups. Patients ever transplanted are "
        "not compared with those never transplanted: the former could not die before HSCT.",
        f"At 12 months from CAR-T: Simon-Makuch curves with {interval} intervals, which follow no "
        "fixed set of patients; for landmarks Kaplan-Meier survival from the landmark to month 12 "
        "of those still at risk at the landmark.",
        "Who goes to HSCT and when is not random: differences are not effects of HSCT alone.",
    ]
    if not tested:
        notes.append(
            f"No p-values: fewer than {MIN_PATIENTS_FOR_TEST} patients."
            if not trial.settings.simulated
            else "No p-values: simulated patients."
        )
    return tuple(notes)
