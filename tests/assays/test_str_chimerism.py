"""Donor percent from STR peaks: by hand per locus type, and mixtures of known share."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.assays.str_chimerism import (
    chimerism_label,
    chimerism_row,
    detection_statement,
    estimate_chimerism,
)
from graftline.problems import InputError

People = dict[str, dict[str, tuple[str, ...]]]


def genotypes(people: People) -> pl.DataFrame:
    rows = [(p, locus, a) for p, loci in people.items() for locus, own in loci.items() for a in own]
    return pl.DataFrame(rows, schema=["person", "locus", "allele"], orient="row")


def peaks(loci: dict[str, dict[str, float]]) -> pl.DataFrame:
    rows = [(locus, a, float(x)) for locus, found in loci.items() for a, x in found.items()]
    return pl.DataFrame(rows, schema=["locus", "allele", "area"], orient="row")


def mix(people: People, shares: dict[str, float], *, stutter: float = 0.0, noise: float = 0.0):
    """Peak areas of a mixture; a stutter peak one repeat shorter than its parent."""
    random = np.random.default_rng(4)
    loci: dict[str, dict[str, float]] = {}
    for person, share in shares.items():
        for locus, own in people[person].items():
            for allele in own if len(own) == 2 else own * 2:
                area = share * 5000 * (1 + noise * random.standard_normal())
                found = loci.setdefault(locus, {})
                found[allele] = found.get(allele, 0) + area
                if stutter:
                    shorter = f"{float(allele) - 1:g}"
                    found[shorter] = found.get(shorter, 0) + stutter * area
    return peaks(loci)


BY_HAND: People = {
    "D": {"disjoint": ("14", "16"), "one": ("12", "15"), "homo": ("9", "9"), "same": ("7", "8")},
    "R": {"disjoint": ("13", "17"), "one": ("12", "18"), "homo": ("9", "11"), "same": ("7", "8")},
}


@pytest.mark.parametrize(
    ("locus", "areas", "percent"),
    [
        # No allele shared: donor areas over all, 900 of 1,000.
        ("disjoint", {"14": 460, "16": 440, "13": 60, "17": 40}, 90.0),
        # 12 shared: exact data of 80 %: 12 holds half, 15 0.4, 18 0.1.
        ("one", {"12": 500, "15": 400, "18": 100}, 80.0),
        # The donor's homozygous 9 is half of the recipient too: 11 is (1 - d) / 2 = 0.1.
        ("homo", {"9": 900, "11": 100}, 80.0),
    ],
)
def test_one_locus_by_hand(locus: str, areas: dict[str, float], percent: float) -> None:
    found = estimate_chimerism(
        peaks({locus: areas}), genotypes(BY_HAND), recipient="R", donors=["D"]
    )
    assert found.percent["D"] == pytest.approx(percent, abs=1e-9)
    assert found.percent["R"] == pytest.approx(100 - percent, abs=1e-9)
    assert found.informative == 1


def test_a_locus_at_which_people_do_not_differ_is_left_out() -> None:
    loci = {"same": {"7": 700.0, "8": 300.0}, "homo": {"9": 900.0, "11": 100.0}}
    found = estimate_chimerism(peaks(loci), genotypes(BY_HAND), recipient="R", donors=["D"])
    same = found.loci.filter(pl.col("locus") == "same").row(0, named=True)
    assert (same["informative"], same["reason"]) == (False, "the people do not differ here")
    assert found.informative == 1
    with pytest.raises(InputError, match="at which the people differ"):
        estimate_chimerism(
            peaks({"same": {"7": 1.0}}), genotypes(BY_HAND), recipient="R", donors=["D"]
        )


# A haploidentical child: one allele of every locus is the parent's.
HAPLO: People = {
    "D": {f"L{i}": (f"{10 + i}", f"{14 + i}") for i in range(12)},
    "R": {f"L{i}": (f"{10 + i}", f"{(18 if i % 3 else 13) + i}") for i in range(12)},
}


@settings(deadline=None, max_examples=20, derandomize=True)
@given(st.floats(0, 1))
def test_haploidentical_mixtures_are_exact_without_noise(share: float) -> None:
    found = estimate_chimerism(
        mix(HAPLO, {"D": share, "R": 1 - share}), genotypes(HAPLO), recipient="R", donors=["D"]
    )
    assert found.percent["D"] == pytest.approx(100 * share, abs=1e-6)
    assert found.informative == 12
    assert found.sd == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 0.5, 0.9, 0.98])
def test_stutter_is_corrected_by_a_known_or_an_estimated_ratio(share: float) -> None:
    # L0, L3, ...: the recipient's 13 is the stutter position of the donor's 14.
    sample = mix(HAPLO, {"D": share, "R": 1 - share}, stutter=0.08)
    people = genotypes(HAPLO)
    plain, known, guessed = (
        estimate_chimerism(sample, people, recipient="R", donors=["D"], stutter=s)
        for s in (0.0, 0.08, None)
    )
    assert known.percent["D"] == pytest.approx(100 * share, abs=1e-6)
    assert guessed.percent["D"] == pytest.approx(100 * share, abs=0.05)
    if share == 0.98:
        assert guessed.stutter == pytest.approx(0.08, abs=1e-3)
        assert abs(plain.percent["D"] - 98) > 0.5


def test_noise_shows_in_the_sd_over_loci() -> None:
    sample = mix(HAPLO, {"D": 0.8835, "R": 0.1165}, noise=0.05)
    found = estimate_chimerism(sample, genotypes(HAPLO), recipient="R", donors=["D"])
    assert found.percent["D"] == pytest.approx(88.35, abs=3)
    assert 0.3 < found.sd < 10
    assert found.cv_percent == pytest.approx(100 * found.sd / found.mean)
    assert found.label == "mixed"


def test_two_donors_and_a_recipient() -> None:
    people: People = {
        **HAPLO,
        "D2": {f"L{i}": (f"{21 + i}", f"{10 + i}") for i in range(12)},
    }
    truth = {"D": 0.2, "D2": 0.7, "R": 0.1}
    found = estimate_chimerism(
        mix(people, truth), genotypes(people), recipient="R", donors=["D", "D2"]
    )
    assert found.percent == pytest.approx({p: 100 * s for p, s in truth.items()}, abs=1e-5)
    row = chimerism_row(found, patient="P3", day=60, lineage="cd3", donor="D2")
    assert row["donor_percent"].to_list() == pytest.approx([70], abs=1e-5)


@pytest.mark.parametrize(
    ("percent", "label"),
    [(100, "full"), (95, "full"), (94.99, "mixed"), (5, "mixed"), (4.99, "autologous")],
)
def test_labels_at_their_limits(percent: float, label: str) -> None:
    assert chimerism_label(percent) == label


def test_microvariants_and_amelogenin_have_no_neighbours_by_rounding() -> None:
    people: People = {
        "D": {"TH01": ("9.3", "9.3"), "AMEL": ("X", "X")},
        "R": {"TH01": ("8.3", "10.3"), "AMEL": ("X", "Y")},
    }
    found = estimate_chimerism(
        mix({p: {"TH01": g["TH01"]} for p, g in people.items()}, {"D": 0.5, "R": 0.5}, stutter=0.1),
        genotypes(people),
        recipient="R",
        donors=["D"],
        stutter=0.1,
    )
    assert found.percent["D"] == pytest.approx(50, abs=1e-6)
    amel = estimate_chimerism(
        peaks({"AMEL": {"X": 80, "Y": 20}}), genotypes(people), recipient="R", donors=["D"]
    )
    assert amel.percent["D"] == pytest.approx(60, abs=1e-9)


def test_a_foreign_allele_is_a_finding() -> None:
    loci = {"homo": {"9": 900.0, "11": 100.0, "14": 200.0}}
    found = estimate_chimerism(peaks(loci), genotypes(BY_HAND), recipient="R", donors=["D"])
    # the donor is 9, 9 and the recipient 9, 11: there is nothing that only the donor has
    assert [p.found for p in found.problems] == ["14 with 17 % of the area", "none"]
    assert found.problems[1].expected == "a locus at which only D has an allele"


@pytest.mark.parametrize(
    ("sample", "people", "words"),
    [
        (peaks({"homo": {"9": -1.0}}), BY_HAND, "area -1.0"),
        (peaks({"homo": {"OL": 5.0}}), BY_HAND, "allele OL"),
        (peaks({"homo": {"9": 5.0}}), {"D": BY_HAND["D"]}, "genotype of every contributor"),
        (peaks({"homo": {"9": 5.0}}), {**BY_HAND, "R": {"homo": ("9", "z")}}, "number of repeats"),
        (peaks({"homo": {"9": 5.0}}), {**BY_HAND, "R": {"homo": ("9", "10", "11")}}, "3 alleles"),
        (peaks({"homo": {"9": 0.0}}), BY_HAND, "typed and has peaks"),
    ],
)
def test_faulty_input_is_named(sample: pl.DataFrame, people: People, words: str) -> None:
    with pytest.raises(InputError, match=words):
        estimate_chimerism(sample, genotypes(people), recipient="R", donors=["D"])


def family(relation: str, *, loci: int = 16, seed: int = 2) -> People:
    """Donor and recipient with alleles 8 to 19: unrelated, siblings, or a parent and a child."""
    random = np.random.default_rng(seed)
    first, second = (
        {f"L{i}": tuple(str(a) for a in random.integers(8, 20, 2)) for i in range(loci)}
        for _ in range(2)
    )

    def child() -> dict[str, tuple[str, ...]]:
        return {
            locus: (str(random.choice(first[locus])), str(random.choice(second[locus])))
            for locus in first
        }

    pairs = {
        "unrelated": (first, second),
        "siblings": (child(), child()),
        "haploidentical": (first, child()),
    }
    return dict(zip(("D", "R"), pairs[relation], strict=True))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.02, 0.05, 0.5, 0.95, 0.99, 1.0])
@pytest.mark.parametrize("relation", ["unrelated", "siblings", "haploidentical"])
@pytest.mark.parametrize(("stutter", "noise"), [(0.0, 0.1), (0.15, 0.1), (0.1, 0.0)])
def test_known_mixtures(relation: str, share: float, stutter: float, noise: float) -> None:
    # truth: the share mixed. Peaks scatter by 10 %; one peak in 16 loci says a 100th of it or so
    people = family(relation)
    sample = mix(people, {"D": share, "R": 1 - share}, stutter=stutter, noise=noise)
    found = estimate_chimerism(sample, genotypes(people), recipient="R", donors=["D"])
    assert found.percent["D"] == pytest.approx(100 * share, abs=2.5 if share == 0.5 else 0.8)
    assert found.percent["D"] == pytest.approx(100 * share, abs=max(4 * found.standard_error, 0.3))
    if share in (0.0, 0.01, 0.99, 1.0):
        assert found.label == ("autologous" if share < 0.5 else "full")


def test_stutter_left_in_makes_a_minor_share_of_a_point_or_more() -> None:
    people = family("haploidentical")
    sample = mix(people, {"D": 1.0, "R": 0.0}, stutter=0.1)
    options = {"recipient": "R", "donors": ["D"]}
    plain = estimate_chimerism(sample, genotypes(people), stutter=0.0, **options)
    corrected = estimate_chimerism(sample, genotypes(people), **options)
    assert plain.percent["R"] > 1
    assert corrected.percent["R"] < 0.05


def test_small_peaks_that_drop_out_do_not_pull_a_large_share() -> None:
    people = family("haploidentical")
    whole = mix(people, {"D": 0.97, "R": 0.03}, noise=0.1)
    seen = whole.filter(pl.col("area") > 146)
    found = estimate_chimerism(seen, genotypes(people), recipient="R", donors=["D"])
    assert seen.height < whole.height
    assert found.percent["D"] == pytest.approx(97, abs=1)


def test_one_locus_has_a_percent_but_no_error() -> None:
    found = estimate_chimerism(
        peaks({"one": {"12": 500, "15": 400, "18": 100}}),
        genotypes(BY_HAND),
        recipient="R",
        donors=["D"],
    )
    assert np.isnan(found.sd)
    assert np.isnan(found.standard_error)
    assert found.informative == 1


def test_the_same_person_twice_has_no_informative_locus() -> None:
    people = {"D": BY_HAND["D"], "R": BY_HAND["D"]}
    with pytest.raises(InputError, match="at which the people differ"):
        estimate_chimerism(
            mix(people, {"D": 0.5, "R": 0.5}), genotypes(people), recipient="R", donors=["D"]
        )


def test_donors_that_the_loci_do_not_tell_apart_are_refused() -> None:
    people = {**BY_HAND, "D2": BY_HAND["D"]}
    with pytest.raises(InputError, match="tell D, D2, R apart"):
        estimate_chimerism(
            mix(people, {"D": 0.5, "R": 0.5}), genotypes(people), recipient="R", donors=["D", "D2"]
        )


def test_spelling_of_loci_and_loci_of_one_table_only() -> None:
    known = genotypes({p: {"vWA": g["one"], "TPOX": g["homo"]} for p, g in BY_HAND.items()})
    areas = {" VWA": {"12": 500.0, "15": 400.0, "18": 100.0}, "FGA": {"20": 10.0}}
    found = estimate_chimerism(peaks(areas), known, recipient="R", donors=["D"])
    assert found.percent["D"] == pytest.approx(80, abs=1e-6)
    assert found.loci.select("locus", "reason").rows() == [("TPOX", "no peaks here"), ("vWA", None)]
    assert [p.found for p in found.problems] == ["FGA"]


@pytest.mark.parametrize(
    ("percent", "limit", "words"),
    [(99.2, 1, "recipient below"), (99, 1, ""), (0.5, 1, "donor below"), (4, 5, "(5 %)")],
)
def test_what_a_share_beyond_the_limit_of_detection_is_called(percent, limit, words) -> None:
    said = detection_statement(percent, detection_percent=limit)
    assert (words in said) if words else said == ""


@pytest.mark.parametrize(
    ("donor", "recipient", "areas", "percent"),
    [
        # Two contributors of a mixture, FGA 19 to 25: 475 of 1,866 (US National Institute of
        # Justice, STR data analysis course, "Example of percent contribution": 25 % to 75 %).
        (("19", "25"), ("20", "23"), {"19": 250, "20": 674, "23": 717, "25": 225}, 25.455520),
        # Nollet, Thiede: no allele shared, sum of the donor's over all.
        (("10", "12"), ("14", "17"), {"10": 310, "12": 290, "14": 190, "17": 210}, 60.0),
        # One shared, both heterozygous: unshared against unshared, 300 / (300 + 100).
        (("10", "12"), ("10", "14"), {"10": 400, "12": 300, "14": 100}, 75.0),
        # Donor homozygous for a shared allele: 1 - 2 * 150 / 1000.
        (("10", "10"), ("10", "14"), {"10": 850, "14": 150}, 70.0),
        # Recipient homozygous for a shared allele: 2 * 150 / 1000.
        (("10", "14"), ("10", "10"), {"10": 850, "14": 150}, 30.0),
        # Both homozygous, different: 820 / 1000.
        (("9.3", "9.3"), ("6", "6"), {"9.3": 820, "6": 180}, 82.0),
        # Donor homozygous, no allele shared: 640 / 1000.
        (("8", "8"), ("11", "13"), {"8": 640, "11": 200, "13": 160}, 64.0),
        # Amelogenin, donor a woman, recipient a man: 1 - 2 * 300 / 1000.
        (("X", "X"), ("X", "Y"), {"X": 700, "Y": 300}, 40.0),
    ],
)
def test_classical_formulas_of_a_locus(donor, recipient, areas, percent) -> None:
    people = genotypes({"D": {"L": donor}, "R": {"L": recipient}})
    found = estimate_chimerism(
        peaks({"L": areas}), people, recipient="R", donors=["D"], stutter=0.0
    )
    # exact where the peaks of a person are balanced; the published ones are not quite
    assert found.loci["donor_percent"].item() == pytest.approx(percent, abs=0.6)
    assert found.percent["D"] == pytest.approx(percent, abs=0.6)


def scattered(people: People, donor: float, *, total: float, smallest: float, seed: int):
    """Peaks that scatter as few copies do, with back and forward stutter, reported from a height.

    Gamma heights, variation 12 % for large peaks and more for small ones; stutter differs by locus.
    """
    random = np.random.default_rng(seed)
    loci: dict[str, dict[str, float]] = {}
    for person, share in (("D", donor), ("R", 1 - donor)):
        for locus, own in people[person].items():
            for allele in own if len(own) == 2 else own * 2:
                mean = total * share / 2
                if mean == 0:
                    continue
                square = 0.12**2 + 30 / mean
                area = random.gamma(1 / square, mean * square)
                found = loci.setdefault(locus, {})
                ratios = (
                    (0, 1.0),
                    (-1, 0.07 * np.exp(random.normal(0, 0.2))),
                    (1, 0.012 * np.exp(random.normal(0, 0.2))),
                )
                for step, ratio in ratios:
                    place = f"{float(allele) + step:g}"
                    found[place] = found.get(place, 0) + area * ratio
    seen = {x: {a: y for a, y in found.items() if y >= smallest} for x, found in loci.items()}
    return peaks(seen)


@pytest.mark.parametrize("donor", [0.0, 1.0])
@pytest.mark.parametrize("relation", ["unrelated", "haploidentical"])
def test_forward_stutter_is_no_second_person(relation, donor) -> None:
    found = []
    for seed in range(6):
        people = family(relation, seed=seed)
        sample = scattered(people, donor, total=20_000, smallest=50, seed=seed)
        one = estimate_chimerism(sample, genotypes(people), recipient="R", donors=["D"])
        found.append(one.percent["D"] - 100 * donor)
    # left in, one percent of forward stutter makes 0.3 to 0.5 points of the other person
    assert np.abs(found).mean() < 0.15


@pytest.mark.parametrize("minor", [0.03, 0.05])
def test_peaks_below_the_smallest_reported_are_not_none(minor) -> None:
    # peaks of the minor person are expected at 45 and 75, reported from 50; counted as none, 3 %
    # comes out as less than 2 %
    found = []
    for seed in range(12):
        people = family("unrelated", seed=seed)
        sample = scattered(people, 1 - minor, total=3000, smallest=50, seed=seed)
        one = estimate_chimerism(sample, genotypes(people), recipient="R", donors=["D"])
        found.append(one.percent["R"])
        if one.percent["R"] > 0.5:
            assert "alleles that only R has are missing" in one.problems[0].found
    assert np.mean(found) == pytest.approx(100 * minor, abs=0.8)


def test_a_locus_unlike_the_others_is_named() -> None:
    people = family("haploidentical", loci=14)
    sample = scattered(people, 0.98, total=20_000, smallest=50, seed=1)
    own = next(a for a in people["R"]["L3"] if a not in people["D"]["L3"])
    blob = peaks({"L3": {own: 6000.0}})
    options = {"recipient": "R", "donors": ["D"]}
    clean = estimate_chimerism(sample, genotypes(people), **options)
    found = estimate_chimerism(pl.concat([sample, blob]), genotypes(people), **options)
    assert not [p for p in clean.problems if "other loci" in p.expected]
    (problem,) = [p for p in found.problems if "other loci" in p.expected]
    assert "L3" in problem.expected
    without = float(problem.remedy.split("have ")[1].removesuffix(" %"))
    assert without == pytest.approx(clean.percent["D"], abs=0.5)
    assert abs(found.percent["D"] - clean.percent["D"]) < 3 * found.standard_error


def test_loci_of_the_y_chromosome_are_left_out_without_a_word() -> None:
    people: People = {
        "D": {"vWA": ("12", "15"), "DYS391": ("10",)},
        "R": {"vWA": ("12", "18")},
    }
    loci = {"vWA": {"12": 500.0, "15": 400.0, "18": 100.0}, "DYS391": {"10": 300.0}}
    found = estimate_chimerism(peaks(loci), genotypes(people), recipient="R", donors=["D"])
    assert found.percent["D"] == pytest.approx(80, abs=1e-6)
    assert found.problems == ()
