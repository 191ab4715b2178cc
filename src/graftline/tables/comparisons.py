"""Groups known before treatment, compared: survival by log-rank, incidences by Gray's test."""

from collections.abc import Iterator
from typing import Final

import polars as pl

from graftline.stats import compare_survival, gray_test
from graftline.tables.analyses import Analysis, analyses, estimate_incidence, estimate_survival
from graftline.tables.format import estimate_interval, number, p_value, words
from graftline.tables.hsct_timing import MIN_PATIENTS_FOR_TEST, tests_allowed
from graftline.tables.value import ReportTable, TableColumn, TableRow
from graftline.trial import Trial

MIN_GROUP: Final = 10
GROUPINGS: Final = (("prior_allo_hsct", "Earlier allogeneic HSCT"), ("disease", "Disease"))
ENDPOINTS: Final = (
    "overall_survival",
    "relapse",
    "non_relapse_mortality",
    "acute_gvhd_2_4",
    "chronic_gvhd",
)
_SCHEMA: Final[dict[str, type[pl.DataType]]] = {
    "endpoint": pl.String,
    "title": pl.String,
    "grouping": pl.String,
    "group": pl.String,
    "n": pl.Int64,
    "events": pl.Int64,
    "horizon_days": pl.Float64,
    "estimate": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "test": pl.String,
    "chi_square": pl.Float64,
    "df": pl.Int64,
    "p_value": pl.Float64,
}


def compare_groups(trial: Trial, endpoints: pl.DataFrame) -> pl.DataFrame:
    """Each endpoint by earlier transplant and by disease.

    Returns
    -------
    DataFrame [endpoint, title, grouping, group, n, events, horizon_days, estimate, lower, upper,
    test, chi_square, df, p_value]
        Nothing with fewer than 20 patients, in simulated trials, or where fewer than two groups
        have 10 patients; smaller groups are left out. The estimate is survival or cumulative
        incidence at the horizon, null where nobody of the group is followed for so long.
    """
    rows: list[dict[str, object]] = []
    for analysis in analyses(trial, endpoints):
        plain = not (analysis.variant or analysis.late_entry or analysis.undated)
        if not plain or analysis.endpoint not in ENDPOINTS:
            continue
        if not tests_allowed(trial, analysis.rows.height):
            continue
        for column, label in GROUPINGS:
            known = trial.patients.select("patient", group=pl.col(column).cast(pl.String))
            joined = analysis.rows.join(known, on="patient", how="left", validate="1:1")
            rows += _compared(trial, analysis, label, large_groups(joined))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def large_groups(rows: pl.DataFrame, *, smallest: int = MIN_GROUP) -> pl.DataFrame:
    """Rows whose ``group`` is recorded and has at least ``smallest`` patients."""
    return (
        rows.drop_nulls("group").filter(pl.len().over("group") >= smallest).sort("group", "patient")
    )


def _compared(
    trial: Trial, analysis: Analysis, grouping: str, rows: pl.DataFrame
) -> Iterator[dict[str, object]]:
    if rows["group"].n_unique() < 2 or not (rows["status"] == 1).any():
        return
    tested = _tested(analysis, rows)
    for (group,), part in rows.partition_by("group", as_dict=True, maintain_order=True).items():
        yield {
            "endpoint": analysis.endpoint,
            "title": analysis.title,
            "grouping": grouping,
            "group": {"true": "yes", "false": "no"}.get(str(group), words(str(group))),
            "n": part.height,
            "events": int((part["status"] == 1).sum()),
            "horizon_days": analysis.horizon_days,
            **_estimated(trial, analysis, part),
            **tested,
        }


def _tested(analysis: Analysis, rows: pl.DataFrame) -> dict[str, object]:
    time, group = rows["time_days"].to_numpy(), rows["group"].to_list()
    if analysis.competing:
        gray = gray_test(time, rows["status"].to_numpy(), group, cause=1).test
        return {
            "test": "Gray",
            "chi_square": gray.statistic,
            "df": gray.df,
            "p_value": gray.p_value,
        }
    died = (rows["status"] == 1).cast(pl.Int64).to_numpy()
    # baseline groups: known when follow-up starts
    found = compare_survival(time, died, group, group_known_at=0.0).test
    return {
        "test": "log-rank",
        "chi_square": found.chi_square,
        "df": found.df,
        "p_value": found.p_value,
    }


def _estimated(trial: Trial, analysis: Analysis, part: pl.DataFrame) -> dict[str, object]:
    own = Analysis(
        analysis.endpoint,
        analysis.title,
        analysis.origin,
        "",
        "",
        part,
        analysis.horizon_days,
    )
    at = analysis.horizon_days
    short = pl.col("time_days") < at
    # nobody is followed for so long, and what happens to the last ones is still open
    if (
        part.filter(~short).is_empty()
        and not part.filter(short & (pl.col("status") == 0)).is_empty()
    ):
        return {}
    if analysis.competing:
        incidence = estimate_incidence(own).at([at], 1)
        values = (incidence.incidence, incidence.lower, incidence.upper)
    else:
        interval = trial.protocol.definitions.survival_interval
        survival = estimate_survival(own, interval=interval).at([at])
        values = (survival.survival, survival.lower, survival.upper)
    value, low, high = (float(v[0]) for v in values)
    if value > 1.0 - 1e-9:  # the log-log scale ends at 1
        low = high = float("nan")
    return {
        "estimate": value,
        "lower": low if low == low else None,
        "upper": high if high == high else None,
    }


def comparison_table(trial: Trial, endpoints: pl.DataFrame) -> ReportTable | None:
    """The comparisons as a small table; none where no two groups are large enough."""
    numbers = compare_groups(trial, endpoints)
    if numbers.is_empty():
        return None
    rows, before = [], ("", "")
    for row in numbers.iter_rows(named=True):
        key = (row["endpoint"], row["grouping"])
        p = f"{p_value(row['p_value'])} ({row['test']})" if key != before else ""
        before = key
        rows.append(
            TableRow(
                (
                    f"{row['grouping']}: {row['group']}",
                    str(row["n"]),
                    str(row["events"]),
                    _estimate_text(row),
                    p,
                ),
                row["title"],
            )
        )
    return ReportTable(
        "group-comparisons",
        "Groups known before treatment",
        (
            TableColumn("Group", "left"),
            TableColumn("n"),
            TableColumn("Events"),
            TableColumn("Estimate (95% CI)", unit="%"),
            TableColumn("P value", "left"),
        ),
        tuple(rows),
        numbers,
        (
            f"Groups of at least {MIN_GROUP} patients, in trials of at least "
            f"{MIN_PATIENTS_FOR_TEST}; patients without a recorded group are left out. Estimates "
            "at 12 months, or at the endpoint's last day where that is earlier: survival for "
            "overall survival, cumulative incidence for the others.",
            "P values are two-sided, not adjusted for the number of comparisons or for other "
            "characteristics; they are exploratory.",
        ),
    )


def _estimate_text(row: dict[str, float | None]) -> str:
    if row["estimate"] is None:
        return "not estimable"
    value, low, high = (None if (v := row[k]) is None else 100 * v for k in _LIMITS)
    if low is None or high is None:
        return number(value)
    return estimate_interval(value, low, high)


_LIMITS: Final = ("estimate", "lower", "upper")
