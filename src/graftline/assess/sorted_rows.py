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
