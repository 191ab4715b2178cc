"""HLA, ABO and graft doses against definitions 5."""

from itertools import product
from typing import Any

import polars as pl
import pytest

from graftline.assess.donor import assess, cells_per_kg, class_of_abo
from graftline.assess.hla import match_hla, two_fields
from graftline.trial import Trial
from tests.assess.build import one, small_trial
from tests.assess.properties import assert_laws_hold

HSCT = 20.0
SAME = "01:01,02:01"


# printed: Rowley 2011, all sixteen pairs, donor -> recipient
@pytest.mark.parametrize(
    ("donor", "recipient", "label"),
    [
        ("O", "O", "match"),
        ("A", "A", "match"),
        ("B", "B", "match"),
        ("AB", "AB", "match"),
        ("O", "A", "minor"),
        ("O", "B", "minor"),
        ("O", "AB", "minor"),
        ("A", "AB", "minor"),
        ("B", "AB", "minor"),
        ("A", "O", "major"),
        ("B", "O", "major"),
        ("AB", "O", "major"),
        ("AB", "A", "major"),
        ("AB", "B", "major"),
        ("A", "B", "bidirectional"),
        ("B", "A", "bidirectional"),
        ("A", None, None),
    ],
)
def test_abo_table(donor, recipient, label):
    frame = pl.DataFrame({"r": [recipient], "d": [donor]}, schema={"r": pl.String, "d": pl.String})
    assert frame.select(class_of_abo(pl.col("r"), pl.col("d"))).item() == label
    if label is not None:
        # law: the class is that of the two sets of antigens
        mine, theirs = set(recipient) - {"O"}, set(donor) - {"O"}
        by_sets = {
            (True, True): "match",
            (True, False): "major",
            (False, True): "minor",
            (False, False): "bidirectional",
        }
        assert by_sets[(mine <= theirs, theirs <= mine)] == label


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("02:01", "02:01"),
        (" A*02:01 ", "02:01"),
        ("A*02:01:01:02L", "02:01"),
        ("24:09N", "24:09N"),
        ("2:1", "02:01"),
        ("02", "02"),
        ("HLA-DRB1*15:01", "15:01"),
        ("unknown", None),
        (None, None),
    ],
)
def test_two_fields(written, name):
    frame = pl.DataFrame({"a": [written]}, schema={"a": pl.String})
    assert frame.select(two_fields(pl.col("a"))).item() == name


def pair(recipient: str | None, donor: str | None, *, others: int = 4) -> pl.DataFrame:
    loci = ("a", "b", "c", "drb1", "dqb1")
    row: dict[str, Any] = {"patient": "P1"}
    for i, locus in enumerate(loci):
        mine, theirs = (recipient, donor) if i == 0 else (SAME, SAME)
        typed = i <= others
        row[f"hla_{locus}"] = mine if typed else None
        row[f"donor_hla_{locus}"] = theirs if typed else None
    return pl.DataFrame([row], schema=dict.fromkeys(row, pl.String))


@pytest.mark.parametrize(
    ("recipient", "donor", "matches"),
    [
        ("02:01,11:01", "02:01,24:02", 1),  # worked: definitions 5
        ("02:01,02:01", "02:01,24:02", 1),  # worked: GvH 0, HvG 1
        ("02:01,24:02", "02:01,02:01", 1),
        ("02:01,11:01", "11:01,02:01", 2),
        ("02:01,02:01", "02:01,02:01", 2),
        ("01:01,01:01", "02:01,03:01", 0),  # homozygous counted twice
        ("02:01,11:01", "02:06,24:02", 0),  # same first field, other allele
    ],
)
def test_matches_at_one_locus(recipient, donor, matches):
    row = match_hla(pair(recipient, donor)).row(0, named=True)
    assert (row["matched"], row["out_of"]) == (8 + matches, 10)


def trial_of(patient: dict[str, Any], donor: dict[str, Any], **tables: Any) -> Trial:
    patients = [{"patient": "P1", "status": "transplanted", **patient}]
    donors = [{"patient": "P1", "donor": "D1", "role": "hspc", **donor}]
    return small_trial({"patients": patients, "donors": donors, **tables}, hsct_day=HSCT)


def typing_of(alleles: str, *, without: tuple[str, ...] = (), **more: str) -> dict[str, str]:
    loci = ("a", "b", "c", "drb1", "dqb1")
    return {f"hla_{x}": more.get(x, alleles) for x in loci if x not in without}


HAPLO = typing_of("01:01,03:01")


@pytest.mark.parametrize(
    ("patient", "donor", "expected"),
    [
        (typing_of(SAME), typing_of(SAME), ("yes", 10, "10/10", None, None)),
        (typing_of(SAME), HAPLO, ("yes", 5, "5/10", "haploidentical", None)),
        (
            typing_of(SAME),
            typing_of("01:01,03:01", a="01:01,02:01"),
            ("yes", 6, "6/10", "haploidentical", None),
        ),
        (
            # 5 of 10 with nothing shared at one locus is not one haplotype
            typing_of(SAME),
            typing_of("01:01,03:01", a="11:01,24:02", b=SAME),
            ("yes", 5, "5/10", None, None),
        ),
        (
            typing_of(SAME, without=("dqb1",)),
            typing_of(SAME, without=("dqb1",)),
            ("yes", 8, "8/8", "of_8", None),
        ),
        (
            typing_of(SAME, a="01,02"),
            typing_of(SAME),
            ("not_evaluable", None, "10/10 by first fields", None, "low_resolution"),
        ),
        (
            typing_of(SAME, without=("a",)),
            typing_of(SAME),
            ("not_evaluable", None, None, None, "locus_missing"),
        ),
        (
            typing_of(SAME, a="01:01"),  # one allele written once
            typing_of(SAME),
            ("not_evaluable", None, None, None, "locus_missing"),
        ),
        ({}, {}, ("not_evaluable", None, None, None, "no_typing")),
        ({}, {"hla_match_of_10": 5}, ("yes", 5, "5/10", "as_recorded", None)),
        (
            typing_of(SAME),
            {**typing_of(SAME), "hla_match_of_10": 9},
            ("yes", 10, "10/10", "differs_from_recorded", None),
        ),
    ],
)
def test_hla_match(patient, donor, expected):
    row = one(assess(trial_of(patient, donor)).results, "hla_match")
    names = ("state", "value", "label", "flags", "reason")
    assert tuple(row[n] for n in names) == expected


@pytest.mark.parametrize(
    ("patient", "donor", "expected"),
    [
        ({"abo": "O"}, {"abo": "O"}, ("yes", "match", None)),
        ({"abo": "O"}, {"abo": "A"}, ("no", "major", "red_cell_depletion")),
        ({"abo": "B"}, {"abo": "A"}, ("no", "bidirectional", "red_cell_depletion")),
        ({"abo": "A"}, {"abo": "O"}, ("no", "minor", None)),
        (
            {"abo": "O", "rh": "negative"},
            {"abo": "O", "rh": "positive"},
            ("yes", "match", "rh_mismatch"),
        ),
        ({"abo": "A"}, {}, ("not_evaluable", None, None)),
    ],
)
def test_abo_match(patient, donor, expected):
    row = one(assess(trial_of(patient, donor)).results, "abo_match")
    assert (row["state"], row["label"], row["flags"]) == expected


def test_without_a_donor_record():
    trial = small_trial({}, hsct_day=HSCT)
    for rule in ("hla_match", "abo_match"):
        assert one(assess(trial).results, rule)["reason"] == "no_donor_record"


def test_graft_arithmetic():
    # worked: definitions 5: 150 mL of 2.0e8/mL, 1.2 % CD34, 30 % CD3, 60 kg
    frame = pl.DataFrame({"v": [150.0], "c": [2.0e8], "w": [60.0]})

    def dose(percent: float, viability: float | None = None) -> float:
        viable = None if viability is None else pl.lit(viability)
        expression = cells_per_kg(
            pl.col("v"),
            pl.col("c"),
            pl.col("w"),
            percent=pl.lit(percent),
            viability_percent=viable,
        )
        return float(frame.select(expression).item())

    assert dose(1.2) == pytest.approx(6.0e6)
    assert dose(30.0) == pytest.approx(1.5e8)
    assert dose(1.2, 80.0) == pytest.approx(4.8e6)


def infusions(*bags: dict[str, Any]) -> list[dict[str, Any]]:
    first = {"patient": "P1", "day": 0.0, "kind": "car_t"}
    return [first, *({"patient": "P1", "day": HSCT, "kind": "hspc", **bag} for bag in bags)]


@pytest.mark.parametrize(
    ("bag", "state", "flags"),
    [
        ({"cd34_1e6_per_kg": 6, "cd3_1e8_per_kg": 1.5, "mnc_1e8_per_kg": 5}, "yes", None),
        ({"cd34_1e6_per_kg": 1}, "yes", None),
        ({"cd34_1e6_per_kg": 0.99}, "no", "cd34_low"),
        ({"cd34_1e6_per_kg": 20}, "yes", None),
        ({"cd34_1e6_per_kg": 20.1}, "no", "cd34_high"),
        ({"cd3_1e8_per_kg": 0.1}, "yes", None),
        ({"cd3_1e8_per_kg": 0.09}, "no", "cd3_low"),
        ({"cd3_1e8_per_kg": 20.1}, "no", "cd3_high"),
        ({"mnc_1e8_per_kg": 0.9}, "no", "mnc_low"),
        ({"mnc_1e8_per_kg": 30}, "yes", None),
        ({"mnc_1e8_per_kg": 30.1}, "no", "mnc_high"),
        ({"cd3_1e8_per_kg": 6, "mnc_1e8_per_kg": 5}, "no", "cd3_more_than_mnc"),
        ({"cd34_1e6_per_kg": 501, "mnc_1e8_per_kg": 5}, "no", "cd34_more_than_mnc"),
        ({}, "not_evaluable", None),
    ],
)
def test_graft_dose_bounds(bag, state, flags):
    trial = trial_of({}, {}, infusions=infusions(bag))
    row = one(assess(trial).results, "graft_dose")
    assert (row["state"], row["flags"]) == (state, flags)


def test_bags_of_the_first_graft_sum():
    bags = infusions(
        {"cd34_1e6_per_kg": 3.0, "day": HSCT - 1},
        {"cd34_1e6_per_kg": 2.5},
        {"cd34_1e6_per_kg": 9.0, "day": HSCT + 60, "purpose": "boost"},
    )
    row = one(assess(trial_of({}, {}, infusions=bags)).results, "graft_dose")
    assert (row["value"], row["lower_bound"]) == (5.5, False)
    bags.append({"patient": "P1", "day": HSCT, "kind": "hspc"})
    row = one(assess(trial_of({}, {}, infusions=bags)).results, "graft_dose")
    assert (row["value"], row["lower_bound"]) == (5.5, True)


def test_dose_from_the_product():
    products = [
        {
            "patient": "P1",
            "product": "G1",
            "kind": "hspc",
            "volume_ml": 150.0,
            "cells_per_ml": 2.0e8,
            "cd34_percent": 1.2,
            "cd3_percent": 30.0,
        }
    ]
    trial = trial_of(
        {"weight_kg": 60.0}, {}, infusions=infusions({"product": "G1"}), products=products
    )
    assessed = assess(trial)
    row = one(assessed.results, "graft_dose")
    assert row["value"] == pytest.approx(6.0)
    assert row["flags"] == "calculated_from_product"
    doses = dict(assessed.details["graft_dose_queries"].select("quantity", "value").iter_rows())
    assert doses == {"cd34": pytest.approx(6.0), "cd3": pytest.approx(1.5), "mnc": None}


def test_match_is_symmetric_and_agrees_with_sets():
    """Property, over every pair of typings from three alleles: exchange changes nothing."""
    typings = list(product(["01:01", "02:01", "24:02"], repeat=2))
    pairs = list(product(typings, repeat=2))

    def matches(rows: list[tuple[tuple[str, ...], tuple[str, ...]]]) -> list[int]:
        frames = [
            pair(",".join(mine), ",".join(theirs)).with_columns(patient=pl.lit(f"P{i:03d}"))
            for i, (mine, theirs) in enumerate(rows)
        ]
        return match_hla(pl.concat(frames))["matched"].to_list()

    found = matches(pairs)
    assert found == matches([(theirs, mine) for mine, theirs in pairs])
    assert found == [
        10 - max(sum(a not in theirs for a in mine), sum(a not in mine for a in theirs))
        for mine, theirs in pairs
    ]


def test_order_names_and_splitting_do_not_matter():
    patients = [
        {"patient": f"P{i}", "status": "transplanted", "abo": "A", **typing_of(SAME)}
        for i in range(3)
    ]
    donors = [
        {"patient": f"P{i}", "donor": f"D{i}", "role": "hspc", "abo": g, **HAPLO}
        for i, g in enumerate(("A", "B", "O"))
    ]
    trial = small_trial(
        {"patients": patients, "donors": donors}, patients=("P0", "P1", "P2"), hsct_day=HSCT
    )
    assert_laws_hold(assess, trial)
