"""Diversity measures against other tools' numbers and by hand.

``golden``: vegan 2.6 and immunarch 0.9.1 on twelve repertoires (golden_diversity.csv, which says
how). ``worked``: clones of 5, 3, 1 and 1 reads, each step in docs/assays/tcr.md.
"""

import csv
import math
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.assays.tcr.clones import read_clones
from graftline.assays.tcr.depth import (
    Measure,
    expected_at_depth,
    expected_richness,
    rarefaction_curve,
    value_at_depth,
)
from graftline.assays.tcr.diversity import (
    ace,
    chao1,
    chao1_classic,
    clonality,
    coverage_chao_jost,
    coverage_good,
    d50_clones,
    d50_complement,
    d50_percent,
    gini_coefficient,
    gini_simpson,
    hill_number,
    inverse_simpson,
    pielou_evenness,
    shannon_entropy,
    simpson_clonality,
    top_share,
)
from graftline.assays.tcr.spectrum import Spectrum, spectrum_of
from tests.reference import reference_path

GOLDEN: dict[str, Callable[[Spectrum], float]] = {
    "S": lambda s: s.richness,
    "N": lambda s: s.reads,
    "shannon_nats": shannon_entropy,
    "clonality_1_minus_pielou": clonality,
    "gini_immunarch": gini_coefficient,
    "inverse_simpson_immunarch": inverse_simpson,
    "gini_simpson": gini_simpson,
    "hill_q1_immunarch": lambda s: hill_number(s, order=1),
    "chao1_classic_immunarch": chao1_classic,
    "chao1_biascorrected_vegan": lambda s: chao1(s).estimate,
    "ace_vegan": ace,
    "D50_clones_immunarch": d50_clones,
    "rarefied_S_at_4000_vegan": lambda s: expected_richness(s, depth=4000),
    "top50_freq": lambda s: top_share(s, clones=50),
}
WORKED = spectrum_of([5, 3, 1, 1])


def test_twelve_repertoires_agree_with_vegan_and_immunarch() -> None:
    with reference_path("tcr/golden_diversity.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        path = reference_path(f"tcr/airr_ms_controls/{row['sample']}.tsv.gz")
        table = pl.read_csv(path, separator="\t")
        if row["unit"] == "cdr3aa":
            table = table.group_by("junction_aa").agg(pl.col("duplicate_count").sum())
        spectrum = spectrum_of(table["duplicate_count"].to_numpy())
        for name, measure in GOLDEN.items():
            assert measure(spectrum) == pytest.approx(float(row[name]), rel=1e-9), (row, name)
    assert len(rows) == 24


def test_worked_example() -> None:
    entropy = -(0.5 * math.log(0.5) + 0.3 * math.log(0.3) + 0.2 * math.log(0.1))
    assert shannon_entropy(WORKED) == pytest.approx(entropy, rel=1e-14)
    assert clonality(WORKED) == pytest.approx(1 - entropy / math.log(4), rel=1e-13)
    assert simpson_clonality(WORKED) == pytest.approx(0.6, rel=1e-14)
    assert inverse_simpson(WORKED) == pytest.approx(1 / 0.36, rel=1e-14)
    # Ascending 1, 1, 3, 5 with weights -3, -1, 1, 3: 14 / (4 x 10).
    assert gini_coefficient(WORKED) == pytest.approx(0.35, rel=1e-14)
    assert [top_share(WORKED, clones=k) for k in (1, 2, 3, 9)] == pytest.approx([0.5, 0.8, 0.9, 1])
    assert coverage_good(WORKED) == pytest.approx(0.8)


def test_d50_three_definitions_of_one_word() -> None:
    # The largest clone holds exactly half: one clone, a quarter of the clones, 1 - 1/4.
    assert d50_clones(WORKED) == 1
    assert d50_percent(WORKED) == 25
    assert d50_complement(WORKED) == 0.75
    assert d50_clones(spectrum_of([3, 3, 3, 1])) == 2


def test_hill_numbers_of_any_order() -> None:
    assert hill_number(WORKED, order=0) == pytest.approx(4)
    # (sqrt .5 + sqrt .3 + 2 sqrt .1)^2, an order that immunarch does not give.
    roots = math.sqrt(0.5) + math.sqrt(0.3) + 2 * math.sqrt(0.1)
    assert hill_number(WORKED, order=0.5) == pytest.approx(roots**2, rel=1e-13)
    assert hill_number(WORKED, order=2) == pytest.approx(1 / 0.36, rel=1e-13)
    assert hill_number(WORKED, order=math.inf) == pytest.approx(2)
    assert hill_number(WORKED, order=5000) == pytest.approx(2, rel=1e-3)
    with pytest.raises(ValueError, match="0 or more"):
        hill_number(WORKED, order=-1)


def test_chao1_interval_by_hand() -> None:
    # S 4, f1 2, f2 1: 4 + 2/(2 x 2); variance 0.5 + 1.125 + 0.0625; K = exp(1.96 sqrt(ln 7.75)).
    estimate, low, high = chao1(spectrum_of([6, 2, 1, 1]))
    factor = math.exp(1.959963984540054 * math.sqrt(math.log(1 + 1.6875 / 0.25)))
    assert estimate == pytest.approx(4.5)
    assert (low, high) == pytest.approx((4 + 0.5 / factor, 4 + 0.5 * factor), rel=1e-12)


def test_chao1_without_singletons_is_the_number_seen() -> None:
    # immunarch gives NA here; pyrepseq's chao1 gives 19 for the same counts.
    estimate, low, high = chao1(spectrum_of([2, 2, 5, 9]))
    assert estimate == low == 4
    # scikit-bio 0.7.4: chao1_ci([2, 2, 5, 9], zscore=1.959963984540054)
    assert high == pytest.approx(4.460406720097314, rel=1e-12)


def test_classic_chao1_without_doubletons_or_without_singletons() -> None:
    # immunarch and iNEXT without doubletons: S + (n-1)/n f1 (f1 - 1) / 2, here 4 + 0.9.
    assert chao1_classic(WORKED) == pytest.approx(4.9, rel=1e-14)
    assert chao1_classic(spectrum_of([3, 1])) == 2
    assert chao1_classic(spectrum_of([2, 2, 5, 9])) == 4  # iNEXT; immunarch NA
    assert math.isnan(chao1_classic(spectrum_of([])))


# Spiders under girdled and logged hemlocks (Ellison 2010), as in the iNEXT vignette (Hsieh, Ma and
# Chao): its DataInfo, AsyEst and iNextEst tables.
GIRDLED = spectrum_of([46, 22, 17, 15, 15, 9, 8, 6, 6, 4, 2, 2, 2, 2, *[1] * 12])
LOGGED = spectrum_of(
    [88, 22, 16, 15, 13, 10, 8, 8, 7, 7, 7, 5, 4, 4, 4, 3, 3, 3, 3, 2, 2, 2, 2, *[1] * 14]
)


@pytest.mark.parametrize(
    ("spiders", "printed"),
    [
        (GIRDLED, (168, 26, 0.9289, 43.893, 12.060, 7.840)),
        (LOGGED, (252, 37, 0.9446, 61.403, 14.421, 6.761)),
    ],
)
def test_inext_on_its_own_spiders(spiders: Spectrum, printed: tuple[float, ...]) -> None:
    found = (
        spiders.reads,
        spiders.richness,
        coverage_chao_jost(spiders),
        chao1_classic(spiders),
        hill_number(spiders, order=1),
        inverse_simpson(spiders),
    )
    assert found[:2] == printed[:2]
    assert found[2:] == pytest.approx(printed[2:], abs=5e-4)


def test_inext_rarefaction_and_its_bootstrap_interval() -> None:
    assert expected_richness(GIRDLED, depth=84) == pytest.approx(18.912, abs=5e-4)
    # Printed 15.902 to 21.923, from 50 random draws: the width within its own error.
    value = value_at_depth(GIRDLED, depth=84, measure="richness", seed=1, draws=400)
    assert value.high - value.low == pytest.approx(21.923 - 15.902, rel=0.2)


@pytest.mark.parametrize(
    ("sample", "numbers"),
    [  # vdjtools 5.2.2, diversity_stats, sample_coverage and inext(sizes=[1000]); clones aa + V + J
        (
            "MS1",
            (
                5264,
                48113.34210526316,
                0.7933130699088146,
                1909.8638645372905,
                136.37877558838878,
                0.42835669304574253,
                745.8296548768392,
                464.3241948206433,
                121.85534403345227,
            ),
        ),
        (
            "A4-i191",
            (
                5046,
                35470.62804878049,
                0.7826000792707095,
                2344.041664792378,
                356.74826326352087,
                0.4343692624685399,
                773.7996155017275,
                573.6386257040868,
                272.1709963048863,
            ),
        ),
    ],
)
def test_vdjtools_on_productive_clones(sample: str, numbers: tuple[float, ...]) -> None:
    found = read_clones(reference_path(f"tcr/airr_ms_controls/{sample}.tsv.gz"))
    spectrum = spectrum_of(found.clones["count"].to_numpy())
    at_depth = [
        expected_at_depth(spectrum, depth=1000, measure=measure)
        for measure in ("richness", "hill_1", "inverse_simpson")
    ]
    mine = (
        spectrum.richness,
        chao1(spectrum).estimate,
        d50_complement(spectrum),
        hill_number(spectrum, order=1),
        inverse_simpson(spectrum),
        coverage_chao_jost(spectrum),
        *at_depth,
    )
    assert mine == pytest.approx(numbers, rel=1e-9)


def test_a_single_singleton_without_doubletons_leaves_nothing_uncovered() -> None:
    # The formula for f2 = 0 has the factor f1 - 1; iNEXT gives 1.
    assert coverage_chao_jost(spectrum_of([3, 3, 1])) == 1
    assert coverage_good(spectrum_of([3, 3, 1])) == pytest.approx(6 / 7)


def test_one_clone_has_no_evenness_and_no_clonality() -> None:
    one = spectrum_of([7])
    assert math.isnan(pielou_evenness(one))
    assert math.isnan(clonality(one))
    assert simpson_clonality(one) == 1
    assert gini_coefficient(one) == 0
    assert str(shannon_entropy(one)) == "0.0"  # not -0.0, which tables would show
    assert str(expected_at_depth(one, depth=3, measure="shannon")) == "0.0"


def test_nothing_seen_is_not_a_number() -> None:
    none = spectrum_of([0, 0])
    for name, measure in GOLDEN.items():
        if name not in ("S", "N", "rarefied_S_at_4000_vegan"):
            assert math.isnan(measure(none)), name


@pytest.mark.parametrize("counts", [[1.5], [-1, 2], [math.nan, 3]])
def test_counts_that_are_not_counts_are_refused(counts: list[float]) -> None:
    with pytest.raises(ValueError, match="whole numbers"):
        spectrum_of(counts)


@pytest.mark.parametrize(
    ("measure", "of_draw"),
    [
        ("richness", lambda p: len(p)),
        ("shannon", lambda p: -sum(x * math.log(x) for x in p)),
        ("inverse_simpson", lambda p: sum(x * x for x in p)),
    ],
)
@pytest.mark.parametrize("depth", [1, 2, 4, 6])
def test_expected_values_at_a_depth_are_the_mean_over_all_draws(
    measure: Measure, of_draw: Callable[[list[float]], float], depth: int
) -> None:
    # Every subset of the six reads a a a b b c, by enumeration.
    draws = [
        of_draw([count / depth for count in Counter(draw).values()])
        for draw in combinations("aaabbc", depth)
    ]
    mean = sum(draws) / len(draws)
    expected = 1 / mean if measure == "inverse_simpson" else mean
    found = expected_at_depth(spectrum_of([3, 2, 1]), depth=depth, measure=measure)
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_depth_of_the_repertoire_gives_the_plain_value_and_beyond_it_none() -> None:
    counts = spectrum_of([50, 20, 9, 9, 4, 1, 1, 1])
    full = expected_at_depth(counts, depth=counts.reads, measure="clonality")
    assert full == pytest.approx(clonality(counts), rel=1e-12)
    assert math.isnan(expected_richness(counts, depth=counts.reads + 1))
    curve = rarefaction_curve(counts, depths=[1, 10, 95])
    assert curve[0] == pytest.approx(1)
    assert curve[2] == pytest.approx(8)


def exact_richness(clones: dict[int, int], depth: int) -> float:
    """Hurlbert's sum in whole numbers: the chance of a miss is a product of size ratios."""
    reads = sum(size * many for size, many in clones.items())
    total = Fraction(0)
    for size, many in clones.items():
        missed = Fraction(1)
        for j in range(size):
            missed *= Fraction(reads - depth - j, reads - j)
        total += many * (1 - missed)
    return float(total)


@pytest.mark.parametrize("depth", [100, 1000, 100_000])
def test_a_shallow_depth_of_a_huge_repertoire_keeps_its_digits(depth: int) -> None:
    # Nearly every clone is missed: the rest is a small difference of large numbers.
    clones = {1: 30_000_000, 2: 5_000_000, 3: 1_000_000, 10: 1_000_000, 40: 500_000}
    spectrum = spectrum_of(list(clones), list(clones.values()))
    found = expected_richness(spectrum, depth=depth)
    assert found == pytest.approx(exact_richness(clones, depth), rel=1e-8)


def test_reads_that_all_differ_are_as_many_clones_at_any_depth() -> None:
    all_differ = spectrum_of([1], [100_000_000])
    for depth in (100, 1000, 50_000_000):
        assert expected_richness(all_differ, depth=depth) == pytest.approx(depth, rel=1e-8)
        entropy = expected_at_depth(all_differ, depth=depth, measure="shannon")
        assert entropy == pytest.approx(math.log(depth), rel=1e-6)


def test_bootstrap_interval_depends_on_the_seed_alone_and_covers() -> None:
    counts = spectrum_of([50, 20, 9, 9, 4, 2, 2, 1, 1, 1])
    first, again = (
        value_at_depth(counts, depth=50, measure="richness", seed=3, draws=100) for _ in range(2)
    )
    assert first == again
    assert first != value_at_depth(counts, depth=50, measure="richness", seed=4, draws=100)
    assert first.low < first.estimate < first.high


def test_bootstrap_interval_covers_the_truth_of_a_known_community() -> None:
    # 300 equal clones: the expected richness among 100 reads is 300 (1 - (299/300)^100).
    truth = 300 * (1 - (299 / 300) ** 100)
    random = np.random.default_rng(11)
    hits = 0
    for trial in range(40):
        counts = spectrum_of(random.multinomial(400, np.full(300, 1 / 300)))
        value = value_at_depth(counts, depth=100, measure="richness", seed=trial, draws=60)
        hits += value.low <= truth <= value.high
    assert hits >= 34  # 38 expected; fewer than 34 has a chance under 1 in 100 at 95%.


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.lists(st.integers(1, 500), min_size=2, max_size=40))
def test_laws(counts: list[int]) -> None:
    spectrum = spectrum_of(counts)
    orders = [hill_number(spectrum, order=q) for q in (0, 0.5, 1, 2, 8, math.inf)]
    assert orders[0] == len(counts)
    assert all(a >= b - 1e-9 for a, b in pairwise(orders))
    assert 0 <= clonality(spectrum) <= 1
    assert 0 <= gini_coefficient(spectrum) < 1
    low, high = chao1(spectrum)[1:]
    assert len(counts) - 1e-9 <= low <= chao1(spectrum).estimate + 1e-9 <= high + 2e-9
    assert coverage_chao_jost(spectrum) <= 1
    assert shannon_entropy(spectrum_of(counts[::-1])) == shannon_entropy(spectrum)
    equal = spectrum_of([counts[0]] * len(counts))
    assert clonality(equal) == pytest.approx(0, abs=1e-12)
    assert gini_coefficient(equal) == pytest.approx(0, abs=1e-12)
