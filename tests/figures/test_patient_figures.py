"""Swimmer, flow, kinetics and timelines of invented patients; expected marks by hand."""

import itertools

import polars as pl
import pytest

from graftline.assess.results import as_results, combine_results
from graftline.figures.drawing import Dots, Stroke, Words, text_width
from graftline.figures.enrolment_flow import draw_flow
from graftline.figures.kinetics import draw_analytes, draw_blood_counts, draw_chimerism, lab_courses
from graftline.figures.swimmer import draw_swimmer, shown_lanes, swimmer_lanes, swimmer_marks
from graftline.figures.theme import figure_bytes
from graftline.figures.timeline import draw_timeline
from graftline.protocol import shipped_protocol
from graftline.trial import trial_from_tables
from tests.tables.ten_patients import ten_patients


def test_lanes_are_the_infused_patients_longest_first():
    lanes = swimmer_lanes(ten_patients())
    assert lanes["patient"].to_list()[:3] == ["P01", "P02", "P03"]
    assert lanes["patient"].to_list()[-1] == "P08"
    assert lanes.filter("dead")["patient"].sort().to_list() == ["P04", "P07", "P08"]


def test_marks_of_rules_that_count_from_hspc_are_moved_to_the_index_infusion():
    gvhd = as_results(
        pl.DataFrame({"patient": ["P02"], "state": ["yes"], "day": [20.0]}), rule="acute_gvhd"
    )
    relapse = as_results(
        pl.DataFrame({"patient": ["P02"], "state": ["yes"], "day": [130.0]}), rule="relapse"
    )
    marks = swimmer_marks(ten_patients(), combine_results([gvhd, relapse]))
    found = {(m, d) for p, m, d in marks.rows() if p == "P02"}
    assert found == {("hsct", 19.0), ("gvhd", 39.0), ("relapse", 130.0)}


def test_a_large_trial_shows_sixty_lanes_over_the_whole_range():
    lanes = pl.DataFrame(
        {
            "lane": range(1000),
            "patient": [f"P{i:04d}" for i in range(1000)],
            "end_day": [2000.0 - i for i in range(1000)],
            "dead": [False] * 1000,
            "assumed": [False] * 1000,
        }
    )
    shown = shown_lanes(lanes)
    assert shown.height == 60
    assert (shown["end_day"][0], shown["end_day"][-1]) == (2000.0, 1001.0)
    marks = pl.DataFrame(schema={"patient": pl.String, "mark": pl.String, "day": pl.Float64})
    assert figure_bytes(draw_swimmer(shown, marks), "png")


def test_one_patient_can_swim():
    lanes = swimmer_lanes(ten_patients()).head(1)
    marks = pl.DataFrame({"patient": ["P01"], "mark": ["hsct"], "day": [89.0]})
    axes = draw_swimmer(lanes, marks).axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["P01"]


def test_flow_boxes_carry_counts_and_reasons():
    steps = pl.DataFrame(
        {
            "step": ["screened", "enrolled", "transplanted"],
            "reached": [12, 10, 7],
            "stopped": [2, 3, 0],
            "reasons": ["CD7 too low (2)", "infection (3)", ""],
        }
    )
    words = [t.get_text() for t in draw_flow(steps).axes[0].texts]
    assert "Transplanted: 7  (70% of enrolled)" in words
    assert "Stopped: 2\nCD7 too low (2)" in words


def labs():
    frame = pl.DataFrame(
        {
            "patient": ["A", "A", "A", "B"],
            "day": [0.0, 10.0, 30.0, 5.0],
            "analyte": ["car_t_qpcr", "car_t_qpcr", "anc", "anc"],
            "value": [50.0, 2e5, 0.6, 0.1],
            "quantification": ["below", None, None, None],
            "lloq": [50.0, 50.0, None, None],
        }
    )
    infusions = pl.DataFrame(
        {"patient": ["A", "A", "B"], "day": [0.0, 20.0, 0.0], "kind": ["car_t", "hspc", "car_t"]}
    )
    patients = pl.DataFrame({"patient": ["A", "B"], "status": ["transplanted", "infused"]})
    return trial_from_tables(
        shipped_protocol("all-in-one-2024"),
        {"labs": frame, "infusions": infusions, "patients": patients},
    )


def test_courses_count_from_hspc_where_asked():
    rows = lab_courses(labs(), "anc", from_hspc=True)
    assert rows.select("patient", "day").rows() == [("A", 10.0)]
    assert lab_courses(labs(), "car_t_qpcr")["below"].to_list() == [True, False]


def test_values_below_quantification_stand_at_its_limit():
    # written as 0, as less than the limit, and as the limit itself; and a 0 without a limit
    frame = pl.DataFrame(
        {
            "patient": ["A"] * 5,
            "day": [0.0, 4.0, 7.0, 10.0, 14.0],
            "analyte": ["car_t_qpcr"] * 5,
            "value": [0.0, 12.0, 50.0, 900.0, 0.0],
            "quantification": ["below", None, "below", None, None],
            "lloq": [50.0, 50.0, 50.0, 50.0, None],
        }
    )
    trial = trial_from_tables(shipped_protocol("all-in-one-2024"), {"labs": frame})
    rows = lab_courses(trial, "car_t_qpcr")
    assert rows["value"].to_list() == [50, 50, 50, 900, 0]
    assert rows["below"].to_list() == [True, True, True, False, False]


def test_panels_are_drawn_for_what_is_recorded_only():
    figure = draw_analytes(labs(), ("car_t_qpcr", "car_t_flow"))
    assert figure is not None
    assert len(figure.axes) == 1
    assert draw_analytes(labs(), ("cd4", "cd8")) is None
    counts = draw_blood_counts(labs())
    assert counts is not None
    assert len(counts.axes) == 1


def test_chimerism_has_a_panel_per_lineage():
    tests = pl.DataFrame(
        {
            "patient": ["A", "A"],
            "hsct_day": [28.0, 28.0],
            "lineage": ["cd3", "cd33"],
            "donor_percent": [99.0, 70.0],
        }
    )
    titles = [axes.get_title(loc="left") for axes in draw_chimerism(tests).axes]
    assert titles == ["CD3", "CD33"]


def spans(rows):
    schema = {
        "lane": pl.String,
        "lane_order": pl.Int64,
        "text": pl.String,
        "start": pl.Float64,
        "stop": pl.Float64,
        "assumed": pl.Boolean,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_a_timeline_names_what_happened_and_opens_assumed_symbols():
    rows = [
        ("Treatment", 0, "CAR-T", 0.0, None, False),
        ("Response", 1, "response, CRi", 19.0, None, True),
        ("Response", 1, "no day at all", None, None, True),
    ]
    figure = draw_timeline(spans(rows), {}, hsct_day=20.0, last_day=100.0)
    assert figure is not None
    assert {"CAR-T", "response, CRi", "index infusion", "HSCT"} <= set(figure.texts)
    assert "no day at all" not in figure.texts
    dots = [item for item in figure.items if isinstance(item, Dots)]
    assert [dot.open for dot in dots] == [False, True]
    # the assumed day stands to the right of the infusion, on a line of its own
    (infused,), (responded,) = (dot.places for dot in dots)
    assert responded[0] > infused[0]
    assert responded[1] > infused[1]


def test_a_patient_without_any_day_has_no_timeline():
    assert draw_timeline(spans([]), {}, hsct_day=None, last_day=None) is None


def course(days, values):
    return pl.DataFrame({"day": days, "value": values, "below": [False] * len(days)})


def test_a_long_course_is_drawn_wider_up_to_day_100_and_says_so():
    labs = {"anc": course([0.0, 50.0, 100.0, 350.0, 600.0], [1.0, 2.0, 3.0, 4.0, 5.0])}
    figure = draw_timeline(spans([]), labs, hsct_day=None, last_day=600.0)
    assert figure is not None
    (dots,) = [item for item in figure.items if isinstance(item, Dots)]
    x = [place[0] for place in dots.places]
    steps = [b - a for a, b in itertools.pairwise(x)]
    # equal steps on either side of day 100, and a day after it narrower than one before
    assert steps[0] == pytest.approx(steps[1])
    assert steps[2] == pytest.approx(steps[3])
    assert steps[2] / 250 < steps[0] / 50
    assert any("closer together after day 100" in text for text in figure.texts)


def test_a_short_course_has_one_scale():
    labs = {"anc": course([0.0, 50.0, 100.0, 200.0], [1.0, 2.0, 3.0, 4.0])}
    figure = draw_timeline(spans([]), labs, hsct_day=20.0, last_day=200.0)
    assert figure is not None
    (dots,) = [item for item in figure.items if isinstance(item, Dots)]
    x = [place[0] for place in dots.places]
    assert x[3] - x[2] == pytest.approx(2 * (x[1] - x[0]))


def test_powers_of_ten_are_equally_far_apart_in_a_panel():
    labs = {"car_t_qpcr": course([0.0, 10.0, 20.0, 30.0], [1.0, 10.0, 100.0, 1000.0])}
    figure = draw_timeline(spans([]), labs, hsct_day=None, last_day=30.0)
    assert figure is not None
    (dots,) = [item for item in figure.items if isinstance(item, Dots)]
    y = [place[1] for place in dots.places]
    falls = [a - b for a, b in itertools.pairwise(y)]
    assert falls == pytest.approx([falls[0]] * 3)
    assert falls[0] > 0


def test_nothing_of_a_timeline_lies_outside_it():
    """Truth: law. Hostile lengths: a long name, an event long before, a course of two years."""
    rows = [
        ("Drugs", 1, "a very long name of a drug given for an indication without end", -400.0, 3.0),
        ("Toxicity", 5, "CRS, grade 2", 3.0, 900.0),
        ("Outcome", 7, "last contact, alive", 730.0, None),
    ]
    labs = {"anc": course([-90.0, 0.0, 700.0], [0.0, 1.0, 1e6])}
    figure = draw_timeline(
        spans([(*row, False) for row in rows]), labs, hsct_day=20.0, last_day=730.0
    )
    assert figure is not None
    for item in figure.items:
        lines = item.lines if isinstance(item, Stroke) else ()
        places = item.places if isinstance(item, Dots) else [p for line in lines for p in line]
        assert all(0 <= x <= figure.width and 0 <= y <= figure.height for x, y in places)
    for item in figure.items:
        if isinstance(item, Words):
            width = text_width(item.text, item.size, bold=item.bold)
            left = item.x - {"start": 0.0, "middle": width / 2, "end": width}[item.anchor]
            assert left >= 0
            assert left + width <= figure.width
            assert item.y <= figure.height
    (cut,) = [i for i in figure.items if isinstance(i, Words) and i.text.startswith("a very long")]
    assert cut.text.endswith("\N{HORIZONTAL ELLIPSIS}")
    assert cut.full.startswith(
        "a very long name of a drug given for an indication without end: day"
    )


def test_what_happens_again_stays_on_its_line():
    rows = [
        ("Infection", 6, "Escherichia coli, blood", 60.0, 70.0, False),
        ("Infection", 6, "Aspergillus, lung", 62.0, None, False),
        ("Infection", 6, "Escherichia coli, blood", 90.0, None, True),
    ]
    figure = draw_timeline(spans(rows), {}, hsct_day=None, last_day=100.0)
    assert figure is not None
    (label,) = [i for i in figure.items if isinstance(i, Words) and "coli" in i.text]
    assert label.full == "Escherichia coli, blood: day 60 to 70, day 90 (assumed)"
    heights = [d.places[0][1] for d in figure.items if isinstance(d, Dots)]
    assert heights[0] == heights[1] < heights[2]


def test_a_single_value_is_no_course():
    rows = [("Treatment", 0, "CAR-T", 0.0, None, False)]
    labs = {"crp": course([-5.0], [40.0]), "ferritin": course([-5.0], [900.0])}
    figure = draw_timeline(spans(rows), labs, hsct_day=None, last_day=50.0)
    assert figure is not None
    assert not any("CRP" in text for text in figure.texts)
