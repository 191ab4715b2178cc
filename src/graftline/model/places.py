"""Where a patient's numbers and a lane's numbers lie, for LLVM code that reads and writes them."""

from dataclasses import dataclass
from typing import Any

from graftline.model.blocks import I64, Body
from graftline.model.layout import ARGUMENTS, Control, Real, Rows, Whole


@dataclass(frozen=True, slots=True)
class Shape:
    """Number of lanes, and the rows of the buffer that every method has."""

    width: int
    rows: Rows

    @property
    def real_columns(self) -> int:
        """Length of a row of reals."""
        return Real.STATE + self.rows.states + self.rows.constants


def argument(body: Body, arguments: Any, name: str) -> Any:
    """One of the things the loop is handed."""
    return body.load(arguments, body.whole(ARGUMENTS.index(name)), I64)


def function_at(body: Body, arguments: Any, name: str, kind: Any) -> Any:
    """A function handed over by its address."""
    return body.builder.inttoptr(argument(body, arguments, name), kind.as_pointer())


def reals_of(body: Body, shape: Shape, arguments: Any, patient: Any) -> Any:
    """A patient's row of reals."""
    row = body.times(patient, shape.real_columns)
    return body.address(argument(body, arguments, "reals"), row)


def wholes_of(body: Body, arguments: Any, patient: Any) -> Any:
    """A patient's row of integers."""
    row = body.times(patient, len(Whole))
    return body.address(argument(body, arguments, "wholes"), row)


def lane_at(body: Body, arguments: Any, lane: Any) -> Any:
    """A lane's column of the buffer."""
    return body.address(argument(body, arguments, "buffer"), lane)


def row_at(body: Body, shape: Shape, row: int) -> Any:
    """How far down a column a row lies."""
    return body.whole(row * shape.width)


def control(body: Body, shape: Shape, lane: Any, row: Control) -> Any:
    """What a lane's control block says."""
    return body.load(lane, row_at(body, shape, shape.rows.control + row))


def set_control(body: Body, shape: Shape, lane: Any, row: Control, value: Any) -> None:
    """Write to a lane's control block."""
    body.store(value, lane, row_at(body, shape, shape.rows.control + row))


def stop_day(body: Body, arguments: Any, patient: Any, stop: Any) -> Any:
    """Day of a stop."""
    row = body.times(patient, argument(body, arguments, "stop_columns"))
    return body.load(argument(body, arguments, "stops"), body.plus(row, stop))


def found_at(body: Body, shape: Shape, arguments: Any, patient: Any, stop: Any) -> Any:
    """Where the state at a stop goes."""
    row = body.times(patient, argument(body, arguments, "stop_columns"))
    place = body.times(body.plus(row, stop), shape.rows.states)
    return body.address(argument(body, arguments, "found"), place)
