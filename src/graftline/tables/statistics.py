"""Counts, spreads and estimates as one long frame; the shape every summary table is laid out from.

Statistics frame: ``population`` (column of the table), ``group`` and ``label`` (row), ``statistic``
(count, spread, estimate, number), ``value``, ``low``, ``high``, ``n``, ``total``, ``missing``,
``unit``, ``digits``. For counts ``value`` is the proportion with its exact (Clopper and Pearson
1934) interval; for spreads the median with minimum and maximum.
"""

from collections.abc import Iterable, Sequence

import polars as pl

from graftline.stats import clopper_pearson

STATISTIC_SCHEMA: dict[str, type[pl.DataType]] = {
    "population": pl.String,
    "group": pl.String,
    "label": pl.String,
    "statistic": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "n": pl.Int64,
    "total": pl.Int64,
    "missing": pl.Int64,
    "unit": pl.String,
    "digits": pl.Int64,
}


def no_statistics() -> pl.DataFrame:
    """A statistics frame without rows."""
    return pl.DataFrame(schema=STATISTIC_SCHEMA)


def statistic(
    name: str,
    *,
    group: str,
    label: str,
    value: float | None = None,
    low: float | None = None,
    high: float | None = None,
    n: int | None = None,
    total: int | None = None,
    missing: int = 0,
    unit: str | None = None,
    digits: int = 1,
    population: str = "All",
) -> pl.DataFrame:
    """One row of a statistics frame."""
    row = [population, group, label, name, value, low, high, n, total, missing, unit, digits]
    return pl.DataFrame([row], schema=STATISTIC_SCHEMA, orient="row")


def count_rows(
    values: pl.Series,
    levels: Sequence[tuple[object, str]],
    *,
    group: str,
    population: str = "All",
) -> pl.DataFrame:
    """One count per level of a variable, of the patients with a value; nulls are ``missing``.

    Parameters
    ----------
    values : Series
        One entry per patient; null = not recorded.
    levels : sequence of (value, label)
        Printed in this order, also where nobody has them.
    """
    known = values.drop_nulls()
    total = known.len()
    missing = values.len() - total
    rows = []
    for level, label in levels:
        n = int((known == level).sum()) if total else 0
        low, high = exact_interval(n, total)
        rows.append(
            statistic(
                "count",
                group=group,
                label=label,
                value=n / total if total else None,
                low=low,
                high=high,
                n=n,
                total=total,
                missing=missing,
                population=population,
            )
        )
    return pl.concat(rows) if rows else no_statistics()


def spread_row(
    values: pl.Series,
    *,
    group: str,
    label: str,
    unit: str | None = None,
    digits: int = 1,
    population: str = "All",
) -> pl.DataFrame:
    """Median with minimum and maximum of the known values; no decimals where all are whole."""
    known = values.cast(pl.Float64).drop_nulls()
    middle, low, high = (_number(v) for v in (known.median(), known.min(), known.max()))
    if all(v is None or v.is_integer() for v in (middle, low, high)):
        digits = 0
    return statistic(
        "spread",
        group=group,
        label=label,
        value=middle,
        low=low,
        high=high,
        n=known.len(),
        total=values.len(),
        missing=values.len() - known.len(),
        unit=unit,
        digits=digits,
        population=population,
    )


def exact_interval(n: int, total: int) -> tuple[float | None, float | None]:
    """Exact 95% binomial interval; none without patients."""
    if total == 0:
        return None, None
    interval = clopper_pearson(n, total)
    return float(interval.lower), float(interval.upper)


def join_statistics(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Statistics frames one under the other, in the order given."""
    return pl.concat([no_statistics(), *frames])


def levels_of(values: pl.Series) -> list[tuple[object, str]]:
    """Levels found, most frequent first, then by name."""
    counted = (
        values.drop_nulls()
        .alias("level")
        .to_frame()
        .group_by("level")
        .len()
        .sort("len", "level", descending=[True, False])
    )
    return [(level, str(level)) for level in counted["level"]]


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
