"""Where patients are over time: transitions made, state occupation, time spent in each state."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl

from graftline.endpoints.people import Answers
from graftline.endpoints.states import CLINICAL_MODELS, ClinicalStays, clinical_stays
from graftline.protocol.strategy import Entry
from graftline.stats import (
    LengthOfStay,
    StateOccupation,
    count_transitions,
    expected_length_of_stay,
    state_model,
    state_occupation,
    stays_from_rows,
    transition_hazards,
)
from graftline.stats.multistate_data import Stays
from graftline.tables.analyses import YEAR_DAYS
from graftline.tables.format import DAYS_PER_MONTH, estimate_interval, words
from graftline.tables.selection import only_transplanted
from graftline.tables.value import ReportTable, TableColumn, TableRow
from graftline.trial import Trial

OCCUPATION_DAYS: Final = (30.0, 60.0, 100.0, 180.0, YEAR_DAYS, 2 * YEAR_DAYS)
_OCCUPATION_SCHEMA: Final[dict[str, type[pl.DataType]]] = {
    "model": pl.String,
    "day": pl.Float64,
    "state": pl.String,
    "patients": pl.Int64,
    "observed": pl.Int64,
    "probability": pl.Float64,
    "std_error": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
}


@dataclass(frozen=True, slots=True)
class StatesEstimate:
    """One model estimated: the stays it was made from, the occupation, the time in each state.

    ``length`` is null where nobody is followed for a year.
    """

    clinical: ClinicalStays
    stays: Stays
    occupation: StateOccupation
    length: LengthOfStay | None

    @property
    def last_day(self) -> float:
        """Last day on which anybody is under observation."""
        return float(self.stays.stop.max())

    @property
    def origin(self) -> str:
        """What days count from, in words."""
        return {"car_t": "CAR-T", "hspc": "HSPC"}[self.clinical.model.placed.origin]


def state_answers(trial: Trial, answers: Answers) -> tuple[ClinicalStays, ...]:
    """Stays of every ready-made model that at least one patient of the trial is in.

    In a cohort selected because everybody reached HSCT, observation begins at HSCT: the way there
    was guaranteed by the selection and cannot be estimated.
    """
    found = []
    for name, model in CLINICAL_MODELS.items():
        late = only_transplanted(trial) and model.placed.origin == "car_t"
        entry: Entry = "hspc" if late else "origin"
        made = clinical_stays(trial, answers, name, entry=entry)
        found.append(_without_start(made) if late else made)
    return tuple(c for c in found if c.stays.height or c.undated.height)


def _without_start(clinical: ClinicalStays) -> ClinicalStays:
    """The model without its first state, where nobody was observed in it."""
    model = clinical.model
    if (clinical.stays["from_state"] == model.states[0]).any():
        return clinical
    seen = replace(model, title=f"{model.title}, observed from HSCT on", states=model.states[1:])
    return replace(clinical, model=seen)


def estimate_states(clinical: ClinicalStays) -> StatesEstimate | None:
    """Aalen-Johansen state occupation of a model; none where it is not estimable.

    A transition on a day nobody states, or no transition at all, makes it so.
    """
    if not clinical.estimable or not (clinical.stays["status"] > 0).any():
        return None
    model = state_model(clinical.model.states, clinical.model.allowed)
    rows = clinical.stays
    stays = stays_from_rows(
        model,
        rows["patient"],
        rows["from_state"],
        rows["start_days"],
        rows["stop_days"],
        rows["to_state"],
    )
    hazards = transition_hazards(stays)
    followed = float(stays.stop.max()) >= YEAR_DAYS
    length = expected_length_of_stay(hazards, YEAR_DAYS) if followed else None
    return StatesEstimate(clinical, stays, state_occupation(hazards), length)


def count_in_states(
    stays: pl.DataFrame, states: Sequence[str], days: Sequence[float]
) -> pl.DataFrame:
    """Patients observed in each state just before each day, and those dead by then.

    Parameters
    ----------
    stays : DataFrame of ``endpoints.states.STAY_SCHEMA``
    states : sequence of str
        In order; the last is never left, and whoever reached it stays counted.
    days : sequence of float

    Returns
    -------
    DataFrame [day, state, patients, observed]
        ``observed`` counts those in a state that can be left.
    """
    rows = []
    entered, left = stays["start_days"].to_numpy(), stays["stop_days"].to_numpy()
    here = np.array([states.index(s) for s in stays["from_state"].to_list()], dtype=np.int64)
    ended = (stays["to_state"] == states[-1]).fill_null(value=False).to_numpy()
    for day in days:
        inside = ((entered < day) | (entered == 0)) & (left >= day)
        counts = np.bincount(here[inside], minlength=len(states))
        observed = int(counts.sum())
        counts[-1] = int((ended & (left < day)).sum())
        rows += [
            {"day": day, "state": state, "patients": int(n), "observed": observed}
            for state, n in zip(states, counts, strict=True)
        ]
    schema = {"day": pl.Float64, "state": pl.String, "patients": pl.Int64, "observed": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def summarise_occupation(
    estimate: StatesEstimate, *, days: Sequence[float] = OCCUPATION_DAYS
) -> pl.DataFrame:
    """Probability of each state at chosen days, in full precision.

    Returns
    -------
    DataFrame [model, day, state, patients, observed, probability, std_error, lower, upper]
        Days on which nobody is under observation any more are left out; limits are null where the
        log-log scale has none (a probability of 0 or 1).
    """
    model = estimate.clinical.model
    counts = count_in_states(estimate.clinical.stays, model.states, days)
    seen = counts.filter(pl.col("observed") > 0)
    chosen = seen["day"].unique().sort()
    if chosen.is_empty():
        return pl.DataFrame(schema=_OCCUPATION_SCHEMA)
    found = estimate.occupation.at(chosen.to_numpy()).rename({"time": "day"})
    return (
        seen.join(found, on=["day", "state"], how="left", validate="1:1", maintain_order="left")
        .with_columns(pl.col("lower", "upper").fill_nan(None), model=pl.lit(model.name))
        .select(pl.col(name).cast(dtype) for name, dtype in _OCCUPATION_SCHEMA.items())
    )


def occupation_table(estimate: StatesEstimate) -> ReportTable:
    """State occupation at chosen days."""
    model = estimate.clinical.model
    numbers = summarise_occupation(estimate)
    rows = [
        TableRow(
            (row["state"], str(row["patients"]), _percent_interval(row)), _day_text(row["day"])
        )
        for row in numbers.iter_rows(named=True)
    ]
    return ReportTable(
        f"states-{model.name.replace('_', '-')}",
        f"{model.title}: where patients are",
        (
            TableColumn("State", "left"),
            TableColumn("Patients there"),
            TableColumn("Probability (95% CI)", unit="%"),
        ),
        tuple(rows),
        numbers,
        (
            f"Days from {estimate.origin}. Aalen-Johansen state occupation with log-log intervals; "
            "the probabilities of a day sum to 100%.",
            "Where patients were censored, the probability of death need not equal 1 minus "
            "Kaplan-Meier survival: each state's patients are weighed by themselves.",
            "Patients there: under observation in the state on that day; for death, dead by then.",
            model.words,
            *_assumed_note(estimate.clinical),
        ),
    )


def transition_table(estimate: StatesEstimate) -> ReportTable:
    """How many stays in each state ended in each other, or in none."""
    model = estimate.clinical.model
    counted = count_transitions(estimate.stays).to_frame()
    counted = counted.filter(pl.col("from").is_in(model.states[:-1])).drop(model.states[0])
    followed = estimate.clinical.stays.filter(pl.col("status") == 0)
    open_stays = {s: int((followed["from_state"] == s).sum()) for s in model.states}
    counted = counted.with_columns(
        pl.col("from").replace_strict(open_stays, return_dtype=pl.Int64).alias("no event")
    )
    allowed = model.allowed
    rows = [
        TableRow(
            (
                row["from"],
                *(
                    str(row[s]) if s in allowed[row["from"]] else "\N{EN DASH}"
                    for s in model.states[1:]
                ),
                str(row["no event"]),
            )
        )
        for row in counted.iter_rows(named=True)
    ]
    return ReportTable(
        f"transitions-{model.name.replace('_', '-')}",
        f"{model.title}: transitions",
        (
            TableColumn("From", "left"),
            *(TableColumn(f"to {state}") for state in model.states[1:]),
            TableColumn("there at last contact"),
        ),
        tuple(rows),
        counted,
        (*_left_out_note(estimate.clinical), *_delayed_note(estimate)),
    )


def stay_length_table(estimate: StatesEstimate) -> ReportTable | None:
    """Mean time in each state within the first year; none where nobody is followed for so long."""
    if estimate.length is None:
        return None
    model = estimate.clinical.model
    numbers = estimate.length.to_frame().with_columns(model=pl.lit(model.name))
    rows = []
    for row in numbers.iter_rows(named=True):
        value, low, high = (row[k] / DAYS_PER_MONTH for k in ("mean", "lower", "upper"))
        rows.append(TableRow((row["state"], estimate_interval(value, low, high))))
    return ReportTable(
        f"stay-length-{model.name.replace('_', '-')}",
        f"{model.title}: mean time in each state within 12 months",
        (TableColumn("State", "left"), TableColumn("Mean (95% CI)", unit="months")),
        tuple(rows),
        numbers,
        (f"From {estimate.origin}; area under the state occupation, days in the data.",),
    )


def not_estimable(clinical: ClinicalStays) -> str:
    """Why a model is not estimated, in a sentence."""
    title = clinical.model.title
    if clinical.undated.is_empty():
        return f"{title}: no state is estimated, because no transition happened."
    counted = clinical.undated.group_by("state").len().sort("state")
    counts = ", ".join(f"{state} in {n} patient{'s' * (n > 1)}" for state, n in counted.rows())
    return (
        f"{title}: no state is estimated, because a transition happened on a day that is not "
        f"recorded ({counts}). No day is invented."
    )


def _percent_interval(row: dict[str, float | None]) -> str:
    low, high = (None if row[k] is None else 100 * (row[k] or 0.0) for k in ("lower", "upper"))
    if low is None or high is None:
        return f"{100 * (row['probability'] or 0.0):.1f}"
    return estimate_interval(100 * (row["probability"] or 0.0), low, high)


def _day_text(day: float) -> str:
    months = day / YEAR_DAYS * 12
    return f"{months:.0f} months" if day >= YEAR_DAYS else f"Day {day:.0f}"


def _assumed_note(clinical: ClinicalStays) -> tuple[str, ...]:
    assumed = clinical.stays.filter("assumed")["patient"].n_unique()
    if not assumed:
        return ()
    total = clinical.stays["patient"].n_unique()
    return (f"Times assumed in {assumed} of {total} patients: a range is taken at its middle.",)


def _left_out_note(clinical: ClinicalStays) -> tuple[str, ...]:
    counted = clinical.left_out.group_by("reason").len().sort("reason")
    if counted.is_empty():
        return ()
    return (f"Left out: {'; '.join(f'{n} ({words(reason)})' for reason, n in counted.rows())}.",)


def _delayed_note(estimate: StatesEstimate) -> tuple[str, ...]:
    first = estimate.clinical.stays.group_by("patient").agg(pl.col("start_days").min())
    if not (first["start_days"] > 0).any():
        return ()
    return (
        "Everybody reached HSCT by selection: observation begins there (delayed entry), and the "
        "way to HSCT is not estimated.",
    )
