"""Which part of the equations a patient is at, as LLVM code: drugs fade, doses bring them back."""

from typing import Any

from llvmlite import ir

from graftline.model.blocks import BIT, I64, Body
from graftline.model.layout import Control, Whole
from graftline.model.places import Shape, argument, control, wholes_of


def _amount(body: Body, shape: Shape, place: tuple[Any, Any, Any], table: str, k: Any) -> Any:
    """The state that is entry ``k`` of a table, and the address of the lane's row that holds it."""
    arguments, lane, first_row = place
    state = body.load(argument(body, arguments, table), k, I64)
    return state, body.address(lane, body.times(body.plus(first_row, state), shape.width))


def part_code(module: Any, shape: Shape) -> Any:
    """Function ``part(arguments, lane, first row)``: the first that leaves out nothing present."""
    body = Body(module, "part", 3, I64)
    place = (body.inputs[0], body.inputs[1], body.inputs[2])
    b, zero = body.builder, body.whole(0)
    count = argument(body, place[0], "part_count")
    firsts = argument(body, place[0], "absent_first")
    with body.loop_over(count) as number:
        k = body.variable(body.load(firsts, number, I64))
        end = body.load(firsts, body.plus(number, 1), I64)
        fits = body.variable(ir.Constant(BIT, 1))
        with body.loop_while(lambda: body.less(b.load(k), end)):
            _, address = _amount(body, shape, place, "absent", b.load(k))
            there = b.fcmp_ordered(">", body.load(address, zero), body.real(0.0))
            b.store(b.and_(b.load(fits), b.not_(there)), fits)
            b.store(body.plus(b.load(k), 1), k)
        with b.if_then(b.load(fits)):
            b.ret(number)
    b.ret(body.plus(count, -1))
    return body.function


def fade_code(module: Any, shape: Shape) -> Any:
    """Function ``fade(arguments, lane, first row)``: nothing is left of drugs that all have faded.

    They have when no more is left of any than the error allowed in it.
    """
    body = Body(module, "fade", 3, ir.VoidType())
    place = (body.inputs[0], body.inputs[1], body.inputs[2])
    b, zero = body.builder, body.whole(0)
    count = argument(body, place[0], "fading_count")
    factor = control(body, shape, place[1], Control.ATOL_FACTOR)
    with body.loop_over(count) as k:
        state, address = _amount(body, shape, place, "fading", k)
        limit = b.fmul(factor, body.load(argument(body, place[0], "limits"), state))
        with b.if_then(b.fcmp_ordered(">", body.load(address, zero), limit)):
            b.ret_void()
    with body.loop_over(count) as k:
        _, address = _amount(body, shape, place, "fading", k)
        body.store(body.real(0.0), address, zero)
    b.ret_void()
    return body.function


def moves_on(
    body: Body, shape: Shape, helpers: dict[str, Any], place: tuple[Any, Any, Any], first_row: Any
) -> Any:
    """Whether another part of the equations takes over; the patient's part is noted."""
    arguments, patient, lane = place
    body.builder.call(helpers["fade"], [arguments, lane, first_row])
    part = body.builder.call(helpers["part"], [arguments, lane, first_row])
    body.store(part, wholes_of(body, arguments, patient), body.whole(Whole.PART))
    serves = body.load(argument(body, arguments, "serves"), part, I64)
    return body.builder.icmp_signed("==", serves, body.whole(0))
