"""Patients who change group during follow-up, cut into rows of start, stop and event.

The group switches on just after the switch time: an event at that very time belongs to the time
before. A patient who never switches, or not before the end of follow-up, stays in one row.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from graftline.stats.event_counts import FloatArray, IntArray
from graftline.stats.inputs import (
    check_lengths,
    check_rows,
    number_array,
    raise_problems,
    survival_data,
    tie_gap,
)
from graftline.stats.survival_curve import KaplanMeier


@dataclass(frozen=True, slots=True)
class SwitchRows:
    """Start-stop rows: ``patient`` is the place in the input, ``switched`` 0 before and 1 after."""

    patient: IntArray
    start: FloatArray
    stop: FloatArray
    event: IntArray
    switched: IntArray

    def to_frame(self) -> pl.DataFrame:
        """One row per patient and state, by patient and start."""
        names = ("patient", "start", "stop", "event", "switched")
        return pl.DataFrame({name: getattr(self, name) for name in names})

    def __str__(self) -> str:
        """How many patients and how many of them switch."""
        patients = np.unique(self.patient).size
        return f"{patients} patients, {int(self.switched.sum())} of them after a switch"


def both_curves(unswitched: KaplanMeier, switched: KaplanMeier) -> pl.DataFrame:
    """Both curves below each other, with the column switched (0 or 1) in front."""
    frames = [
        curve.to_frame().select(pl.lit(place).alias("switched"), pl.all())
        for place, curve in enumerate((unswitched, switched))
    ]
    return pl.concat(frames)


def switch_rows(time: ArrayLike, status: ArrayLike, switch_time: ArrayLike) -> SwitchRows:
    """Cut each patient's follow-up at the switch.

    Parameters
    ----------
    time, status : array (n)
        End of follow-up and 1 for the event, 0 for censored.
    switch_time : array (n)
        Time of the switch (0 for patients who start switched); NaN, null or infinity for those who
        never switch.

    Raises
    ------
    StatsInputError
        Naming the rows with impossible times, statuses or switch times.

    Notes
    -----
    R: ``tmerge(d, d, id=id, event=event(time, status), tx=tdc(switch_time))``.
    """
    data = survival_data(time, status)
    switch = checked_switch_times(switch_time, data.time)
    switches = switch < data.time - tie_gap(data.time)
    both = switches & (switch > 0.0)
    patient = np.arange(data.time.size)
    first_stop = np.where(switches, switch, data.time)
    # Patients switched at 0 have one row, after the switch; at time 0 itself nothing switches.
    at_once = switches & (switch == 0.0)
    joined = np.concatenate((patient, patient[both]))
    start = np.concatenate((np.zeros(patient.size), switch[both]))
    stop = np.concatenate((np.where(at_once, data.time, first_stop), data.time[both]))
    event = np.concatenate((np.where(both, 0, data.event), data.event[both]))
    switched = np.concatenate((at_once.astype(np.int64), np.ones(int(both.sum()), dtype=np.int64)))
    order = np.lexsort((start, joined))
    return SwitchRows(joined[order], start[order], stop[order], event[order], switched[order])


def checked_switch_times(switch_time: ArrayLike, time: FloatArray) -> FloatArray:
    """Switch times as floats, infinity for never."""
    problems: list[str] = []
    switch = number_array("switch_time", switch_time, problems)
    check_lengths({"time": time, "switch_time": switch}, problems)
    expected = "a time 0 or later, or none (NaN) for never"
    check_rows("switch_time", switch < 0.0, switch, expected, problems)
    raise_problems(problems)
    return np.where(np.isnan(switch), np.inf, switch)
