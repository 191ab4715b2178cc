"""Stopping a trial when too many patients have a toxicity: rules and what they do, exactly.

A rule is a table: after n patients stop if at least k have had the event. What it does for a given
true rate follows from the binomial distribution, look by look, without simulation. Sources: Thall
and Simon 1994; Geller et al. 2003 for the Bayesian rule; Ivanova, Qaqish and Schell 2005 for the
Pocock-type one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.special import bdtrc, betainc

from graftline.stats.event_counts import FloatArray, IntArray
from graftline.stats.inputs import StatsInputError, raise_problems
from graftline.stats.result_text import text_table


@dataclass(frozen=True, slots=True)
class StoppingRule:
    """Looks and the events that stop at them, with the rule's operating characteristics.

    ``looks`` are numbers of patients; ``stop_at`` the fewest events that stop (beyond the look
    where no number of events stops). ``characteristics`` has a row per true rate: rate,
    probability_stop, expected_patients, expected_events.
    """

    limit: float
    looks: IntArray
    stop_at: IntArray
    characteristics: pl.DataFrame
    name: str

    def to_frame(self) -> pl.DataFrame:
        """One row per stretch of looks with the same number of events: from_n, to_n, stop_at."""
        reachable = self.stop_at <= self.looks
        looks, events = self.looks[reachable], self.stop_at[reachable]
        begins = np.flatnonzero(np.diff(events, prepend=-1) != 0)
        ends = np.append(begins[1:], looks.size)[: begins.size] - 1
        return pl.DataFrame(
            {"from_n": looks[begins], "to_n": looks[ends], "stop_at": events[begins]}
        )

    def __str__(self) -> str:
        """The table of the rule and what it does; the one is not shown without the other."""
        spans = [
            [str(low) if low == high else f"{low} to {high}", events]
            for low, high, events in self.to_frame().rows()
        ]
        rule = text_table(["patients", "stop at events"], spans)
        header = ["true rate", "P(stop)", "expected patients", "expected events"]
        return f"{self.name}\n\n{rule}\n\n{text_table(header, self.characteristics.rows())}"


def bayesian_stopping_rule(
    *,
    limit: float,
    cutoff: float,
    first_look: int,
    n_max: int,
    every: int = 1,
    prior_patients: float = 2.0,
    rates: Sequence[float] | None = None,
) -> StoppingRule:
    """Stop when the rate probably exceeds the limit: P(rate > limit | data) >= cutoff.

    Parameters
    ----------
    limit : float
        Highest acceptable rate, of the protocol.
    cutoff : float
        Posterior probability that stops.
    first_look, n_max, every : int
        Patients at the first look, at most, and between looks.
    prior_patients : float
        Weight of the prior Beta(prior_patients x limit, prior_patients x (1 - limit)).
    rates : sequence of float, optional
        True rates for the characteristics; by default half, one, one and a half and two limits.

    Raises
    ------
    StatsInputError
        A limit, cutoff or number of patients that makes no rule.

    Notes
    -----
    A look after every patient stops far more often than 1 - cutoff at a rate equal to the limit;
    the characteristics say how often.
    """
    looks = _looks(first_look, n_max, every)
    _check_shares(limit=limit, cutoff=cutoff)
    if not 0.0 < prior_patients < float("inf"):
        raise StatsInputError(f"prior_patients: found {prior_patients!r}\n  expected above 0")
    a, b = prior_patients * limit, prior_patients * (1.0 - limit)
    stop_at = np.array([_first_event(n, a, b, limit, cutoff) for n in looks.tolist()])
    name = (
        f"Stop when P(rate > {limit:g}) >= {cutoff:g}, prior Beta({a:g}, {b:g}), "
        f"{looks.size} looks up to {n_max} patients"
    )
    return _rule(limit, looks, stop_at, rates, name)


def pocock_stopping_rule(
    *,
    limit: float,
    error: float,
    first_look: int,
    n_max: int,
    every: int = 1,
    rates: Sequence[float] | None = None,
) -> StoppingRule:
    """Stop when so many events have at most a constant probability at the limit.

    That probability, the same at every look, is the largest with which a trial whose true rate is
    the limit stops with probability ``error`` at most.

    Parameters
    ----------
    limit : float
        Highest acceptable rate, of the protocol.
    error : float
        Greatest probability of stopping when the true rate is the limit.
    first_look, n_max, every, rates
        As for `bayesian_stopping_rule`.

    Raises
    ------
    StatsInputError
        A limit, error or number of patients that makes no rule.
    """
    looks = _looks(first_look, n_max, every)
    _check_shares(limit=limit, error=error)
    levels = np.unique(np.concatenate([_tails(n, limit) for n in looks.tolist()]))
    levels = levels[levels < 1.0]
    low, high = -1, int(levels.size) - 1
    # The chance of stopping never falls when the level rises, so the largest fitting level is
    # found by halving.
    while low < high:
        middle = (low + high + 1) // 2
        chance = _walk(looks, _stops(looks, limit, float(levels[middle])), limit)[0]
        low, high = (middle, high) if chance <= error else (low, middle - 1)
    level = float(levels[low]) if low >= 0 else 0.0
    name = (
        f"Stop at a binomial tail of at most {level:.4g} at a rate of {limit:g}, "
        f"{looks.size} looks up to {n_max} patients, P(stop) at most {error:g} there"
    )
    return _rule(limit, looks, _stops(looks, limit, level), rates, name)


def toxicity_posterior(
    events: int, patients: float, *, limit: float, prior_patients: float = 2.0
) -> float:
    """P(rate > limit | data), to be held against a rule's cutoff at any time.

    Parameters
    ----------
    events : int
        Patients with the event.
    patients : float
        Patients observed. Those still within the window may count by the share of it they have
        completed (TITE); an event counts its patient whole.
    limit, prior_patients : float
        As for `bayesian_stopping_rule`.

    Raises
    ------
    StatsInputError
        Impossible counts or limit.

    Notes
    -----
    Cheung and Chappell 2000 for the weights. R: ``pbeta(limit, m * limit + events, m * (1 - limit)
    + patients - events, lower.tail = FALSE)`` with m the prior patients.
    """
    _check_shares(limit=limit)
    if int(events) != events or not 0 <= events <= patients < float("inf"):
        raise StatsInputError(
            f"events, patients: found {events!r} of {patients!r}\n"
            "  expected a whole number of events, at most the patients"
        )
    if not 0.0 < prior_patients < float("inf"):
        raise StatsInputError(f"prior_patients: found {prior_patients!r}\n  expected above 0")
    a, b = prior_patients * limit, prior_patients * (1.0 - limit)
    return float(1.0 - betainc(a + events, b + patients - events, limit))


def stopping_characteristics(
    looks: IntArray, stop_at: IntArray, rates: Sequence[float]
) -> pl.DataFrame:
    """What a rule does at each true rate: rate, probability_stop, expected_patients and _events.

    Parameters
    ----------
    looks, stop_at : array (m)
        Numbers of patients, increasing, and the fewest events that stop there. The trial ends at
        the last look.
    rates : sequence of float
        True rates.

    Raises
    ------
    StatsInputError
        Rates outside 0 to 1, or looks that do not increase.
    """
    problems: list[str] = []
    values = np.asarray(rates, dtype=np.float64)
    if not np.all((values >= 0.0) & (values <= 1.0)):
        problems.append(f"rates: found {list(rates)}\n  expected probabilities, 0 to 1")
    if looks.size == 0 or looks[0] < 1 or np.any(np.diff(looks) <= 0):
        problems.append(f"looks: found {looks.tolist()}\n  expected increasing numbers of patients")
    if looks.shape != stop_at.shape:
        problems.append(f"stop_at: found {stop_at.size} numbers\n  expected {looks.size}")
    raise_problems(problems)
    walks = [_walk(looks, stop_at, float(rate)) for rate in values]
    return pl.DataFrame(
        {
            "rate": values,
            "probability_stop": [walk[0] for walk in walks],
            "expected_patients": [walk[1] for walk in walks],
            "expected_events": [walk[1] * rate for walk, rate in zip(walks, values, strict=True)],
        }
    )


def _rule(
    limit: float,
    looks: IntArray,
    stop_at: IntArray,
    rates: Sequence[float] | None,
    name: str,
) -> StoppingRule:
    if rates is None:
        rates = [x for x in (0.5 * limit, limit, 1.5 * limit, 2.0 * limit) if x < 1.0]
    return StoppingRule(
        limit, looks, stop_at, stopping_characteristics(looks, stop_at, rates), name
    )


def _looks(first_look: int, n_max: int, every: int) -> IntArray:
    whole = all(isinstance(n, int) for n in (first_look, n_max, every))
    if not whole or not 1 <= first_look <= n_max or every < 1:
        raise StatsInputError(
            f"first_look, n_max, every: found {first_look!r}, {n_max!r}, {every!r}\n"
            "  expected whole numbers with 1 <= first_look <= n_max and every >= 1"
        )
    looks = np.arange(first_look, n_max + 1, every)
    # The last patient is always looked at, so that the trial never ends beyond its last look.
    return looks if looks[-1] == n_max else np.append(looks, n_max)


def _check_shares(**shares: float) -> None:
    problems = [
        f"{name}: found {value!r}\n  expected a probability between 0 and 1"
        for name, value in shares.items()
        if not 0.0 < value < 1.0
    ]
    raise_problems(problems)


def _first_event(n: int, a: float, b: float, limit: float, cutoff: float) -> int:
    events = np.arange(n + 1)
    above = 1.0 - betainc(a + events, b + n - events, limit)
    return int(np.searchsorted(above, cutoff, side="left"))


def _tails(n: int, limit: float) -> FloatArray:
    """P(at least k events among n) for k = 0..n."""
    return np.concatenate(([1.0], bdtrc(np.arange(n), n, limit)))


def _stops(looks: IntArray, limit: float, level: float) -> IntArray:
    # Tails fall with k; the level is itself one of them, so rounding must not hide it.
    kept = [int(np.sum(_tails(n, limit) > level * (1.0 + 1e-12))) for n in looks.tolist()]
    return np.array(kept)


def _walk(looks: IntArray, stop_at: IntArray, rate: float) -> tuple[float, float]:
    """Probability of stopping at a look, and expected number of patients."""
    going = np.ones(1)
    done, stopped, patients = 0, 0.0, 0.0
    for n, events in zip(looks.tolist(), stop_at.tolist(), strict=True):
        for _ in range(n - done):
            going = np.convolve(going, (1.0 - rate, rate))
        out = float(going[events:].sum())
        going[events:] = 0.0
        stopped += out
        patients += n * out
        done = n
    return stopped, patients + done * float(going.sum())
