"""Cumulative incidence of relapse, death without it competing."""

import polars as pl

from graftline.endpoints.events import (
    Happenings,
    deaths,
    event_rows,
    nobody,
    relapse_or_progression,
)
from graftline.endpoints.people import Answers
from graftline.trial import Trial


def relapse_incidence(people: pl.DataFrame, trial: Trial, assessed: Answers) -> Happenings:
    """Relapse or progression (1) against death without either (2).

    Relapse and death on one day is relapse, as in ``disease_free_survival``, so that the two
    incidences and the survival sum to one.

    Parameters
    ----------
    people : DataFrame of ``people_of``
    trial
        Not read: every endpoint is called alike.
    assessed : Answers
        Rules ``relapse`` and ``progression``.
    """
    return Happenings(
        pl.concat(
            [
                relapse_or_progression(assessed),
                event_rows(deaths(people), status=2, cause="death without relapse"),
            ]
        ),
        nobody(),
        ("relapse", "progression", "death without relapse"),
    )
