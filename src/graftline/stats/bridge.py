"""How far a Brownian bridge strays: the distributions behind simultaneous confidence bands.

Both are computed to at least nine digits, from the exact law of the process between its end points,
instead of read from printed tables.
"""

from functools import cache
from math import log, pi, sqrt

import numpy as np
from scipy.linalg import eigh
from scipy.optimize import brentq

from graftline.stats.event_counts import FloatArray

_NODES = 96
_TERMS = 30


def constant_boundary(low: float, high: float, level: float) -> float:
    """The k with P(max of |B(u)| over low <= u <= high is at most k) = ``level``.

    B is the Brownian bridge on 0..1; for 0..1 itself this is Kolmogorov's distribution. Source:
    Hall and Wellner 1980.
    """
    return float(brentq(lambda k: _stays_within(low, high, k) - level, 0.02, 6.0, xtol=1e-12))


def scaled_boundary(low: float, high: float, level: float) -> float:
    """The c with P(max of |B(u)| / sqrt(u (1 - u)) over low <= u <= high at most c) = ``level``.

    Source: Nair 1984. B(u) / sqrt(u (1 - u)) is an Ornstein-Uhlenbeck process in the time
    log(u / (1 - u)) / 2.
    """
    length = 0.5 * log(high * (1.0 - low) / (low * (1.0 - high)))
    return float(brentq(lambda c: _stays_scaled(length, c) - level, 0.3, 9.0, xtol=1e-12))


def _stays_within(low: float, high: float, k: float) -> float:
    """Integral over B(low) and B(high) of P(the bridge between them stays within -k..k)."""
    x, x_mass = _normal_nodes(np.zeros(1), sqrt(low * (1.0 - low)), k)
    # Given B(low) = x, B(high) is normal about x (1 - high) / (1 - low).
    span = high - low
    centre = x[0] * (1.0 - high) / (1.0 - low)
    y, y_mass = _normal_nodes(centre, sqrt(span * (1.0 - high) / (1.0 - low)), k)
    inside = _bridge_stays(x[0][:, None], y, span, k)
    return float(x_mass[0] @ (y_mass * inside).sum(axis=1))


def _normal_nodes(centre: FloatArray, sd: float, k: float) -> tuple[FloatArray, FloatArray]:
    """Nodes within -k..k and their share of a normal law about each ``centre`` (one row each)."""
    if sd == 0.0:
        return centre[:, None], np.ones((centre.size, 1))
    node, weight = _gauss_nodes()
    low = np.maximum(centre - 9.0 * sd, -k)[:, None]
    high = np.minimum(centre + 9.0 * sd, k)[:, None]
    at = 0.5 * (low + high) + 0.5 * (high - low) * node
    density = np.exp(-0.5 * ((at - centre[:, None]) / sd) ** 2) / (sd * sqrt(2.0 * pi))
    return at, density * weight * 0.5 * (high - low)


def _bridge_stays(x: FloatArray, y: FloatArray, span: float, k: float) -> FloatArray:
    """P(a Brownian path from x to y in time ``span`` stays within -k..k), by reflections."""
    total = np.zeros(np.broadcast(x, y).shape)
    reflections = 2 + int(3.0 * sqrt(span) / k)
    for j in range(-reflections, reflections + 1):
        shifted = y - x + 4.0 * k * j
        mirrored = 2.0 * k * (2 * j + 1) - y - x
        total += np.exp(((y - x) ** 2 - shifted**2) / (2.0 * span))
        total -= np.exp(((y - x) ** 2 - mirrored**2) / (2.0 * span))
    return np.clip(total, 0.0, 1.0)


def _stays_scaled(length: float, c: float) -> float:
    """P(a stationary Ornstein-Uhlenbeck process stays within -c..c for ``length``).

    With f = g / sqrt(normal density) the eigenfunctions of f'' - x f' that vanish at -c and c are
    those of -g'' + (x^2 / 4 - 1 / 2) g, found among (1 - u^2) times even polynomials in u = x / c.
    """
    node, weight = _gauss_nodes()
    x = c * node
    polynomial, derivative = _even_legendre()
    basis = (1.0 - node**2) * polynomial
    slope = ((1.0 - node**2) * derivative - 2.0 * node * polynomial) / c
    energy = (slope * weight) @ slope.T + (basis * (weight * (x * x / 4.0 - 0.5))) @ basis.T
    rates, modes = eigh(energy, (basis * weight) @ basis.T)
    start = basis @ (weight * np.exp(-0.25 * x * x))
    shares = c / sqrt(2.0 * pi) * (modes.T @ start) ** 2
    return float(shares @ np.exp(-rates * length))


@cache
def _gauss_nodes() -> tuple[FloatArray, FloatArray]:
    node, weight = np.polynomial.legendre.leggauss(_NODES)
    return node, weight


@cache
def _even_legendre() -> tuple[FloatArray, FloatArray]:
    """Normalised Legendre polynomials of degree 0, 2, 4, ... and their slopes at the nodes."""
    node, _ = _gauss_nodes()
    degree = 2 * _TERMS
    values = np.polynomial.legendre.legvander(node, degree)[:, ::2].T
    every = np.polynomial.legendre.legder(np.eye(degree + 1)[:, ::2])
    slopes = np.polynomial.legendre.legval(node, every)
    scale = np.sqrt(2.0 * np.arange(0, degree + 1, 2) + 0.5)[:, None]
    return values * scale, slopes * scale
