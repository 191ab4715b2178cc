"""Counting without holding clones, and the bootstrap community: laws they must obey."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.assays.tcr.clones import KEY_COLUMNS, read_clones
from graftline.assays.tcr.depth import _community, _drawn_spectrum, values_at_depth
from graftline.assays.tcr.spectrum import spectrum_of
from graftline.assays.tcr.summary import summarize_clones, summarize_repertoires
from tests.assays.repertoire_files import HEADER

LINE = st.tuples(
    st.sampled_from(["S1", "S2", "NA", ""]),
    st.sampled_from(["TRB", "TRA", "", "TRBX"]),
    st.sampled_from(["TRBV9*01", "TRBV9*02", "TRBV6-2,TRBV6-3", "TRAV1*01", "", "NA"]),
    st.sampled_from(["TRBJ1-1*01", "TRBJ2-7", ""]),
    st.sampled_from(["TGTGCC", "TGTGCT", "", "TGTGCA"]),
    st.sampled_from(["CASSF", "CASTF", "CA*F", "CA_F", "", "NA"]),
    st.sampled_from(["T", "F", "true", "", "FALSE"]),
    st.integers(0, 5).map(str),
)


@pytest.mark.parametrize("key", sorted(KEY_COLUMNS))
@given(lines=st.lists(LINE, min_size=1, max_size=30))
@settings(deadline=None, max_examples=40, derandomize=True)
def test_streamed_counts_are_those_of_clones_read_whole(
    tmp_path_factory: pytest.TempPathFactory, key: str, lines: list[tuple[str, ...]]
) -> None:
    path: Path = tmp_path_factory.mktemp("r") / "a.tsv"
    rows = [*lines, ("S1", "TRB", "TRBV9*01", "TRBJ1-1", "TGTGCC", "CASSF", "T", "3")]
    path.write_text("\n".join([HEADER, *("\t".join(row) for row in rows)]) + "\n")
    streamed, found = summarize_repertoires(path, key=key)  # type: ignore[arg-type]  # a key
    whole = read_clones(path, key=key)  # type: ignore[arg-type]  # a key
    assert streamed.equals(summarize_clones(whole))
    assert found == whole.problems
    # The rules once more, a row at a time, in plain Python.
    counts: Counter[tuple[str | None, ...]] = Counter()
    for line in rows:
        clone = _clone(line, key)
        if clone is not None:
            counts[clone] += int(line[-1])
    columns = ("sample", *KEY_COLUMNS[key], "count")
    expected = {(*clone, n) for clone, n in counts.items() if n}
    assert set(whole.clones.select(columns).rows()) == expected
    reads = whole.tally.select(pl.col("rows", "reads").sum()).row(0)
    assert reads == (len(rows), sum(int(line[-1]) for line in rows))


def _clone(line: tuple[str, ...], key: str) -> tuple[str | None, ...] | None:
    """The clone a row belongs to, None where it is left out."""
    words = [None if word in ("", "NA") else word for word in line]
    sample, locus, v_call, j_call, junction, junction_aa, flag, _ = words
    v_gene, j_gene = (call and re.split("[*,(]", call)[0] for call in (v_call, j_call))
    if (locus or v_call or j_call or "")[:3] != "TRB" or (flag or "").lower() in ("f", "false"):
        return None
    if junction_aa and not junction_aa.isalpha():
        return None
    if flag is None and junction_aa is None:
        return None
    values = {"junction": junction, "junction_aa": junction_aa, "v_gene": v_gene, "j_gene": j_gene}
    sequence, *genes = (values[name] for name in KEY_COLUMNS[key])
    return None if sequence is None else (sample or "a", sequence, *genes)


def test_a_drawn_community_has_all_reads_and_the_expected_clones() -> None:
    # Law: of a clone with share p, n reads miss it with chance (1 - p)^n.
    spectrum = spectrum_of([1] * 60 + [2] * 20 + [7] * 5 + [150, 900])
    shares, clones = _community(spectrum)
    assert (shares * clones).sum() == pytest.approx(1)
    random = np.random.default_rng(5)
    n = int(spectrum.reads)
    drawn = [_drawn_spectrum(random, n, shares, clones) for _ in range(400)]
    assert {one.reads for one in drawn} == {n}
    expected = (clones * (1 - (1 - shares) ** n)).sum()
    seen = np.array([one.richness for one in drawn])
    assert seen.mean() == pytest.approx(expected, abs=4 * seen.std() / np.sqrt(seen.size))
    largest = np.array([one.size.max() for one in drawn])
    spread = np.sqrt(n * shares.max() * (1 - shares.max()))
    assert largest.std() == pytest.approx(spread, rel=0.15)


def test_a_million_singletons_are_drawn_without_their_unseen_clones() -> None:
    # f1 (f1 - 1) / 2 clones are estimated unseen: an array of them would need 3.6 TiB.
    spectrum, asked = spectrum_of([1], [1_000_000]), ("richness", "clonality")
    values = values_at_depth(spectrum, depth=1000, measures=asked, seed=1, draws=2)
    assert values["richness"] == pytest.approx((1000, 1000, 1000), abs=0.1)
    assert values["clonality"] == pytest.approx((0, 0, 0), abs=1e-6)
    assert 0 <= values["clonality"].low <= values["clonality"].estimate


def test_measures_share_their_draws_and_a_seed_gives_the_same_interval() -> None:
    spectrum = spectrum_of([1] * 60 + [2] * 20 + [7] * 5 + [150])
    asked = ("richness", "clonality")
    together = values_at_depth(spectrum, depth=100, measures=asked, seed=3, draws=30)
    alone = values_at_depth(spectrum, depth=100, measures=("clonality",), seed=3, draws=30)
    assert together["clonality"] == alone["clonality"]
    for interval in together.values():
        assert interval.low < interval.estimate < interval.high


def test_a_missing_word_is_no_gene_and_no_sequence(tmp_path: Path) -> None:
    rows = ["S1\tTRB\tTRBV9\tTRBJ1-1\tNA\tNA\tT\t3", "S1\tTRB\tTRBV9\tTRBJ1-1\tTGT\tCASSF\tT\t3"]
    path = tmp_path / "a.tsv"
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    tally = read_clones(path).tally
    assert dict(tally.select("status", "rows").rows()) == {"kept": 1, "no_cdr3": 1}


def test_a_clone_with_and_without_its_genes_is_one_where_no_locus_is_asked(tmp_path: Path) -> None:
    rows = ["S1\tTRB\tTRBV9\tTRBJ1-1\tTGT\tCASSF\tT\t3", "S1\t\t\t\tTGT\tCASSF\t\t4"]
    path = tmp_path / "a.tsv"
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    assert read_clones(path, key="aa", locus=None).clones["count"].to_list() == [7]
    table, _ = summarize_repertoires(path, key="aa", locus=None)
    assert table.select("clones", "reads").rows() == [(1, 7)]
