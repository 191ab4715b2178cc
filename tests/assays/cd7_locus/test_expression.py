"""CD7 by cluster and cluster shares over time; samples are the replicates."""

import polars as pl
import pytest

from graftline.assays.cd7_locus.expression import (
    cluster_shares,
    compare_cluster_shares,
    expression_by_cluster,
    in_order,
)
from graftline.problems import InputError


def cells(*rows: tuple[str, str, str, float]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["sample", "time", "cluster", "value"], orient="row")


def test_by_cluster_by_hand() -> None:
    table = cells(
        ("s1", "a", "low", 0), ("s1", "a", "low", 1), ("s2", "a", "low", 0), ("s1", "a", "high", 4)
    )
    assert expression_by_cluster(table).rows() == [
        ("high", 1, 1, 100.0, 4.0),
        ("low", 3, 2, pytest.approx(100 / 3), pytest.approx(1 / 3)),
    ]


def test_absent_clusters_count_as_share_zero() -> None:
    table = cluster_shares(
        cells(("s1", "a", "x", 0), ("s1", "a", "x", 0), ("s1", "a", "y", 0), ("s2", "b", "y", 0))
    )
    assert table.select("sample", "cluster", "cells", "share").rows() == [
        ("s1", "x", 2, pytest.approx(2 / 3)),
        ("s2", "x", 0, 0.0),
        ("s1", "y", 1, pytest.approx(1 / 3)),
        ("s2", "y", 1, 1.0),
    ]
    with pytest.raises(InputError, match="one time per sample"):
        cluster_shares(cells(("s1", "a", "x", 0), ("s1", "b", "x", 0)))


def shares(early: list[float], late: list[float]) -> pl.DataFrame:
    rows = [(f"e{i}", "before", "low", s) for i, s in enumerate(early)]
    rows += [(f"l{i}", "after", "low", s) for i, s in enumerate(late)]
    return pl.DataFrame(rows, schema=["sample", "time", "cluster", "share"], orient="row")


def test_samples_are_the_replicates() -> None:
    # Three against three wholly apart: 2 of the 20 arrangements are as extreme, p = 0.1,
    # however many thousand cells each sample has.
    found = compare_cluster_shares(
        shares([0.1, 0.2, 0.3], [0.6, 0.7, 0.8]), before="before", after="after"
    ).row(0, named=True)
    assert found["p"] == pytest.approx(0.1)
    assert found["difference"] == pytest.approx(0.5)
    tied = compare_cluster_shares(
        shares([0.0, 0.0, 0.3], [0.6, 0.7, 0.8]), before="before", after="after"
    ).row(0, named=True)
    assert tied["p"] == pytest.approx(0.1)
    one = compare_cluster_shares(shares([0.1], [0.6, 0.7]), before="before", after="after")
    assert one["p"].to_list() == [None]


def test_scaled_values_tell_no_detection_and_missing_ones_count_in_no_mean() -> None:
    # scanpy's pp.scale: mean 0 per gene, so that "above 0" is "above the mean"
    scaled = expression_by_cluster(cells(("s", "a", "x", -0.5), ("s", "a", "x", 1.5)))
    assert scaled.row(0) == ("x", 2, 1, None, 0.5)
    table = cells(("s", "a", "x", 0), ("s", "a", "x", 4), ("s", "a", "x", float("nan")))
    table = table.with_columns(pl.col("value").fill_nan(None))
    assert expression_by_cluster(table).row(0) == ("x", 3, 1, 50.0, 2.0)


def test_clusters_that_are_numbers_are_counted() -> None:
    assert in_order(["10", "2", "T 11", "T 9", "B"]) == ["2", "10", "B", "T 9", "T 11"]
