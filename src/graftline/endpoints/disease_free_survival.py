"""Disease-free, progression-free and relapse-free survival."""

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

ORDER = ("relapse", "progression", "death without relapse")


def disease_free_survival(people: pl.DataFrame, trial: Trial, assessed: Answers) -> Happenings:
    """Relapse, progression or death, whichever first; ``cause`` says which.

    In these trials disease-free and progression-free survival are one endpoint. A relapse before
    the origin leaves nobody at risk. From the first remission on this is relapse-free survival.

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
                event_rows(deaths(people), status=1, cause="death without relapse"),
            ]
        ),
        nobody(),
        ORDER,
    )


def relapse_free_survival(people: pl.DataFrame, trial: Trial, assessed: Answers) -> Happenings:
    """Relapse or death after the first remission; progression before it plays no part."""
    whole = disease_free_survival(people, trial, assessed)
    return Happenings(whole.events.filter(pl.col("cause") != "progression"), nobody(), ORDER)
