"""Non-relapse mortality, relapse competing."""

import polars as pl

from graftline.endpoints.events import Happenings
from graftline.endpoints.people import Answers
from graftline.endpoints.relapse_incidence import relapse_incidence
from graftline.trial import Trial


def non_relapse_mortality(people: pl.DataFrame, trial: Trial, assessed: Answers) -> Happenings:
    """Death without relapse or progression (1) against relapse or progression (2).

    The same events as ``relapse_incidence`` with the statuses exchanged; a death on the day of
    relapse is left to relapse.

    Parameters
    ----------
    people : DataFrame of ``people_of``
    assessed : Answers
        Rules ``relapse`` and ``progression``.
    """
    other = relapse_incidence(people, trial, assessed)
    # a death on the day of a relapse is a death of disease: it does not enter at all
    relapsed = other.events.filter(pl.col("status") == 1).select("patient", "at")
    died = other.events.filter(pl.col("status") == 2).join(
        relapsed, on=["patient", "at"], how="anti"
    )
    events = pl.concat([other.events.filter(pl.col("status") == 1), died])
    exchanged = events.with_columns(status=(3 - pl.col("status")).cast(pl.Int32))
    return Happenings(
        exchanged, other.not_evaluable, other.order, rules_out=("relapse", "progression")
    )
