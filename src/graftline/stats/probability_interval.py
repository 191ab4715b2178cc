"""Pointwise confidence limits of a probability from its standard error, on a chosen scale."""

from typing import Literal, TypeAlias, get_args

import numpy as np
from scipy.special import ndtri

from graftline.stats.event_counts import FloatArray

IntervalType: TypeAlias = Literal["log-log", "log", "plain", "logit", "arcsin", "cloglog"]
INTERVALS: tuple[str, ...] = get_args(IntervalType)


def probability_interval(
    probability: FloatArray, std_error: FloatArray, interval: IntervalType, level: float
) -> tuple[FloatArray, FloatArray]:
    """Lower and upper limit of each probability.

    ``plain`` is p +- z se; ``log``, ``log-log`` (log(-log p)), ``logit`` and ``arcsin``
    (arcsine of the square root) are the delta method on that scale, as in survfit of R's survival;
    ``cloglog`` is log(-log(1 - p)), as in etm and prodlim. A scale that has no value at 0 or 1
    gives NaN there, as R gives NA.
    """
    z = float(ndtri(0.5 + level / 2.0))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        lower, upper = _SCALES[interval](probability, std_error, z)
    return np.maximum(lower, 0.0), np.minimum(upper, 1.0)


def _plain(p: FloatArray, se: FloatArray, z: float) -> tuple[FloatArray, FloatArray]:
    return p - z * se, p + z * se


def _log(p: FloatArray, se: FloatArray, z: float) -> tuple[FloatArray, FloatArray]:
    inside = np.where(p > 0.0, p, np.nan)
    factor = np.exp(z * se / inside)
    return inside / factor, inside * factor


def _log_log(p: FloatArray, se: FloatArray, z: float) -> tuple[FloatArray, FloatArray]:
    inside = np.where((p > 0.0) & (p < 1.0), p, np.nan)
    log_p = np.log(inside)
    factor = np.exp(z * se / (inside * -log_p))
    return np.exp(log_p * factor), np.exp(log_p / factor)


def _cloglog(p: FloatArray, se: FloatArray, z: float) -> tuple[FloatArray, FloatArray]:
    lower, upper = _log_log(1.0 - p, se, z)
    return 1.0 - upper, 1.0 - lower


def _logit(p: FloatArray, se: FloatArray, z: float) -> tuple[FloatArray, FloatArray]:
    inside = np.where((p > 0.0) & (p < 1.0), p, np.nan)
    odds = inside / (1.0 - inside)
    factor = np.exp(z * se / (inside * (1.0 - inside)))
    return 1.0 / (1.0 + factor / odds), 1.0 / (1.0 + 1.0 / (odds * factor))


def _arcsin(p: FloatArray, se: FloatArray, z: float) -> tuple[FloatArray, FloatArray]:
    inside = np.where((p > 0.0) & (p < 1.0), p, np.nan)
    angle = np.arcsin(np.sqrt(inside))
    reach = 0.5 * z * se / np.sqrt(inside * (1.0 - inside))
    lower = np.sin(np.maximum(0.0, angle - reach)) ** 2
    return lower, np.sin(np.minimum(np.pi / 2.0, angle + reach)) ** 2


_SCALES = {
    "plain": _plain,
    "log": _log,
    "log-log": _log_log,
    "cloglog": _cloglog,
    "logit": _logit,
    "arcsin": _arcsin,
}
