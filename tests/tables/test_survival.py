"""Endpoints of the ten patients of Hu 2024: truth is the paper's figures and R's survfit.

OS 68% (43-100) and DFS 54% (29-100) at 12 months are printed; 0.9 x 7/8 x 6/7 = 0.675 and
0.675 x 4/5 = 0.54 by hand; relapse 0.9/8 + 0.675 x 1/5 = 0.2475 and NRM 0.1 + 0.1125 = 0.2125.
"""

import polars as pl
import pytest

from graftline.tables.analyses import analyses
from graftline.tables.survival import (
    endpoint_table,
    followup_table,
    summarise_endpoints,
    summarise_followup,
)
from tests.tables.ten_patients import endpoint_rows, ten_patients


@pytest.fixture(scope="module")
def summary():
    return summarise_endpoints(ten_patients(), endpoint_rows())


@pytest.mark.parametrize(
    ("endpoint", "events", "estimate", "low", "high"),
    [
        ("overall_survival", 3, 0.675, 0.430, 1.0),
        ("disease_free_survival", 4, 0.540, 0.288, 1.0),
        ("relapse", 2, 0.2475, None, None),
        ("non_relapse_mortality", 2, 0.2125, None, None),
    ],
)
def test_twelve_month_figures_of_the_paper(summary, endpoint, events, estimate, low, high):
    row = summary.filter((pl.col("endpoint") == endpoint) & (pl.col("variant") == "")).row(
        0, named=True
    )
    assert (row["n"], row["events"], row["at_risk"]) == (10, events, 4)
    assert row["estimate"] == pytest.approx(estimate, rel=1e-12)
    if low is not None:
        assert row["lower"] == pytest.approx(low, abs=5e-4)
        assert row["upper"] == pytest.approx(high, abs=5e-4)


def test_late_entry_stands_beside_as_its_own_row(summary):
    late = summary.filter(pl.col("variant") == "delayed entry at HSPC").row(0, named=True)
    assert late["endpoint"] == "overall_survival"
    # Patient 1 enters on day 89: at the death on day 32 nine are at risk, at 3.1 months all
    # eight left are, so 8/9 x 7/8 x 6/7 (the censoring at 3.1 and 5.0 months in between)
    assert late["estimate"] == pytest.approx(8 / 9 * 7 / 8 * 6 / 7, rel=1e-12)


def test_nobody_at_risk_any_more_is_not_estimable():
    short = endpoint_rows().with_columns(
        time_days=pl.col("time_days").clip(upper_bound=200.0),
        status=pl.when(pl.col("time_days") > 200).then(0).otherwise("status"),
    )
    numbers = summarise_endpoints(ten_patients(), short)
    assert numbers["estimate"].null_count() == numbers.height
    assert {row.cells[6] for row in endpoint_table(ten_patients(), short).rows} == {"not estimable"}


def test_table_prints_the_rounded_figures_and_says_how_they_were_selected():
    table = endpoint_table(ten_patients(), endpoint_rows())
    assert table.rows[0].group == "Overall survival"
    assert table.rows[0].cells[6] == "67.5 (43.0\N{EN DASH}100.0)"
    assert "reached HSCT" in table.footnotes[-1]


def test_the_two_medians_of_follow_up_are_both_printed():
    numbers = summarise_followup(ten_patients(), endpoint_rows()).row(0, named=True)
    # survivors by hand: 3.1, 5.0, 10.0, 15.1, 18.5, 20.0, 24.0 months
    assert numbers["survivors"] == 7
    assert numbers["survivor_median"] == pytest.approx(15.1 * 30.4375)
    assert numbers["survivor_high"] == pytest.approx(24.0 * 30.4375)
    # censoring as the event, 10 patients: 3.1 (9 at risk), 5.0 (6), 10.0 (5), 15.1 (4)
    # 8/9 x 5/6 x 4/5 x 3/4 = 0.444 <= 0.5 first at 15.1 months
    assert numbers["reverse_median"] == pytest.approx(15.1 * 30.4375)
    assert len(followup_table(ten_patients(), endpoint_rows()).rows) == 1


def test_analyses_come_in_the_order_of_the_protocol():
    found = list(analyses(ten_patients(), endpoint_rows()))
    assert [a.endpoint for a in found[:3]] == [
        "overall_survival",
        "overall_survival",
        "disease_free_survival",
    ]
    assert [a.late_entry for a in found[:2]] == [False, True]
    assert not any(a.undated for a in found)


def test_events_without_a_recorded_day_are_a_proportion():
    undated = endpoint_rows().with_columns(
        time_days=pl.when((pl.col("endpoint") != "relapse") | (pl.col("status") != 1)).then(
            "time_days"
        )
    )
    rows = summarise_endpoints(ten_patients(), undated)
    row = rows.filter(pl.col("endpoint") == "relapse").row(0, named=True)
    assert (row["events"], row["undated"], row["estimator"]) == (2, 2, "proportion")
    assert row["estimate"] == pytest.approx(0.2)
    cells = [r.cells for r in endpoint_table(ten_patients(), undated).rows if "relapse" in r.group]
    # 2 of 10, exact interval by R's binom.test
    assert cells[0][6] == "20.0 (2.5\N{EN DASH}55.6) as a proportion: 2 without a day"
