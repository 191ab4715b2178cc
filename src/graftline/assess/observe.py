"""What is known of each patient on a decision day: one column per variable, with age and record."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import polars as pl

from graftline.assess.adjudicated import adjudicated_events
from graftline.assess.criteria_logic import variables_of
from graftline.assess.pancytopenia import pancytopenia_days
from graftline.assess.response import adjudicated_responses
from graftline.assess.results import as_written
from graftline.assess.sorted_rows import is_last_row
from graftline.schema import TABLES
from graftline.trial import Trial

# infection that is not under control: grade 3 (intravenous treatment or hospital), and how long
# one without a last day counts as active
UNCONTROLLED_FROM_GRADE: Final = 3
ACTIVE_FOR_DAYS: Final = 7.0


class Assessed(Protocol):
    """The criteria assessed before: the tables behind their answers."""

    @property
    def details(self) -> Mapping[str, pl.DataFrame]:
        """Tables by name."""


def observe_at(
    trial: Trial,
    assessed: Assessed,
    days: pl.DataFrame,
    *,
    variables: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Latest observation of every variable on or before each decision day.

    Parameters
    ----------
    trial : Trial
    assessed : Assessments of the criteria before
        Details ``response_visits``, ``mrd_tests``, ``crs_days`` and ``icans_days`` are read where
        present.
    days : DataFrame [patient, decision_day]
        Several decisions per patient allowed, each once.
    variables : sequence of str, optional
        Default: those of the protocol's eligibility, gate and safety lists. A name nobody records
        gets no column, and so is unknown to every criterion.

    Returns
    -------
    DataFrame [patient, decision_day, <variable>, <variable>_age_days, <variable>_limit,
    <variable>_record, ...], in the order of ``days``
        Columns of ``patients`` and ``donors`` have no age: they hold for the whole trial.
    """
    protocol = trial.protocol
    if variables is None:
        variables = variables_of((*protocol.eligibility, *protocol.gate, *protocol.safety))
    base = days.select("patient", pl.col("decision_day").cast(pl.Float64)).with_row_index("_key")
    observed = base
    for name in variables:
        seen = _observation(trial, assessed, base, name)
        if seen is not None:
            observed = observed.join(seen, on="_key", how="left", validate="1:1")
    return observed.sort("_key").drop("_key")


def _observation(
    trial: Trial, assessed: Assessed, base: pl.DataFrame, name: str
) -> pl.DataFrame | None:
    """Columns of one variable keyed by decision; None where no table records such a thing."""
    if name in _BUILT:
        return _named(_BUILT[name](trial, assessed, base), name)
    if TABLES["labs"].quantity(name) is not None:
        return _named(_analyte(trial, base, name), name)
    if TABLES["patients"].column(name) is not None:
        known = trial.patients.select(
            "patient", value=name, record=pl.format("patients row {}", pl.col("row"))
        )
        held = base.join(known, on="patient", how="left", validate="m:1")
        return _named(held.select("_key", "value", "record"), name)
    if TABLES["marrow"].column(name) is not None:
        rows = trial["marrow"].filter(pl.col("specimen").fill_null("marrow") == "marrow")
        return _named(_latest(base, _dated(rows, name, "marrow")), name)
    if TABLES["vitals"].column(name) is not None:
        return _named(_latest(base, _dated(trial["vitals"], name, "vitals")), name)
    return None


def _named(seen: pl.DataFrame, name: str) -> pl.DataFrame:
    new = {"value": name, "age": f"{name}_age_days"}
    new |= {part: f"{name}_{part}" for part in ("limit", "record")}
    return seen.rename({old: to for old, to in new.items() if old in seen.columns})


def _dated(rows: pl.DataFrame, column: str, table: str) -> pl.DataFrame:
    """Rows with a value as [patient, at, value, record], the last of a day last."""
    return (
        rows.drop_nulls(["day", column])
        .sort("patient", "day", "row")
        .select(
            "patient",
            at=pl.col("day").floor(),
            value=column,
            record=pl.format(
                "{} row {}, day {}", pl.lit(table), pl.col("row"), as_written(pl.col("day"))
            ),
        )
    )


def _latest(base: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Last row of ``rows`` on or before each decision, with its age in days.

    Days are whole: what was measured on the day of the decision counts.
    """
    rows = rows.sort("patient", "at", maintain_order=True).filter(is_last_row("patient", "at"))
    last = (
        base.with_columns(at=pl.col("decision_day").floor())
        .sort("at", "_key")
        .join_asof(
            rows.with_columns(seen="at"),
            on="at",
            by="patient",
            strategy="backward",
            check_sortedness=False,
        )
        .with_columns(age=pl.col("at") - pl.col("seen"))
    )
    kept = [c for c in ("value", "age", "limit", "record") if c in last.columns]
    return last.select("_key", *kept)


def _analyte(trial: Trial, base: pl.DataFrame, analyte: str) -> pl.DataFrame:
    rows = (
        trial["labs"]
        .filter(pl.col("analyte") == analyte)
        .drop_nulls(["day", "value"])
        .sort("patient", "day", "row")
        .select(
            "patient",
            "value",
            at=pl.col("day").floor(),
            limit="quantification",
            record=pl.format("labs row {}, day {}", pl.col("row"), as_written(pl.col("day"))),
        )
    )
    return _latest(base, rows)


def _response(trial: Trial, assessed: Assessed, base: pl.DataFrame) -> pl.DataFrame:
    """Class of the last visit; a visit that could not be classed hides the one before."""
    visits = assessed.details.get("response_visits")
    called = adjudicated_responses(trial).drop_nulls("response_day")
    theirs = _latest(
        base,
        called.select(
            "patient",
            at=pl.col("response_day").floor(),
            value="overall",
            record=pl.format("events, response, day {}", as_written(pl.col("response_day"))),
        ),
    )
    if visits is None:
        return theirs
    mine = _latest(
        base,
        visits.sort("patient", "response_day", "day").select(
            "patient",
            at=pl.col("response_day").floor(),
            value="overall",
            record=pl.format("marrow, day {}", as_written(pl.col("day"))),
        ),
    )
    return _either(trial, mine, theirs)


def _mrd(trial: Trial, assessed: Assessed, base: pl.DataFrame) -> pl.DataFrame:
    called = adjudicated_events(trial, ["mrd"]).drop_nulls(["day", "label"])
    theirs = _latest(
        base,
        called.select(
            "patient",
            at=pl.col("day").floor(),
            value=pl.col("label").str.to_lowercase(),
            record=pl.format("events row {}, day {}", pl.col("row"), as_written(pl.col("day"))),
        ),
    )
    tests = assessed.details.get("mrd_tests")
    if tests is None:
        return theirs
    mine = tests.filter("accepted").drop_nulls("day").sort("patient", "day")
    return _either(
        trial,
        _latest(
            base,
            mine.select(
                "patient",
                at=pl.col("day").floor(),
                value="label",
                record=pl.format("marrow, day {}", as_written(pl.col("day"))),
            ),
        ),
        theirs,
    )


def _either(trial: Trial, derived: pl.DataFrame, adjudicated: pl.DataFrame) -> pl.DataFrame:
    """The preferred source where it says anything, else the other."""
    first, second = adjudicated, derived
    if trial.protocol.definitions.source_preferred == "derived":
        first, second = derived, adjudicated
    both = first.join(second, on="_key", how="left", validate="1:1", suffix="_other")
    silent = pl.col("value").is_null() & pl.col("value_other").is_not_null()
    return both.select(
        "_key",
        *(
            pl.when(silent).then(f"{name}_other").otherwise(name).alias(name)
            for name in ("value", "age", "record")
        ),
    )


def _pancytopenia(trial: Trial, assessed: Assessed, base: pl.DataFrame) -> pl.DataFrame:
    """Whether the protocol's pancytopenia held on the last day with a count."""
    transfused = trial["transfusions"] if "transfusions" in trial.present else None
    days = pancytopenia_days(
        trial["labs"], transfused, definition=trial.protocol.definitions.pancytopenia
    )
    mine = _latest(
        base,
        days.filter("measured").select(
            "patient",
            at="day",
            value="met",
            record=pl.format("labs (counts), day {}", as_written(pl.col("day"))),
        ),
    )
    return _either(trial, mine, _stated_until(trial, base, "pancytopenia", graded=False))


def _car_t_detectable(trial: Trial, assessed: Assessed, base: pl.DataFrame) -> pl.DataFrame:
    """Whether the last sample of either assay was at or above its limit.

    A positive assay answers yes with its own age, so that a positive too old to count leaves the
    question open even where the other, less sensitive assay is negative.
    """
    found = []
    for analyte in ("car_t_qpcr", "car_t_flow"):
        rows = trial["labs"].filter(pl.col("analyte") == analyte).drop_nulls(["day", "value"])
        quantified = (pl.col("quantification").fill_null("quantified") != "below") & (
            pl.col("value") > 0
        )
        detected = quantified & (pl.col("value") >= pl.col("lloq")).fill_null(value=True)
        found.append(
            _latest(
                base,
                rows.sort("patient", "day", "row").select(
                    "patient",
                    at=pl.col("day").floor(),
                    value=detected,
                    record=pl.format(
                        "labs row {}, day {}", pl.col("row"), as_written(pl.col("day"))
                    ),
                ),
            )
        )
    return (
        pl.concat(found)
        .sort("_key", "value", "age", descending=[False, True, False], nulls_last=True)
        .unique("_key", keep="first", maintain_order=True)
    )


def _infection(trial: Trial, assessed: Assessed, base: pl.DataFrame) -> pl.DataFrame:
    """Yes while a severe infection is active, no once every one on record has ended.

    Nobody is free of infection for want of records: without any, the answer is unknown. An
    infection without a last day is active for a week after its first, then unknown; one whose
    severity is not recorded, or in blood, is taken as severe.
    """
    graded = (pl.col("ctcae_grade") >= UNCONTROLLED_FROM_GRADE).fill_null(value=False)
    severe = graded | (pl.col("severity") >= 2).fill_null(value=False)
    ungraded = pl.col("ctcae_grade").is_null() & pl.col("severity").is_null()
    in_blood = pl.col("site").str.to_lowercase() == "blood"
    rows = trial["infections"].select(
        "patient",
        "row",
        "end_day",
        "start_day",
        start=pl.coalesce("start_day", "start_day_low"),
        severe=severe | ungraded | in_blood.fill_null(value=False),
    )
    day = pl.col("decision_day")
    ended = (pl.col("end_day") < day).fill_null(value=False)
    recent = pl.col("end_day").is_null() & (day - pl.col("start_day") <= ACTIVE_FOR_DAYS)
    active = (pl.col("end_day") >= day).fill_null(value=False) | recent.fill_null(value=False)
    met = base.join(rows, on="patient", how="inner", validate="m:m").filter(pl.col("start") <= day)
    return met.group_by("_key").agg(
        value=pl.when((active & pl.col("severe")).any())
        .then(pl.lit(value=True))
        .when((pl.col("severe") & ~ended & ~active).any())
        .then(None)
        .otherwise(pl.lit(value=False)),
        age=pl.when((~ended).any())
        .then(pl.lit(0.0))
        .otherwise(day.first() - pl.col("end_day").max()),
        record=pl.format("infections rows {}", pl.col("row").sort().cast(pl.String).str.join(", ")),
    )


def _stated_until(trial: Trial, base: pl.DataFrame, event: str, *, graded: bool) -> pl.DataFrame:
    """What the investigator states about an episode with its first and last day, on a decision day.

    During the episode its grade, after its last day nothing (grade 0, or no); an episode without a
    last day leaves the question open. Stated not to have occurred: nothing, on any day.
    """
    # a decision comes before HSPC: what is stated of the time after it does not speak
    rows = (
        adjudicated_events(trial, [event])
        .filter((pl.col("timing") != "after HSPC").fill_null(value=True))
        .select("patient", "row", "occurred", "day", "end_day", "grade")
    )
    met = base.join(rows, on="patient", how="inner", validate="m:m").filter(
        ~pl.col("occurred") | (pl.col("day") <= pl.col("decision_day")) | pl.col("day").is_null()
    )
    over = ~pl.col("occurred") | (pl.col("end_day") < pl.col("decision_day")).fill_null(value=False)
    running = (pl.col("occurred") & (pl.col("end_day") >= pl.col("decision_day"))).fill_null(
        value=False
    )
    value = (
        pl.when(running)
        .then(pl.col("grade").cast(pl.Float64) if graded else pl.lit(value=True))
        .when(over)
        .then(pl.lit(0.0) if graded else pl.lit(value=False))
    )
    answers = (
        met.with_columns(value=value)
        .group_by("_key")
        .agg(
            open=pl.col("value").is_null().any(),
            value=pl.col("value").max(),
            age=pl.lit(0.0).first(),
            record=pl.format("events rows {}", pl.col("row").sort().cast(pl.String).str.join(", ")),
        )
        .with_columns(value=pl.when(~pl.col("open")).then("value"))
        .drop("open")
    )
    return base.select("_key").join(answers, on="_key", how="left", validate="1:1")


def _toxicity(event: str) -> Callable[[Trial, Assessed, pl.DataFrame], pl.DataFrame]:
    def observe(trial: Trial, assessed: Assessed, base: pl.DataFrame) -> pl.DataFrame:
        theirs = _stated_until(trial, base, event, graded=True)
        graded = assessed.details.get(f"{event}_days")
        if graded is None:
            return theirs
        rows = graded.drop_nulls("grade").sort("patient", "day")
        mine = _latest(
            base,
            rows.select(
                "patient",
                at=pl.col("day").floor(),
                value=pl.col("grade").cast(pl.Float64),
                record=pl.format("vitals, day {}", as_written(pl.col("day"))),
            ),
        )
        return _either(trial, mine, theirs)

    return observe


def _active_gvhd(trial: Trial, assessed: Assessed, base: pl.DataFrame) -> pl.DataFrame:
    """Acute GVHD of any grade at the last assessment, or an episode that has not ended."""
    theirs = _stated_until(trial, base, "acute_gvhd", graded=False)
    course = assessed.details.get("acute_gvhd_course")
    if course is None:
        return theirs
    rows = course.filter(pl.col("source") == "derived").drop_nulls(["day", "grade"])
    mine = _latest(
        base,
        rows.sort("patient", "day").select(
            "patient",
            at=pl.col("day").floor(),
            value=pl.col("grade") > 0,
            record=pl.format("gvhd, day {}", as_written(pl.col("day"))),
        ),
    )
    return _either(trial, mine, theirs)


def _of_donors(column: str, *, any_counts: bool) -> Callable[..., pl.DataFrame]:
    """A flag over the HSPC donors of a patient: of any of them, or of all."""

    def observe(trial: Trial, assessed: Assessed, base: pl.DataFrame) -> pl.DataFrame:
        flag = pl.col(column)
        donors = (
            trial["donors"]
            .filter(pl.col("role") == "hspc")
            .group_by("patient")
            .agg(
                value=flag.any(ignore_nulls=False) if any_counts else flag.all(ignore_nulls=False),
                record=pl.format(
                    "donors rows {}", pl.col("row").sort().cast(pl.String).str.join(", ")
                ),
            )
        )
        held = base.join(donors, on="patient", how="left", validate="m:1")
        return held.select("_key", "value", "record")

    return observe


_BUILT: Final[Mapping[str, Callable[[Trial, Assessed, pl.DataFrame], pl.DataFrame]]] = {
    "response": _response,
    "mrd": _mrd,
    "pancytopenia": _pancytopenia,
    "car_t_detectable": _car_t_detectable,
    "uncontrolled_infection": _infection,
    "crs_grade": _toxicity("crs"),
    "icans_grade": _toxicity("icans"),
    "active_gvhd": _active_gvhd,
    "donor_specific_antibodies": _of_donors("donor_specific_antibodies", any_counts=True),
    "donor_cleared": _of_donors("cleared", any_counts=False),
}
