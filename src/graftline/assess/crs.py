"""Cytokine release syndrome by ASTCT consensus: daily grade, episodes, worst grade, duration."""

import polars as pl

from graftline.assess.adjudicated import adjudicated_events
from graftline.assess.answers import adjudicated_for, answer_everybody, join_flags
from graftline.assess.episodes import (
    EPISODE_SCHEMA,
    days_covered,
    deaths_from,
    flags_together,
    late_onset_reported,
    no_episode_answers,
    worst_with_deaths,
)
from graftline.assess.population import infused_patients
from graftline.assess.printed import printed_criteria
from graftline.assess.results import Assessed, as_results, combine_results
from graftline.assess.vital_signs import daily_crs_signs
from graftline.rules import Read, Rule
from graftline.trial import Trial, once_per_trial

_CRS = printed_criteria("crs_astct2019")
_READS = (
    Read("vitals", window=(0, None)),
    Read("drugs", "indication", ("crs", "antipyretic", "icans")),
    Read("ae", "term", tuple(_CRS["unrelated"]["terms"])),
    Read("infections", "evidence", ("culture",)),
)
_PARAMETERS = (
    "onset_window_days",
    "quiet_days",
    "missing_days",
    "fever_from_celsius",
    "low_flow_up_to_l_per_min",
    "systolic_below_mmhg",
)

RULES: tuple[Rule, ...] = (
    Rule(
        id="crs",
        title="Cytokine release syndrome, worst ASTCT grade",
        words=(
            " | ".join(f"{g}: {_CRS['printed'][g]}" for g in "12345")
            + f". {_CRS['printed']['fever']}. Onset (day) is the first day of grade >= 1 within "
            "the onset window; later only if the investigator reports CRS. Days with another "
            "cause are left out; culture-proven infection is flagged confounded."
        ),
        citation="lee2019",
        reads=_READS,
        parameters=_PARAMETERS,
    ),
    Rule(
        id="crs_duration",
        title="Days in CRS",
        words=(
            "End minus onset plus 1, summed over episodes. An episode ends on the last day with a "
            "criterion, oxygen device or vasopressor that two days without any follow; a single "
            "quiet day and up to two days without records are bridged."
        ),
        citation="graftline",
        reads=_READS,
        parameters=_PARAMETERS,
    ),
)


def grade_crs_days(
    signs: pl.DataFrame,
    drugs: pl.DataFrame,
    *,
    excluded: pl.DataFrame | None = None,
    confounded: pl.DataFrame | None = None,
    late_reported: pl.DataFrame | None = None,
    onset_window_days: float = 14,
    quiet_days: int = 2,
    missing_days: int = 2,
) -> pl.DataFrame:
    """ASTCT grade of every day with vital signs from day 0, with the episode it belongs to.

    Parameters
    ----------
    signs : DataFrame from ``daily_crs_signs``
    drugs : DataFrame, the ``drugs`` table
        Antipyretics, tocilizumab and steroids waive fever once CRS has begun. For patients without
        any drug record it is not known whether fever was suppressed: hypotension and hypoxia are
        then graded as if it was, flagged ``treatment not recorded``.
    excluded, confounded : DataFrame [patient, day], optional
        Days another cause explains, and days with culture-proven infection.
    late_reported : DataFrame [patient], optional
        Patients whose investigator reports CRS after the window.
    onset_window_days : float
        Last day on which CRS may begin.
    quiet_days, missing_days : int
        So many known quiet days, or more than so many days without records, close an episode.

    Returns
    -------
    DataFrame [patient, day, grade, state, flags, lower_bound, episode, onset, active]
        ``grade`` null on days that cannot be judged; ``episode`` and ``onset`` null outside
        episodes that count. Sorted by patient and day.

    Notes
    -----
    Lee (2019); episodes, window and attribution are graftline's conventions.
    """
    days = _attributed(signs.filter(pl.col("day") >= 0), excluded, confounded)
    days = _with_treatment(days, drugs)
    support = (pl.col("hypotension_grade") > 0) | (pl.col("hypoxia_grade") > 0)
    days = days.with_columns(
        support=support.fill_null(value=False),
        support_known=pl.any_horizontal(pl.col("hypotension_grade", "hypoxia_grade").is_not_null()),
    ).with_columns(active=pl.col("fever").fill_null(value=False) | pl.col("support"))
    days = _with_episodes(days, quiet_days=quiet_days, missing_days=missing_days)
    late = (
        pl.lit(value=False)
        if late_reported is None
        else pl.col("patient").is_in(late_reported["patient"].implode())
    )
    counts = (pl.col("onset") <= onset_window_days) | (late & pl.col("onset").is_not_null())
    outside = pl.col("active") & pl.col("fever") & ~counts
    days = days.with_columns(
        outside=outside.fill_null(value=False),
        episode=pl.when(counts).then("episode"),
        onset=pl.when(counts).then("onset"),
    )
    return _graded(days)


def _attributed(
    signs: pl.DataFrame, excluded: pl.DataFrame | None, confounded: pl.DataFrame | None
) -> pl.DataFrame:
    """Take days with another cause out; mark possible and infected ones."""
    none = signs.clear().select("patient", "day")
    marked = signs.join(
        (none if excluded is None else excluded).unique().with_columns(unrelated=True),
        on=["patient", "day"],
        how="left",
        validate="1:1",
    ).join(
        (none if confounded is None else confounded).unique().with_columns(infected=True),
        on=["patient", "day"],
        how="left",
        validate="1:1",
    )
    out = (pl.col("other_cause") == "yes") | pl.col("unrelated").fill_null(value=False)
    return marked.with_columns(
        fever=pl.when(out).then(pl.lit(value=False)).otherwise("fever"),
        hypotension_grade=pl.when(out).then(0).otherwise("hypotension_grade"),
        hypoxia_grade=pl.when(out).then(0).otherwise("hypoxia_grade"),
        out=out,
        confounded=(pl.col("other_cause") == "possible")
        | pl.col("infected").fill_null(value=False),
    ).sort("patient", "day")


def _with_treatment(days: pl.DataFrame, drugs: pl.DataFrame) -> pl.DataFrame:
    """Add ``treated_until`` (last day of treatment begun so far) and ``treatment_recorded``."""
    waives = _CRS["waives_fever"]
    courses = (
        drugs.filter(
            pl.col("drug").str.to_lowercase().is_in(waives["drugs"])
            | pl.col("indication").is_in(waives["indications"])
        )
        .filter(~pl.col("route").fill_null("iv").is_in(["topical", "intrathecal", "inhaled"]))
        .select(
            "patient",
            day=pl.col("start_day").floor(),
            treated_until=pl.coalesce("end_day", "start_day"),
        )
        .sort("patient", "day")
        .with_columns(pl.col("treated_until").cum_max().over("patient"))
        .unique(["patient", "day"], keep="last", maintain_order=True)
        .sort("patient", "day")
    )
    recorded = drugs.select("patient").unique().with_columns(treatment_recorded=True)
    return (
        days.sort("patient", "day")
        .join_asof(courses, on="day", by="patient", strategy="backward", check_sortedness=False)
        .join(recorded, on="patient", how="left", validate="m:1")
        .with_columns(pl.col("treatment_recorded").fill_null(value=False))
        .sort("patient", "day")
    )


def _with_episodes(days: pl.DataFrame, *, quiet_days: int, missing_days: int) -> pl.DataFrame:
    """Number the spells of active days and find the first fever of each."""
    quiet = ~pl.col("active") & (
        pl.col("fever").is_not_null()
        | (pl.col("support_known") & (pl.col("treated_until") >= 0).fill_null(value=False))
    )
    days = days.with_columns(judged=pl.col("active") | quiet).with_columns(
        place=pl.col("judged").cast(pl.Int64).cum_sum().over("patient")
    )
    active = days.filter("active")
    between = pl.col("place").diff().over("patient") - 1
    absent = pl.col("day").diff().over("patient") - 1 - between
    spells = (
        active.with_columns(new=(between >= quiet_days) | (absent > missing_days))
        .with_columns(
            episode=pl.col("new").fill_null(value=False).cast(pl.Int64).cum_sum().over("patient")
        )
        .with_columns(
            onset=pl.col("day").filter("fever").min().over("patient", "episode"),
        )
        .with_columns(
            pl.when(pl.col("day") >= pl.col("onset")).then(column).alias(column)
            for column in ("episode", "onset")
        )
    )
    return days.join(
        spells.select("patient", "day", "episode", "onset"),
        on=["patient", "day"],
        how="left",
        validate="1:1",
    ).sort("patient", "day")


def _graded(days: pl.DataFrame) -> pl.DataFrame:
    """Grade each day; say what was missing."""
    inside = pl.col("onset").is_not_null()
    worst = pl.max_horizontal("hypotension_grade", "hypoxia_grade", pl.lit(0))
    fever = pl.col("fever")
    suppressed = (pl.col("treated_until") >= pl.col("onset")).fill_null(value=False)
    unsure = inside & ~fever & pl.col("support") & ~suppressed & ~pl.col("treatment_recorded")
    grade = (
        pl.when(inside & fever)
        .then(pl.max_horizontal(worst, pl.lit(1)))
        .when(inside & (fever.is_null() | suppressed | unsure.fill_null(value=False)))
        .then(worst)
        .when(pl.col("judged"))
        .then(0)
    )
    open_items = (
        ~pl.col("pressure_known") | ~pl.col("oxygen_known") | pl.col("flow_unknown")
    ).fill_null(value=True)
    days = days.with_columns(
        grade=grade.cast(pl.Int64), unsure=unsure.fill_null(value=False), open_items=open_items
    )
    some = pl.col("grade") >= 1
    return days.select(
        "patient",
        "day",
        "grade",
        state=pl.when(pl.col("grade").is_null())
        .then(pl.lit("not_evaluable"))
        .when(some)
        .then(pl.lit("yes"))
        .otherwise(pl.lit("no")),
        flags=join_flags(
            [
                pl.when(condition).then(pl.lit(text))
                for text, condition in {
                    "confounded": pl.col("confounded"),
                    "other cause": pl.col("out"),
                    "outside onset window": pl.col("outside"),
                    "treatment not recorded": pl.col("unsure"),
                    "temperature missing": fever.is_null(),
                    "blood pressure or vasopressors missing": some & ~pl.col("pressure_known"),
                    "oxygen missing": some & ~pl.col("oxygen_known"),
                    "oxygen flow missing": pl.col("flow_unknown"),
                    "query: low saturation on room air": pl.col("low_saturation"),
                }.items()
            ]
        ),
        lower_bound=(some & (pl.col("grade") < 4) & pl.col("open_items")).fill_null(value=False),
        episode="episode",
        onset="onset",
        active="active",
    )


def crs_episodes(days: pl.DataFrame, *, quiet_days: int = 2) -> pl.DataFrame:
    """Episodes of CRS from graded days.

    Parameters
    ----------
    days : DataFrame from ``grade_crs_days``
    quiet_days : int
        So many judged days without a criterion confirm the end.

    Returns
    -------
    DataFrame [patient, episode, onset, end, duration_days, grade, lower_bound, ended, flags]
        ``ended`` false where the days after the last active one were not (or not yet) recorded.
    """
    judged = days.filter(pl.col("grade").is_not_null()).with_columns(
        place=pl.int_range(pl.len()).over("patient", order_by="day")
    )
    judged = judged.with_columns(last=pl.col("place").max().over("patient"))
    active = judged.filter("active").sort("patient", "day")
    until = pl.col("place").shift(-1).over("patient").fill_null(pl.col("last") + 1)
    return (
        active.with_columns(followed=until - pl.col("place") - 1 >= quiet_days)
        .drop_nulls("episode")
        .sort("patient", "day")
        .group_by("patient", "episode", maintain_order=True)
        .agg(
            onset=pl.col("onset").first(),
            end=pl.col("day").max(),
            grade=pl.col("grade").max(),
            lower_bound=pl.col("lower_bound").any() & (pl.col("grade").max() < 4),
            ended=pl.col("followed").last(),
            flags=pl.col("flags")
            .str.split("; ")
            .explode()
            .unique()
            .sort()
            .drop_nulls()
            .str.join("; "),
        )
        .with_columns(
            duration_days=pl.col("end") - pl.col("onset") + 1,
            flags=pl.when(pl.col("flags") != "").then("flags"),
        )
        .select(*EPISODE_SCHEMA)
        .sort("patient", "onset")
    )


@once_per_trial
def _graded_days(trial: Trial) -> pl.DataFrame:
    window = trial.protocol.definitions.crs_onset_window_days
    return grade_crs_days(
        daily_crs_signs(trial["vitals"], trial.patients),
        trial["drugs"],
        excluded=days_covered(_unrelated(trial), trial["vitals"]),
        confounded=days_covered(_septic(trial), trial["vitals"]),
        late_reported=late_onset_reported(trial, "crs", after_day=window),
        onset_window_days=window,
    ).join(infused_patients(trial), on="patient", how="semi", maintain_order="left")


def crs_course(trial: Trial) -> pl.DataFrame:
    """CRS of every infused patient on every day with vital signs, and deaths due to CRS.

    Returns
    -------
    DataFrame [patient, day, grade, state, flags, lower_bound], sorted by patient and day
    """
    # the day of death keeps one row: grade 5 replaces what the vital signs of that day say
    fatal = _deaths(trial).select(
        "patient",
        day=pl.col("day").floor(),
        grade=pl.lit(5, dtype=pl.Int64),
        state=pl.lit("yes"),
        flags=pl.lit("death"),
        lower_bound=pl.lit(value=False),
    )
    alive = _graded_days(trial).select(fatal.columns).join(fatal, on=["patient", "day"], how="anti")
    return pl.concat([alive, fatal]).sort("patient", "day")


def _deaths(trial: Trial) -> pl.DataFrame:
    return deaths_from(trial, "crs").join(infused_patients(trial), on="patient", how="semi")


def assess(trial: Trial) -> Assessed:
    """Worst CRS grade, onset and duration per infused patient; investigators' grades beside.

    Returns
    -------
    Assessed
        Rules ``crs`` (value = worst grade, day = first onset) and ``crs_duration`` (value = days,
        day = first onset; lower bound where the end was not observed).
        ``details["crs_days"]``: [patient, day, grade, state, flags, lower_bound]; death due to CRS
        is a day of grade 5.
    """
    window = trial.protocol.definitions.crs_onset_window_days
    population = infused_patients(trial)
    days = _graded_days(trial)
    episodes = crs_episodes(days)
    answers = _worst(episodes, _deaths(trial))
    open_cases = no_episode_answers(
        trial,
        population.join(answers, on="patient", how="anti"),
        days.filter(pl.col("grade").is_not_null()),
        window_days=window,
    )
    everybody = answer_everybody(population, pl.concat([answers, open_cases], how="diagonal"))
    results = [
        as_results(everybody, rule="crs"),
        as_results(_duration(everybody, episodes), rule="crs_duration"),
        adjudicated_for(trial, population, "crs", rule="crs"),
        _adjudicated_duration(trial, population),
    ]
    return Assessed(combine_results(results), {"crs_days": crs_course(trial)})


def _unrelated(trial: Trial) -> pl.DataFrame:
    return (
        trial["ae"]
        .filter(
            pl.col("term").str.to_lowercase().is_in(_CRS["unrelated"]["terms"])
            & (pl.col("related_car_t") == "unrelated")
        )
        .select("patient", "start_day", end_day=pl.col("end_day").fill_null(float("inf")))
    )


def _septic(trial: Trial) -> pl.DataFrame:
    return (
        trial["infections"]
        .filter(pl.col("evidence") == "culture")
        .select("patient", "start_day", end_day=pl.coalesce("end_day", "start_day"))
    )


def _worst(episodes: pl.DataFrame, deaths: pl.DataFrame) -> pl.DataFrame:
    per_patient = episodes.group_by("patient").agg(
        value=pl.col("grade").max(),
        day=pl.col("onset").min(),
        lower_bound=pl.col("lower_bound").any() & (pl.col("grade").max() < 4),
        flags=flags_together(),
        episodes=pl.len(),
    )
    several = pl.when(pl.col("episodes") > 1).then(pl.format("{} episodes", "episodes"))
    return worst_with_deaths(per_patient, deaths, remarks=[several])


def _duration(everybody: pl.DataFrame, episodes: pl.DataFrame) -> pl.DataFrame:
    per_patient = episodes.group_by("patient").agg(
        duration=pl.col("duration_days").sum(), ended=pl.col("ended").all()
    )
    joined = everybody.join(per_patient, on="patient", how="left", validate="1:1")
    open_end = (pl.col("state") == "yes") & ~pl.col("ended").fill_null(value=False)
    no_days = (pl.col("state") == "yes") & pl.col("duration").is_null()
    return joined.with_columns(
        value=pl.col("duration"),
        lower_bound=open_end,
        state=pl.when(no_days).then(pl.lit("not_evaluable")).otherwise("state"),
        reason=pl.when(no_days).then(pl.lit("no_records")).otherwise("reason"),
        flags=pl.when(open_end & ~no_days).then(pl.lit("end not observed")),
    )


def _adjudicated_duration(trial: Trial, population: pl.DataFrame) -> pl.DataFrame:
    """Duration of the investigator's CRS, where its last day is recorded."""
    spans = adjudicated_events(trial, ["crs"]).join(population, on="patient", how="semi")
    happened = pl.col("occurred")
    length = pl.col("end_day") - pl.col("day") + 1
    answers = spans.group_by("patient").agg(
        value=pl.when(happened.any() & length.filter(happened).is_not_null().all()).then(
            length.filter(happened).sum()
        ),
        day=pl.col("day").filter(happened).min(),
        happened=happened.any(),
    )
    unknown = pl.col("happened") & pl.col("value").is_null()
    return as_results(
        answers.with_columns(
            state=pl.when(~pl.col("happened"))
            .then(pl.lit("no"))
            .when(unknown)
            .then(pl.lit("not_evaluable"))
            .otherwise(pl.lit("yes")),
            reason=pl.when(unknown).then(pl.lit("last_day_unknown")),
        ),
        rule="crs_duration",
        source="adjudicated",
    )
