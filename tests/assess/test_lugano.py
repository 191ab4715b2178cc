"""Lugano classes (Cheson 2014): PET by Deauville and change, CT by size, the worse of two."""

from typing import Any

import polars as pl
import pytest

from graftline.assess.lugano import RANKS, grade_lugano, response_rank, worse_response
from graftline.trial import conform
from tests.assess.build import frame_of


def exams(*rows: dict[str, Any]) -> pl.DataFrame:
    frame = frame_of([{"patient": "A", **row} for row in rows], "imaging")
    return grade_lugano(conform(frame, "imaging"))


def pet(**row: Any) -> dict[str, Any]:
    return exams({"day": 28.0, "modality": "PET-CT", **row}).row(0, named=True)


@pytest.mark.parametrize(
    ("row", "expected", "present"),
    [
        ({"deauville": 1}, "CMR", False),
        ({"deauville": 3}, "CMR", False),
        ({"deauville": 4, "uptake_change": "less"}, "PMR", True),
        ({"deauville": 5, "uptake_change": "less"}, "PMR", True),
        ({"deauville": 4, "uptake_change": "unchanged"}, "NMR", True),
        ({"deauville": 4, "uptake_change": "more"}, "PMD", True),
        ({"deauville": 4, "uptake_change": "less", "new_lesion": True}, "PMD", True),
        ({"deauville": 4}, None, True),  # change not recorded: present, not classed
        ({"disease_present": False}, "CMR", False),
        ({"disease_present": True}, None, True),
        ({}, None, None),
    ],
)
def test_pet_of_one_site(row, expected, present):
    found = pet(**row)
    assert (found["lugano"], found["disease_present"]) == (expected, present)


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ({"deauville": 2}, "PMR"),  # one avid site is enough
        ({"deauville": 4, "uptake_change": "unchanged"}, "NMR"),
        ({"deauville": 5, "uptake_change": "more"}, "PMD"),
        ({"deauville": 4}, None),
    ],
)
def test_worst_site_decides(second, expected):
    first = {"day": 28.0, "modality": "PET-CT", "site": "a", "deauville": 4}
    found = exams(
        first | {"uptake_change": "less"},
        {"day": 28.0, "modality": "PET-CT", "site": "b", **second},
    )
    assert found["lugano"].to_list() == [expected]


def ct(day: float, long: float, short: float, site: str = "a", **more: Any) -> dict[str, Any]:
    return {
        "day": day,
        "modality": "CT",
        "site": site,
        "long_axis_mm": long,
        "short_axis_mm": short,
        **more,
    }


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ((15.0, 12.0), "CR"),  # at most 15 mm
        ((15.1, 10.0), "PR"),
        ((20.0, 10.0), "PR"),  # 200 of 400: exactly half
        ((20.1, 10.0), "SD"),
        ((29.9, 20.0), "SD"),
        ((30.0, 20.0), "PD"),  # 600 of 400: exactly half more, longer than 15 mm
    ],
)
def test_ct_against_baseline(after, expected):
    found = exams(ct(-5.0, 20.0, 20.0), ct(28.0, *after))
    assert found["lugano"].to_list()[-1] == expected


def test_progression_counts_from_the_smallest_before():
    # 400, 210, 320: more than half more than the smallest, still under baseline
    found = exams(ct(-5.0, 20.0, 20.0), ct(28.0, 21.0, 10.0), ct(60.0, 20.0, 16.0))
    assert found["lugano"].to_list()[-1] == "PD"


def test_sum_of_products_over_sites_and_a_new_lesion():
    base = [ct(-5.0, 20.0, 20.0, "a"), ct(-5.0, 30.0, 20.0, "b")]  # 1000
    smaller = exams(*base, ct(28.0, 20.0, 10.0, "a"), ct(28.0, 20.0, 15.0, "b"))  # 500
    assert smaller["lugano"].to_list()[-1] == "PR"
    new = exams(*base, ct(28.0, 5.0, 5.0, "a"), ct(28.0, 5.0, 5.0, "c", new_lesion=True))
    assert new["lugano"].to_list()[-1] == "PD"


def test_pet_decides_where_both_were_done():
    found = exams(
        ct(28.0, 40.0, 40.0), {"day": 28.0, "modality": "PET-CT", "site": "a", "deauville": 2}
    )
    assert found.select("modality", "lugano").rows() == [("PET-CT", "CMR")]


@pytest.mark.parametrize(("seen", "expected"), [(False, "CR"), (True, None), (None, None)])
def test_clinical_examination_only_says_present_or_not(seen, expected):
    found = exams({"day": 28.0, "modality": "clinical", "disease_present": seen})
    assert found["lugano"].to_list() == [expected]
    assert found["disease_present"].to_list() == [seen]


def test_day_known_as_a_range_takes_its_middle():
    found = exams({"day_low": 30.0, "day_high": 40.0, "modality": "PET-CT", "deauville": 1})
    assert found["day"].to_list() == [35.0]


def test_no_examinations():
    assert grade_lugano(conform(pl.DataFrame({"patient": []}), "imaging")).height == 0


@pytest.mark.parametrize(
    ("marrow", "imaging", "expected"),
    [
        ("CR", "CMR", "CR"),
        ("CRi", "CMR", "CRi"),
        ("CR", "PMR", "PR"),
        ("CRi", "NMR", "NR"),
        ("CR", "SD", "NR"),
        ("CR", "PMD", "PD"),
        ("NR", "CMR", "NR"),
        ("PD", "CMR", "PD"),
        ("CR", None, "CR"),
        (None, "CMR", None),
        (None, "PMD", "PD"),
    ],
)
def test_worse_of_marrow_and_imaging(marrow, imaging, expected):
    frame = pl.DataFrame({"m": [marrow], "i": [imaging]}, schema={"m": pl.String, "i": pl.String})
    assert frame.select(worse_response(pl.col("m"), pl.col("i"))).item() == expected


def test_worse_is_never_better_than_either():
    words = [w for w in RANKS if w in ("CR", "CRh", "CRi", "MLFS", "PR", "NR", "PD")]
    seen = ("CMR", "PMR", "NMR", "PMD")
    frame = pl.DataFrame({"m": [m for m in words for _ in seen], "i": list(seen) * len(words)})
    ranks = frame.select(
        worse=response_rank(worse_response(pl.col("m"), pl.col("i"))),
        marrow=response_rank(pl.col("m")),
    )
    assert (ranks["worse"] >= ranks["marrow"]).all()
