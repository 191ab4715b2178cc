"""Marginal distributions of the covariates of virtual patients, and the way back to a normal score.

Ranges are those of Hu 2024 and of the interim report of NCT05827835 where they print one, else
assumed (docs/simulate.md lists both).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv, ndtr, ndtri

Floats = NDArray[np.float64]

_EDGE = 1e-9


@dataclass(frozen=True, slots=True)
class Number:
    """A numeric covariate: quantile function, distribution function, whether it is whole."""

    quantile: Callable[[Floats], Floats]
    probability: Callable[[Floats], Floats]
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A covariate with named values and their probabilities."""

    values: tuple[str, ...]
    shares: tuple[float, ...]


def _normal(mean: float, sd: float, low: float, high: float) -> Number:
    """Truncated normal."""
    a, b = float(ndtr((low - mean) / sd)), float(ndtr((high - mean) / sd))
    return Number(
        quantile=lambda u: mean + sd * ndtri(a + u * (b - a)),
        probability=lambda x: (ndtr((np.clip(x, low, high) - mean) / sd) - a) / (b - a),
    )


def _lognormal(
    median: float, log_sd: float, low: float, high: float, *, whole: bool = False
) -> Number:
    """Log-normal, cut (not redrawn) at the ends; a whole 0 stands for what rounds to it."""
    least = max(low, 0.25)

    def quantile(u: Floats) -> Floats:
        value: Floats = np.clip(median * np.exp(log_sd * ndtri(u)), low, high)
        return np.round(value) if whole else value

    return Number(
        quantile=quantile,
        probability=lambda x: ndtr(np.log(np.clip(x, least, high) / median) / log_sd),
        whole=whole,
    )


def _blasts() -> Number:
    """Blast percentage: 100 x beta(1.1, 1.6) cut to 2-90 %."""
    return Number(
        quantile=lambda u: 100.0 * np.clip(betaincinv(1.1, 1.6, u), 0.02, 0.90),
        probability=lambda x: betainc(1.1, 1.6, np.clip(x / 100.0, 0.0, 1.0)),
    )


def _uniform(low: float, high: float) -> Number:
    return Number(
        quantile=lambda u: low + (high - low) * u,
        probability=lambda x: (np.clip(x, low, high) - low) / (high - low),
    )


NUMBERS: Mapping[str, Number] = MappingProxyType(
    {
        "age_years": _normal(50.0, 15.0, 14.0, 82.0),
        "height_cm": _normal(166.0, 9.0, 145.0, 195.0),
        "weight_kg": _lognormal(62.0, 0.18, 35.0, 130.0),
        "marrow_blasts_percent": _blasts(),
        "cd7_percent_of_blasts": _uniform(80.5, 98.0),
        "prior_lines": _lognormal(8.0, 0.4, 2.0, 20.0, whole=True),
        "ecog": _lognormal(0.9, 0.7, 0.0, 2.0, whole=True),
        "hct_ci": _lognormal(1.5, 0.7, 0.0, 8.0, whole=True),
        "egfr_ml_per_min": _normal(105.0, 18.0, 60.0, 150.0),
        "diagnosis_months": _lognormal(13.0, 0.5, 4.0, 60.0),
        "donor_age_years": _normal(34.0, 9.0, 14.0, 62.0),
        "cd34_1e6_per_kg": _lognormal(4.8, 0.28, 1.5, 15.0),
        "cd3_1e8_per_kg": _lognormal(5.5, 0.45, 1.0, 20.0),
        "mnc_over_cd3": _uniform(1.3, 2.4),
        "hemoglobin_g_per_l": _normal(90.0, 12.0, 60.0, 130.0),
    }
)
CHOICES: Mapping[str, Choice] = MappingProxyType(
    {
        "disease": Choice(("AML", "T-ALL", "T-LBL"), (0.60, 0.25, 0.15)),
        "sex": Choice(("female", "male"), (0.45, 0.55)),
        "donor_sex": Choice(("female", "male"), (0.35, 0.65)),
        "donor_relation": Choice(("child", "parent", "sibling"), (0.60, 0.22, 0.18)),
        "hla_match_of_10": Choice(("5", "6"), (0.70, 0.30)),
        "cmv_serostatus": Choice(("positive", "negative"), (0.85, 0.15)),
        "donor_cmv_serostatus": Choice(("positive", "negative"), (0.80, 0.20)),
        "abo": Choice(("A", "B", "AB", "O"), (0.29, 0.28, 0.09, 0.34)),
        "donor_abo": Choice(("A", "B", "AB", "O"), (0.29, 0.28, 0.09, 0.34)),
        "prior_allo_hsct": Choice(("no", "yes"), (11 / 19, 8 / 19)),
    }
)
COVARIATES: tuple[str, ...] = (*NUMBERS, *CHOICES)


def scores_of(name: str, values: Floats) -> Floats:
    """Normal scores of known numbers, for the copula; 0 for a value on a jump is its middle."""
    known = NUMBERS[name].probability(values)
    scores: Floats = ndtri(np.clip(known, _EDGE, 1.0 - _EDGE))
    return scores


def number_from_score(name: str, z: Floats) -> Floats:
    """Values of a numeric covariate from normal scores."""
    return NUMBERS[name].quantile(np.clip(ndtr(z), _EDGE, 1.0 - _EDGE))


def choice_from_score(name: str, z: Floats) -> NDArray[np.int64]:
    """Index of the value of a categorical covariate from normal scores."""
    edges = np.cumsum(CHOICES[name].shares)[:-1]
    chosen: NDArray[np.int64] = np.searchsorted(edges, ndtr(z), side="right")
    return chosen
