"""Ready-made models of the way from infusion to transplant and after, as one row per stay.

Both models only go forward: a patient passes to a state that stands later in the list, never
back. What would lead back is no transition: HSCT after relapse leaves the patient in relapse.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import polars as pl

from graftline.endpoints.events import SAME_DAY, deaths, relapses, without_records
from graftline.endpoints.gvhd_incidence import acute_gvhd_from
from graftline.endpoints.people import Answers, people_of
from graftline.endpoints.populations import place_at_risk
from graftline.protocol import Endpoint, unknown_name
from graftline.protocol.strategy import Entry
from graftline.trial import Trial, hsct_days

RELAPSE: Final = "relapse or progression"
GVHD: Final = "acute GVHD II-IV"
HSCT: Final = "HSCT"
DEATH: Final = "death"

STAY_SCHEMA: Final[dict[str, type[pl.DataType]]] = {
    "patient": pl.String,
    "from_state": pl.String,
    "to_state": pl.String,
    "start_days": pl.Float64,
    "stop_days": pl.Float64,
    "status": pl.Int32,
    "assumed": pl.Boolean,
}
_BEFORE_ENTRY: Final = "event or censoring before entry"


@dataclass(frozen=True, slots=True)
class ClinicalModel:
    """States in the order in which a patient can pass through them, and when time starts.

    Every state can be followed by every later one, and the last is never left. ``words`` says what
    the model counts and what it does not.
    """

    name: str
    title: str
    states: tuple[str, ...]
    placed: Endpoint
    words: str

    @property
    def allowed(self) -> dict[str, tuple[str, ...]]:
        """For each state, the states that can follow."""
        return {state: self.states[i + 1 :] for i, state in enumerate(self.states[:-1])}


CLINICAL_MODELS: Final[Mapping[str, ClinicalModel]] = MappingProxyType(
    {
        model.name: model
        for model in (
            ClinicalModel(
                "car_t_to_hsct",
                "From CAR-T infusion to HSCT and after",
                ("infused", HSCT, RELAPSE, DEATH),
                Endpoint(title="From CAR-T infusion to HSCT and after", source="aalen1978"),
                "HSCT counts before relapse or progression; after it the patient stays in relapse.",
            ),
            ClinicalModel(
                "after_hsct",
                "After HSCT",
                (HSCT, GVHD, RELAPSE, DEATH),
                Endpoint(
                    title="After HSCT",
                    origin="hspc",
                    population="transplanted",
                    source="aalen1978",
                ),
                "Acute GVHD counts whenever it first reaches grade II, before relapse; resolved "
                "GVHD stays counted. DLI, a later graft and graft failure are no states.",
            ),
        )
    }
)


@dataclass(frozen=True, slots=True)
class ClinicalStays:
    """Stays of the patients of one model, and those for whom it cannot be told.

    ``stays`` has the columns of ``STAY_SCHEMA``, sorted by patient and start: ``to_state`` is null
    and ``status`` 0 where the stay ended without a transition. ``undated`` [patient, state] are
    transitions on a day that nobody states; ``left_out`` [patient, reason] the others without
    stays.
    """

    model: ClinicalModel
    stays: pl.DataFrame
    undated: pl.DataFrame
    left_out: pl.DataFrame

    @property
    def estimable(self) -> bool:
        """Whether every transition has its day; otherwise no state may be estimated."""
        return self.undated.is_empty() and not self.stays.is_empty()


def clinical_model(name: str) -> ClinicalModel:
    """A ready-made model by its name.

    Raises
    ------
    ProtocolError
        No such model.
    """
    if name not in CLINICAL_MODELS:
        raise unknown_name("model", name, CLINICAL_MODELS)
    return CLINICAL_MODELS[name]


def clinical_stays(
    trial: Trial, assessed: Answers, name: str, *, entry: Entry = "origin"
) -> ClinicalStays:
    """Each patient's stays in the states of a ready-made model, in days from its origin.

    Parameters
    ----------
    trial : Trial
    assessed : Answers
        Rules ``relapse``, ``progression`` and, after HSCT, ``acute_gvhd`` with its course.
    name : str
        ``car_t_to_hsct`` or ``after_hsct``.
    entry : {"origin", "hspc"}
        From when a patient is under observation. With ``hspc`` (left truncation, for cohorts
        selected because they reached HSCT) what lies before HSCT is not counted.

    Returns
    -------
    ClinicalStays
        A patient whose transition has no day gets no stay and is named in ``undated``. A
        transition on the day of origin, entry or of another transition comes half a day after it,
        in the order of the states. A patient who relapsed before HSCT is not in ``after_hsct``.

    Raises
    ------
    ProtocolError
        No such model.
    """
    model = clinical_model(name)
    people = people_of(trial, assessed)
    spec = model.placed.model_copy(update={"entry": entry})
    placed = _placed(place_at_risk(people, spec), people, trial, assessed, model)
    members = placed.filter(pl.col("left_out").is_null())
    moves = _moves(people, trial, assessed, model).join(
        members.select("patient", "origin_day", origin_assumed="assumed"),
        on="patient",
        how="inner",
        validate="m:1",
    )
    early = (
        moves.filter(pl.col("at") < pl.col("origin_day"))
        .group_by("patient")
        .agg(early=pl.format("{} before the origin", pl.col("state").sort().first()))
    )
    undated = (
        moves.join(early, on="patient", how="anti")
        .group_by("patient", "state")
        .agg(unknown=pl.col("at").is_null().all())
        .filter("unknown")
        .select("patient", "state")
        .sort("patient", "state")
    )
    known = members.join(early, on="patient", how="anti").join(undated, on="patient", how="anti")
    stays = _entered(_stays(model, known, moves.drop_nulls("at")), known)
    lost = (
        placed.join(early, on="patient", how="left", validate="1:1")
        .join(stays.select("patient").unique(), on="patient", how="anti")
        .join(undated, on="patient", how="anti")
        .select("patient", reason=pl.coalesce("left_out", "early", pl.lit(_BEFORE_ENTRY)))
    )
    return ClinicalStays(model, stays, undated, lost.sort("patient"))


def _placed(
    placed: pl.DataFrame,
    people: pl.DataFrame,
    trial: Trial,
    assessed: Answers,
    model: ClinicalModel,
) -> pl.DataFrame:
    """Say why a patient has no stays; a death without a day is an undated transition instead."""
    undated = people.filter(pl.col("dead") & pl.col("death_day").is_null()).select("patient")
    dead = pl.col("patient").is_in(undated["patient"].implode())
    in_time = pl.col("left_out") == "no follow-up recorded"
    placed = placed.with_columns(left_out=pl.when(~(dead & in_time)).then("left_out"))
    if model.states[0] == HSCT:
        unknown = pl.col("patient").is_in(undated_grafts(trial)["patient"].implode())
        reason = pl.when(unknown).then(pl.lit("day of HSCT unknown")).otherwise("left_out")
        placed = placed.with_columns(left_out=reason)
    if GVHD not in model.states:
        return placed
    silent = without_records(people, assessed, "acute_gvhd").select("patient", silent="reason")
    return placed.join(silent, on="patient", how="left", validate="1:1").select(
        pl.exclude("left_out", "silent"), left_out=pl.coalesce("left_out", "silent")
    )


def undated_grafts(trial: Trial) -> pl.DataFrame:
    """Patients who had HSCT on a day that nobody states, as [patient]."""
    stated = trial.patients.filter(pl.col("status") == "transplanted").select("patient")
    given = trial["infusions"].filter(pl.col("kind") == "hspc").select("patient")
    dated = hsct_days(trial).drop_nulls("hsct_day")
    return pl.concat([stated, given]).unique().join(dated, on="patient", how="anti")


def _moves(
    people: pl.DataFrame, trial: Trial, assessed: Answers, model: ClinicalModel
) -> pl.DataFrame:
    """What takes a patient to another state, as [patient, state, at, assumed].

    ``at`` counts from the index infusion and is null on an unknown day.
    """
    grafts = people.filter("transplanted").select("patient", at="hsct_day", assumed="hsct_assumed")
    unknown = undated_grafts(trial).select(
        "patient", at=pl.lit(None, pl.Float64), assumed=pl.lit(value=True)
    )
    found = {
        HSCT: [grafts, unknown],
        GVHD: [acute_gvhd_from(people, assessed, grade=2)],
        RELAPSE: [relapses(assessed), relapses(assessed, rule="progression")],
        DEATH: [deaths(people)],
    }
    rows = [
        frame.select(
            "patient",
            state=pl.lit(state),
            at=pl.col("at").cast(pl.Float64),
            assumed=pl.col("assumed").fill_null(value=False),
        )
        for state in model.states[1:]
        for frame in found[state]
    ]
    return pl.concat(rows)


def _stays(model: ClinicalModel, known: pl.DataFrame, moves: pl.DataFrame) -> pl.DataFrame:
    """Stays from the origin on; ``moves`` are dated, ``known`` the patients with all days."""
    rank = {state: place for place, state in enumerate(model.states)}
    steps = (
        moves.join(known.select("patient"), on="patient", how="semi")
        .with_columns(
            days=pl.col("at") - pl.col("origin_day"),
            rank=pl.col("state").replace_strict(rank, return_dtype=pl.Int32),
        )
        .sort("patient", "days", "rank", "assumed")
        .filter(pl.col("rank") > pl.col("rank").cum_max().shift(1, fill_value=0).over("patient"))
        .with_columns(stop_days="days")
    )
    for _ in model.states[1:]:  # one pass per transition: each looks at the one before it
        before = pl.col("stop_days").shift(1, fill_value=0.0).over("patient")
        moved = pl.when(pl.col("days") <= before).then(before + SAME_DAY).otherwise("days")
        steps = steps.with_columns(stop_days=moved)
    made = steps.select(
        "patient",
        from_state=pl.col("state").shift(1, fill_value=model.states[0]).over("patient"),
        to_state="state",
        start_days=pl.col("stop_days").shift(1, fill_value=0.0).over("patient"),
        stop_days="stop_days",
        status=pl.lit(1, pl.Int32),
        assumed=pl.col("assumed") | pl.col("origin_assumed"),
    )
    return pl.concat([made, _open_stays(model, known, made)]).sort("patient", "start_days")


def _open_stays(model: ClinicalModel, known: pl.DataFrame, made: pl.DataFrame) -> pl.DataFrame:
    """The last stay of patients who are followed in a state that can be left."""
    last = (
        made.sort("patient", "stop_days")
        .group_by("patient", maintain_order=True)
        .agg(here=pl.col("to_state").last(), since=pl.col("stop_days").last())
    )
    since = pl.col("since").fill_null(0.0)
    until = pl.max_horizontal(pl.col("censor_day") - pl.col("origin_day"), 0.0)
    return (
        known.join(last, on="patient", how="left", validate="1:1")
        .filter(pl.col("here").fill_null("") != model.states[-1])
        .filter((until > since) | pl.col("since").is_null())
        .select(
            "patient",
            from_state=pl.col("here").fill_null(model.states[0]),
            to_state=pl.lit(None, pl.String),
            start_days=since,
            stop_days=until,
            status=pl.lit(0, pl.Int32),
            assumed=pl.col("assumed") | pl.col("end_assumed"),
        )
    )


def _entered(stays: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Stays from each patient's entry on; what came before it was not under observation."""
    entry = known.select(
        "patient", entry=pl.max_horizontal(pl.col("entry_day") - pl.col("origin_day"), 0.0)
    )
    late = pl.col("entry") > 0
    return (
        stays.join(entry, on="patient", how="left", validate="m:1")
        .filter(~late | (pl.col("stop_days") > pl.col("entry")))
        .with_columns(start_days=pl.max_horizontal("start_days", "entry"))
        .select(pl.col(name).cast(dtype) for name, dtype in STAY_SCHEMA.items())
        .sort("patient", "start_days")
    )
