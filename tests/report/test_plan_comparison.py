"""The page that compares plans on the same virtual patients."""

import polars as pl
import pytest
from click.testing import CliRunner

from graftline.cli import main
from graftline.simulate.compare import CAVEAT
from graftline.tables.plan_comparison import (
    plan_comparison_table,
    plan_comparison_text,
    plan_differences,
)

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


# Shares: Wilson 1927; Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662.
# Differences: Tango 1998; R: contingencytables, Tango_asymptotic_score_CI_paired_2x2, gives
# -0.0621 (-0.1240 to -0.0054) for 6 gained and 16 lost of 161.
def test_shares_and_differences_have_their_own_intervals():
    counts = {"outcome": "x", "n": 263, "events": 81}
    outcomes = pl.DataFrame(
        [
            {"plan": "a", **counts, "pairs": 263, "gained": 0, "lost": 0},
            {"plan": "b", **counts, "pairs": 161, "gained": 6, "lost": 16},
        ]
    )
    rows = plan_differences(outcomes)
    table = plan_comparison_table(rows, patients=263, caveat=CAVEAT)
    assert table.rows[0].cells == ("a", "263", "30.8 (25.5\u201336.6)", "reference")
    assert table.rows[1].cells[3] == "-6.2 (-12.4 to -0.5)"
    assert CAVEAT in table.footnotes[0]
    text = plan_comparison_text(rows, patients=263, caveat=CAVEAT, assumed={"b": ["c", "d"]})
    assert text.splitlines()[2:] == [
        "x",
        "  a   30.8 %",
        "  b   30.8 %   difference  -6.2 points (-12.4 to -0.5)",
        "",
        "b assumes c",
        "b assumes d",
    ]
    assert "rank no doses and no timings" in text
