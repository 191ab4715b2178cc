"""How patients lie in memory, and what the loop is handed.

Per patient there is a row of reals (day, wanted step, state, constants), a row of integers, a row
of stops and a row of states found at them.
"""

from enum import IntEnum

ARGUMENTS = (
    "reals",
    "wholes",
    "stops",
    "found",
    "dose_day",
    "dose_state",
    "dose_amount",
    "queue",
    "queue_length",
    "stop_columns",
    "buffer",
    "most_steps",
)


class Real(IntEnum):
    """Columns of the reals; constants follow the state."""

    DAY = 0
    WANT = 1
    STATE = 2


class Whole(IntEnum):
    """Columns of the integers."""

    STOPS = 0
    NEXT_STOP = 1
    LAST_DOSE = 2
    NEXT_DOSE = 3
    METHOD = 4
    STATUS = 5
    EXPLICIT_STEPS = 6
    IMPLICIT_STEPS = 7


class Status(IntEnum):
    """How a patient's integration ended."""

    OK = 0
    TOO_MANY_STEPS = 1
    STEP_TOO_SMALL = 2
    NOT_FINITE = 3
    NEGATIVE = 4
