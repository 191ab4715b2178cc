"""Confidence intervals of a proportion: exact, score, mid-P and Bayesian."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import polars as pl
from scipy.optimize import brentq
from scipy.special import bdtr, bdtrc, betaincinv
from scipy.stats import binom, norm

from graftline.stats.inputs import StatsInputError, check_choice, check_level
from graftline.stats.result_text import text_number

Alternative: TypeAlias = Literal["two-sided", "less", "greater"]


@dataclass(frozen=True, slots=True)
class Proportion:
    """Events among ``n``, the estimate and its interval. Without patients the interval is (0, 1).

    ``method`` names how the interval was computed.
    """

    events: int
    n: int
    estimate: float
    lower: float
    upper: float
    level: float
    method: str

    def to_frame(self) -> pl.DataFrame:
        """One row with the columns events, n, estimate, lower, upper, level, method."""
        names = ("events", "n", "estimate", "lower", "upper", "level", "method")
        return pl.DataFrame({name: [getattr(self, name)] for name in names})

    def __str__(self) -> str:
        """Events, percentage and interval on one line."""
        if self.n == 0:
            return f"0/0, no estimate ({self.method})"
        return (
            f"{self.events}/{self.n} ({100 * self.estimate:.1f}%), "
            f"{text_number(100 * self.level)}% interval {100 * self.lower:.1f}% to "
            f"{100 * self.upper:.1f}% ({self.method})"
        )


def clopper_pearson(
    events: int, n: int, *, level: float = 0.95, alternative: Alternative = "two-sided"
) -> Proportion:
    """Exact interval of Clopper and Pearson: the binomial tails at its ends are (1 - level) / 2.

    With ``alternative`` "less" or "greater" the interval is one-sided (0 to upper, or lower to 1),
    its single tail 1 - level, as ``binom.test`` of R.

    Raises
    ------
    StatsInputError
        Counts that are not whole, are negative, or exceed ``n``.

    Notes
    -----
    Source: Clopper and Pearson 1934. R: ``binom.test(events, n, conf.level=level)``.
    """
    _check_counts(events, n, level)
    check_choice("alternative", alternative, ("two-sided", "less", "greater"))
    tail = (1.0 - level) / (2.0 if alternative == "two-sided" else 1.0)
    lower = 0.0 if alternative == "less" else _exact_lower(events, n, tail)
    upper = 1.0 if alternative == "greater" else _exact_upper(events, n, tail)
    name = "Clopper-Pearson" if alternative == "two-sided" else f"Clopper-Pearson, {alternative}"
    return _proportion(events, n, lower, upper, level, name)


def wilson(events: int, n: int, *, level: float = 0.95) -> Proportion:
    """Score interval of Wilson, without continuity correction.

    Notes
    -----
    Source: Wilson 1927. R: ``prop.test(events, n, conf.level=level, correct=FALSE)``.
    """
    _check_counts(events, n, level)
    if n == 0:
        return _proportion(events, n, 0.0, 1.0, level, "Wilson")
    z = float(norm.isf((1.0 - level) / 2.0))
    centre = (events + z * z / 2.0) / (n + z * z)
    reach = z / (n + z * z) * (events * (n - events) / n + z * z / 4.0) ** 0.5
    lower = 0.0 if events == 0 else centre - reach
    upper = 1.0 if events == n else centre + reach
    return _proportion(events, n, lower, upper, level, "Wilson")


def mid_p(events: int, n: int, *, level: float = 0.95) -> Proportion:
    """Mid-P interval: exact tails that count the observed outcome by half.

    Shorter than Clopper-Pearson; its coverage is the level on average, not at least the level.

    Notes
    -----
    Sources: Lancaster 1961; Berry and Armitage 1995.
    """
    _check_counts(events, n, level)
    tail = (1.0 - level) / 2.0
    lower = 0.0 if events == 0 else _mid_p_limit(events, n, 1.0 - tail, 0.0, events / n)
    upper = 1.0 if events == n else _mid_p_limit(events, n, tail, events / n, 1.0)
    return _proportion(events, n, lower, upper, level, "mid-P")


def beta_binomial(
    events: int, n: int, *, level: float = 0.95, prior: tuple[float, float] = (0.5, 0.5)
) -> Proportion:
    """Bayesian estimate: equal-tailed credible interval of the Beta posterior.

    ``estimate`` stays the observed proportion; ``prior`` is (a, b) of the Beta prior, by default
    that of Jeffreys. The posterior is Beta(a + events, b + n - events).

    Notes
    -----
    Sources: Jeffreys 1946; Brown, Cai and DasGupta 2001.
    """
    _check_counts(events, n, level)
    a, b = prior
    if not (0.0 < a < float("inf") and 0.0 < b < float("inf")):
        raise StatsInputError(f"prior: found {prior!r}\n  expected two positive numbers (a, b)")
    tail = (1.0 - level) / 2.0
    lower = float(betaincinv(a + events, b + n - events, tail))
    upper = float(betaincinv(a + events, b + n - events, 1.0 - tail))
    name = f"Bayesian, prior Beta({text_number(float(a))}, {text_number(float(b))})"
    return _proportion(events, n, lower, upper, level, name)


def binomial_p_value(
    events: int, n: int, null: float, *, alternative: Alternative = "two-sided"
) -> float:
    """Exact p-value of the hypothesis that the proportion is ``null``.

    Two-sided: all outcomes no more probable than the one observed, as ``binom.test`` of R.

    Raises
    ------
    StatsInputError
        Impossible counts, or ``null`` outside 0 to 1.
    """
    _check_counts(events, n, 0.95)
    check_choice("alternative", alternative, ("two-sided", "less", "greater"))
    if not 0.0 <= null <= 1.0:
        raise StatsInputError(f"null: found {null!r}\n  expected a probability, 0 to 1")
    if n == 0:
        return 1.0
    if alternative == "less":
        return float(bdtr(events, n, null))
    if alternative == "greater":
        return 1.0 if events == 0 else float(bdtrc(events - 1, n, null))
    probabilities = binom.pmf(range(n + 1), n, null)
    # Outcomes equally probable but for rounding count as equal; 1e-7 is the value of binom.test.
    reached = probabilities <= probabilities[events] * (1.0 + 1e-7)
    return float(min(1.0, probabilities[reached].sum()))


def _check_counts(events: int, n: int, level: float) -> None:
    check_level(level)
    if int(events) != events or int(n) != n or not 0 <= events <= n:
        raise StatsInputError(
            f"events, n: found {events!r} of {n!r}\n  expected whole numbers with 0 <= events <= n"
        )


def _exact_lower(events: int, n: int, tail: float) -> float:
    return 0.0 if events == 0 else float(betaincinv(events, n - events + 1, tail))


def _exact_upper(events: int, n: int, tail: float) -> float:
    return 1.0 if events == n else float(betaincinv(events + 1, n - events, 1.0 - tail))


def _mid_p_limit(events: int, n: int, target: float, low: float, high: float) -> float:
    def excess(p: float) -> float:
        below = float(bdtr(events - 1, n, p)) if events > 0 else 0.0
        return below + 0.5 * float(binom.pmf(events, n, p)) - target

    return float(brentq(excess, low, high, xtol=1e-15, rtol=1e-14))


def _proportion(
    events: int, n: int, lower: float, upper: float, level: float, method: str
) -> Proportion:
    if n == 0 and not method.startswith("Bayesian"):
        lower, upper = 0.0, 1.0
    estimate = events / n if n > 0 else float("nan")
    return Proportion(int(events), int(n), estimate, lower, upper, level, method)
