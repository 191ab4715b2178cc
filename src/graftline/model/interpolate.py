"""States of one lane inside a step just made, as LLVM code, for both methods."""

from collections.abc import Callable, Mapping
from typing import Any

from llvmlite import ir

from graftline.model import rodas5p, tsit5
from graftline.model.blocks import Body
from graftline.model.lanes import Code
from graftline.model.layout import Control, Rows

_METHODS: Mapping[str, Callable[..., Any]] = {
    "explicit": tsit5.interpolation,
    "implicit": rodas5p.interpolation,
}


def exp_code() -> str:
    """Function ``one_exp``: replaces one number by its exponential."""
    code = Code(1)
    code.store(code.exp(code.load("%x", 0)), "%x", 0)
    return code.function("one_exp", ["x"])


def interpolation_code(width: int, rows: Rows, decay_rates: Mapping[int, int]) -> str:
    """Functions ``<method>_interpolate(lane, fraction, to)``: all states, one after the other.

    The explicit method follows decaying states exactly, and so they are between its steps.
    """
    module = ir.Module("interpolate")
    for method, interpolation in _METHODS.items():
        body = Body(module, f"{method}_interpolate", 3, ir.VoidType())
        body.function.linkage = "external"
        fraction = body.builder.bitcast(body.inputs[1], ir.DoubleType())
        step = body.load(body.inputs[0], body.whole((rows.control + Control.STEP) * width))
        value_of = interpolation(body, rows, (fraction, step))
        _every_state(body, (width, rows), value_of)
        if method == "explicit":
            _decay(module, body, (width, rows), decay_rates, body.builder.fmul(fraction, step))
        body.builder.ret_void()
    return str(module)


def _every_state(body: Body, shape: tuple[int, Rows], value_of: Callable[..., Any]) -> None:
    width, rows = shape
    lane, _, target = body.inputs
    with body.loop_over(body.whole(rows.states)) as state:
        offset = body.times(state, width)

        def load(row: int) -> Any:
            return body.load(lane, body.plus(offset, row * width))

        value = value_of(load)
        positive = body.builder.fcmp_ordered(">", value, body.real(0.0))
        value = body.builder.select(positive, value, body.real(0.0))
        body.store(value, target, state)


def _decay(
    module: Any,
    body: Body,
    shape: tuple[int, Rows],
    decay_rates: Mapping[int, int],
    time: Any,
) -> None:
    width, rows = shape
    lane, _, target = body.inputs
    b = body.builder
    kind = ir.FunctionType(ir.VoidType(), [ir.DoubleType().as_pointer()])
    exp = ir.Function(module, kind, "one_exp")
    place = body.variable(body.real(0.0))
    for state, row in decay_rates.items():
        now = body.load(lane, body.whole((rows.now + state) * width))
        with b.if_then(b.fcmp_ordered(">", now, body.real(0.0))):
            rate = body.load(lane, body.whole(row * width))
            b.store(b.fmul(rate, time), place)
            b.call(exp, [place])
            body.store(b.fmul(now, b.load(place)), target, body.whole(state))
