"""The Mantel-Byar test: hazards before and after an event that comes during follow-up."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from graftline.stats.event_counts import IntArray
from graftline.stats.inputs import (
    StatsInputError,
    check_lengths,
    label_places,
    raise_problems,
)
from graftline.stats.logrank import LogRank, logrank
from graftline.stats.switching import SwitchRows, switch_rows


def mantel_byar(
    time: ArrayLike,
    status: ArrayLike,
    switch_time: ArrayLike,
    *,
    strata: ArrayLike | None = None,
) -> LogRank:
    """Log-rank test in which a patient counts as unexposed until the switch and exposed after it.

    Parameters
    ----------
    time, status : array (n)
        Time of event or censoring; 1 for the event, 0 for censored.
    switch_time : array (n)
        Time at which the patient became exposed, NaN (or null) for never. An event at the very
        switch time counts as unexposed.
    strata : array (n), optional
        The test compares within each stratum and adds up.

    Returns
    -------
    LogRank
        Labels 0 (before) and 1 (after); ``n`` counts rows, so a patient who switches is in both.

    Raises
    ------
    StatsInputError
        Impossible rows, or nobody who switches during follow-up.

    Notes
    -----
    Source: Mantel and Byar 1974. R: the score test of
    ``coxph(Surv(start, stop, event) ~ tx, ties="exact")`` on ``tmerge`` data.
    """
    rows = switch_rows(time, status, switch_time)
    if not 0 < rows.switched.sum() < rows.switched.size:
        found = "nobody is ever" if rows.switched.sum() == 0 else "everybody is always"
        raise StatsInputError(
            f"switch_time: {found} exposed\n  expected patients who become exposed during follow-up"
        )
    stratum = None if strata is None else _of_patients(strata, rows)
    test = logrank(rows.stop, rows.event, rows.switched, entry=rows.start, strata=stratum)
    return replace(test, name="Mantel-Byar test" + (", stratified" if strata is not None else ""))


def _of_patients(strata: ArrayLike, rows: SwitchRows) -> IntArray:
    problems: list[str] = []
    places, _ = label_places("strata", strata, problems)
    patients = np.unique(rows.patient)
    check_lengths({"time": patients, "strata": places}, problems)
    raise_problems(problems)
    return places[rows.patient]
