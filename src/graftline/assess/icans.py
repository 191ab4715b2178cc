"""ICANS by ASTCT consensus: worst domain of each day, worst grade per patient."""

import polars as pl

from graftline.assess.answers import adjudicated_for, answer_everybody, join_flags
from graftline.assess.episodes import (
    deaths_from,
    flags_together,
    late_onset_reported,
    no_episode_answers,
    worst_with_deaths,
)
from graftline.assess.population import infused_patients
from graftline.assess.printed import printed_criteria
from graftline.assess.results import Assessed, as_results, combine_results
from graftline.rules import Read, Rule
from graftline.trial import Trial

_ICANS = printed_criteria("icans_astct2019")
DOMAINS = ("ice", "capd", "consciousness", "seizure", "motor", "oedema")

RULES: tuple[Rule, ...] = (
    Rule(
        id="icans",
        title="ICANS, worst ASTCT grade",
        words=(
            "Worst domain not due to another cause: ICE 7-9, 3-6, 0-2 (under 12 years CAPD 1-8, "
            ">= 9) or 0 and unarousable; consciousness; seizure 3-4; deep focal weakness 4; "
            "oedema 3-4; death due to ICANS 5. ICE is graded as a fall from a baseline below 10. "
            "Onset within the window; later only if the investigator reports ICANS. A day without "
            "a neurological record is not evaluable."
        ),
        citation="lee2019",
        reads=(
            Read("vitals"),
            Read("patients", "age_years"),
            Read("events", "event", ("icans", "death")),
        ),
        parameters=("onset_window_days", "baseline_until_day", "ice_from_years"),
    ),
)


def grade_icans_days(
    vitals: pl.DataFrame,
    patients: pl.DataFrame,
    *,
    baseline_until_day: float = 0,
    ice_from_years: float = 12,
) -> pl.DataFrame:
    """ASTCT grade of ICANS for every day from day 0 with a row of vital signs.

    Parameters
    ----------
    vitals, patients : DataFrame
        Tables of the trial. Under ``ice_from_years`` CAPD replaces ICE; where the age is unknown
        whichever was recorded counts.
    baseline_until_day : float
        The last ICE up to this day is the baseline; a score not below it is grade 0.

    Returns
    -------
    DataFrame [patient, day, grade, state, flags, lower_bound, ice, capd, consciousness, seizure,
    motor, oedema]
        Worst of each calendar day; a domain is null where it was not recorded. ``lower_bound``:
        neither ICE nor CAPD was recorded and the grade could be higher.

    Notes
    -----
    Lee (2019). Rows with another cause are left out of the grade, possible ones are flagged. CAPD
    1-8 is printed for grades 1 and 2; consciousness tells them apart.
    """
    ages = patients.select("patient", "age_years")
    baseline = (
        vitals.filter((pl.col("day") <= baseline_until_day) & pl.col("ice_score").is_not_null())
        .sort("patient", "day", "ice_score")
        .group_by("patient", maintain_order=True)
        .agg(baseline_ice=pl.col("ice_score").last())
    )
    rows = (
        vitals.filter(pl.col("day") >= 0)
        .join(ages, on="patient", how="left", validate="m:1")
        .join(baseline, on="patient", how="left", validate="m:1")
        .with_columns(cause=pl.col("other_cause").fill_null("no"))
        .with_columns(_domain_grades(ice_from_years))
    )
    ours = pl.col("cause") != "yes"
    recorded = pl.any_horizontal(pl.col(domain).is_not_null() for domain in DOMAINS)
    days = (
        rows.with_columns(recorded=recorded)
        .group_by("patient", pl.col("day").floor())
        .agg(
            *(pl.col(domain).filter(ours).max() for domain in DOMAINS),
            recorded=pl.col("recorded").any(),
            excluded=((pl.col("cause") == "yes") & pl.col("recorded")).any(),
            confounded=((pl.col("cause") == "possible") & pl.col("recorded")).any(),
        )
        .with_columns(
            grade=pl.when("recorded").then(pl.max_horizontal(*DOMAINS, pl.lit(0))).cast(pl.Int64)
        )
    )
    tested = pl.col("ice").is_not_null() | pl.col("capd").is_not_null()
    untested = pl.col("recorded") & ~tested & ~pl.col("excluded")
    return days.select(
        "patient",
        "day",
        "grade",
        state=pl.when(pl.col("grade").is_null())
        .then(pl.lit("not_evaluable"))
        .when(pl.col("grade") >= 1)
        .then(pl.lit("yes"))
        .otherwise(pl.lit("no")),
        flags=join_flags(
            [
                pl.when("excluded").then(pl.lit("other cause")),
                pl.when("confounded").then(pl.lit("confounded")),
                pl.when(untested).then(pl.lit("ICE missing")),
            ]
        ),
        lower_bound=(untested & (pl.col("grade") < 4)).fill_null(value=False),
        **{domain: pl.col(domain) for domain in DOMAINS},
    ).sort("patient", "day")


def _domain_grades(ice_from_years: float) -> list[pl.Expr]:
    score, fall = pl.col("ice_score"), pl.col("ice_score") < pl.col("baseline_ice").fill_null(10)
    ice = pl.when(score.is_not_null()).then(
        pl.max_horizontal(
            pl.lit(0),
            *(
                pl.when(fall & (score <= limit)).then(int(grade))
                for grade, limit in _ICANS["ice"]["at_most"].items()
            ),
        )
    )
    points = pl.col("capd_score")
    capd = pl.when(points.is_not_null()).then(
        pl.max_horizontal(
            pl.lit(0),
            *(
                pl.when(points >= limit).then(int(grade))
                for grade, limit in _ICANS["capd"]["at_least"].items()
            ),
        )
    )
    child = pl.col("age_years") < ice_from_years
    weak = pl.col("motor_weakness")

    def by_word(column: str, domain: str) -> pl.Expr:
        return pl.col(column).replace_strict(
            _ICANS[domain]["grade"], default=None, return_dtype=pl.Int64
        )

    return [
        pl.when(child.fill_null(value=False)).then(None).otherwise(ice).cast(pl.Int64).alias("ice"),
        pl.when(~child.fill_null(value=True))
        .then(None)
        .otherwise(capd)
        .cast(pl.Int64)
        .alias("capd"),
        by_word("consciousness", "consciousness").alias("consciousness"),
        by_word("seizure", "seizure").alias("seizure"),
        pl.when(weak)
        .then(_ICANS["motor"]["grade"])
        .when(~weak)
        .then(0)
        .cast(pl.Int64)
        .alias("motor"),
        by_word("cerebral_oedema", "cerebral_oedema").alias("oedema"),
    ]


def assess(trial: Trial) -> Assessed:
    """Worst ICANS per infused patient; investigators' grades beside.

    Returns
    -------
    Assessed
        Rule ``icans`` (value = worst grade, day = onset). ``details["icans_days"]``: columns of
        ``grade_icans_days``; death due to ICANS is a day of grade 5.
    """
    window = trial.protocol.definitions.icans_onset_window_days
    population = infused_patients(trial)
    days = grade_icans_days(trial["vitals"], trial.patients).join(
        population, on="patient", how="semi"
    )
    late = late_onset_reported(trial, "icans", after_day=window)
    deaths = deaths_from(trial, "icans").join(population, on="patient", how="semi")
    answers = _worst(days, deaths, late, window_days=window)
    judged = days.filter(pl.col("grade").is_not_null())
    open_cases = no_episode_answers(
        trial, population.join(answers, on="patient", how="anti"), judged, window_days=window
    )
    everybody = answer_everybody(population, pl.concat([answers, open_cases], how="diagonal"))
    fatal = deaths.select(
        "patient",
        day=pl.col("day").floor(),
        grade=pl.lit(5, dtype=pl.Int64),
        state=pl.lit("yes"),
        flags=pl.lit("death"),
        lower_bound=pl.lit(value=False),
    )
    alive = days.join(fatal, on=["patient", "day"], how="anti")
    return Assessed(
        combine_results(
            [
                as_results(everybody, rule="icans"),
                adjudicated_for(trial, population, "icans", rule="icans"),
            ]
        ),
        {"icans_days": pl.concat([alive, fatal], how="diagonal").sort("patient", "day")},
    )


def _worst(
    days: pl.DataFrame, deaths: pl.DataFrame, late: pl.DataFrame, *, window_days: float
) -> pl.DataFrame:
    """Patients with ICANS: onset in the window (or reported later), worst grade from then on."""
    allowed = (pl.col("day") <= window_days) | pl.col("patient").is_in(late["patient"].implode())
    positive = days.filter(pl.col("grade") >= 1).with_columns(
        onset=pl.col("day").filter(allowed).min().over("patient")
    )
    per_patient = (
        positive.filter(pl.col("day") >= pl.col("onset"))
        .group_by("patient")
        .agg(
            value=pl.col("grade").max(),
            day=pl.col("day").min(),
            lower_bound=pl.col("lower_bound").any() & (pl.col("grade").max() < 4),
            flags=flags_together(),
        )
    )
    return worst_with_deaths(per_patient, deaths)
