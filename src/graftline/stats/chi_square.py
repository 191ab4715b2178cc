"""A chi-square statistic with its degrees of freedom and p-value."""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from graftline.stats.event_counts import FloatArray, IntArray
from graftline.stats.result_text import text_p_value


@dataclass(frozen=True, slots=True)
class ChiSquare:
    """Statistic, degrees of freedom, and the chance of a larger one."""

    statistic: float
    df: int
    p_value: float

    def __str__(self) -> str:
        """One line, as printed under a model."""
        return f"{self.statistic:.4g} on {self.df} df, p {equals(self.p_value)}"


def chi_square(statistic: float, df: int) -> ChiSquare:
    """Statistic with its upper-tail p-value."""
    return ChiSquare(float(statistic), df, float(chdtrc(df, statistic)))


def equals(p_value: float) -> str:
    """``= 0.012`` or ``< 0.0001``."""
    text = text_p_value(p_value)
    return text if text.startswith("<") else f"= {text}"


def quadratic_form(score: FloatArray, variance: FloatArray) -> tuple[FloatArray, IntArray]:
    """Score' V^- score over the directions in which the score can vary, and how many they are.

    Of one score (k) with its variance (k x k), or of many at once, the first axes alike.
    """
    values, vectors = np.linalg.eigh(variance)
    real = values > 1e-10 * np.maximum(values[..., -1:], 1e-300)
    along = np.einsum("...ij,...i->...j", vectors, score)
    parts = np.where(real, along**2 / np.where(real, values, 1.0), 0.0)
    return parts.sum(axis=-1), np.count_nonzero(real, axis=-1)


def wald_test(coef: FloatArray, variance: FloatArray) -> ChiSquare:
    """Test that all coefficients are 0.

    Fewer independent patients than covariates leave a robust variance without an inverse; the
    degrees of freedom are then those it has. Source: Wald 1943.
    """
    root = np.sqrt(np.diag(variance))
    statistic, df = quadratic_form(coef / root, variance / np.outer(root, root))
    return chi_square(float(statistic), int(df))
