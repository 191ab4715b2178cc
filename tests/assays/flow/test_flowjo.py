"""FlowJo's own look-up table and the counts stored in a workspace."""

import csv
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from graftline.assays.flow.flowjo import (
    biexponential_table,
    count_gating_ml,
    read_flowjo_counts,
    recompute_flowjo_counts,
)
from graftline.problems import ExtraMissingError, InputError
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


@pytest.mark.skipif(find_spec("flowkit") is not None, reason="FlowKit is installed")
def test_the_extra_is_named_where_flowkit_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ExtraMissingError, match=r'pip install "graftline\[flowjo\]"'):
        count_gating_ml(tmp_path / "g.xml", tmp_path / "a.fcs")
    with pytest.raises(ExtraMissingError, match=r"graftline\[flowjo\]"):
        recompute_flowjo_counts(reference_path("flow/wsp_no_fcs/8_color_ICS_simple.wsp"), [])
