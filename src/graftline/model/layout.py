"""How patients lie in memory, what the loop is handed, and where a step keeps its numbers.

Per patient there is a row of reals (day, wanted step, state, constants), a row of integers, a row
of stops and a row of states found at them. A step works on a buffer of rows, one column per lane.
"""

from dataclasses import dataclass
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
    # the method and the part of the equations at work
    "step",
    "begin",
    "interpolate",
    "method",
    "turns",
    "serves",
    "part_count",
    "absent",
    "absent_first",
    "fading",
    "fading_count",
    "limits",
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
    PART = 5
    STATUS = 6
    EXPLICIT_STEPS = 7
    IMPLICIT_STEPS = 8


class Status(IntEnum):
    """How a patient's integration ended."""

    OK = 0
    TOO_MANY_STEPS = 1
    STEP_TOO_SMALL = 2
    NOT_FINITE = 3
    NEGATIVE = 4


class Control(IntEnum):
    """Rows of a step's buffer that say how long it is and how it ended."""

    STEP = 0
    ACCEPTED = 1
    RTOL = 2
    ATOL_FACTOR = 3
    DAY = 4
    END = 5
    WANT = 6
    LIMIT = 7
    NEXT_STOP = 8
    COUNT = 9
    MOST_STEPS = 10
    STREAK = 11
    EXTINCTION = 12


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the rows of a step's buffer lie: those that both methods have, then the method's own.

    A slope is a row per state and, after them, a row per kink: how far the argument of a minimum or
    of a positive part is from its corner.
    """

    states: int
    kinks: int
    constants: int

    @property
    def now(self) -> int:
        """State at the start of the step."""
        return 0

    @property
    def next(self) -> int:
        """State at the end of the step."""
        return self.states

    @property
    def control(self) -> int:
        """First row of ``Control``."""
        return 2 * self.states

    @property
    def fixed(self) -> int:
        """What depends on the patient's parameters alone."""
        return self.control + len(Control)

    @property
    def own(self) -> int:
        """First row of the method's own."""
        return self.fixed + self.constants

    @property
    def slope(self) -> int:
        """Number of rows of one slope."""
        return self.states + self.kinks
