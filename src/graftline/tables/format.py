"""The one place where numbers become text: rounding, percent, ranges, intervals, missing."""

import math
import re
from decimal import ROUND_HALF_UP, Decimal

MISSING = "not recorded"
NOT_ESTIMABLE = "not reached"
DAYS_PER_MONTH = 30.4375
LARGE_COHORT = 100
_SCIENTIFIC = 5

_ROMAN = {0: "0", 1: "I", 2: "II", 3: "III", 4: "IV"}


def rounded(value: float, digits: int) -> Decimal:
    """Value rounded half away from zero at ``digits`` decimals, as tables of papers are.

    Binary noise is removed first (12 significant digits), so that 67.5 computed as
    67.49999999999999 prints as 68.
    """
    return Decimal(f"{value:.12g}").quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def number(value: float | None, *, digits: int = 1) -> str:
    """One number at fixed decimals; missing says so; thousands get a separator from 10 000."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return NOT_ESTIMABLE
    shown = rounded(value, digits)
    if shown == 0:
        shown = abs(shown)
    text = f"{shown:,f}" if abs(shown) >= 10_000 else f"{shown:f}"
    return text.replace("-", "\N{MINUS SIGN}")


def significant(value: float | None, *, digits: int = 3) -> str:
    """One number at significant digits, for quantities that span decades."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return NOT_ESTIMABLE
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if -4 < exponent < _SCIENTIFIC:
        return number(value, digits=max(0, digits - 1 - exponent))
    return f"{rounded(value / 10.0**exponent, digits - 1):f}e{exponent}"


def value_range(low: float | None, high: float | None, *, digits: int = 1) -> str:
    """Two bounds joined; ``to`` where a minus sign would be mistaken for the dash."""
    left, right = number(low, digits=digits), number(high, digits=digits)
    wordy = NOT_ESTIMABLE in (left, right) or (low or 0) < 0 or (high or 0) < 0
    return f"{left} to {right}" if wordy else f"{left}\N{EN DASH}{right}"


def percent(n: int, total: int) -> str:
    """Percent of ``total``: whole numbers below 100 patients, one decimal from there."""
    if total == 0:
        return "no patient evaluable"
    return f"{rounded(100 * n / total, 1 if total >= LARGE_COHORT else 0):f}%"


def count(n: int, total: int) -> str:
    """``n/N (percent)``: the denominator is always named."""
    return f"{n}/{total} ({percent(n, total)})" if total else f"{n}/{total}"


def count_interval(n: int, total: int, low: float | None, high: float | None) -> str:
    """``n/N (percent; 95% CI low-high)`` with the exact binomial interval in percent."""
    if not total or low is None or high is None:
        return count(n, total)
    bounds = value_range(100 * low, 100 * high, digits=1)
    return f"{n}/{total} ({percent(n, total)}; {bounds})"


def median_range(
    median: float | None, low: float | None, high: float | None, *, digits: int = 1
) -> str:
    """``median (minimum-maximum)``."""
    if median is None:
        return MISSING
    return f"{number(median, digits=digits)} ({value_range(low, high, digits=digits)})"


def estimate_interval(
    value: float | None, low: float | None, high: float | None, *, digits: int = 1
) -> str:
    """``estimate (95% CI low-high)``."""
    if value is None or math.isnan(value):
        return "not estimable"
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        bounds = _open_bounds(low, high, digits=digits)
    else:
        bounds = value_range(low, high, digits=digits)
    return f"{number(value, digits=digits)} ({bounds})"


def _open_bounds(low: float | None, high: float | None, *, digits: int) -> str:
    known = low is not None and not math.isnan(low)
    if known:
        return f"{number(low, digits=digits)} to {NOT_ESTIMABLE}"
    if high is not None and not math.isnan(high):
        return f"not estimable to {number(high, digits=digits)}"
    return "interval not estimable"


def months(days: float | None) -> float | None:
    """Days as months of 30.4375 days."""
    return None if days is None else days / DAYS_PER_MONTH


def gvhd_grade(grade: float | None) -> str:
    """A GVHD grade in Roman numerals."""
    if grade is None:
        return MISSING
    return _ROMAN.get(int(grade), number(grade, digits=0))


_ABBREVIATIONS = (
    *("HSPC", "HSCT", "GVHD", "CRS", "ICANS", "ICAHT", "CMV", "EBV", "DLI", "MRD", "CD7"),
    *("AML", "MPAL", "PTCL", "T-ALL", "T-LBL", "B-ALL", "ABO", "HLA", "PTLD", "ANC"),
)
_ABBREVIATED = re.compile(rf"\b({'|'.join(_ABBREVIATIONS)})\b", re.IGNORECASE)


def words(label: str) -> str:
    """A recorded class as a reader expects it: no underscores, abbreviations as printed."""
    opened = re.sub(r"\bcar t\b", "CAR-T", label.replace("_", " "))
    opened = re.sub(r"\b([bt]) (all|lbl)\b", r"\1-\2", opened)
    return _ABBREVIATED.sub(lambda found: found[0].upper(), opened)


def sentence(identifier: str) -> str:
    """A column or rule id as words: underscores open, first letter upper case."""
    opened = identifier.replace("_", " ").strip()
    return opened[:1].upper() + opened[1:]


def p_value(value: float | None) -> str:
    """A p-value as journals print it: two decimals, three below 0.1, ``<0.001`` below that."""
    if value is None or math.isnan(value):
        return "not estimable"
    if value < 0.001:
        return "<0.001"
    return f"{rounded(value, 3 if value < 0.0995 else 2):f}"
