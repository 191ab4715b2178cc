"""Rows of a sorted frame: grouping by neighbours is grouping by hashing (truth: law, by hand)."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from graftline.assess.sorted_rows import (
    gather_rows,
    in_order,
    is_first_row,
    is_last_row,
    one_row_each,
)

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", None]),
        st.sampled_from([0.0, 1.0, 2.5, None]),
        st.one_of(st.none(), st.integers(-3, 3)),
    ),
    max_size=25,
)


def made(rows):
    schema = {"patient": pl.String, "day": pl.Float64, "value": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_first_and_last_row_by_hand():
    rows = made([(None, 0.0, 1), (None, 0.0, 2), ("a", 0.0, 3), ("a", 1.0, 4), ("b", 1.0, 5)])
    marked = rows.select(
        first=is_first_row("patient", "day"), last=is_last_row("patient"), only=is_first_row("day")
    )
    assert marked["first"].to_list() == [True, False, True, True, True]
    assert marked["last"].to_list() == [False, True, False, True, True]
    assert marked["only"].to_list() == [True, False, False, True, False]


@settings(deadline=None, max_examples=60, derandomize=True)
@given(ROWS)
def test_gathering_is_grouping(rows):
    frame = made(rows)
    gathered = {"most": pl.col("value").max(), "rows": pl.len()}
    expected = frame.group_by("patient", "day").agg(**gathered).sort("patient", "day")
    assert_frame_equal(gather_rows(frame, ("patient", "day"), gathered), expected)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(ROWS)
def test_first_and_last_rows_are_those_of_unique(rows):
    frame = made(rows).sort("patient", "day", "value")
    keys = ["patient", "day"]
    for mark, keep in ((is_first_row(*keys), "first"), (is_last_row(*keys), "last")):
        assert_frame_equal(frame.filter(mark), frame.unique(keys, keep=keep, maintain_order=True))


KEYED = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([None, 0.0, 1.0, 2.0])))


# property: a frame that need not be sorted is the sorted frame
@settings(deadline=None, max_examples=80, derandomize=True)
@given(KEYED, st.booleans())
def test_in_order_is_sorted(rows, first_sorted):
    frame = pl.DataFrame(rows, schema={"p": pl.String, "d": pl.Float64}, orient="row")
    frame = frame.sort("p", "d") if first_sorted else frame
    assert in_order(frame, "p", "d").equals(frame.sort("p", "d"))
    coded = frame.with_columns(pl.col("p").cast(pl.Enum(["a", "b", "c"])))
    assert in_order(coded, "p", "d").equals(coded.sort("p", "d"))


@settings(deadline=None, max_examples=80, derandomize=True)
@given(KEYED)
def test_one_row_each_is_sorted_and_without_duplicates(rows):
    frame = pl.DataFrame(rows, schema={"p": pl.String, "d": pl.Float64}, orient="row").drop_nulls()
    ordered = frame.sort("p", "d")
    alone = ordered.n_unique() == ordered.height
    assert one_row_each(ordered, "p", "d") == alone
    assert one_row_each(frame, "p", "d") == (alone and frame.equals(ordered))
