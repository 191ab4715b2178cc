"""Tables of a trial; counts worked by hand from a handful of invented patients."""

import polars as pl
import pytest

from graftline.assess.results import as_results, combine_results
from graftline.protocol import shipped_protocol
from graftline.tables.adverse_events import (
    adverse_event_table,
    count_adverse_events,
    laboratory_grade_table,
    serious_event_table,
    worst_grades,
)
from graftline.tables.baseline import baseline_table, populations, status_order
from graftline.tables.findings import disagreement_table, evaluable_table, findings_table
from graftline.tables.flow import count_flow, flow_table
from graftline.tables.gate import (
    count_criteria,
    criteria_table,
    dose_check_table,
    gate_patient_table,
    patient_gate_table,
)
from graftline.tables.kinetics import (
    kinetic_parameters,
    kinetics_listing,
    kinetics_summary_table,
    summarise_kinetics,
)
from graftline.tables.outcomes import outcomes_table
from graftline.tables.patient_results import patient_results_table
from graftline.tables.response import response_statistics
from graftline.tables.treatment import describe_treatment
from graftline.trial import trial_from_tables


@pytest.fixture(scope="module")
def trial():
    protocol = shipped_protocol("all-in-one-2024")
    patients = pl.DataFrame(
        {
            "patient": ["A", "B", "C", "D", "E"],
            "status": ["transplanted", "transplanted", "infused", "enrolled", "screened"],
            "stopped_reason": [None, None, "relapse", None, "CD7 too low"],
            "age_years": [20.0, 40.0, None, 60.0, 33.0],
            "sex": ["female", "male", None, "male", "male"],
            "disease": ["AML", "T-ALL", "AML", "AML", "AML"],
            "prior_allo_hsct": [True, False, False, False, False],
        }
    )
    infusions = pl.DataFrame(
        {
            "patient": ["A", "A", "B", "C", "A", "B"],
            "day": [0.0, 1.0, 0.0, 0.0, 20.0, None],
            "day_low": [None, None, None, None, None, 10.0],
            "day_high": [None, None, None, None, None, 30.0],
            "kind": ["car_t", "car_t", "car_t", "car_t", "hspc", "hspc"],
            "car_t_1e6_per_kg": [1.0, 1.0, 2.0, None, None, None],
        }
    )
    ae = pl.DataFrame(
        {
            "patient": ["A", "A", "B", "C"],
            "term": ["Fever", "Fever", "Fever", "Rash"],
            "system": ["General", "General", "General", None],
            "grade": [1, 3, 2, 1],
            "start_day": [1.0, 3.0, 2.0, 8.0],
            "related_car_t": ["possible", "unrelated", "unknown", None],
            "related_hsct": [None, None, None, None],
            "serious": [False, True, None, False],
        }
    )
    return trial_from_tables(protocol, {"patients": patients, "infusions": infusions, "ae": ae})


def test_flow_by_hand(trial):
    rows = count_flow(trial.patients)
    assert rows["reached"].to_list() == [5, 4, 3, 3, 2]
    assert rows["stopped"].to_list() == [1, 1, 0, 1, 0]
    assert rows["reasons"][0] == "CD7 too low (1)"
    assert rows["reasons"][1] == "reason not recorded (1)"
    # everybody is somewhere: those who stopped and those who reached the end
    assert rows["stopped"].sum() + rows["reached"][-1] == trial.patients.height
    assert flow_table(trial).rows[4].cells[2:4] == ("2/4 (50%)", "2/3 (67%)")


def test_enrolment_comes_after_infusion_where_hsct_selects():
    # by hand: four infused, two enrolled on the day of their HSCT; hu2024 enrolled after remission
    patients = pl.DataFrame(
        {
            "patient": ["A", "B", "C", "D"],
            "status": ["transplanted", "transplanted", "infused", "infused"],
            "enrolled_day": [18.0, 20.0, None, None],
        }
    )
    protocol = shipped_protocol("all-in-one-2024")
    late = trial_from_tables(protocol, {"patients": patients})
    order = status_order(late)
    rows = count_flow(late.patients, order)
    assert dict(rows.select("step", "reached").rows()) == {
        "screened": 4,
        "manufactured": 4,
        "infused": 4,
        "enrolled": 2,
        "transplanted": 2,
    }
    cells = {row.cells[0]: row.cells[2:4] for row in flow_table(late).rows}
    assert cells["Infused"] == ("", "4/4 (100%)")
    assert cells["Enrolled"] == ("2/2 (100%)", "2/4 (50%)")
    names = [name for name, _ in populations(late.patients, order)]
    assert names == ["Infused, N = 4", "Enrolled, transplanted, N = 2"]
    everybody = trial_from_tables(shipped_protocol("all-in-one-2025"), {"patients": patients})
    assert status_order(everybody)[1] == "enrolled"


def test_each_population_has_a_column_and_its_missing(trial):
    assert [name for name, _ in populations(trial.patients)] == [
        "Enrolled, N = 4",
        "Infused, N = 3",
        "Transplanted, N = 2",
    ]
    table = baseline_table(trial)
    rows = {row.cells[0]: row.cells[1:] for row in table.rows}
    assert rows["Age (years)"] == (
        "40 (20\N{EN DASH}60)",
        "1",
        "30 (20\N{EN DASH}40)",
        "1",
        "30 (20\N{EN DASH}40)",
        "0",
    )
    assert rows["Disease: T-ALL"][4] == "1/2 (50%; 1.3\N{EN DASH}98.7)"
    assert rows["Sex: female"][1] == "1"


def test_equal_populations_share_a_column():
    patients = pl.DataFrame({"patient": ["A"], "status": ["transplanted"]})
    assert [n for n, _ in populations(patients)] == ["Enrolled, infused, transplanted, N = 1"]


def test_worst_grade_per_patient_and_term(trial):
    worst = worst_grades(trial["ae"])
    fever = worst.filter((pl.col("patient") == "A") & (pl.col("term") == "Fever")).row(
        0, named=True
    )
    # grade 3 is the worst; possibly related once is related
    assert (fever["grade"], fever["related_car_t"], fever["serious"]) == (3, True, True)
    numbers = count_adverse_events(trial["ae"])
    row = numbers.filter(pl.col("term") == "Fever").row(0, named=True)
    assert [row[f"grade_{g}"] for g in range(1, 6)] == [0, 1, 1, 0, 0]
    assert (row["any_grade"], row["related_car_t"], row["relation_unknown"]) == (2, 1, 1)
    cells = {r.cells[0]: r.cells for r in adverse_event_table(trial).rows}
    assert cells["Fever"][6:8] == ("2/3 (67%)", "1/3 (33%)")


def test_serious_events_one_by_one_and_what_is_unknown(trial):
    table = serious_event_table(trial)
    assert [row.cells[:3] for row in table.rows] == [("A", "Fever", "3")]
    assert "not recorded for 1 of 4" in table.footnotes[0]


def test_laboratory_grades():
    results = as_results(
        pl.DataFrame(
            {
                "patient": ["A", "B", "C", "D"],
                "state": ["yes", "yes", "no", "not_evaluable"],
                "value": [4.0, 2.0, None, None],
            }
        ),
        rule="ctcae_anc",
    )
    (row,) = laboratory_grade_table(results, {}).rows
    assert row.cells == ("Ctcae anc", "1", "0", "1", "0", "1", "1/3 (33%)")


def test_doses_of_several_bags_are_summed_and_unknown_doses_stay_unknown(trial):
    rows = describe_treatment(
        trial,
        as_results(
            pl.DataFrame(
                {"patient": [], "state": []}, schema={"patient": pl.String, "state": pl.String}
            ),
            rule="x",
        ),
    )
    dose = rows.filter(pl.col("label") == "CAR-T dose").row(0, named=True)
    assert (dose["value"], dose["low"], dose["high"], dose["missing"]) == (2.0, 2.0, 2.0, 1)
    stated = rows.filter(pl.col("label").str.contains("where the day is stated")).row(0, named=True)
    assert (stated["value"], stated["n"], stated["missing"]) == (20.0, 1, 1)


def test_deaths_and_outcomes_of_infused_patients(trial):
    empty = as_results(pl.DataFrame(schema={"patient": pl.String, "state": pl.String}), rule="x")
    table = outcomes_table(trial, empty)
    rows = {row.cells[0]: row.cells[1:] for row in table.rows}
    # nobody has follow-up rows, but infusions show A, B and C alive on some day
    assert rows["Death"] == ("0/3 (0%; 0.0\N{EN DASH}70.8)", "0")


def test_response_by_subgroup(trial):
    results = as_results(
        pl.DataFrame(
            {
                "patient": ["A", "B", "C"],
                "state": ["yes", "yes", "not_evaluable"],
                "label": ["CRi", "NR", None],
            }
        ),
        rule="response",
    )
    rows = response_statistics(trial, results)
    overall = rows.filter(pl.col("label").str.starts_with("Overall response"))
    found = {
        r["population"]: (r["n"], r["total"], r["missing"]) for r in overall.iter_rows(named=True)
    }
    assert found == {
        "All, N = 3": (1, 2, 1),
        "AML, N = 2": (1, 1, 1),
        "T-ALL, N = 1": (0, 1, 0),
        "Earlier HSCT, N = 1": (1, 1, 0),
        "No earlier HSCT, N = 2": (0, 1, 1),
    }


def test_gate_counts_unknown_as_unknown():
    criteria = pl.DataFrame(
        {
            "patient": ["A", "A", "B", "B"],
            "decision_day": [19.0, 19.0, 21.0, 21.0],
            "list": ["gate", "safety"] * 2,
            "criterion": ["remission", "donor_ready"] * 2,
            "text": ["CR or CRi", "Donor ready"] * 2,
            "observed": ["CRi", None, "NR", None],
            "record": [None] * 4,
            "met": ["met", "unknown", "not met", "unknown"],
            "source": ["derived"] * 4,
        }
    )
    counts = count_criteria(criteria)
    assert counts.select("met", "not_met", "unknown").rows() == [(1, 1, 0), (0, 0, 2)]
    assert criteria_table(criteria, id="gate", title="Gate").rows[1].cells[1:] == (
        "0/2 (0%)",
        "0",
        "2",
    )
    table = gate_patient_table(criteria)
    assert [row.cells for row in table.rows] == [
        ("A", "19", "met", "", "donor ready"),
        ("B", "21", "not met", "remission", "donor ready"),
    ]
    own = patient_gate_table("B", criteria.filter(patient="B"))
    assert own is not None
    assert own.rows[0].cells == ("CR or CRi", "not met", "NR", "")


def test_only_the_last_decision_about_a_patient_counts():
    criteria = pl.DataFrame(
        {
            "patient": ["A", "A", "B"],
            "decision_day": [14.0, 20.0, 15.0],
            "list": ["gate"] * 3,
            "criterion": ["remission"] * 3,
            "text": ["CR"] * 3,
            "observed": [None] * 3,
            "record": [None] * 3,
            "met": ["not met", "met", "met"],
            "source": [None] * 3,
        }
    )
    assert criteria_table(criteria, id="g", title="G").rows[0].cells[1] == "2/2 (100%)"
    assert len(gate_patient_table(criteria).rows) == 3


def test_the_worst_of_several_dose_checks_counts_once_per_patient():
    checks = pl.DataFrame(
        {
            "patient": ["A", "A", "B"],
            "check": ["viability"] * 3,
            "text": ["Viability"] * 3,
            "met": ["met", "not met", "unknown"],
        }
    )
    assert dose_check_table(checks).rows[0].cells == ("Viability", "0/2 (0%)", "1", "1")


def test_geometric_mean_and_cv_by_hand():
    values = pl.DataFrame(
        {
            "patient": ["A", "B", "C"],
            "state": ["yes", "yes", "not_evaluable"],
            "value": [10.0, 1000.0, None],
        }
    )
    chosen = combine_results([as_results(values, rule="car_t_qpcr_cmax")])
    row = summarise_kinetics(kinetic_parameters(chosen)).row(0, named=True)
    # logs ln 10 and ln 1000: mean ln 100, standard deviation ln(100)/sqrt(2) = 3.2564
    # CV = sqrt(exp(3.2564^2) - 1) = sqrt(exp(10.604) - 1)
    assert row["geometric_mean"] == pytest.approx(100.0)
    assert row["geometric_cv"] == pytest.approx(200.73, abs=0.05)
    assert (row["n"], row["missing"], row["median"]) == (2, 1, 505.0)
    assert len(kinetics_summary_table(chosen).rows) == 1
    assert [r.cells[0] for r in kinetics_listing(chosen).rows] == ["A", "B"]


def test_one_value_has_no_spread():
    one = pl.DataFrame({"patient": ["A"], "state": ["yes"], "value": [7.0]})
    row = summarise_kinetics(kinetic_parameters(as_results(one, rule="car_t_flow_tmax"))).row(
        0, named=True
    )
    assert row["geometric_cv"] is None


def test_findings_and_disagreements(trial):
    assert findings_table(trial.problems).rows == ()
    differing = pl.DataFrame(
        {
            "patient": ["A"],
            "rule": ["crs"],
            "what": ["value"],
            "derived": ["2.0"],
            "adjudicated": ["1.0"],
        }
    )
    assert disagreement_table(differing).rows[0].cells == ("A", "crs", "value", "2.0", "1.0")


def test_a_patients_answers_and_what_could_not_be_judged():
    results = combine_results(
        [
            as_results(
                pl.DataFrame({"patient": ["A"], "state": ["yes"], "value": [2.0], "day": [1.0]}),
                rule="crs",
            ),
            as_results(
                pl.DataFrame(
                    {"patient": ["A"], "state": ["not_evaluable"], "reason": ["no_records"]}
                ),
                rule="icans",
            ),
        ]
    )
    table, sentences = patient_results_table("A", results, {})
    assert table is not None
    assert table.rows[0].cells == ("Crs", "yes", "2", "1", "derived", "")
    assert sentences == ("Not evaluable (no records): Icans.",)
    assert evaluable_table(results, {}).rows[1].cells[4] == "1"
