"""Time to viral DNA in blood, death and relapse competing."""

import polars as pl

from graftline.endpoints.events import (
    Happenings,
    deaths,
    event_rows,
    relapses,
    without_records,
)
from graftline.endpoints.people import Answers, answers_to
from graftline.trial import Trial


def viral_reactivation(
    people: pl.DataFrame, trial: Trial, assessed: Answers, *, rule: str = "viral_reactivation"
) -> Happenings:
    """Reactivation by one rule (1), against death (2) and relapse (3).

    Parameters
    ----------
    people : DataFrame of ``people_of``
    trial
        Not read: every endpoint is called alike.
    assessed : Answers
    rule : str
        ``cmv_dnaemia``, ``cmv_clinically_significant``, ``ebv_dnaemia``, ``hhv6_dnaemia`` or
        ``viral_reactivation``; its day counts from the index infusion.
    """
    found = (
        answers_to(assessed, rule)
        .filter(pl.col("state") == "yes")
        .select("patient", at="day", assumed=pl.col("assumed") | pl.col("day").is_null())
    )
    return Happenings(
        pl.concat(
            [
                event_rows(found, status=1, cause=rule.replace("_", " ")),
                event_rows(deaths(people), status=2, cause="death"),
                event_rows(relapses(assessed), status=3, cause="relapse"),
            ]
        ),
        without_records(people, assessed, rule),
    )
