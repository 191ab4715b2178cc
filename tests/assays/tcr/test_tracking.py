"""Clones followed over time, shared between samples, and tested for expansion."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.assays.tcr.clones import read_clones
from graftline.assays.tcr.expansion import expansion_test, fisher_two_sided
from graftline.assays.tcr.overlap import overlap_table
from graftline.assays.tcr.tracking import (
    TieRule,
    rank_clones,
    summarize_tracked,
    track_clones,
    track_rank_bands,
)
from graftline.problems import InputError
from tests.reference import reference_path


def table(**samples: dict[str, int]) -> pl.DataFrame:
    rows = [(s, clone, n) for s, clones in samples.items() for clone, n in clones.items()]
    return pl.DataFrame(rows, schema=["sample", "junction_aa", "count"], orient="row")


COURSE = table(
    donor={"A": 1, "B": 1, "Z": 98},
    m12={"A": 40, "B": 30, "C": 10, "D": 10, "E": 10},
)


@pytest.mark.parametrize(
    ("ties", "chosen"), [("order", "ABC"), ("include", "ABCDE"), ("exclude", "AB")]
)
def test_the_tie_rule_at_the_cut(ties: TieRule, chosen: str) -> None:
    ranked = rank_clones(COURSE, at="m12", key="aa", top=3, ties=ties)
    assert "".join(ranked["junction_aa"]) == chosen
    assert ranked["tied_at_cut"].to_list() == [clone in "CDE" for clone in chosen]


def test_ties_do_not_matter_when_all_fit() -> None:
    ranked = rank_clones(COURSE, at="m12", key="aa", top=5, ties="exclude")
    assert ranked["junction_aa"].to_list() == list("ABCDE")
    assert not ranked["tied_at_cut"].any()


def test_clones_of_month_12_traced_back_to_the_donor() -> None:
    tracked = track_clones(COURSE, at="m12", key="aa", top=2, samples=["donor", "m12"])
    assert tracked["count"].to_list() == [1, 40, 1, 30]
    summary = summarize_tracked(tracked)
    assert summary.rows() == [("donor", 2, 2, 0.02), ("m12", 2, 2, 0.7)]


def test_a_sample_without_clones_is_an_error_not_zero() -> None:
    with pytest.raises(InputError, match="m3"):
        track_clones(COURSE, at="m12", key="aa", samples=["donor", "m3"])
    with pytest.raises(InputError, match="donor, m12"):
        rank_clones(COURSE, at="m1", key="aa")


def test_rank_bands_split_the_whole() -> None:
    bands = track_rank_bands(COURSE, at="m12", key="aa", bands=(1, 3))
    assert bands.filter(pl.col("sample") == "m12")["share"].to_list() == pytest.approx(
        [0.4, 0.4, 0.2]
    )
    assert bands.filter(pl.col("sample") == "donor")["share"].to_list() == pytest.approx(
        [0.01, 0.01, 0.98]
    )
    assert bands["band"].to_list()[:3] == ["1-1", "2-3", "other"]


def test_overlap_by_hand() -> None:
    # Shares a: A .5 B .5; b: B .25 C .75. Shared: B.
    found = overlap_table(table(a={"A": 2, "B": 2}, b={"B": 1, "C": 3}), key="aa").row(
        0, named=True
    )
    assert found["jaccard"] == pytest.approx(1 / 3)
    assert found["morisita_horn"] == pytest.approx(2 * 0.125 / (0.5 + 0.625))
    assert found["f"] == pytest.approx(math.sqrt(0.5 * 0.25))
    assert found["f2"] == pytest.approx(math.sqrt(0.5 * 0.25))
    assert found["d"] == pytest.approx(1 / 4)


def test_overlap_is_vdjtools_on_two_repertoires() -> None:
    # vdjtools 5.2.2, overlap_metrics with key junction_aa, v_call, j_call; productive rows.
    files = [reference_path(f"tcr/airr_ms_controls/{name}.tsv.gz") for name in ("MS1", "A4-i191")]
    pair = overlap_table(read_clones(files).clones, key="aa_v_j").row(0, named=True)
    assert (pair["clones_b"], pair["clones_a"], pair["shared"]) == (5264, 5046, 14)
    assert [pair[name] for name in ("d", "f", "f2")] == pytest.approx(
        [5.270658874524587e-07, 0.004826470278430859, 0.00419858573121661], rel=1e-12
    )


@settings(deadline=None, max_examples=30, derandomize=True)
@given(st.dictionaries(st.sampled_from("ABCDEFGH"), st.integers(1, 99), min_size=1))
def test_a_repertoire_overlaps_wholly_with_itself_and_not_with_strangers(
    clones: dict[str, int],
) -> None:
    same = overlap_table(table(a=clones, b=clones), key="aa").row(0, named=True)
    assert [same[name] for name in ("jaccard", "morisita_horn", "f", "f2")] == pytest.approx(
        [1] * 4
    )
    other = overlap_table(table(a=clones, b={"other": 5}), key="aa").row(0, named=True)
    assert [other[name] for name in ("shared", "jaccard", "morisita_horn", "f")] == [0] * 4


def test_fisher_p_values_are_rs() -> None:
    # R 4: fisher.test(matrix(c(3,1,1,3),2)) 0.4857142857142857 (Fisher's tea);
    # fisher.test(matrix(c(10,2,3,15),2)) 0.000536724119143435.
    tea = fisher_two_sided(np.array([3.0]), np.array([1.0]), total_before=4, total_after=4)
    assert tea[0] == pytest.approx(34 / 70, rel=1e-12)
    other = fisher_two_sided(np.array([10.0]), np.array([3.0]), total_before=12, total_after=18)
    assert other[0] == pytest.approx(0.000536724119143435, rel=1e-9)


def test_fisher_p_values_of_large_clones_are_rs_and_need_no_list_of_their_reads() -> None:
    # R 4: fisher.test(matrix(c(5100, 4900, 994900, 995100), 2)) 0.0460382133660465.
    before, after = np.array([5100.0, 0.0]), np.array([4900.0, 100000.0])
    p = fisher_two_sided(before, after, total_before=1e6, total_after=1e6)
    assert p == pytest.approx([0.0460382133660465, 0], rel=1e-10)
    billions = fisher_two_sided(
        np.array([9e10]), np.array([9e10]), total_before=1e11, total_after=1e11
    )
    assert billions[0] == pytest.approx(1)


def test_expansion_is_called_with_its_direction_and_fdr() -> None:
    clones = table(
        before={"up": 1, "down": 60, "same": 50, "rare": 1, "rest": 888},
        after={"up": 60, "same": 50, "rest": 889, "new": 1},
    )
    found = expansion_test(clones, before="before", after="after", key="aa")
    calls = dict(found.select("junction_aa", "call").iter_rows())
    assert calls == {
        "up": "expanded",
        "down": "contracted",
        "same": "unchanged",
        "rest": "unchanged",
    }
    # Benjamini-Hochberg by hand over the four tested.
    p = found["p"].to_numpy()
    adjusted = np.minimum.accumulate((p * 4 / np.arange(1, 5))[::-1])[::-1]
    assert found["q"].to_numpy() == pytest.approx(np.minimum(adjusted, 1))
    up = found.filter(pl.col("junction_aa") == "up").row(0, named=True)
    assert up["log2_ratio"] == pytest.approx(math.log2(60.5 / 1.5))


def test_nothing_to_test_is_an_empty_table() -> None:
    found = expansion_test(table(a={"A": 1}, b={"B": 1}), before="a", after="b", key="aa")
    assert found.height == 0
    assert "call" in found.columns
