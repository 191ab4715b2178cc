"""Time to engraftment, death and a second graft competing."""

import polars as pl

from graftline.endpoints.events import (
    Happenings,
    deaths,
    event_rows,
    later_grafts,
    without_records,
)
from graftline.endpoints.people import Answers, answers_to
from graftline.trial import Trial


def engraftment(people: pl.DataFrame, trial: Trial, assessed: Answers, *, rule: str) -> Happenings:
    """Engraftment by one rule (1), against death (2) and a second graft or DLI (3).

    Patients whose counts were never low and those without counts are not evaluable. Who engrafted
    on a day nobody states is counted without a time.

    Parameters
    ----------
    people : DataFrame of ``people_of``
    trial : Trial
    assessed : Answers
    rule : str
        ``neutrophil_engraftment``, ``platelet_engraftment_20``, ``platelet_engraftment_50``,
        ``donor_engraftment`` or ``hemoglobin_independence``.

    Notes
    -----
    Source: Kharfan-Dabaja 2021. The day of the rule counts from HSPC.
    """
    day = pl.coalesce("day", "value")
    engrafted = (
        answers_to(assessed, rule)
        .filter(pl.col("state") == "yes")
        .join(people.select("patient", "hsct_day"), on="patient", how="inner", validate="1:1")
        .select("patient", "assumed", at=day + pl.col("hsct_day"))
    )
    return Happenings(
        pl.concat(
            [
                event_rows(engrafted, status=1, cause=rule.replace("_", " ")),
                event_rows(deaths(people), status=2, cause="death"),
                event_rows(later_grafts(trial), status=3, cause="second graft or DLI"),
            ]
        ),
        without_records(people, assessed, rule, also=("never_below",)),
    )
