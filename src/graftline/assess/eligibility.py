"""Eligibility: the protocol's criteria on the day of enrolment."""

import polars as pl

from graftline.assess.criteria_logic import MET, NOT_MET, UNKNOWN, evaluate_criteria, variables_of
from graftline.assess.observe import Assessed as Before
from graftline.assess.observe import observe_at
from graftline.assess.results import Assessed, as_results
from graftline.rules import Read, Rule
from graftline.trial import Trial

RULES = (
    Rule(
        "eligibility",
        "Eligibility",
        "Every criterion of the protocol on the day of enrolment (else the first day of "
        "lymphodepletion or conditioning, else day 0): yes where all are met, no where one is not, "
        "not evaluable where one is unknown. value = criteria not met.",
        "graftline",
        (Read("patients"), Read("labs"), Read("marrow")),
        parameters=("eligibility",),
    ),
)


def decision_results(criteria: pl.DataFrame, *, rule: str) -> pl.DataFrame:
    """Summarise one decision per patient as results.

    Parameters
    ----------
    criteria : DataFrame [patient, decision_day, criterion, met]
        All criteria of one decision per patient.

    Returns
    -------
    DataFrame : an assessment of ``rule``
        ``label`` is met, not met or unknown; ``value`` the number not met; ``flags`` names the
        criteria that are not met or unknown; ``day`` the decision day.
    """
    said = pl.format("{}: {}", pl.col("criterion"), pl.col("met"))
    one = criteria.group_by("patient", maintain_order=True).agg(
        day=pl.col("decision_day").first(),
        value=(pl.col("met") == NOT_MET).sum().cast(pl.Float64),
        unknown=(pl.col("met") == UNKNOWN).any(),
        flags=said.filter(pl.col("met") != MET).str.join("; "),
    )
    failed = pl.col("value") > 0
    state = pl.when(failed).then(pl.lit("no")).when("unknown").then(pl.lit("not_evaluable"))
    label = pl.when(failed).then(pl.lit(NOT_MET)).when("unknown").then(pl.lit(UNKNOWN))
    return as_results(
        one.with_columns(
            state=state.otherwise(pl.lit("yes")),
            label=label.otherwise(pl.lit(MET)),
            reason=pl.when(~failed & pl.col("unknown")).then(pl.lit("needs_data")),
            flags=pl.when(pl.col("flags") != "").then("flags"),
        ),
        rule=rule,
    )


def _enrolment_days(trial: Trial) -> pl.DataFrame:
    chemotherapy = (
        trial["drugs"]
        .filter(pl.col("indication").is_in(["lymphodepletion", "conditioning"]))
        .group_by("patient")
        .agg(first_drug=pl.col("start_day").min())
    )
    return (
        trial.patients.join(chemotherapy, on="patient", how="left", validate="1:1")
        .select(
            "patient",
            decision_day=pl.coalesce("enrolled_day", "first_drug", pl.lit(0.0)),
        )
        .sort("patient")
    )


def assess(trial: Trial, assessed: Before) -> Assessed:
    """Eligibility of every patient of the trial, screened ones too.

    Parameters
    ----------
    trial : Trial
    assessed : the criteria assessed before

    Returns
    -------
    Assessed
        Results of ``RULES``; details ``eligibility_criteria`` [patient, decision_day, criterion,
        text, observed, record, met, source].
    """
    criteria = trial.protocol.eligibility
    observed = observe_at(trial, assessed, _enrolment_days(trial), variables=variables_of(criteria))
    detail = evaluate_criteria(criteria, observed)
    if criteria:
        return Assessed(
            decision_results(detail, rule="eligibility"), {"eligibility_criteria": detail}
        )
    silent = trial.patients.select(
        "patient", state=pl.lit("not_evaluable"), reason=pl.lit("no_criteria")
    )
    return Assessed(as_results(silent, rule="eligibility"), {"eligibility_criteria": detail})
