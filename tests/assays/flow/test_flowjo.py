"""FlowJo's own look-up table and the counts stored in a workspace."""

import csv
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from graftline.assays.flow.flowjo import (
    absent_samples,
    biexponential_table,
    count_gating_ml,
    read_flowjo_counts,
    recompute_flowjo_counts,
)
from graftline.problems import ExtraMissingError, InputError
from tests.assays.flow.fcs_writer import write_fcs
from tests.reference import reference_path


def test_biexponential_table_is_flowjos() -> None:
    name = "tr_biex_l256_w-7.943282_n1.000000_m4.418540_r262144.000029.csv"
    with reference_path(f"flow/flowjo_xforms/{name}").open() as stream:
        printed = [float(row["lookup[i]"]) for row in csv.DictReader(stream)]
    table = biexponential_table(
        width_basis=-7.943282, negative=1.0, positive=4.418540, top=262144.000029
    )
    # FlowJo prints six digits.
    assert table == pytest.approx(np.array(printed), rel=5e-6, abs=5e-4)
    with pytest.raises(ValueError, match="width_basis"):
        biexponential_table(width_basis=0.5, negative=0, positive=4.5, top=262144)


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


BASE = "http://www.isac-net.org/std/Gating-ML/v2.0"
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
    with pytest.raises(InputError, match=r"b\.fcs"):
        count_gating_ml(tmp_path / "g.xml", other)
