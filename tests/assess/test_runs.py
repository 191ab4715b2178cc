"""Runs of measured days, hand-worked."""

import polars as pl
import pytest

from graftline.assess.runs import condition_runs, first_lasting_run


def days(*pairs: tuple[float, bool | None], patient: str = "P1") -> pl.DataFrame:
    return pl.DataFrame(
        [(patient, float(d), c) for d, c in pairs],
        schema={"patient": pl.String, "day": pl.Float64, "good": pl.Boolean},
        orient="row",
    )


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([(1, True), (2, True), (3, True)], [(1.0, 3.0, False)]),
        ([(1, True), (2, True)], []),
        ([(1, True), (2, False), (3, True), (4, True), (5, True)], [(3.0, 5.0, False)]),
        ([(1, True), (2, None), (3, True), (4, True)], []),  # unknown breaks
        ([(10, True), (12, True), (15, True)], [(10.0, 15.0, True)]),  # gaps of 2 and 3
        ([(10, True), (14, True), (15, True)], []),  # a gap of 4 breaks
        (
            [(1, True), (2, True), (3, True), (4, False), (5, True), (6, True), (7, True)],
            [(1.0, 3.0, False), (5.0, 7.0, False)],
        ),
    ],
)
def test_runs_worked_by_hand(pairs, expected):
    runs = condition_runs(days(*pairs), "good", consecutive=3, max_gap_days=3)
    assert runs.select("start", "confirmed", "gaps").rows() == expected


def test_runs_do_not_cross_patients():
    both = pl.concat([days((1, True), (2, True)), days((3, True), patient="P2")])
    assert condition_runs(both, "good", consecutive=3, max_gap_days=3).is_empty()


@pytest.mark.parametrize(("within", "start"), [(2, 1.0), (3, 10.0)])
def test_a_run_lost_soon_is_not_lasting(within, start):
    # confirmed on day 3, lost from day 6: three days later
    good = [(d, d in (1, 2, 3, 10, 11, 12)) for d in range(1, 13) if d not in (4, 5)]
    frame = days(*good).with_columns(lost=~pl.col("good"))
    found = first_lasting_run(
        condition_runs(frame, "good", consecutive=3, max_gap_days=3),
        condition_runs(frame, "lost", consecutive=3, max_gap_days=3),
        within_days=within,
    )
    assert found["start"].to_list() == [start]
