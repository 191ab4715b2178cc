"""A chi-square statistic with its degrees of freedom and p-value."""

from dataclasses import dataclass

from scipy.special import chdtrc

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
