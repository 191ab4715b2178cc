"""Display scales on which gates are drawn: logicle, FlowJo's biexponential, asinh, log, linear."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from graftline.assays.flow.biexponential import (
    biexponential,
    biexponential_fault,
    inverse_biexponential,
    negative_rate,
)

Floats = NDArray[np.float64]
_LN10 = math.log(10)
ScaleKind = Literal["logicle", "biex", "asinh", "fasinh", "log", "linear"]


@dataclass(frozen=True, slots=True)
class Scale:
    """A scale and its parameters as GatingML 2.0 names them.

    ``t`` top of scale, ``w`` linear decades, ``m`` decades in all, ``a`` added negative decades;
    ``cofactor`` for plain asinh(x / cofactor); ``width``, ``positive`` and ``negative`` as FlowJo
    names those of its biexponential scale.
    """

    kind: ScaleKind
    t: float = 262144.0
    w: float = 0.5
    m: float = 4.5
    a: float = 0.0
    cofactor: float = 150.0
    width: float = -10.0
    positive: float = 4.41854
    negative: float = 0.0


# Far beyond any cytometer: further out the scales' own arithmetic ends.
_LEAST, _HIGHEST_TOP, _MOST_DECADES = 1e-3, 1e12, 20.0


def scale_fault(scale: Scale) -> str | None:
    """What is wrong with a scale's parameters, None if nothing."""
    tops, decades = (_LEAST, _HIGHEST_TOP), (_LEAST, _MOST_DECADES)
    if not (tops[0] <= scale.t <= tops[1] and decades[0] <= scale.m <= decades[1]):
        return f"t from {tops[0]:g} to {tops[1]:g} and m from {decades[0]:g} to {decades[1]:g}"
    if scale.kind == "biex":
        return biexponential_fault(**_biexponential_of(scale))
    if scale.kind == "logicle":
        if not 0 <= scale.w <= scale.m / 2:
            return "0 <= w <= m / 2"
        return None if -scale.w <= scale.a <= scale.m - 2 * scale.w else "-w <= a <= m - 2 w"
    if scale.kind == "asinh":
        return None if scale.cofactor >= _LEAST else f"cofactor from {_LEAST:g} on"
    if scale.kind == "linear":
        return None if 0 <= scale.a <= scale.t else "0 <= a <= t"
    return None if scale.kind == "log" or 0 <= scale.a <= scale.m else "0 <= a <= m"


def apply_scale(values: Floats, scale: Scale) -> Floats:
    """Values on a scale; NaN stays NaN, and values <= 0 are -inf on ``log``.

    Notes
    -----
    Definitions of GatingML 2.0 (ISAC 2013): logicle (Parks 2006, Moore and Parks 2012), ``fasinh``
    = (asinh(x sinh(m ln 10) / t) + a ln 10) / ((m + a) ln 10), ``log`` = log10(x / t) / m + 1,
    ``linear`` = (x + a) / (t + a). ``asinh`` is asinh(x / cofactor), ``biex`` the bin, 0 to 4096,
    of FlowJo's look-up table.
    """
    if scale.kind == "logicle":
        return logicle(values, t=scale.t, w=scale.w, m=scale.m, a=scale.a)
    if scale.kind == "biex":
        return biexponential(values, **_biexponential_of(scale))
    # Values too large for a number on the scale are infinite there.
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        if scale.kind == "asinh":
            return np.asarray(np.arcsinh(values / scale.cofactor))
        if scale.kind == "linear":
            return (values + scale.a) / (scale.t + scale.a)
        if scale.kind == "log":
            logs = np.where(values > 0, np.log10(values / scale.t), -np.inf)
            return np.where(np.isnan(values), np.nan, logs / scale.m + 1)
        stretched = np.arcsinh(values * math.sinh(scale.m * _LN10) / scale.t)
        return np.asarray((stretched + scale.a * _LN10) / ((scale.m + scale.a) * _LN10))


def _biexponential_of(scale: Scale) -> dict[str, float]:
    return {
        "width_basis": scale.width,
        "negative": scale.negative,
        "positive": scale.positive,
        "top": scale.t,
    }


def invert_scale(scaled: Floats, scale: Scale) -> Floats:
    """Linear values of positions on a scale; infinite where none is large enough."""
    with np.errstate(over="ignore"):
        if scale.kind == "logicle":
            return inverse_logicle(scaled, t=scale.t, w=scale.w, m=scale.m, a=scale.a)
        if scale.kind == "biex":
            return inverse_biexponential(scaled, **_biexponential_of(scale))
        if scale.kind == "asinh":
            return np.asarray(scale.cofactor * np.sinh(scaled))
        if scale.kind == "linear":
            return scaled * (scale.t + scale.a) - scale.a
        if scale.kind == "log":
            return np.asarray(scale.t * 10 ** (scale.m * (scaled - 1)))
        stretched = np.sinh((scaled * (scale.m + scale.a) - scale.a) * _LN10)
        return np.asarray(stretched * scale.t / math.sinh(scale.m * _LN10))


@dataclass(frozen=True, slots=True)
class Biexponential:
    """Coefficients of v(y) = a exp(b y) - c exp(-d y) - f; ``centre`` is where v = 0."""

    a: float
    b: float
    c: float
    d: float
    f: float
    centre: float


def logicle_coefficients(*, t: float, w: float, m: float, a: float) -> Biexponential:
    """Coefficients of the logicle scale (Moore and Parks 2012).

    Raises
    ------
    ValueError
        Parameters outside the definition.
    """
    fault = scale_fault(Scale("logicle", t=t, w=w, m=m, a=a))
    if fault is not None:
        raise ValueError(f"the logicle scale needs {fault}")
    width = w / (m + a)
    added = a / (m + a)
    centre = (w + a) / (m + a)
    knee = added + 2 * width
    b = (m + a) * _LN10
    d = negative_rate(b, width)
    ratio = math.exp(knee * (b + d))
    offset = math.exp(b * centre) - ratio / math.exp(d * centre)
    scale = t / (math.exp(b) - offset - ratio / math.exp(d))
    return Biexponential(scale, b, ratio * scale, d, offset * scale, centre)


def logicle(values: Floats, *, t: float, w: float = 0.5, m: float = 4.5, a: float = 0.0) -> Floats:
    """Logicle scale: 1 at ``t``, (w + a)/(m + a) at 0, reflected below 0.

    Raises
    ------
    ValueError
        Parameters outside the definition.
    """
    k = logicle_coefficients(t=t, w=w, m=m, a=a)
    flat = np.ascontiguousarray(values, dtype=np.float64).ravel()
    knots = 2.0 ** np.arange(_LOWEST_OCTAVE, _HIGHEST_OCTAVE + 1)[:, None]
    grid = (knots * (1 + np.arange(_KNOTS) / _KNOTS)).ravel()
    start = _solve(grid, np.full(grid.size, np.nan), k.a, k.b, k.c, k.d, k.f, k.centre)
    # Starting threads costs more than a few thousand values do.
    work = _logicle if flat.size < _WORTH_THREADS else _logicle_in_threads
    scaled: Floats = work(flat, flat.view(np.int64), start, k.a, k.b, k.c, k.d, k.f, k.centre)
    return scaled.reshape(np.shape(values))


# Starts for 2^-8 to 2^24, 256 to an octave: one step from there is exact to the last digits.
_LOWEST_OCTAVE, _HIGHEST_OCTAVE, _KNOTS = -8, 24, 256
_WORTH_THREADS = 50_000


@njit(cache=True)
def _root(
    value: float, y: float, a: float, b: float, c: float, d: float, f: float, tolerance: float
) -> float:
    """Root of the biexponential by Halley's method."""
    for _ in range(20):
        rise = a * np.exp(b * y)
        fall = c * np.exp(-d * y)
        error = rise - fall - f - value
        first = b * rise + d * fall
        step = error / (first - 0.5 * error * (b * b * rise - d * d * fall) / first)
        y -= step
        # The error after a step is about ten times its cube.
        if abs(step) < tolerance:
            break
    return y


@njit(cache=True)
def _far_start(
    value: float, a: float, b: float, c: float, d: float, f: float, centre: float
) -> float:
    """The lower of two starts: linear near 0, logarithmic far from it."""
    high = np.exp(-d * centre)
    slope = a * b * np.exp(b * centre) + c * d * high
    return float(min(centre + value / slope, np.log((value + f + c * high) / a) / b))


@njit(cache=True)
def _solve(
    values: Floats,
    scaled: Floats,
    a: float,
    b: float,
    c: float,
    d: float,
    f: float,
    centre: float,
) -> Floats:
    for i in range(values.size):
        y = _far_start(values[i], a, b, c, d, f, centre)
        scaled[i] = _root(values[i], y, a, b, c, d, f, 1e-9)
    return scaled


def _logicle_of(
    values: Floats,
    bits: NDArray[np.int64],
    start: Floats,
    a: float,
    b: float,
    c: float,
    d: float,
    f: float,
    centre: float,
) -> Floats:
    scaled = np.empty_like(values)
    for i in prange(values.size):
        value = abs(values[i])
        # Exponent and first mantissa bits of the value are its place in the table.
        place = ((bits[i] & 0x7FFFFFFFFFFFFFFF) >> 44) - ((1023 + _LOWEST_OCTAVE) << 8)
        if not np.isfinite(value):
            scaled[i] = values[i]
            continue
        if value == 0:
            # Many events are 0, and bounds are set there: not one digit off.
            scaled[i] = centre
            continue
        if 0 <= place < start.size - 1:
            part = (bits[i] & 0xFFFFFFFFFFF) * 2.0**-44
            y = start[place] + part * (start[place + 1] - start[place])
            y = _root(value, y, a, b, c, d, f, 1e-4)
        else:
            y = _far_start(value, a, b, c, d, f, centre)
            y = _root(value, y, a, b, c, d, f, 1e-9)
        scaled[i] = y if values[i] >= 0 else 2 * centre - y
    return scaled


_logicle = njit(cache=True)(_logicle_of)
_logicle_in_threads = njit(cache=True, parallel=True)(_logicle_of)


def inverse_logicle(
    scaled: Floats, *, t: float, w: float = 0.5, m: float = 4.5, a: float = 0.0
) -> Floats:
    """Linear values of logicle positions."""
    k = logicle_coefficients(t=t, w=w, m=m, a=a)
    y = k.centre + np.abs(scaled - k.centre)
    value = k.a * np.exp(k.b * y) - k.c * np.exp(-k.d * y) - k.f
    return np.asarray(np.where(scaled >= k.centre, value, -value))
