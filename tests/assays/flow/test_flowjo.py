"""FlowJo's own look-up table and the counts stored in a workspace."""

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from graftline.assays.flow.fcs import read_fcs
from graftline.assays.flow.flowjo import count_gating_ml, recompute_flowjo_counts
from graftline.assays.flow.workspace import absent_samples, read_flowjo_counts
from graftline.problems import ExtraMissingError, InputError
from graftline.tables.assay_flow import gating_ml_table
from tests.assays.flow.fcs_writer import write_fcs
from tests.assays.flow.workspace_files import (
    BASE,
    combination,
    rectangle,
    sample,
    write_workspace,
)
from tests.reference import reference_path


def test_counts_stored_in_a_workspace() -> None:
    table = read_flowjo_counts(reference_path("flow/wsp_no_fcs/8_color_ICS_simple.wsp"))
    assert table["sample"].n_unique() == 3
    first = table.filter(pl.col("sample") == "101_DEN084Y5_15_E03_009_clean.fcs")
    gates = first["gate"].to_list()
    assert gates[:4] == [
        "Time",
        "Time/Singlets",
        "Time/Singlets/aAmine-",
        "Time/Singlets/aAmine-/CD3+",
    ]
    assert 283_968 in table["events"].to_list()


def test_files_that_are_no_workspace_are_findings(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="FlowJo 10 workspace"):
        read_flowjo_counts(reference_path("flow/wsp_no_fcs/8_color_ICS.xml"))
    (tmp_path / "x.wsp").write_text("hello")
    with pytest.raises(InputError, match="FlowJo workspace"):
        read_flowjo_counts(tmp_path / "x.wsp")


def test_the_extra_is_named_where_flowkit_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "flowkit", None)
    with pytest.raises(ExtraMissingError, match=r'pip install "graftline\[flowjo\]"'):
        count_gating_ml(tmp_path / "g.xml", tmp_path / "a.fcs")
    with pytest.raises(ExtraMissingError, match=r"graftline\[flowjo\]"):
        recompute_flowjo_counts(reference_path("flow/wsp_no_fcs/8_color_ICS_simple.wsp"), [])


def test_samples_without_files_and_files_without_samples_are_told() -> None:
    workspace = reference_path("flow/wsp_no_fcs/8_color_ICS_simple.wsp")
    found = absent_samples(workspace, ["101_DEN084Y5_15_E03_009_clean.fcs", "other.fcs"])
    assert [p.expected for p in found[:2]] == [
        "the file 101_DEN084Y5_15_E05_010_clean.fcs",
        "the file 101_DEN084Y5_15_E01_008_clean.fcs",
    ]
    assert [p.file for p in found[2:]] == ["other.fcs"]


def test_broken_workspaces_are_findings(tmp_path: Path) -> None:
    path = tmp_path / "x.wsp"
    for text in ("", "<a>", '<?xml version="1.0" encoding="klingon"?><a/>', "<Workspace/>", "\0"):
        path.write_text(text)
        with pytest.raises(InputError, match=r"FlowJo"):
            read_flowjo_counts(path)
    path.write_text(
        '<Workspace><SampleNode name="a.fcs"><Subpopulations><Population name="g" count="x"/>'
        "</Subpopulations></SampleNode></Workspace>"
    )
    assert read_flowjo_counts(path).rows() == [("a.fcs", "g", None)]


GATING_ML = f"""<?xml version="1.0" encoding="UTF-8"?>
<gating:Gating-ML xmlns:gating="{BASE}/gating" xmlns:data-type="{BASE}/datatypes"
  xmlns:transforms="{BASE}/transformations">
  <gating:RectangleGate gating:id="high">
    <gating:dimension gating:compensation-ref="uncompensated" gating:min="2" gating:max="4">
      <data-type:fcs-dimension data-type:name="X"/>
    </gating:dimension>
  </gating:RectangleGate>
</gating:Gating-ML>
"""


def test_gating_ml_counts_by_hand(tmp_path: Path) -> None:
    fcs = write_fcs(tmp_path / "a.fcs", [np.array([1.0, 2.0, 3.0, 4.0])], names=["X"])
    (tmp_path / "g.xml").write_text(GATING_ML)
    # Boxes hold their lower edge and not their upper one: 2 and 3.
    assert count_gating_ml(tmp_path / "g.xml", fcs).rows() == [("a.fcs", "high", 2)]
    (tmp_path / "g.xml").write_text("<a/>")
    with pytest.raises(InputError, match=r"GatingML 2\.0 file"):
        count_gating_ml(tmp_path / "g.xml", fcs)
    other = write_fcs(tmp_path / "b.fcs", [np.array([1.0])], names=["Y"])
    (tmp_path / "g.xml").write_text(GATING_ML)
    with pytest.raises(InputError, match=r"b\.fcs") as caught:
        count_gating_ml(tmp_path / "g.xml", other)
    assert "channels of the file: Y" in caught.value.problems[0].remedy
    (tmp_path / "g.xml").write_text(
        GATING_ML.replace('id="high"', 'id="high" gating:parent_id="up"')
    )
    with pytest.raises(InputError, match="refers to 'up'"):
        count_gating_ml(tmp_path / "g.xml", fcs)


X, Y = np.arange(10.0), np.array([0.0, 5, 0, 5, 0, 5, 0, 5, 0, 5])


def populations() -> str:
    """By hand of X 0-9 and Y 0, 5 in turn; FlowJo's counts are those of its own plot of 100."""
    return (
        rectangle("low", {"X": (0, 4)}, 40, rectangle("odd", {"Y": (1, 9)}, 20))
        + rectangle("high", {"X": (6, 99)}, 40)
        + combination("Or", "ends", ["low", "high"], 80, rectangle("odd", {"Y": (1, 9)}, 40))
        + combination("Not", "rest", ["low"], 60)
        + combination("And", "none", ["low", "high"], 0)
    )


COUNTS = {
    "low": 4,
    "low/odd": 2,
    "high": 4,
    "ends": 8,
    "ends/odd": 4,
    "rest": 6,
    "none": 0,
}


def events_of(table: pl.DataFrame, sample: str) -> dict[str, int | None]:
    return dict(table.filter(pl.col("sample") == sample).select("gate", "events").iter_rows())


def test_and_or_and_not_populations_are_counted_too(tmp_path: Path) -> None:
    pytest.importorskip("flowkit")
    workspace = write_workspace(
        tmp_path / "w.wsp", [sample("a.fcs", populations(), channels=("X", "Y"))]
    )
    stored = events_of(read_flowjo_counts(workspace), "a.fcs")
    assert stored["ends/odd"] == 40
    assert set(stored) == set(COUNTS)
    fcs = write_fcs(tmp_path / "a.fcs", [X, Y], names=["X", "Y"])
    assert events_of(recompute_flowjo_counts(workspace, [fcs]), "a.fcs") == COUNTS


@pytest.mark.parametrize(
    ("called", "uri", "keyword"),
    [
        ("Tube 1", "file:/C:/my%20data/a.fcs", "old.fcs"),
        ("old.fcs", "file:/C:/my%20data/b.fcs", "old.fcs"),
        ("Renamed by hand", "file:/C:/my%20data/b.fcs", "old.fcs"),
        ("a.fcs", "file:/C:/b.fcs", "another.fcs"),
    ],
)
def test_samples_find_their_file_by_every_name_flowjo_knows(
    called: str, uri: str, keyword: str, tmp_path: Path
) -> None:
    pytest.importorskip("flowkit")
    workspace = write_workspace(
        tmp_path / "w.wsp",
        [sample(called, populations(), channels=("X", "Y"), uri=uri, original=keyword)],
    )
    fcs = write_fcs(tmp_path / "a.fcs", [X, Y], names=["X", "Y"], keywords={"$FIL": "old.fcs"})
    assert absent_samples(workspace, [fcs]) == []
    assert events_of(recompute_flowjo_counts(workspace, [fcs]), called) == COUNTS


def test_two_samples_of_one_name_are_not_confused(tmp_path: Path) -> None:
    pytest.importorskip("flowkit")
    one = sample("a.fcs", rectangle("g", {"X": (0, 4)}, 1), channels=("X", "Y"))
    other = sample("a.fcs", rectangle("g", {"X": (0, 2)}, 2), channels=("X", "Y"))
    workspace = write_workspace(tmp_path / "w.wsp", [one, other])
    fcs = write_fcs(tmp_path / "a.fcs", [X, Y], names=["X", "Y"])
    assert read_flowjo_counts(workspace).rows() == [("a.fcs", "g", 1), ("a.fcs (2)", "g", 2)]
    assert recompute_flowjo_counts(workspace, [fcs])["events"].to_list() == [None, None]
    told = " ".join(str(problem.expected) for problem in absent_samples(workspace, [fcs]))
    assert "a name for each sample" in told
    assert "not of a.fcs, a.fcs (2)" in told


def test_a_file_of_other_events_than_flowjo_had_is_told(tmp_path: Path) -> None:
    text = sample("a.fcs", populations(), channels=("X", "Y"), events=1000)
    workspace = write_workspace(tmp_path / "w.wsp", [text])
    fcs = write_fcs(tmp_path / "a.fcs", [X, Y], names=["X", "Y"])
    (found,) = absent_samples(workspace, [fcs])
    assert (found.file, found.found) == ("a.fcs", "10 events")
    assert "the 1,000 events that FlowJo had" in found.expected


def test_many_samples_without_files_are_one_finding(tmp_path: Path) -> None:
    samples = [sample(f"{n}.fcs", populations(), channels=("X", "Y")) for n in range(40)]
    found = absent_samples(write_workspace(tmp_path / "w.wsp", samples), [])
    assert len(found) == 1
    assert "40 of its 40 samples" in found[0].expected


@pytest.mark.parametrize(
    ("extra", "scales", "words"),
    [
        ("", {"X": "<transforms:miltenyi>"}, "miltenyi"),
        (
            '<transforms:spilloverMatrix name="m" prefix="" suffix="" spectral="1"'
            ' weightOptAlgorithmType="WLS"/>',
            {},
            "Spectral matrices",
        ),
    ],
)
def test_what_flowkit_cannot_do_is_a_finding(
    extra: str, scales: dict[str, str], words: str, tmp_path: Path
) -> None:
    pytest.importorskip("flowkit")
    text = sample("a.fcs", populations(), channels=("X", "Y"), scales=scales, extra=extra)
    workspace = write_workspace(tmp_path / "w.wsp", [text])
    fcs = write_fcs(tmp_path / "a.fcs", [X, Y], names=["X", "Y"])
    with pytest.raises(InputError, match=words) as caught:
        recompute_flowjo_counts(workspace, [fcs])
    assert "without FCS files" in caught.value.problems[0].remedy


def test_gates_are_put_on_the_columns_their_names_say(tmp_path: Path) -> None:
    """By hand of the file: $P7N is FL4-H. FlowKit's own reader loses $P6N and counts column 6."""
    pytest.importorskip("flowkit")
    fcs = reference_path("flow/flowcore_facscalibur/0877408774.B08")
    (tmp_path / "g.xml").write_text(
        GATING_ML.replace('"X"', '"FL4-H"').replace('min="2" gating:max="4"', 'min="10"')
    )
    read = read_fcs(fcs)
    expected = int((10 ** (read.raw["p7"].astype(float) * 4 / 1024) >= 10).sum())
    assert count_gating_ml(tmp_path / "g.xml", fcs)["events"].to_list() == [expected]


def test_offsets_one_byte_late_do_not_stop_a_workspace(tmp_path: Path) -> None:
    pytest.importorskip("flowkit")
    text = sample("a.fcs", populations(), channels=("X", "Y"))
    workspace = write_workspace(tmp_path / "w.wsp", [text])
    fcs = write_fcs(tmp_path / "a.fcs", [X, Y], names=["X", "Y"], data_surplus=1)
    assert events_of(recompute_flowjo_counts(workspace, [fcs]), "a.fcs") == COUNTS


QUADRANTS = f"""<?xml version="1.0" encoding="UTF-8"?>
<gating:Gating-ML xmlns:gating="{BASE}/gating" xmlns:data-type="{BASE}/datatypes"
  xmlns:transforms="{BASE}/transformations">
  <transforms:transformation transforms:id="ratio">
    <transforms:fratio transforms:A="1" transforms:B="0" transforms:C="0">
      <data-type:fcs-dimension data-type:name="X"/><data-type:fcs-dimension data-type:name="Y"/>
    </transforms:fratio>
  </transforms:transformation>
  <gating:QuadrantGate gating:id="quad">
    <gating:divider gating:id="dx" gating:compensation-ref="uncompensated">
      <data-type:fcs-dimension data-type:name="X"/><gating:value>2.5</gating:value>
    </gating:divider>
    <gating:divider gating:id="dy" gating:compensation-ref="uncompensated">
      <data-type:fcs-dimension data-type:name="Y"/><gating:value>1.5</gating:value>
    </gating:divider>
    <gating:Quadrant gating:id="both"><gating:position gating:divider_ref="dx" gating:location="5"/>
      <gating:position gating:divider_ref="dy" gating:location="5"/></gating:Quadrant>
    <gating:Quadrant gating:id="none"><gating:position gating:divider_ref="dx" gating:location="1"/>
      <gating:position gating:divider_ref="dy" gating:location="1"/></gating:Quadrant>
  </gating:QuadrantGate>
  <gating:RectangleGate gating:id="child" gating:parent_id="both">
    <gating:dimension gating:compensation-ref="uncompensated" gating:min="4.5">
      <data-type:fcs-dimension data-type:name="X"/></gating:dimension>
  </gating:RectangleGate>
  <gating:RectangleGate gating:id="steep">
    <gating:dimension gating:compensation-ref="uncompensated" gating:min="1.2">
      <data-type:new-dimension data-type:transformation-ref="ratio"/></gating:dimension>
  </gating:RectangleGate>
  <gating:BooleanGate gating:id="flat"><gating:not><gating:gateReference gating:ref="steep"/>
    </gating:not></gating:BooleanGate>
</gating:Gating-ML>
"""


def test_quadrants_open_ratios_and_boolean_gates_by_hand(tmp_path: Path) -> None:
    """X / Y of the five events is 1, 1, 3, 2 and 5/3; X > 2.5 and Y > 1.5 in the last two."""
    pytest.importorskip("flowkit")
    columns = [np.array([1.0, 2, 3, 4, 5]), np.array([1.0, 2, 1, 2, 3])]
    fcs = write_fcs(tmp_path / "q.fcs", columns, names=["X", "Y"])
    (tmp_path / "q.xml").write_text(QUADRANTS)
    counts = count_gating_ml(tmp_path / "q.xml", fcs)
    assert dict(counts.select("gate", "events").iter_rows()) == {
        **{"flat": 2, "steep": 3, "quad/both": 2, "quad/both/child": 1, "quad/none": 1}
    }
    named = [
        row.cells[0].replace("\N{NO-BREAK SPACE}", "_") for row in gating_ml_table(counts).rows
    ]
    assert named == ["flat", "quad/both", "____child", "quad/none", "steep"]
