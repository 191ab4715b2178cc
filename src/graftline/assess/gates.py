"""The gate to HSCT and the safety list beside it, on every day a decision could be taken."""

import polars as pl

from graftline.assess.answers import answer_everybody
from graftline.assess.criteria_logic import MET, decide, evaluate_criteria, variables_of
from graftline.assess.eligibility import decision_results
from graftline.assess.observe import Assessed as Before
from graftline.assess.observe import observe_at
from graftline.assess.population import infused_patients, transplanted_patients
from graftline.assess.results import Assessed, as_results, combine_results
from graftline.rules import Read, Rule
from graftline.trial import Trial, hsct_days

_READS = (
    Read("marrow"),
    Read("labs"),
    Read("patients"),
    Read("donors"),
    Read("infections"),
    Read("events"),
)

RULES = (
    Rule(
        "gate_to_hsct",
        "Gate to HSCT",
        "Every criterion of the protocol's gate, at each marrow after day 0 and on the day of "
        "HSCT. The answer is that of the day of HSCT; without HSCT the first day on which the "
        "gate was met, else the last. An unknown criterion stops with needs_data. "
        "value = criteria not met, day = the decision.",
        "graftline",
        _READS,
        parameters=("gate",),
    ),
    Rule(
        "safety_before_hsct",
        "Safety list before HSCT",
        "Every criterion of the safety list on the day of HSCT; what is not recorded is unknown, "
        "never met.",
        "graftline",
        _READS,
        parameters=("safety",),
    ),
)


def decision_days(trial: Trial) -> pl.DataFrame:
    """Days on which HSCT could be decided.

    Returns
    -------
    DataFrame [patient, decision_day, is_hsct], sorted
        Each day of a marrow after day 0 and before HSCT (any such day without HSCT), and the day of
        the first bag of HSPC.
    """
    grafts = hsct_days(trial).select("patient", hsct="hsct_first_bag_day")
    marrows = (
        trial["marrow"]
        .filter(pl.col("specimen").fill_null("marrow") == "marrow")
        .select("patient", decision_day=pl.col("day").floor())
        .drop_nulls()
        .unique()
        .join(grafts, on="patient", how="left", validate="m:1")
        .filter(
            (pl.col("decision_day") > 0)
            & (pl.col("decision_day") < pl.col("hsct").floor()).fill_null(value=True)
        )
    )
    return (
        pl.concat(
            [
                marrows.select("patient", "decision_day", is_hsct=pl.lit(value=False)),
                grafts.select("patient", decision_day="hsct", is_hsct=pl.lit(value=True)),
            ]
        )
        .join(infused_patients(trial), on="patient", how="semi")
        .sort("patient", "decision_day")
    )


def assess(trial: Trial, assessed: Before) -> Assessed:
    """The gate and the safety list of every patient at every decision.

    Parameters
    ----------
    trial : Trial
    assessed : the criteria assessed before

    Returns
    -------
    Assessed
        Results of ``RULES``; details ``gate_criteria`` [patient, decision_day, list, criterion,
        text, observed, record, met, source] with ``list`` gate or safety.
    """
    protocol = trial.protocol
    days = decision_days(trial)
    observed = observe_at(
        trial,
        assessed,
        days.select("patient", "decision_day"),
        variables=variables_of((*protocol.gate, *protocol.safety)),
    )
    gate = evaluate_criteria(protocol.gate, observed)
    safety = evaluate_criteria(protocol.safety, observed)
    detail = pl.concat(
        [
            gate.with_columns(list=pl.lit("gate")),
            safety.with_columns(list=pl.lit("safety")),
        ]
    ).select(
        "patient",
        "decision_day",
        "list",
        "criterion",
        "text",
        "observed",
        "record",
        "met",
        "source",
    )
    asked = _asked(days, decide(protocol.gate, observed))
    at_hsct = days.filter("is_hsct").select("patient", "decision_day")
    results = [
        _answers(infused_patients(trial), gate, asked, "gate_to_hsct", stated=bool(protocol.gate)),
        _answers(
            transplanted_patients(trial),
            safety,
            at_hsct,
            "safety_before_hsct",
            stated=bool(protocol.safety),
        ),
    ]
    return Assessed(combine_results(results), {"gate_criteria": detail})


def _asked(days: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """The decision that stands for each patient: HSCT, else the first met, else the last."""
    both = days.join(decisions, on=["patient", "decision_day"], how="left", validate="1:1")
    met = pl.col("decision") == MET
    rank = pl.when("is_hsct").then(0).when(met).then(1).otherwise(2)
    late = pl.when(met).then(pl.col("decision_day")).otherwise(-pl.col("decision_day"))
    return (
        both.sort("patient", rank, late)
        .unique("patient", keep="first", maintain_order=True)
        .select("patient", "decision_day")
    )


def _answers(
    population: pl.DataFrame,
    criteria: pl.DataFrame,
    asked: pl.DataFrame,
    rule: str,
    *,
    stated: bool,
) -> pl.DataFrame:
    """Results of one list at the decisions asked about; nobody of the population disappears."""
    at = criteria.join(asked, on=["patient", "decision_day"], how="semi")
    one = decision_results(at, rule=rule)
    reason = "no_records" if stated else "no_criteria"
    everybody = answer_everybody(population, one.drop("rule", "source"), reason=reason)
    return as_results(everybody, rule=rule)
