"""Compensation, scales, gates and counts against FlowKit's, flowutils', and by hand."""

import csv
from dataclasses import fields
from pathlib import Path

import flowutils
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.assays.flow.fcs import channel_values, read_fcs
from graftline.assays.flow.gates import axis_values, count_gates, gate_sample, median_intensity
from graftline.assays.flow.gating_file import Dimension, parse_gating, read_gating
from graftline.assays.flow.scales import (
    Scale,
    apply_scale,
    inverse_logicle,
    invert_scale,
    logicle,
)
from graftline.assays.flow.spillover import Spillover, compensate, read_spillover_csv
from graftline.problems import InputError
from tests.assays.flow.fcs_writer import write_fcs
from tests.reference import reference_path

GATING = """
[scales.fluor]
kind = "logicle"
t = 10000

[[gates]]
name = "lymph"
bounds = [
  { channel = "FSC-H", min = 250, max = 600 },
  { channel = "SSC-H", min = 0, max = 350 },
]
"""
POSITIVE = """
[[gates]]
name = "{0}_pos"
parent = "lymph"
bounds = [{{ channel = "{0}", scale = "fluor", min = 0.45 }}]
"""


@pytest.mark.parametrize("file", ["0877408774.B08", "0877408774.E07", "0877408774.F06"])
def test_gate_counts_of_facscalibur_files(file: str, tmp_path: Path) -> None:
    """FlowKit's counts, exact.

    The file names parameter 6 FL1-A and parameter 7 FL4-H; the reader that made the golden
    numbers loses the name of parameter 6 (see test_fcs), so its "FL4-H" is the column of FL1-A.
    """
    path = tmp_path / "gating.toml"
    channels = ("FL1-H", "FL2-H", "FL3-H", "FL1-A", "FL4-H")
    path.write_text(GATING + "".join(POSITIVE.format(c) for c in channels))
    sample = read_fcs(reference_path(f"flow/flowcore_facscalibur/{file}"))
    counts = dict(
        count_gates(gate_sample(sample, read_gating(path))).select("gate", "events").iter_rows()
    )
    with reference_path("flow/flowcore_facscalibur/golden_gates_flowkit.csv").open() as stream:
        golden = {r["gate"]: int(r["count"]) for r in csv.DictReader(stream) if r["fcs"] == file}
    shifted = {"FL4-H_pos": "FL1-A_pos"}
    assert {g: counts[shifted.get(g, g)] for g in golden} == golden


@pytest.mark.parametrize(("file", "count"), [("B08", 8291), ("E07", 8514), ("F06", 8765)])
def test_gate_counts_that_flowcore_prints(file: str, count: int) -> None:
    """FSC-H in [0.2, 0.8) and SSC-H in [0, 0.8) of 1023; counts in flowCore's own examples."""
    sample = read_fcs(reference_path(f"flow/flowcore_facscalibur/0877408774.{file}"))
    bounds = [
        {"channel": "FSC-H", "min": 0.2 * 1023, "max": 0.8 * 1023},
        {"channel": "SSC-H", "min": 0, "max": 0.8 * 1023},
    ]
    gated = gate_sample(sample, parse_gating({"gates": [{"name": "g", "bounds": bounds}]}))
    assert int(gated.inside["g"].sum()) == count


def test_columns_are_called_as_the_file_repeats_it() -> None:
    """BD's own keywords name the columns a second time, and no empty value stands before those."""
    for file in ("B08", "E07", "F06"):
        sample = read_fcs(reference_path(f"flow/flowcore_facscalibur/0877408774.{file}"))
        assert sample.keywords["BD$NPAR"] == "7"
        repeated = tuple(sample.keywords[f"BD$P{n}N"] for n in range(1, 8))
        assert sample.channels == (*repeated, "Time")
        assert repeated[5:] == ("FL1-A", "FL4-H")
        decades = {p.name: p.decades for p in sample.parameters}
        assert (decades["FL1-A"], decades["FL4-H"]) == (0, 4)


def test_compensated_and_logicle_statistics_are_flowkits() -> None:
    sample = read_fcs(reference_path("flow/compensation/test_comp_example.fcs"))
    gating = parse_gating(
        {
            "scales": {"f": {"kind": "logicle"}},
            "gates": [{"name": "g", "bounds": [{"channel": "PE-A"}]}],
        }
    )
    assert sample.spillover is not None
    golden = reference_path("flow/compensation/golden_channel_stats_flowkit.csv")
    with golden.open() as stream:
        rows = [r for r in csv.DictReader(stream) if r["channel"] in sample.spillover.detectors]
    assert len(rows) == 14
    for row in rows:
        for scale, kind in ((None, "comp"), ("f", "xform")):
            values = axis_values(sample, gating, sample.spillover, Dimension(row["channel"], scale))
            assert values.mean() == pytest.approx(float(row[f"{kind}_mean"]), rel=1e-9)
            assert np.median(values) == pytest.approx(float(row[f"{kind}_median"]), rel=1e-9)


def test_matrix_from_csv_and_one_channel_at_a_time_equals_all_at_once() -> None:
    matrix = read_spillover_csv(reference_path("flow/compensation/comp_complete_example.csv"))
    sample = read_fcs(reference_path("flow/compensation/test_comp_example.fcs"))
    raw = np.column_stack([channel_values(sample, c) for c in matrix.detectors])
    whole = compensate(raw, matrix)
    assert np.allclose(whole @ matrix.matrix, raw, rtol=1e-12, atol=1e-9)
    gating = parse_gating({"gates": [{"name": "g", "bounds": [{"channel": "PE-A"}]}]})
    for i, channel in enumerate(matrix.detectors):
        one = axis_values(sample, gating, matrix, Dimension(channel))
        assert one == pytest.approx(whole[:, i], rel=1e-9, abs=1e-6)


def test_values_exported_compensated_are_not_compensated_again(tmp_path: Path) -> None:
    # FlowJo exports compensated channels as Comp-X, with the matrix that it applied to X.
    spill = {"SPILL": "2,X,Y,1,0.1,0.1,1"}
    path = write_fcs(
        tmp_path / "c.fcs", [np.ones(2)] * 2, names=["Comp-X", "Comp-Y"], keywords=spill
    )
    sample = read_fcs(path)
    assert sample.spillover is None
    (told,) = sample.problems
    assert "Comp-X, Comp-Y are compensated" in told.expected
    assert told.remedy.startswith("nothing to do")


@pytest.mark.parametrize(
    "text",
    [
        "X,Y\n1,0.1\n0.1,1\n",
        ",X,Y\nX,1,0.1\nY,0.1,1\n",
        "# X,Y\n1,0.1\n0.1,1\n\n",
        "X;Y\n1;0.1\n0.1;1\n",
        "X\tY\n1\t0.1\n0.1\t1\n",
        ",X :: CD3,Y :: CD7\nX :: CD3,1,0.1\nY :: CD7,0.1,1\n",
    ],
)
def test_matrices_as_other_programs_write_them(text: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(text)
    matrix = read_spillover_csv(tmp_path / "m.csv")
    assert matrix.detectors == ("X", "Y")
    assert matrix.matrix.tolist() == [[1, 0.1], [0.1, 1]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("X,Y\n100,10\n10,100\n", "divided by 100"),
        ("X,Y\n1,1\n1,1\n", "inverted"),
        ("X,X\n1,0\n0,1\n", "each detector occurs once"),
        ("X,Y\n1,nan\n0,1\n", "numbers"),
        ("X,Y\n1,a\n0,1\n", "numbers in rows"),
        ("X,Y\n" + "1" * 200_000 + ",0\n0,1\n", "matrix"),
        ("", "a line of detectors"),
    ],
)
def test_matrices_that_cannot_be_used_are_findings(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(InputError, match=words):
        read_spillover_csv(tmp_path / "m.csv")


def test_compensation_by_hand() -> None:
    # 100 of dye 1 shows as 100 and 10; 50 of dye 2 as 5 and 50.
    spill = Spillover(("A", "B"), np.array([[1.0, 0.1], [0.1, 1.0]]))
    assert compensate(np.array([[105.0, 60.0]]), spill) == pytest.approx(np.array([[100.0, 50.0]]))


@pytest.mark.parametrize("keyword", ["SPILL", "$SPILLOVER", "SPILLOVER", "$SPILL", "$COMP"])
def test_every_spelling_of_the_spillover_keyword(tmp_path: Path, keyword: str) -> None:
    columns = [np.array([105.0]), np.array([60.0])]
    path = write_fcs(tmp_path / "s.fcs", columns, keywords={keyword: "2,C1,C2,1,0.1,0.1,1"})
    spill = read_fcs(path).spillover
    assert spill is not None
    assert spill.matrix.tolist() == [[1, 0.1], [0.1, 1]]
    by_number = write_fcs(tmp_path / "n.fcs", columns, keywords={keyword: "2,1,2,1,0.1,0.1,1"})
    numbered = read_fcs(by_number).spillover
    assert numbered is not None
    assert numbered.detectors == spill.detectors


@pytest.mark.parametrize(
    "text",
    ["2,C1,C2,1,0.1", "2,C1,C9,1,0,0,1", "2,C1,C2,1,1,1,1", "2,C1,C2,1,x,0,1", "C1,C2,1,0,0,1"],
)
def test_a_matrix_that_cannot_be_used_is_a_finding(tmp_path: Path, text: str) -> None:
    path = write_fcs(tmp_path / "s.fcs", [np.ones(3), np.ones(3)], keywords={"$SPILLOVER": text})
    sample = read_fcs(path)
    assert sample.spillover is None
    assert ["usable matrix" in p.expected for p in sample.problems] == [True]


@pytest.mark.parametrize(
    "shape", [(262144, 0.5, 4.5, 0), (10000, 0, 4, 0), (1e5, 1, 5, 1), (262144, 2, 4.5, 0)]
)
def test_logicle_is_flowutils(shape: tuple[float, float, float, float]) -> None:
    t, w, m, a = shape
    values = np.concatenate([np.linspace(-t / 10, t, 4001), [0, t]])
    peer = flowutils.transforms.logicle(
        np.asfortranarray(values[:, None]), [0], t=t, m=m, w=w, a=a
    )[:, 0]
    own = logicle(values, t=t, w=w, m=m, a=a)
    assert own == pytest.approx(peer, rel=1e-9, abs=1e-9)
    assert own[-1] == pytest.approx(1)
    assert own[-2] == (w + a) / (m + a)


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.lists(st.floats(-1e5, 1e6), min_size=1, max_size=30), st.floats(0, 2), st.floats(0, 0.5))
def test_logicle_inverts_and_rises(values: list[float], w: float, a: float) -> None:
    x = np.sort(np.array(values))
    scaled = logicle(x, t=262144, w=w, m=4.5, a=a)
    assert (np.diff(scaled) >= -1e-15).all()  # one unit in the last place
    back = inverse_logicle(scaled, t=262144, w=w, m=4.5, a=a)
    assert back == pytest.approx(x, rel=1e-9, abs=1e-7)


def test_other_scales_by_their_definitions() -> None:
    x = np.array([0.0, 150.0, 262144.0])
    assert apply_scale(x, Scale("asinh", cofactor=150)) == pytest.approx(np.arcsinh(x / 150))
    top = apply_scale(x, Scale("fasinh", t=262144, m=4.5, a=0))
    assert top[[0, 2]] == pytest.approx([0, 1])
    assert apply_scale(x, Scale("linear", t=262144, a=0))[2] == 1
    logs = apply_scale(np.array([-1.0, 1000.0, np.nan]), Scale("log", t=1000, m=4))
    assert (logs[0], logs[1]) == (-np.inf, 1)
    assert np.isnan(logs[2])


def sample_with(tmp_path: Path, **columns: list[float]):  # type: ignore[no-untyped-def]  # test
    arrays = [np.array(c, dtype=float) for c in columns.values()]
    return read_fcs(write_fcs(tmp_path / "x.fcs", arrays, names=list(columns)))


def test_boxes_hold_their_lower_edge_and_nan_is_in_no_gate(tmp_path: Path) -> None:
    sample = sample_with(tmp_path, X=[0.0, 1.0, 2.0, 3.0, np.nan])
    gates = [
        {"name": "box", "bounds": [{"channel": "X", "min": 1, "max": 3}]},
        {"name": "any", "bounds": [{"channel": "X"}]},
        {"name": "rest", "parent": "any", "none_of": ["box"]},
        {"name": "both", "any_of": ["box", "rest"]},
        {"name": "neither", "all_of": ["box", "rest"]},
    ]
    table = count_gates(gate_sample(sample, parse_gating({"gates": gates})))
    assert table["events"].to_list() == [5, 2, 4, 2, 4, 0]
    assert table["percent_of_parent"].to_list()[1:] == [40.0, 80.0, 50.0, 80.0, 0.0]


SCALES = (
    Scale("logicle", t=10000, w=0.5, m=4.5, a=0.3),
    Scale("fasinh", t=10000, m=4, a=1),
    Scale("asinh", cofactor=5),
    Scale("log", t=10000, m=4),
    Scale("linear", t=10000, a=100),
    Scale("biex", t=10000, width=-30, negative=0.5),
)
_BIEX = {"width", "positive", "negative"}


def as_written(scale: Scale) -> dict[str, object]:
    names = {field.name for field in fields(Scale)}
    kept = {"kind", "t", *_BIEX} if scale.kind == "biex" else names - _BIEX
    return {name: getattr(scale, name) for name in kept}


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    values=st.lists(st.floats(-1e4, 1e5, width=32), min_size=1, max_size=20),
    ends=st.tuples(st.floats(-0.5, 1.5), st.floats(0.01, 2)),
    scale=st.sampled_from(SCALES),
    tie=st.booleans(),
)
def test_a_box_on_a_scale_holds_the_events_whose_scaled_values_it_holds(
    tmp_path_factory: pytest.TempPathFactory,
    values: list[float],
    ends: tuple[float, float],
    scale: Scale,
    tie: bool,
) -> None:
    """The definition of GatingML 2.0: ``min <= scaled value < max``, also where they are equal."""
    column = [*values, float("nan"), 0.0]
    scaled = apply_scale(np.array(column), scale)
    length = 4096 if scale.kind == "biex" else 1
    low = float(scaled[0]) if tie and np.isfinite(scaled[0]) else ends[0] * length
    high = low + ends[1] * length
    bound = {"channel": "X", "scale": "s", "min": low, "max": high}
    gating = parse_gating(
        {
            "scales": {"s": as_written(scale)},
            "gates": [{"name": "g", "bounds": [bound]}],
        }
    )
    sample = sample_with(tmp_path_factory.mktemp("box"), X=column)
    expected = (scaled >= low) & (scaled < high)
    assert gate_sample(sample, gating).inside["g"].tolist() == expected.tolist()
    if scale.kind == "biex" and not 0 < scaled[0] < 4096:
        return
    assert invert_scale(scaled[:1], scale) == pytest.approx(
        column[:1] if scale.kind != "log" or column[0] > 0 else [0], rel=1e-9, abs=1e-7
    )


def test_an_event_that_cannot_be_judged_is_in_no_remainder(tmp_path: Path) -> None:
    sample = sample_with(tmp_path, CD3=[1.0, 1.0, 1.0], CAR=[5.0, 0.0, np.nan])
    gates = [
        {"name": "T", "bounds": [{"channel": "CD3", "min": 0.5}]},
        {"name": "CAR+", "parent": "T", "bounds": [{"channel": "CAR", "min": 1}]},
        {"name": "CAR-", "parent": "T", "none_of": ["CAR+"]},
    ]
    gated = gate_sample(sample, parse_gating({"gates": gates}))
    assert gated.inside["CAR-"].tolist() == [False, True, False]


def test_polygons_and_ellipses_are_flowutils(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    x, y = random.uniform(-3, 6, (2, 5000)).astype(np.float32).astype(float)
    # Two outlines that cross themselves: parts are enclosed twice.
    corners = [[0, 0], [4, 1], [3, 5], [1, 2], [-2, 4], [5, 0.5]]
    star = [[0, 4], [2.4, -2], [-3, 2], [3, 2], [-2.4, -2]]
    axes = {"x": {"channel": "X"}, "y": {"channel": "Y"}}
    gates = [
        {"name": "polygon", "vertices": corners, **axes},
        {"name": "star", "vertices": star, **axes},
        {
            "name": "ellipse",
            "centre": [1, 1],
            "covariance": [[2.0, 0.5], [0.5, 1.0]],
            "distance_square": 2.0,
            **axes,
        },
    ]
    gated = gate_sample(sample_with(tmp_path, X=x, Y=y), parse_gating({"gates": gates}))
    points = np.column_stack([x, y])
    for name, outline in (("polygon", corners), ("star", star)):
        peer = flowutils.gating.points_in_polygon(np.array(outline, dtype=float), points)
        assert np.array_equal(gated.inside[name], np.asarray(peer, dtype=bool)), name
    offset = points - 1
    distance = (offset @ np.linalg.inv([[2, 0.5], [0.5, 1]]) * offset).sum(axis=1)
    assert np.array_equal(gated.inside["ellipse"], distance <= 2)


def test_what_a_polygon_encloses_twice_is_outside(tmp_path: Path) -> None:
    # GatingML 2.0: the even-odd rule. The heart of a five-pointed star is enclosed twice.
    sample = sample_with(tmp_path, X=[0.0, 0.0, 2.5], Y=[0.5, 3.0, 1.9])
    star = [[0, 4], [2.4, -2], [-3, 2], [3, 2], [-2.4, -2]]
    gates = [{"name": "p", "vertices": star, "x": {"channel": "X"}, "y": {"channel": "Y"}}]
    gated = gate_sample(sample, parse_gating({"gates": gates}))
    assert gated.inside["p"].tolist() == [False, True, True]


def test_edge_of_a_polygon_belongs_to_it(tmp_path: Path) -> None:
    sample = sample_with(tmp_path, X=[0, 1, 2, 1, 3], Y=[0, 0, 1, 1, 3])
    square = [[0, 0], [2, 0], [2, 2], [0, 2]]
    gates = [{"name": "p", "vertices": square, "x": {"channel": "X"}, "y": {"channel": "Y"}}]
    gated = gate_sample(sample, parse_gating({"gates": gates}))
    assert gated.inside["p"].tolist() == [True, True, True, True, False]


def test_no_events_give_counts_of_zero_and_no_percentages(tmp_path: Path) -> None:
    sample = sample_with(tmp_path, X=[])
    gates = [{"name": "g", "bounds": [{"channel": "X", "min": 1}]}]
    gated = gate_sample(sample, parse_gating({"gates": gates}))
    assert count_gates(gated)["percent_of_parent"].to_list() == [None, None]
    assert median_intensity(gated, gate="g", channels=["X"])["median"].to_list() == [None]


def test_all_missing_channels_at_once(tmp_path: Path) -> None:
    sample = sample_with(tmp_path, X=[1.0])
    gates = [{"name": "g", "bounds": [{"channel": "CD3"}, {"channel": "CD7"}, {"channel": "X"}]}]
    with pytest.raises(InputError) as caught:
        gate_sample(sample, parse_gating({"gates": gates}))
    assert [p.found for p in caught.value.problems] == ["CD3", "CD7"]


def test_a_gating_file_with_many_faults_names_them_all(tmp_path: Path) -> None:
    content = {
        "gate": [],
        "scales": {"a": {"kind": "log10"}, "b": {"kind": "logicle", "w": 9}},
        "gates": [
            {"name": "g", "parent": "h", "bounds": [{"channel": "X", "mim": 1}]},
            {"name": "g", "bounds": [{"channel": "X", "scale": "c", "min": 2, "max": 1}]},
            {"bounds": [{"channel": "X"}]},
            {"name": "two", "any_of": ["g"], "all_of": ["g"]},
            {
                "name": "p",
                "vertices": [[0, 0], [1, 1]],
                "x": {"channel": "X"},
                "y": {"channel": "Y"},
            },
            {"name": "o", "none_of": ["nothing"]},
        ],
        "roles": {"mrd": "nowhere", "blast": "g"},
    }
    with pytest.raises(InputError) as caught:
        parse_gating(content)
    text = str(caught.value)
    for word in (
        *(
            "not 'gate'",
            "logicle, biex, asinh",
            "0 <= w",
            "not 'log10'",
            "not 'h'",
            "not 'mim'",
            "each name once",
            "'c'",
        ),
        *("min below max", "other than 'all'", "exactly one of", "at least three", "['nothing']"),
        *("not 'nowhere'", "not 'blast'"),
    ):
        assert word in text, word
    bad = tmp_path / "bad.toml"
    bad.write_text("[[gates]\n")
    with pytest.raises(InputError, match="gating file"):
        read_gating(bad)


def test_matrix_of_a_gating_file_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("X,Y\n1,0.1\n0.1,1\n")
    toml = tmp_path / "g.toml"
    toml.write_text(
        '[compensation]\nmatrix = "m.csv"\n[[gates]]\nname = "g"\n'
        'bounds = [{ channel = "X", min = 99, max = 101 }]\n'
    )
    sample = sample_with(tmp_path, X=[105.0], Y=[60.0])
    assert gate_sample(sample, read_gating(toml)).inside["g"].tolist() == [True]
    (tmp_path / "m.csv").write_text("X,Y\n1,0.1\n")
    with pytest.raises(InputError, match="square matrix"):
        gate_sample(sample, read_gating(toml))
