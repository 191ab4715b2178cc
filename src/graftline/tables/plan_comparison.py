"""The same virtual patients under several plans: shares and paired differences as a table."""

import polars as pl

from graftline.stats.proportion import wilson
from graftline.tables.format import estimate_interval, number
from graftline.tables.value import ReportTable, TableColumn, plain_rows


def plan_comparison_table(rows: pl.DataFrame, *, patients: int, caveat: str) -> ReportTable:
    """Share of patients per outcome and plan, and the paired difference from the first plan.

    Parameters
    ----------
    rows : DataFrame [plan, outcome, percent, n, difference, lower, upper]
        The first plan of each outcome is what the others are compared with; ``n`` are the patients
        behind the share, differences are in percentage points.
    patients : int
        Virtual patients asked for.
    caveat : str
        What the intervals hold and what they do not.

    Notes
    -----
    Shares have Wilson's interval (Wilson 1927), differences that of paired differences; both are
    Monte Carlo intervals.
    """
    shares = [
        wilson(round(row["percent"] * row["n"] / 100.0), row["n"])
        for row in rows.iter_rows(named=True)
    ]
    data = rows.with_columns(
        share_lower=pl.Series([100.0 * share.lower for share in shares], dtype=pl.Float64),
        share_upper=pl.Series([100.0 * share.upper for share in shares], dtype=pl.Float64),
    )
    first = rows["plan"][0]
    cells = [
        {
            "plan": row["plan"],
            "n": f"{row['n']:,}",
            "share": estimate_interval(row["percent"], row["share_lower"], row["share_upper"]),
            "difference": "reference" if row["plan"] == first else _difference(row),
            "outcome": row["outcome"],
        }
        for row in data.iter_rows(named=True)
    ]
    return ReportTable(
        id="plan-comparison",
        title="Outcomes under each plan",
        columns=(
            TableColumn("Plan", "left"),
            TableColumn("Patients"),
            TableColumn("Share (95% Monte Carlo interval)", unit="%"),
            TableColumn("Paired difference (95% Monte Carlo interval)", unit="points"),
        ),
        rows=plain_rows(pl.DataFrame(cells), group="outcome"),
        data=data,
        footnotes=(f"{patients:,} virtual patients, the same under every plan. {caveat}",),
    )


def _difference(row: dict[str, float]) -> str:
    if row["lower"] == row["upper"] == 0.0:
        return "no pair differs"
    middle, low, high = (_signed(row[name]) for name in ("difference", "lower", "upper"))
    return f"{middle} ({low} to {high})"


def _signed(value: float) -> str:
    text = number(abs(value))
    zero = all(digit in "0." for digit in text)
    return text if zero else ("+" if value > 0 else "-") + text
