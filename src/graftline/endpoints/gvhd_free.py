"""GVHD-free, relapse-free survival: the composite of Holtan 2015 and its refined form."""

from typing import Final

import polars as pl

from graftline.endpoints.events import (
    Happenings,
    deaths,
    event_rows,
    relapse_or_progression,
    without_records,
)
from graftline.endpoints.gvhd_incidence import acute_gvhd_from, chronic_gvhd_from
from graftline.endpoints.people import Answers
from graftline.trial import Trial

LOCAL_ROUTES: Final = ("topical", "inhaled")
ORDER: Final = (
    "acute GVHD grade 3-4",
    "chronic GVHD needing systemic treatment",
    "severe chronic GVHD",
    "relapse",
    "progression",
    "death",
)


def grfs(people: pl.DataFrame, trial: Trial, assessed: Answers) -> Happenings:
    """Acute GVHD III-IV, chronic GVHD needing systemic treatment, relapse or death (Holtan 2015).

    Whether systemic treatment was needed is as the assessment says, else as ``drugs`` say
    (indication gvhd, not topical or inhaled, running within 14 days of the assessment). Where
    neither says, moderate and severe chronic GVHD count as treated, and the result is assumed.

    Parameters
    ----------
    people : DataFrame of ``people_of``
    trial : Trial
        Table ``drugs``.
    assessed : Answers
        Rules ``acute_gvhd``, ``chronic_gvhd``, ``relapse``, ``progression``, and their courses.
    """
    seen = with_systemic_treatment(chronic_gvhd_from(people, assessed), trial["drugs"])
    unsaid = pl.col("treated").is_null()
    taken = seen.filter(
        pl.coalesce("treated", pl.col("severity").is_in(["moderate", "severe"])).fill_null(
            value=False
        )
    ).with_columns(assumed=pl.col("assumed") | unsaid)
    return _composite(people, assessed, event_rows(taken, status=1, cause=ORDER[1]))


def refined_grfs(people: pl.DataFrame, trial: Trial, assessed: Answers) -> Happenings:
    """Acute GVHD III-IV, NIH severe chronic GVHD, relapse or death (Ruggeri 2016)."""
    severe = chronic_gvhd_from(people, assessed, severities=("severe",))
    return _composite(people, assessed, event_rows(severe, status=1, cause=ORDER[2]))


def with_systemic_treatment(
    chronic: pl.DataFrame, drugs: pl.DataFrame, *, within_days: float = 14.0
) -> pl.DataFrame:
    """Add ``treated``: systemic treatment as assessed, else as recorded among the drugs.

    Parameters
    ----------
    chronic : DataFrame [patient, at, systemic_treatment, ...]
    drugs : DataFrame of the schema's ``drugs``
        A course without a last day runs on.

    Returns
    -------
    DataFrame : ``chronic`` with ``treated``, null where neither says; the drugs can only say yes.
    """
    systemic = drugs.filter(
        (pl.col("indication") == "gvhd")
        & ~pl.col("route").is_in(LOCAL_ROUTES).fill_null(value=False)
    ).select("patient", "start_day", "end_day")
    runs = (pl.col("start_day") <= pl.col("at") + within_days) & (
        pl.col("end_day").fill_null(float("inf")) >= pl.col("at")
    )
    keyed = chronic.with_row_index("_n")
    treated = (
        keyed.select("_n", "patient", "at")
        .join(systemic, on="patient", how="inner", validate="m:m")
        .filter(runs)
        .select("_n")
        .unique()
        .with_columns(by_drug=pl.lit(value=True))
    )
    return (
        keyed.join(treated, on="_n", how="left", validate="1:1")
        .with_columns(treated=pl.coalesce("systemic_treatment", "by_drug"))
        .drop("_n", "by_drug")
    )


def _composite(people: pl.DataFrame, assessed: Answers, chronic: pl.DataFrame) -> Happenings:
    acute = acute_gvhd_from(people, assessed, grade=3)
    return Happenings(
        pl.concat(
            [
                event_rows(acute, status=1, cause=ORDER[0]),
                chronic,
                relapse_or_progression(assessed),
                event_rows(deaths(people), status=1, cause="death"),
            ]
        ),
        without_records(people, assessed, "acute_gvhd"),
        ORDER,
    )
