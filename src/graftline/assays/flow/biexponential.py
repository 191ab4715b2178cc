"""FlowJo's biexponential scale: its look-up table, bins of values and values of bins."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

Floats = NDArray[np.float64]
BINS = 4096


def biexponential_fault(
    *, width_basis: float, negative: float, positive: float, top: float
) -> str | None:
    """What is wrong with the parameters of FlowJo's biexponential scale, None if nothing."""
    needed = "width <= -1, negative >= 0, positive > log10(-width) / 2 and t > 0"
    sound = -1e6 <= width_basis <= -1 and 0 <= negative <= 10 and top > 0
    return None if sound and math.log10(-width_basis) / 2 < positive <= 20 else needed


@lru_cache(maxsize=32)
def biexponential_table(
    *, width_basis: float, negative: float, positive: float, top: float
) -> Floats:
    """Linear value at each display bin 0 to 4096 of FlowJo's biexponential scale, shape (4097,).

    Parameters
    ----------
    width_basis : float
        FlowJo's width basis, -1 or less: how much of the scale around 0 is linear.
    negative, positive : float
        Extra negative decades and positive decades.
    top : float
        Linear value at the end of the scale.

    Raises
    ------
    ValueError
        Parameters outside the definition.
    """
    fault = biexponential_fault(
        width_basis=width_basis, negative=negative, positive=positive, top=top
    )
    if fault is not None:
        raise ValueError(f"the biexponential scale needs {fault}")
    half = math.log10(-width_basis) / 2
    below = negative + half
    decades = positive - half
    zero = min(int(below * BINS / (below + decades)), BINS // 2)
    if zero:
        decades = below * BINS / zero
    width = half / decades
    b = decades * math.log(10)
    d = negative_rate(b, width)
    at = np.arange(BINS + 1) / (BINS + 1)
    curve = np.exp(b * at) - math.exp((b + d) * (width + below / decades)) * np.exp(-d * at)
    values: Floats = top / math.exp(b) * (curve - curve[zero])
    # Below zero the scale mirrors the part above it.
    values[:zero] = -values[2 * zero - np.arange(zero)]
    values.flags.writeable = False
    return values


def negative_rate(b: float, width: float) -> float:
    """Rate d of a biexponential's falling part: 2 ln(d / b) + width (b + d) = 0."""
    if width == 0:
        return b
    return float(brentq(lambda x: 2 * math.log(x / b) + width * (x + b), 1e-12, b))


def biexponential(
    values: Floats, *, width_basis: float, negative: float, positive: float, top: float
) -> Floats:
    """Display bins of values, 0 to 4096: between the table's values in a line, as FlowJo does.

    Values beyond an end of the scale are at that end; NaN stays NaN.

    Raises
    ------
    ValueError
        As `biexponential_table`.
    """
    table = biexponential_table(
        width_basis=width_basis, negative=negative, positive=positive, top=top
    )
    return np.asarray(np.interp(values, table, np.arange(table.size)), dtype=np.float64)


def inverse_biexponential(
    bins: Floats, *, width_basis: float, negative: float, positive: float, top: float
) -> Floats:
    """Linear values of display bins; infinite beyond the ends of the scale.

    Raises
    ------
    ValueError
        As `biexponential_table`.
    """
    table = biexponential_table(
        width_basis=width_basis, negative=negative, positive=positive, top=top
    )
    places = np.arange(table.size)
    return np.asarray(np.interp(bins, places, table, -np.inf, np.inf), dtype=np.float64)
