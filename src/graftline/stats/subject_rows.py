"""Rows of one subject: which of them go on in another row, and what they are together."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from graftline.stats.event_counts import IntArray
from graftline.stats.inputs import StatsInputError, SurvivalData


def continuing(data: SurvivalData) -> NDArray[np.bool_]:
    """Rows without an event whose subject has another row that begins where they end."""
    found = np.zeros(data.time.size, dtype=np.bool_)
    if data.subject is None or data.entry is None:
        return found
    order = _by_subject(data)
    subject, entry, time = data.subject[order], data.entry[order], data.time[order]
    goes_on = (subject[1:] == subject[:-1]) & (entry[1:] == time[:-1])
    found[order[:-1][goes_on]] = True
    found[data.event == 1] = False
    return found


def joined(data: SurvivalData) -> SurvivalData:
    """One row per subject, for sums over subjects instead of rows.

    Raises
    ------
    StatsInputError
        A subject whose rows leave a gap, change weight, or go on after an event.
    """
    if data.subject is None or data.entry is None:
        return data
    order = _by_subject(data)
    first = np.ones(order.size, dtype=np.bool_)
    first[1:] = data.subject[order][1:] != data.subject[order][:-1]
    goes_on = continuing(data)[order]
    steady = first.copy()
    steady[1:] |= goes_on[:-1]
    if data.weights is not None:
        weights = data.weights[order]
        steady[1:] &= first[1:] | (weights[1:] == weights[:-1])
    if not np.all(steady):
        row = int(order[~steady].min())
        raise StatsInputError(
            f"subject: row {row} (counted from 0) does not go on from its subject's earlier row\n"
            "  expected rows that join up, without an event between and with one weight, for a "
            "robust variance\n  take variance='greenwood', or leave out subject"
        )
    begins = np.flatnonzero(first)
    last = order[np.append(begins[1:], order.size) - 1]
    return replace(data.only(last), entry=data.entry[order[begins]])


def _by_subject(data: SurvivalData) -> IntArray:
    assert data.subject is not None
    assert data.entry is not None
    return np.lexsort((data.time, data.entry, data.subject))
