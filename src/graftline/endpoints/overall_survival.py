"""Overall survival: death of any cause."""

import polars as pl

from graftline.endpoints.events import Happenings, deaths, event_rows, nobody
from graftline.endpoints.people import Answers
from graftline.trial import Trial


def overall_survival(people: pl.DataFrame, trial: Trial, assessed: Answers) -> Happenings:
    """Death of any cause, nothing competing; ``cause`` is the cause of death where recorded.

    Parameters
    ----------
    people : DataFrame of ``people_of``
    trial, assessed
        Not read: every endpoint is called alike.
    """
    died = deaths(people)
    cause = pl.coalesce("death_cause", pl.lit("unknown"))
    return Happenings(event_rows(died, status=1, cause=cause), nobody())
