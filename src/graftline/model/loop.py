"""The loop around the step functions, as LLVM code: every lane has its own patient, day and step.

A lane whose patient is done, failed, or wants the other method takes the next patient of the
queue. Nothing here mixes two lanes, so a patient's numbers do not depend on who sits in the
neighbouring lane or in which thread. It is written as LLVM code, not for a just-in-time compiler of
Python, because the first call on a fresh machine would wait ten seconds for that compiler.

What it is handed, and how patients lie in memory, is in ``layout``.
"""

from typing import Any

from llvmlite import ir

from graftline.model.blocks import BIT, F64, I64, Body
from graftline.model.handover import fade_code, moves_on, part_code
from graftline.model.layout import Control, Real, Rows, Status, Whole
from graftline.model.places import (
    Shape,
    argument,
    control,
    found_at,
    function_at,
    lane_at,
    reals_of,
    row_at,
    set_control,
    stop_day,
    wholes_of,
)
from graftline.model.stepsize import SMALLEST_STEP

FIRST_STEP_AFTER_DOSE = 0.1
_FREE, _RENEW = 1, 2
_POINTER = ir.IntType(8).as_pointer()


def loop_code(width: int, rows: Rows) -> str:
    """LLVM code of ``run``, which carries a queue of patients on by any method."""
    module, shape = ir.Module("loop"), Shape(width, rows)
    helpers = {
        "copy": _copy(module),
        "schedule": _schedule(module, shape),
        "doses": _doses(module, shape),
    }
    helpers["leave"] = _leave(module, shape, helpers)
    helpers["fail"] = _fail(module, shape, helpers)
    helpers["part"] = part_code(module, shape)
    helpers["fade"] = fade_code(module, shape)
    helpers["seat"] = _seat(module, shape, helpers)
    helpers["attend"] = _attend(module, shape, helpers)
    _run(module, shape, helpers)
    return str(module)


def _copy(module: Any) -> Any:
    """Function ``copy(from, stride, to, stride, count)``."""
    body = Body(module, "copy", 5, ir.VoidType())
    source, source_stride, target, target_stride, count = body.inputs
    with body.loop_over(count) as k:
        value = body.load(source, body.times(k, source_stride))
        body.store(value, target, body.times(k, target_stride))
    body.builder.ret_void()
    return body.function


def _copy_state(
    body: Body, shape: Shape, helpers: dict[str, Any], lane: Any, row: int, target: Any
) -> None:
    source = body.address(lane, row_at(body, shape, row))
    wide, one = body.whole(shape.width), body.whole(1)
    arguments = [source, wide, target, one, body.whole(shape.rows.states)]
    body.builder.call(helpers["copy"], arguments)


def _schedule(module: Any, shape: Shape) -> Any:
    """Function ``schedule(arguments, patient, lane)``: next stop, and the day not to be passed."""
    body = Body(module, "schedule", 3, ir.VoidType())
    arguments, patient, lane = body.inputs
    wholes = wholes_of(body, arguments, patient)
    at = [body.load(wholes, body.whole(column), I64) for column in Whole]
    last = stop_day(body, arguments, patient, body.plus(at[Whole.STOPS], -1))
    limit = body.variable(last)
    with body.builder.if_then(body.less(at[Whole.NEXT_DOSE], at[Whole.LAST_DOSE])):
        dose = body.load(argument(body, arguments, "dose_day"), at[Whole.NEXT_DOSE])
        body.builder.store(body.smaller(last, dose), limit)
    coming = stop_day(body, arguments, patient, at[Whole.NEXT_STOP])
    set_control(body, shape, lane, Control.LIMIT, body.builder.load(limit))
    set_control(body, shape, lane, Control.NEXT_STOP, coming)
    body.builder.ret_void()
    return body.function


def _doses(module: Any, shape: Shape) -> Any:
    """Function ``doses(arguments, patient, lane, first row, day)``: gives what is due; how many."""
    body = Body(module, "doses", 5, I64)
    arguments, patient, lane, first_row, day_bits = body.inputs
    day = body.builder.bitcast(day_bits, F64)
    wholes = wholes_of(body, arguments, patient)
    end = body.load(wholes, body.whole(Whole.LAST_DOSE), I64)
    first = body.load(wholes, body.whole(Whole.NEXT_DOSE), I64)
    k, go = body.variable(first), body.variable(ir.Constant(BIT, 1))

    def more() -> Any:
        return body.builder.and_(body.builder.load(go), body.less(body.builder.load(k), end))

    with body.loop_while(more):
        now = body.builder.load(k)
        due_day = body.load(argument(body, arguments, "dose_day"), now)
        due = body.builder.fcmp_ordered("<=", due_day, day)
        body.builder.store(due, go)
        with body.builder.if_then(due):
            state = body.load(argument(body, arguments, "dose_state"), now, I64)
            place = body.times(body.plus(first_row, state), shape.width)
            amount = body.load(argument(body, arguments, "dose_amount"), now)
            value = body.builder.fadd(body.load(lane, place), amount)
            positive = body.builder.fcmp_ordered(">", value, body.real(0.0))
            body.store(body.builder.select(positive, value, body.real(0.0)), lane, place)
            body.builder.store(body.plus(now, 1), k)
    done = body.builder.load(k)
    body.store(done, wholes, body.whole(Whole.NEXT_DOSE))
    given = body.builder.sub(done, first)
    with body.builder.if_then(body.less(body.whole(0), given)):
        want = control(body, shape, lane, Control.WANT)
        short = body.smaller(want, body.real(FIRST_STEP_AFTER_DOSE))
        set_control(body, shape, lane, Control.WANT, short)
    body.builder.ret(given)
    return body.function


def _leave(module: Any, shape: Shape, helpers: dict[str, Any]) -> Any:
    """Function ``leave(arguments, patient, lane, first row, day)``: write back to the patient."""
    body = Body(module, "leave", 5, ir.VoidType())
    arguments, patient, lane, first_row, day_bits = body.inputs
    reals, wholes = reals_of(body, shape, arguments, patient), wholes_of(body, arguments, patient)
    source = body.address(lane, body.times(first_row, shape.width))
    target = body.address(reals, body.whole(Real.STATE))
    wide, one = body.whole(shape.width), body.whole(1)
    body.builder.call(helpers["copy"], [source, wide, target, one, body.whole(shape.rows.states)])
    body.store(body.builder.bitcast(day_bits, F64), reals, body.whole(Real.DAY))
    body.store(control(body, shape, lane, Control.WANT), reals, body.whole(Real.WANT))
    column = body.plus(argument(body, arguments, "method"), int(Whole.EXPLICIT_STEPS))
    count = body.builder.fptosi(control(body, shape, lane, Control.COUNT), I64)
    before = body.load(wholes, column, I64)
    body.store(body.builder.add(before, count), wholes, column)
    body.builder.ret_void()
    return body.function


def _fail(module: Any, shape: Shape, helpers: dict[str, Any]) -> Any:
    """Function ``fail(arguments, patient, lane, first row, day, status)``: give up."""
    body = Body(module, "fail", 6, ir.VoidType())
    arguments, patient, lane, first_row, day_bits, status = body.inputs
    body.builder.call(helpers["leave"], [arguments, patient, lane, first_row, day_bits])
    wholes = wholes_of(body, arguments, patient)
    body.store(status, wholes, body.whole(Whole.STATUS))
    count = body.load(wholes, body.whole(Whole.STOPS), I64)
    stop = body.variable(body.load(wholes, body.whole(Whole.NEXT_STOP), I64))
    with body.loop_while(lambda: body.less(body.builder.load(stop), count)):
        now = body.builder.load(stop)
        reals = reals_of(body, shape, arguments, patient)
        source = body.address(reals, body.whole(Real.STATE))
        target = found_at(body, shape, arguments, patient, now)
        one = body.whole(1)
        body.builder.call(
            helpers["copy"], [source, one, target, one, body.whole(shape.rows.states)]
        )
        body.builder.store(body.plus(now, 1), stop)
    body.store(count, wholes, body.whole(Whole.NEXT_STOP))
    body.builder.ret_void()
    return body.function


def _record_due(
    body: Body,
    shape: Shape,
    helpers: dict[str, Any],
    place: tuple[Any, Any, Any],
    row: int,
    end: Any,
) -> Any:
    """Record the state at all stops up to and on ``end``; whether stops remain."""
    arguments, patient, lane = place
    wholes = wholes_of(body, arguments, patient)
    count = body.load(wholes, body.whole(Whole.STOPS), I64)
    stop = body.variable(body.load(wholes, body.whole(Whole.NEXT_STOP), I64))
    go = body.variable(ir.Constant(BIT, 1))

    def more() -> Any:
        left = body.less(body.builder.load(stop), count)
        return body.builder.and_(body.builder.load(go), left)

    with body.loop_while(more):
        now = body.builder.load(stop)
        day = stop_day(body, arguments, patient, now)
        due = body.builder.fcmp_ordered("<=", day, end)
        body.builder.store(due, go)
        with body.builder.if_then(due):
            target = found_at(body, shape, arguments, patient, now)
            inside = body.builder.fcmp_ordered("<", day, end)
            with body.builder.if_else(inside) as (within, at_end):
                with within:
                    start = control(body, shape, lane, Control.DAY)
                    step = control(body, shape, lane, Control.STEP)
                    gone = body.builder.fdiv(body.builder.fsub(day, start), step)
                    bits = body.builder.bitcast(gone, I64)
                    kind = ir.FunctionType(ir.VoidType(), [I64] * 3)
                    between = function_at(body, arguments, "interpolate", kind)
                    body.builder.call(between, [lane, bits, target])
                with at_end:
                    _copy_state(body, shape, helpers, lane, row, target)
            body.builder.store(body.plus(now, 1), stop)
    done = body.builder.load(stop)
    body.store(done, wholes, body.whole(Whole.NEXT_STOP))
    return body.less(done, count)


def _seat(module: Any, shape: Shape, helpers: dict[str, Any]) -> Any:
    """Function ``seat(arguments, patient, lane)``: load a patient; 0 if nothing is left."""
    body = Body(module, "seat", 3, I64)
    arguments, patient, lane_number = body.inputs
    lane = lane_at(body, arguments, lane_number)
    reals, wholes = reals_of(body, shape, arguments, patient), wholes_of(body, arguments, patient)
    wide, one = body.whole(shape.width), body.whole(1)
    for column, row, count in (
        (int(Real.STATE), shape.rows.now, shape.rows.states),
        # what the equations at work leave out stays as it is
        (int(Real.STATE), shape.rows.next, shape.rows.states),
        (Real.STATE + shape.rows.states, shape.rows.fixed, shape.rows.constants),
    ):
        source = body.address(reals, body.whole(column))
        target = body.address(lane, row_at(body, shape, row))
        body.builder.call(helpers["copy"], [source, one, target, wide, body.whole(count)])
    day = body.load(reals, body.whole(Real.DAY))
    used = [body.load(wholes, body.whole(c), I64) for c in tuple(Whole)[-2:]]
    spent = body.builder.add(*used)
    most = body.builder.sub(argument(body, arguments, "most_steps"), spent)
    for row, value in (
        (Control.DAY, day),
        (Control.WANT, body.load(reals, body.whole(Real.WANT))),
        (Control.ACCEPTED, body.real(0.0)),
        (Control.STREAK, body.real(0.0)),
        (Control.COUNT, body.real(0.0)),
        (Control.STEP, body.real(1.0)),
        (Control.MOST_STEPS, body.builder.sitofp(most, F64)),
    ):
        set_control(body, shape, lane, row, value)
    remain = _record_due(body, shape, helpers, (arguments, patient, lane), shape.rows.now, day)
    body.give_back_if(body.builder.not_(remain), 0)
    bits = body.builder.bitcast(day, I64)
    first = body.whole(shape.rows.now)
    body.builder.call(helpers["doses"], [arguments, patient, lane, first, bits])
    moves = moves_on(body, shape, helpers, (arguments, patient, lane), first)
    with body.builder.if_then(moves):
        body.builder.call(helpers["leave"], [arguments, patient, lane, first, bits])
        body.builder.ret(body.whole(0))
    body.builder.call(helpers["schedule"], [arguments, patient, lane])
    body.builder.ret(body.whole(1))
    return body.function


def _attend(module: Any, shape: Shape, helpers: dict[str, Any]) -> Any:
    """Function ``attend(arguments, patient, lane)``: what a step's end asks for.

    Gives 1 if the lane is free, 2 if slopes are out of date.
    """
    body = Body(module, "attend", 3, I64)
    arguments, patient, lane_number = body.inputs
    lane = lane_at(body, arguments, lane_number)
    accepted = control(body, shape, lane, Control.ACCEPTED)
    _attend_rejected(body, shape, helpers, (arguments, patient, lane), accepted)
    end = control(body, shape, lane, Control.END)
    bits, following = body.builder.bitcast(end, I64), body.whole(shape.rows.next)
    remain = _record_due(body, shape, helpers, (arguments, patient, lane), shape.rows.next, end)
    leaving = [arguments, patient, lane, following, bits]
    with body.builder.if_then(body.builder.not_(remain)):
        body.builder.call(helpers["leave"], leaving)
        body.builder.ret(body.whole(_FREE))
    given = body.builder.call(helpers["doses"], leaving)
    streak = control(body, shape, lane, Control.STREAK)
    turns = body.builder.sitofp(argument(body, arguments, "turns"), F64)
    with body.builder.if_then(body.builder.fcmp_ordered(">=", streak, turns)):
        wholes = wholes_of(body, arguments, patient)
        other = body.builder.sub(body.whole(1), argument(body, arguments, "method"))
        body.store(other, wholes, body.whole(Whole.METHOD))
        body.builder.call(helpers["leave"], leaving)
        body.builder.ret(body.whole(_FREE))
    moves = moves_on(body, shape, helpers, (arguments, patient, lane), following)
    with body.builder.if_then(moves):
        body.builder.call(helpers["leave"], leaving)
        body.builder.ret(body.whole(_FREE))
    count = control(body, shape, lane, Control.COUNT)
    most = control(body, shape, lane, Control.MOST_STEPS)
    with body.builder.if_then(body.builder.fcmp_ordered(">=", count, most)):
        reason = body.whole(Status.TOO_MANY_STEPS)
        body.builder.call(helpers["fail"], [*leaving, reason])
        body.builder.ret(body.whole(_FREE))
    body.builder.call(helpers["schedule"], [arguments, patient, lane])
    some = body.less(body.whole(0), given)
    body.builder.ret(body.builder.select(some, body.whole(_RENEW), body.whole(0)))
    return body.function


def _attend_rejected(
    body: Body, shape: Shape, helpers: dict[str, Any], place: tuple[Any, Any, Any], accepted: Any
) -> None:
    """A rejected step asks for attention only where the patient must be given up."""
    arguments, patient, lane = place
    with body.builder.if_then(body.builder.fcmp_ordered("<", accepted, body.real(0.5))):
        want = control(body, shape, lane, Control.WANT)
        small = body.builder.fcmp_ordered("<", want, body.real(SMALLEST_STEP))
        reasons = (body.whole(Status.STEP_TOO_SMALL), body.whole(Status.TOO_MANY_STEPS))
        reason = body.builder.select(small, *reasons)
        day = body.builder.bitcast(control(body, shape, lane, Control.DAY), I64)
        now = body.whole(shape.rows.now)
        body.builder.call(helpers["fail"], [arguments, patient, lane, now, day, reason])
        body.builder.ret(body.whole(_FREE))


def _run(module: Any, shape: Shape, helpers: dict[str, Any]) -> None:
    """Function ``run(arguments)``: until nobody of the queue is left in this method."""
    body = Body(module, "run", 1, ir.VoidType())
    body.function.linkage = "external"
    (arguments,) = body.inputs
    b = body.builder
    step = function_at(body, arguments, "step", ir.FunctionType(I64, [_POINTER]))
    begin = function_at(body, arguments, "begin", ir.FunctionType(ir.VoidType(), [_POINTER]))
    who = b.alloca(ir.ArrayType(I64, shape.width))
    seats = b.ptrtoint(who, I64)
    taken, active = body.variable(body.whole(0)), body.variable(body.whole(0))
    renew = body.variable(body.whole(1))
    queue_length = argument(body, arguments, "queue_length")
    buffer = b.inttoptr(argument(body, arguments, "buffer"), _POINTER)
    going = body.variable(body.whole(1))
    with body.loop_while(lambda: b.trunc(b.load(going), BIT)):
        _refill(body, shape, helpers, (arguments, seats, taken, active, renew))
        freed = body.variable(b.icmp_signed("==", b.load(active), body.whole(0)))
        with body.loop_while(lambda: b.not_(b.load(freed))):
            with b.if_then(b.icmp_signed("!=", b.load(renew), body.whole(0))):
                b.call(begin, [buffer])
                b.store(body.whole(0), renew)
            asks = body.variable(b.and_(b.call(step, [buffer]), b.load(active)))
            with body.loop_while(lambda: b.icmp_signed("!=", b.load(asks), body.whole(0))):
                _serve(body, helpers, (arguments, seats, asks, active, renew))
            # a free lane is filled at once while somebody waits; else the others go on without it
            fewer = b.icmp_signed("!=", b.load(active), _full(body, shape))
            waiting = body.less(b.load(taken), queue_length)
            nobody = b.icmp_signed("==", b.load(active), body.whole(0))
            b.store(b.or_(nobody, b.and_(fewer, waiting)), freed)
        busy = b.icmp_signed("!=", b.load(active), body.whole(0))
        b.store(b.zext(b.or_(busy, body.less(b.load(taken), queue_length)), I64), going)
    b.ret_void()


def _full(body: Body, shape: Shape) -> Any:
    return body.whole((1 << shape.width) - 1)


def _refill(
    body: Body, shape: Shape, helpers: dict[str, Any], place: tuple[Any, Any, Any, Any, Any]
) -> None:
    arguments, seats, taken, active, renew = place
    b = body.builder
    queue = argument(body, arguments, "queue")
    queue_length = argument(body, arguments, "queue_length")
    with body.loop_over(body.whole(shape.width)) as lane:
        bit = b.shl(body.whole(1), lane)

        def wanted(bit: Any = bit) -> Any:
            free = b.icmp_signed("==", b.and_(b.load(active), bit), body.whole(0))
            return b.and_(free, body.less(b.load(taken), queue_length))

        with body.loop_while(wanted):
            position = b.load(taken)
            patient = body.load(queue, position, I64)
            b.store(body.plus(position, 1), taken)
            busy = b.call(helpers["seat"], [arguments, patient, lane])
            body.store(patient, seats, lane)
            b.store(b.or_(b.load(active), b.mul(busy, bit)), active)
            b.store(body.whole(1), renew)


def _serve(body: Body, helpers: dict[str, Any], place: tuple[Any, Any, Any, Any, Any]) -> None:
    arguments, seats, asks, active, renew = place
    b = body.builder
    mask = b.load(asks)
    lane = b.cttz(mask, ir.Constant(BIT, 1))
    b.store(b.and_(mask, body.plus(mask, -1)), asks)
    flags = b.call(helpers["attend"], [arguments, body.load(seats, lane, I64), lane])
    bit = b.shl(body.whole(1), lane)
    leaves = b.icmp_signed("!=", b.and_(flags, body.whole(_FREE)), body.whole(0))
    left = b.and_(b.load(active), b.not_(bit))
    b.store(b.select(leaves, left, b.load(active)), active)
    b.store(b.or_(b.load(renew), b.and_(flags, body.whole(_RENEW))), renew)
