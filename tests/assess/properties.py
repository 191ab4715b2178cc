"""Laws every assessment keeps: order, names and splitting a cohort change nothing."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import polars as pl
from polars.testing import assert_frame_equal

from graftline.assess.results import Assessed
from graftline.trial import Trial

Assess = Callable[[Trial], Assessed]


def _with_tables(trial: Trial, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Trial:
    tables: Mapping[str, pl.DataFrame] = {
        name: change(frame) if "patient" in frame.columns else frame
        for name, frame in trial.tables.items()
    }
    return replace(trial, tables=tables)


def assert_laws_hold(assess: Assess, trial: Trial) -> None:
    """Row order, patient names, splitting and joining: the answers stay the same."""
    whole = assess(trial)
    _assert_same(assess(_with_tables(trial, lambda f: f.reverse())), whole)
    renamed = assess(_with_tables(trial, lambda f: f.with_columns("Z-" + pl.col("patient"))))
    _assert_same(
        Assessed(
            _without_prefix(renamed.results),
            {k: _without_prefix(v) for k, v in renamed.details.items()},
        ),
        whole,
    )
    names = trial.patients["patient"].sort()
    halves = [names.gather_every(2), names.gather_every(2, offset=1)]
    parts = [
        assess(
            _with_tables(trial, lambda f, h=half: f.filter(pl.col("patient").is_in(h.to_list())))
        )
        for half in halves
        if len(half)
    ]
    joined = {name: pl.concat([part.details[name] for part in parts]) for name in whole.details}
    _assert_same(Assessed(pl.concat([part.results for part in parts]), joined), whole)


def _without_prefix(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("patient").str.strip_prefix("Z-"))


def _assert_same(mine: Assessed, theirs: Assessed) -> None:
    assert_frame_equal(mine.results, theirs.results, check_row_order=False)
    for name, frame in theirs.details.items():
        assert_frame_equal(mine.details[name], frame, check_row_order=False)
