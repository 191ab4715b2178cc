"""First, last and gathered rows of a sorted frame, found by comparing neighbours.

A trial has millions of rows: hashing several columns of each costs ten times the comparison.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_

import polars as pl


def is_first_row(*keys: str) -> pl.Expr:
    """Whether a row is the first of those with its keys, in a frame sorted by them."""
    changes = [pl.col(key).ne_missing(pl.col(key).shift(1)) for key in keys]
    # a null in the very first row does not differ from the null before it
    return reduce(or_, changes, pl.int_range(pl.len()) == 0)


def is_last_row(*keys: str) -> pl.Expr:
    """Whether a row is the last of those with its keys, in a frame sorted by them."""
    changes = [pl.col(key).ne_missing(pl.col(key).shift(-1)) for key in keys]
    return reduce(or_, changes, pl.int_range(pl.len()) == pl.len() - 1)


def in_order(frame: pl.DataFrame, *keys: str) -> pl.DataFrame:
    """Rows sorted by the keys; rows that are in order already are not sorted again.

    Parameters
    ----------
    frame : DataFrame
    keys : str
        Rows with equal keys may come in any order.
    """
    return frame if _rises(frame, keys, strictly=False) else frame.sort(keys)


def one_row_each(frame: pl.DataFrame, *keys: str) -> bool:
    """Whether a frame is sorted by the keys and no two rows share them."""
    return _rises(frame, keys, strictly=True)


def _rises(frame: pl.DataFrame, keys: Sequence[str], *, strictly: bool) -> bool:
    rises: pl.Expr = pl.lit(value=not strictly)
    for key in reversed(keys):
        column = pl.col(key)
        before = column.shift(1)
        rises = (before < column) | ((before == column) & rises)
    # the first row has none before it; a missing key among the rest is for the sort to place
    return bool(frame.select(rises.slice(1).fill_null(value=False).all()).item())


def gather_rows(
    frame: pl.DataFrame, keys: Sequence[str], gathered: Mapping[str, pl.Expr]
) -> pl.DataFrame:
    """One row for each combination of keys, as ``group_by(...).agg(...)``.

    Parameters
    ----------
    frame : DataFrame, in any order
    keys : sequence of str
        Columns; a row without one of them belongs with the others without it.
    gathered : mapping of column name to expression over the rows of one combination

    Returns
    -------
    DataFrame [*keys, *gathered], sorted by the keys, nulls first
    """
    ordered = frame.sort(keys, maintain_order=True)
    runs = ordered.with_columns(_run=is_first_row(*keys).cum_sum().set_sorted())
    return (
        runs.group_by("_run", maintain_order=True)
        .agg(*(pl.col(key).first() for key in keys), **gathered)
        .drop("_run")
    )
