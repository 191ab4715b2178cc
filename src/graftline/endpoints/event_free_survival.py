"""Event-free survival of ELN 2022: no remission by the landmark, relapse, or death."""

import polars as pl

from graftline.endpoints.disease_free_survival import disease_free_survival
from graftline.endpoints.events import Happenings, event_rows
from graftline.endpoints.people import Answers
from graftline.trial import Trial


def event_free_survival(people: pl.DataFrame, trial: Trial, assessed: Answers) -> Happenings:
    """No CR, CRh or CRi by the landmark (dated day 0), relapse, or death.

    Without a remission by the landmark the event is dated day 0, also for patients who died before
    it with disease assessed and no remission. Patients followed for less than the landmark without
    a remission are censored. A death before the landmark without any assessment is an event on
    its own day; past the landmark without any assessment a patient is not evaluable. A remission
    known without a day counts as reached in time.

    Parameters
    ----------
    people : DataFrame of ``people_of``
    trial : Trial
        ``definitions.remission_landmark_day``.
    assessed : Answers
        Rules ``remission``, ``relapse`` and ``progression``.

    Notes
    -----
    Source: Döhner 2022.
    """
    landmark = trial.protocol.definitions.remission_landmark_day
    base = disease_free_survival(people, trial, assessed)
    reached, day = pl.col("remission") == "yes", pl.col("remission_day")
    late = reached & (day > landmark).fill_null(value=False)
    followed = (pl.col("end_day") >= landmark).fill_null(value=False) | pl.col("dead")
    failed = people.filter(late | ((pl.col("remission") == "no") & followed))
    failures = event_rows(
        failed.select("patient", at=pl.lit(0.0), assumed=late & pl.col("remission_assumed")),
        status=1,
        cause=f"no remission by day {landmark:g}",
        ends_risk_before=False,
    )
    silent = ~pl.col("remission").is_in(["yes", "no"]).fill_null(value=False)
    unknown = people.filter(silent & (pl.col("end_day") >= landmark).fill_null(value=False)).select(
        "patient", reason=pl.lit("remission by the landmark not evaluable")
    )
    return Happenings(
        pl.concat([failures, base.events]),
        pl.concat([base.not_evaluable, unknown]),
        (f"no remission by day {landmark:g}", *base.order),
    )
