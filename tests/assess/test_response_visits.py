"""Which counts, transfusions and imaging belong to a marrow."""

import pytest

from graftline.assess.response import assess
from tests.assess.response_made import PEOPLE, counts, labs, trial, visit_classes


def test_counts_seven_days_away_belong_to_the_marrow_eight_do_not():
    marrow = {"patient": ["A"], "day": [14.0], "blasts_percent": [2.0]}
    near = trial(patients=PEOPLE, marrow=marrow, labs=labs(counts("A", 21, 0.3, 15)))
    far = trial(patients=PEOPLE, marrow=marrow, labs=labs(counts("A", 22, 0.3, 15)))
    assert visit_classes(near) == ["CRi"]
    assert visit_classes(far) == [None]


def test_nearest_counts_and_the_lowest_of_the_day():
    rows = labs(counts("A", 10, 5.0, 300), counts("A", 14.2, 1.2, 140), counts("A", 14.8, 0.4, 120))
    t = trial(
        patients=PEOPLE, marrow={"patient": ["A"], "day": [14.0], "blasts_percent": [2]}, labs=rows
    )
    visit = assess(t).details["response_visits"].row(0, named=True)
    assert (visit["anc"], visit["platelets"], visit["overall"]) == (0.4, 120.0, "CRi")


@pytest.mark.parametrize(("given", "expected"), [(8.0, "CRi"), (7.0, "CR")])
def test_platelets_six_days_after_a_transfusion_are_supported(given, expected):
    # day 14: six days after day 8, seven after day 7
    t = trial(
        patients=PEOPLE,
        marrow={"patient": ["A"], "day": [14.0], "blasts_percent": [2]},
        labs=labs(counts("A", 14, 2.0, 150)),
        transfusions={"patient": ["A"], "day": [given], "product": ["platelets"]},
    )
    assert visit_classes(t) == [expected]


def test_long_growth_factor_course_reaches_past_a_later_short_one():
    t = trial(
        patients=PEOPLE,
        marrow={"patient": ["A"], "day": [14.0], "blasts_percent": [2]},
        labs=labs(counts("A", 14, 2.0, 150)),
        drugs={
            "patient": ["A", "A"],
            "drug": ["Filgrastim", "lenograstim"],
            "start_day": [1.0, 3.0],
            "end_day": [13.0, 4.0],
        },
    )
    assert visit_classes(t) == ["CRi"]


def test_extramedullary_disease_waits_for_imaging_and_takes_its_day():
    # known at baseline, cleared on day 40: the marrow of day 14 is in CRi from day 40
    people = PEOPLE | {"extramedullary_disease": [True]}
    base = {
        "patients": people,
        "marrow": {"patient": ["A"], "day": [14.0], "blasts_percent": [1]},
        "labs": labs(counts("A", 14, 0.3, 15)),
    }
    waiting = assess(trial(**base)).results.filter(rule="remission").row(0, named=True)
    assert (waiting["state"], waiting["reason"]) == ("not_evaluable", "extramedullary_not_assessed")
    pet = {"patient": ["A"], "day": [40.0], "modality": ["PET-CT"], "deauville": [2]}
    found = assess(trial(**base, imaging=pet)).results.filter(rule="remission").row(0, named=True)
    assert (found["state"], found["day"], found["label"]) == ("yes", 40.0, "CRi")
    assert "dated by imaging" in found["flags"]
    late = pet | {"day": [107.0]}  # 93 days after the marrow: more than three months
    assert visit_classes(trial(**base, imaging=late)) == [None]


def test_partial_metabolic_response_holds_back_the_marrow():
    people = PEOPLE | {"extramedullary_disease": [True]}
    t = trial(
        patients=people,
        marrow={"patient": ["A"], "day": [28.0], "blasts_percent": [0]},
        labs=labs(counts("A", 28, 2, 200)),
        imaging={
            "patient": ["A"],
            "day": [27.0],
            "modality": ["PET-CT"],
            "deauville": [4],
            "uptake_change": ["less"],
        },
    )
    assert visit_classes(t) == ["PR"]
