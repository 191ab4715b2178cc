"""The page that compares plans on the same virtual patients."""

import polars as pl
import pytest
from click.testing import CliRunner

from graftline.cli import main
from graftline.simulate.compare import CAVEAT
from graftline.tables.plan_comparison import plan_comparison_table

PLANS = ("all-in-one-2024", "all-in-one-2024+hsct=never")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("compared") / "page"
    done = CliRunner().invoke(main, ["compare", *PLANS, "-n", "24", "--out", str(out)])
    assert done.exit_code == 0, done.output
    return out, done.output


def test_page_is_marked_as_simulated_and_says_what_intervals_hold(written):
    out, printed = written
    page = (out / "report.html").read_text(encoding="utf-8")
    assert 'class="watermark"' in page
    assert "Simulated patients" in page
    assert CAVEAT in page
    assert str(out / "report.html") in printed


def test_differences_are_written_for_machines(written):
    out, _ = written
    rows = pl.read_csv(out / "tables" / "plan-comparison.csv")
    assert rows.height == 2 * 7
    # law: nobody is transplanted where the plan says never, so the difference is minus the share
    transplanted = rows.filter(pl.col("outcome") == "Transplanted")
    assert transplanted["percent"][1] == 0.0
    assert transplanted["difference"][1] == -transplanted["percent"][0]


# Wilson 1927; Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662
def test_shares_have_wilsons_interval():
    rows = pl.DataFrame(
        {
            "plan": ["a", "b"],
            "outcome": ["x", "x"],
            "percent": [100 * 81 / 263, 100 * 81 / 263],
            "n": [263, 263],
            "difference": [0.0, 0.04],
            "lower": [0.0, -2.0],
            "upper": [0.0, 2.1],
        }
    )
    table = plan_comparison_table(rows, patients=263, caveat=CAVEAT)
    assert table.rows[0].cells == ("a", "263", "30.8 (25.5\u201336.6)", "reference")
    assert table.rows[1].cells[3].endswith("0.0 (-2.0 to +2.1)")
    assert CAVEAT in table.footnotes[0]
    # an interval of no width would look sure of something that a rare event leaves open
    equal = rows.with_columns(difference=pl.lit(0.0), lower=pl.lit(0.0), upper=pl.lit(0.0))
    alike = plan_comparison_table(equal, patients=263, caveat=CAVEAT)
    assert alike.rows[1].cells[3] == "no pair differs"
