"""CAR-HEMATOTOX: risk of prolonged cytopenia from five values before lymphodepletion."""

import polars as pl

from graftline.assess.answers import answer_everybody, join_flags
from graftline.assess.cell_counts import with_calculated_anc, worst_of_day
from graftline.assess.population import infused_patients
from graftline.assess.printed import printed_criteria
from graftline.assess.quantified import is_above, is_at_least, is_at_most, is_below
from graftline.assess.results import Assessed, as_results
from graftline.rules import Read, Rule
from graftline.trial import Trial

_PRINTED = printed_criteria("hematotox")
ITEMS = ("platelets", "anc", "hemoglobin", "crp", "ferritin")
_TESTS = {"below": is_below, "at_most": is_at_most, "from": is_at_least, "above": is_above}
_HIGH_IS_WORSE = ("crp", "ferritin")

RULES: tuple[Rule, ...] = (
    Rule(
        id="car_hematotox",
        title="CAR-HEMATOTOX score before lymphodepletion",
        words=(
            " | ".join(f"{item}: {' / '.join(_PRINTED[item]['printed'])}" for item in ITEMS)
            + " (0 / 1 / 2 points). Nearest value before lymphodepletion from day -10. "
            "Low 0-1, high >= 2; with an item missing only high can be said. Derived in lymphoma: "
            "in leukaemia nearly every patient is high, so it tells patients apart little."
        ),
        citation="rejeski2021",
        reads=(
            Read("labs", "analyte", (*ITEMS, "wbc", "neutrophil_percent"), window=(-10, 0)),
            Read("drugs", "indication", ("lymphodepletion",)),
        ),
        parameters=("from_day", "lymphodepletion_day", "high_from"),
    ),
)


def score_hematotox(
    labs: pl.DataFrame,
    lymphodepletion: pl.DataFrame,
    *,
    from_day: float = -10,
    high_from: int = 2,
) -> pl.DataFrame:
    """CAR-HEMATOTOX of every patient with at least one of the five values.

    Parameters
    ----------
    labs : DataFrame, the ``labs`` table in canonical units
    lymphodepletion : DataFrame [patient, first_dose_day]
        Values up to the calendar day of the first dose count; the latest of each item.
    from_day : float
        Oldest day that counts.
    high_from : int
        Score from which the risk is high.

    Returns
    -------
    DataFrame [patient, score, possible, missing, high]
        ``score`` sums what is known, ``possible`` is the highest sum the record allows,
        ``missing`` lists items without value; ``high`` null where it cannot be said: with an item
        missing a low score is not claimed.

    Notes
    -----
    Rejeski (2021), 0 to 7 points. Several values of one day: the worst.
    """
    items = []
    for item in ITEMS:
        worst = worst_of_day(labs, item, worst="highest" if item in _HIGH_IS_WORSE else "lowest")
        conditions = [
            _TESTS[kind](float(limit))
            for condition in _PRINTED[item]["conditions"]
            for kind, limit in condition.items()
        ]
        items.append(
            worst.join(lymphodepletion, on="patient", how="inner", validate="m:1")
            .filter(
                (pl.col("day") >= from_day) & (pl.col("day") <= pl.col("first_dose_day").floor())
            )
            .sort("patient", "day")
            .unique("patient", keep="last", maintain_order=True)
            .select(
                "patient",
                item=pl.lit(item),
                points=pl.sum_horizontal(c.fill_null(value=False) for c in conditions),
                most=pl.sum_horizontal(c.fill_null(value=True) for c in conditions),
            )
        )
    known = pl.concat(items)
    most = {item: len(_PRINTED[item]["conditions"]) for item in ITEMS}
    absent = [
        pl.when(~(pl.col("item") == item).any()).then(pl.lit(item)).alias(item) for item in ITEMS
    ]
    ceiling = pl.sum_horizontal(
        pl.when(pl.col(i).is_not_null()).then(m).otherwise(0) for i, m in most.items()
    )
    return (
        known.group_by("patient")
        .agg(pl.col("points").sum(), pl.col("most").sum(), *absent)
        .select(
            "patient",
            score=pl.col("points").cast(pl.Int64),
            possible=(pl.col("most") + ceiling).cast(pl.Int64),
            missing=join_flags([pl.col(item) for item in ITEMS]).str.replace_all("; ", ", "),
        )
        .with_columns(
            high=pl.when(pl.col("score") >= high_from)
            .then(pl.lit(value=True))
            .when((pl.col("possible") < high_from) & pl.col("missing").is_null())
            .then(pl.lit(value=False))
        )
        .sort("patient")
    )


def first_dose_days(trial: Trial, *, lymphodepletion_day: float = -5) -> pl.DataFrame:
    """First day of lymphodepletion: recorded, else planned by the protocol, else the default.

    Returns
    -------
    DataFrame [patient, first_dose_day], one row per infused patient
    """
    given = (
        trial["drugs"]
        .filter((pl.col("indication") == "lymphodepletion") & (pl.col("start_day") <= 0))
        .group_by("patient")
        .agg(first_dose_day=pl.col("start_day").min())
    )
    planned = [day for drug in trial.protocol.lymphodepletion for day in drug.days]
    return (
        infused_patients(trial)
        .join(given, on="patient", how="left", validate="1:1")
        .with_columns(
            pl.col("first_dose_day").fill_null(float(min(planned, default=lymphodepletion_day)))
        )
    )


def assess(trial: Trial) -> Assessed:
    """CAR-HEMATOTOX of every infused patient.

    Returns
    -------
    Assessed
        ``value`` = score, ``label`` = low or high, state yes = high. Missing items make the score
        a lower bound, and ``not_evaluable`` unless it is high already. No details.
    """
    scores = score_hematotox(with_calculated_anc(trial["labs"]), first_dose_days(trial))
    high = pl.col("high")
    answers = scores.select(
        "patient",
        state=pl.when(high)
        .then(pl.lit("yes"))
        .when(~high)
        .then(pl.lit("no"))
        .otherwise(pl.lit("not_evaluable")),
        value=pl.col("score").cast(pl.Float64),
        label=pl.when(high).then(pl.lit("high")).when(~high).then(pl.lit("low")),
        lower_bound=pl.col("possible") > pl.col("score"),
        reason=pl.when(high.is_null()).then(pl.lit("missing_items")),
        flags=pl.when(pl.col("missing").is_not_null()).then(pl.format("missing {}", "missing")),
    )
    return Assessed(
        as_results(answer_everybody(infused_patients(trial), answers), rule="car_hematotox")
    )
