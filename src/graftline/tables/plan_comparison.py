"""The same virtual patients under several plans: shares and paired differences as a table."""

from collections.abc import Mapping, Sequence

import polars as pl

from graftline.stats.paired_proportion import paired_difference
from graftline.stats.proportion import wilson
from graftline.tables.format import estimate_interval, number
from graftline.tables.value import ReportTable, TableColumn, plain_rows


def plan_differences(outcomes: pl.DataFrame) -> pl.DataFrame:
    """Share of patients per outcome and plan, and its paired difference from the first plan.

    Parameters
    ----------
    outcomes : DataFrame [plan, outcome, n, events, pairs, gained, lost]
        Counts, the first plan first; see `graftline.simulate.compare.Comparison`.

    Returns
    -------
    DataFrame [plan, outcome, n, percent, share_lower, share_upper, difference, lower, upper]
        Differences in percentage points; null for the plan that the others are compared with.

    Notes
    -----
    Shares have Wilson's interval (Wilson 1927), differences Tango's for pairs (Tango 1998). Both
    hold Monte Carlo error only.
    """
    reference = outcomes["plan"][0]
    rows = []
    for row in outcomes.iter_rows(named=True):
        share = wilson(row["events"], row["n"])
        paired = paired_difference(row["gained"], row["lost"], row["pairs"])
        values = [share.estimate, share.lower, share.upper]
        if row["plan"] != reference:
            values += [paired.estimate, paired.lower, paired.upper]
        points = (100.0 * value for value in values)
        named = {name: row[name] for name in ("plan", "outcome", "n")}
        rows.append({**named, **dict(zip(_POINTS, points, strict=False))})
    schema = {"plan": pl.String, "outcome": pl.String, "n": pl.Int64}
    return pl.DataFrame(rows, {**schema, **dict.fromkeys(_POINTS, pl.Float64)})


_POINTS = ("percent", "share_lower", "share_upper", "difference", "lower", "upper")


def plan_comparison_text(
    rows: pl.DataFrame, *, patients: int, caveat: str, assumed: Mapping[str, Sequence[str]]
) -> str:
    """The comparison as text, from the rows of `plan_differences`, plans in their order."""
    wide = max(len(plan) for plan in rows["plan"])
    lines = [f"{patients:,} virtual patients, the same under every plan. {caveat}"]
    for (outcome,), part in rows.group_by("outcome", maintain_order=True):
        lines += ["", str(outcome)]
        for row in part.iter_rows(named=True):
            line = f"  {row['plan']:{wide}}  {row['percent']:5.1f} %"
            if row["difference"] is not None:
                against = "   difference {difference:+5.1f} points ({lower:+.1f} to {upper:+.1f})"
                line += against.format(**row)
            lines.append(line)
    for plan, words in assumed.items():
        lines += ["", *(f"{plan} assumes {word}" for word in words)] if words else []
    return "\n".join(lines)


def plan_comparison_table(rows: pl.DataFrame, *, patients: int, caveat: str) -> ReportTable:
    """The rows of `plan_differences` as a table.

    Parameters
    ----------
    rows : DataFrame
        As `plan_differences` returns them.
    patients : int
        Virtual patients asked for.
    caveat : str
        What the intervals hold and what they do not.
    """
    cells = [
        {
            "plan": row["plan"],
            "n": f"{row['n']:,}",
            "share": estimate_interval(row["percent"], row["share_lower"], row["share_upper"]),
            "difference": "reference" if row["difference"] is None else _difference(row),
            "outcome": row["outcome"],
        }
        for row in rows.iter_rows(named=True)
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
        data=rows,
        footnotes=(f"{patients:,} virtual patients, the same under every plan. {caveat}",),
    )


def _difference(row: dict[str, float]) -> str:
    middle, low, high = (_signed(row[name]) for name in ("difference", "lower", "upper"))
    return f"{middle} ({low} to {high})"


def _signed(value: float) -> str:
    text = number(abs(value))
    zero = all(digit in "0." for digit in text)
    return text if zero else ("+" if value > 0 else "-") + text
