"""How many patients a small trial needs, by exact binomial power."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numba import njit
from scipy.special import bdtrc
from scipy.stats import binom, hypergeom

from graftline.stats.event_counts import FloatArray
from graftline.stats.inputs import StatsInputError, raise_problems


@dataclass(frozen=True, slots=True)
class SingleArmDesign:
    """``n`` patients; the null is rejected with at least ``reject_at`` responses.

    ``alpha`` and ``power`` are the exact ones reached.
    """

    null: float
    alternative: float
    n: int
    reject_at: int
    alpha: float
    power: float

    def to_frame(self) -> pl.DataFrame:
        """One row."""
        return pl.DataFrame({name: [getattr(self, name)] for name in self.__slots__})

    def __str__(self) -> str:
        """The design in one sentence."""
        return (
            f"{self.n} patients; a rate of {self.null:g} is rejected with {self.reject_at} or more "
            f"responses (exact alpha {self.alpha:.4f}, power {self.power:.4f} at "
            f"{self.alternative:g})"
        )


@dataclass(frozen=True, slots=True)
class TwoStageDesign:
    """Simon's design: stop after ``n1`` with at most ``r1`` responses, fail with at most ``r``.

    ``expected_n`` and ``early_stop`` (its probability) are those at the null.
    """

    null: float
    alternative: float
    r1: int
    n1: int
    r: int
    n: int
    alpha: float
    power: float
    expected_n: float
    early_stop: float
    kind: str

    def to_frame(self) -> pl.DataFrame:
        """One row."""
        return pl.DataFrame({name: [getattr(self, name)] for name in self.__slots__})

    def __str__(self) -> str:
        """The design in one sentence."""
        return (
            f"{self.kind}: stop if {self.r1}/{self.n1} or fewer, reject {self.null:g} if more than "
            f"{self.r}/{self.n} (exact alpha {self.alpha:.4f}, power {self.power:.4f} at "
            f"{self.alternative:g}; at {self.null:g} {self.expected_n:.2f} patients expected, "
            f"early stop {self.early_stop:.4f})"
        )


def single_arm_power(n: int, reject_at: int, rate: float) -> float:
    """Probability of at least ``reject_at`` responses among ``n`` at a true ``rate``.

    Raises
    ------
    StatsInputError
        A negative count or a rate outside 0 to 1.

    Notes
    -----
    R: ``pbinom(reject_at - 1, n, rate, lower.tail = FALSE)``.
    """
    problems: list[str] = []
    if n < 0 or reject_at < 0:
        problems.append(f"n, reject_at: found {n!r}, {reject_at!r}\n  expected 0 or more")
    if not 0.0 <= rate <= 1.0:
        problems.append(f"rate: found {rate!r}\n  expected a probability, 0 to 1")
    raise_problems(problems)
    if reject_at == 0:
        return 1.0
    return 0.0 if reject_at > n else float(bdtrc(reject_at - 1, n, rate))


def single_arm_design(
    null: float, alternative: float, *, alpha: float, power: float, n_max: int = 1000
) -> SingleArmDesign:
    """Smallest single-arm trial whose exact test has the level and the power asked for.

    Parameters
    ----------
    null, alternative : float
        Uninteresting response rate, and the higher one to be detected.
    alpha, power : float
        One-sided level at most, and power at least.
    n_max : int
        Largest trial considered.

    Raises
    ------
    StatsInputError
        Rates or probabilities that make no design, or none with ``n_max`` patients.

    Notes
    -----
    Source: A'Hern 2001. Exact power is not monotone in n: a larger trial can have less.
    """
    _check_design(null, alternative, alpha, power)
    for n in range(1, n_max + 1):
        tails = bdtrc(np.arange(n), n, null)
        fits = np.flatnonzero(tails <= alpha)
        if fits.size == 0:
            continue
        reject_at = int(fits[0]) + 1
        reached = single_arm_power(n, reject_at, alternative)
        if reached >= power:
            level = single_arm_power(n, reject_at, null)
            return SingleArmDesign(null, alternative, n, reject_at, level, reached)
    raise StatsInputError(f"n_max: found no design with up to {n_max} patients\n  allow more")


def two_stage_designs(
    null: float, alternative: float, *, alpha: float, power: float, n_max: int = 60
) -> tuple[TwoStageDesign, TwoStageDesign]:
    """Simon's optimal and minimax two-stage designs, by full search.

    Optimal has the fewest patients expected at the null, minimax the fewest at most.

    Parameters
    ----------
    null, alternative, alpha, power
        As for `single_arm_design`.
    n_max : int
        Largest trial searched; an optimal design near it may not be the optimum of all.

    Raises
    ------
    StatsInputError
        As `single_arm_design`.

    Notes
    -----
    Source: Simon 1989.
    """
    _check_design(null, alternative, alpha, power)
    sizes = np.arange(n_max + 1)[:, None]
    counts = np.arange(n_max + 1)[None, :]
    tables = [binom.pmf(counts, sizes, rate) for rate in (null, alternative)]
    tails = [binom.sf(counts - 1, sizes, rate) for rate in (null, alternative)]
    found = _search_two_stages(tables[0], tails[0], tables[1], tails[1], alpha, power)
    if found[0, 0] < 0:
        raise StatsInputError(f"n_max: found no design with up to {n_max} patients\n  allow more")
    designs = []
    for row, kind in zip(found, ("optimal", "minimax"), strict=True):
        designs.append(
            TwoStageDesign(
                null=null,
                alternative=alternative,
                r1=int(row[0]),
                n1=int(row[1]),
                r=int(row[2]),
                n=int(row[3]),
                alpha=float(row[4]),
                power=float(row[5]),
                expected_n=float(row[6]),
                early_stop=float(row[7]),
                kind=kind,
            )
        )
    return designs[0], designs[1]


def two_arm_power(n1: int, n2: int, rate1: float, rate2: float, *, alpha: float) -> float:
    """Exact power of Fisher's two-sided test between two arms.

    The sum over all outcomes of their probability where the test's p-value is at most ``alpha``.

    Parameters
    ----------
    n1, n2 : int
        Patients of the arms.
    rate1, rate2 : float
        True response rates.
    alpha : float
        Level of the test.

    Raises
    ------
    StatsInputError
        Arms without patients, or rates outside 0 to 1.

    Notes
    -----
    R: the mean over outcomes of ``fisher.test(matrix(...))$p.value <= alpha``.
    """
    problems = [
        f"{name}: found {value!r}\n  expected a probability, 0 to 1"
        for name, value in (("rate1", rate1), ("rate2", rate2), ("alpha", alpha))
        if not 0.0 <= value <= 1.0
    ]
    if n1 < 1 or n2 < 1:
        problems.append(f"n1, n2: found {n1!r}, {n2!r}\n  expected at least 1")
    raise_problems(problems)
    first = binom.pmf(np.arange(n1 + 1), n1, rate1)
    second = binom.pmf(np.arange(n2 + 1), n2, rate2)
    total = 0.0
    for responses in range(n1 + n2 + 1):
        x = np.arange(max(0, responses - n2), min(n1, responses) + 1)
        p = hypergeom.pmf(x, n1 + n2, responses, n1)
        # Outcomes equally probable but for rounding count as equal; 1e-7 is that of fisher.test.
        extreme = p[None, :] <= p[:, None] * (1.0 + 1e-7)
        p_value = np.minimum((extreme * p[None, :]).sum(axis=1), 1.0)
        rejected = x[p_value <= alpha]
        total += float(first[rejected] @ second[responses - rejected])
    return total


def _check_design(null: float, alternative: float, alpha: float, power: float) -> None:
    problems: list[str] = []
    if not 0.0 < null < alternative < 1.0:
        problems.append(
            f"null, alternative: found {null!r}, {alternative!r}\n"
            "  expected 0 < null < alternative < 1"
        )
    for name, value in (("alpha", alpha), ("power", power)):
        if not 0.0 < value < 1.0:
            problems.append(f"{name}: found {value!r}\n  expected a probability between 0 and 1")
    raise_problems(problems)


@njit(cache=True)
def _rejects(pmf: FloatArray, tail: FloatArray, n1: int, r1: int, n2: int, r: int) -> float:
    """P(more than r1 among n1, more than r among all)."""
    total = 0.0
    for x in range(r1 + 1, n1 + 1):
        needed = r + 1 - x
        if needed <= 0:
            total += pmf[n1, x]
        elif needed <= n2:
            total += pmf[n1, x] * tail[n2, needed]
    return total


@njit(cache=True)
def _search_two_stages(
    pmf0: FloatArray,
    tail0: FloatArray,
    pmf1: FloatArray,
    tail1: FloatArray,
    alpha: float,
    power: float,
) -> FloatArray:
    """Rows optimal and minimax: r1, n1, r, n, alpha, power, expected n, early stop; -1 for none."""
    found = np.full((2, 8), -1.0)
    best, best_of_size = np.inf, np.inf
    smallest = 0
    for n in range(2, pmf0.shape[0]):
        if smallest == 0:
            best_of_size = np.inf
        for n1 in range(1, n):
            r = n
            for r1 in range(n1):
                early = 1.0 - tail0[n1, r1 + 1]
                expected = n1 + (1.0 - early) * (n - n1)
                # A higher r1 lets fewer through, so the least r that holds alpha only falls.
                while r > r1 and _rejects(pmf0, tail0, n1, r1, n - n1, r - 1) <= alpha:
                    r -= 1
                reached = _rejects(pmf1, tail1, n1, r1, n - n1, r)
                if reached < power:
                    continue
                level = _rejects(pmf0, tail0, n1, r1, n - n1, r)
                row = np.array([r1, n1, r, n, level, reached, expected, early], dtype=np.float64)
                if expected < best:
                    best = expected
                    found[0] = row
                if (smallest == 0 or n == smallest) and expected < best_of_size:
                    best_of_size = expected
                    smallest = n
                    found[1] = row
    return found
