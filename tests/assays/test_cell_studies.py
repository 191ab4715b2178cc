"""Studies of cell assays, from sheets whose content is known (truth: what was written)."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from graftline.assays.cd7_locus.study import cd7_study
from graftline.assays.chimerism_study import chimerism_study
from graftline.assays.function_study import function_study
from graftline.assays.intensities import read_intensities
from graftline.assays.mlr import generations_table
from graftline.assays.mlr_study import mlr_study
from graftline.assess.chimerism import assess as assess_chimerism
from graftline.problems import InputError
from tests.assays.cd7_locus.test_variants import record, vcf
from tests.assays.cell_sheets import (
    STR_SHARES,
    cells_file,
    chimerism_sheet,
    function_sheet,
    mlr_sheet,
    tracks,
    write_rows,
)
from tests.assays.flow.fcs_writer import write_fcs
from tests.assess.build import one, small_trial


def test_wells_of_a_sheet_become_indices_of_people(tmp_path: Path) -> None:
    study = mlr_study(mlr_sheet(tmp_path))
    assert study.wells.height == 8
    means = {(r["person"], r["stimulus"]): r for r in study.replicates.iter_rows(named=True)}
    donor, patient = means["donor", "third_party"], means["patient", "third_party"]
    # 600 of 800 and 60 of 600 cells divided; precursors 200 + 100 + 100 and 540 + 30
    assert donor["net_mean"] == pytest.approx(75, abs=1.5)
    assert patient["net_mean"] == pytest.approx(10, abs=1.5)
    assert donor["division_index_mean"] == pytest.approx((100 + 200) / 400, abs=0.02)
    assert patient["division_index_mean"] == pytest.approx(30 / 570, abs=0.01)
    assert means["donor", "none"]["net_mean"] == pytest.approx(0, abs=1e-9)
    cells = generations_table(study.judged).filter(
        pl.col("subject") == "P1 donor", pl.col("stimulus") == "third_party"
    )
    first = cells.filter(pl.col("replicate") == 1)
    assert first["cells"][:3].to_list() == pytest.approx([200, 200, 400], abs=6)
    assert first["precursors"][:3].to_list() == pytest.approx([200, 100, 100], abs=4)
    (row,) = study.people.rows(named=True)
    assert (row["stimulus"], row["patients"], row["donors"]) == ("third_party", 1, 1)
    assert row["difference"] == pytest.approx(-65, abs=2)


@pytest.mark.parametrize(("scale", "stored"), [("log10", np.log10), ("log2", np.log2)])
def test_a_csv_of_logarithms_is_read_when_it_says_so(tmp_path: Path, scale, stored) -> None:
    values = np.array([100.0, 2000.0, 40_000.0])
    path = tmp_path / "a.csv"
    pl.DataFrame({"CFSE": stored(values)}).write_csv(path)
    assert read_intensities(path, scale=scale)[0] == pytest.approx(values)
    with pytest.raises(InputError, match="look like logarithms"):
        read_intensities(path)
    assert read_intensities(path, scale="linear")[0].max() < 16


@pytest.mark.parametrize("scale", ["log10", "log2", "ln"])
def test_intensities_said_to_be_logarithms_are_told(tmp_path: Path, scale: str) -> None:
    # no detector counts beyond 2^24
    path = tmp_path / "w.csv"
    path.write_text("CFSE\n" + "9000\n120\n" * 200, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_intensities(path, scale=scale)
    assert "write linear" in caught.value.problems[0].remedy


def test_a_well_without_events_is_a_header_alone(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("CFSE\n")
    assert read_intensities(tmp_path / "a.csv")[0].size == 0


def test_channels_of_an_analogue_cytometer_are_four_decades(tmp_path: Path) -> None:
    # 1,024 channels over 4 decades: 256 channels are a factor of 10
    path = tmp_path / "a.csv"
    pl.DataFrame({"CFSE": [0, 256, 512, 768]}).write_csv(path)
    assert read_intensities(path, scale="channel")[0] == pytest.approx([1, 10, 100, 1000])
    with pytest.raises(InputError, match="look like channels"):
        read_intensities(path)
    assert read_intensities(path, scale="linear")[0].max() == 768


def test_intensities_of_fcs_by_channel_and_gate(tmp_path: Path) -> None:
    columns = [np.array([1.0, 2.0, 3.0, 4.0]), np.array([10.0, 20.0, 30.0, 40.0])]
    path = write_fcs(tmp_path / "a.fcs", columns, names=["FSC-A", "CFSE-A"])
    assert read_intensities(path)[0].tolist() == [10, 20, 30, 40]
    gating = tmp_path / "g.toml"
    gating.write_text('[[gates]]\nname = "T"\nbounds = [{channel = "FSC-A", min = 2.5}]\n')
    assert read_intensities(path, gating=gating, population="T")[0].tolist() == [30, 40]
    with pytest.raises(InputError, match="a gate of the file"):
        read_intensities(path, gating=gating, population="B")


def test_chimerism_of_a_sheet_joins_the_trial(tmp_path: Path) -> None:
    study = chimerism_study(chimerism_sheet(tmp_path))
    found = {
        (r["day"], r["lineage"]): r["donor_percent"] for r in study.samples.iter_rows(named=True)
    }
    assert found == pytest.approx({k: 100 * v for k, v in STR_SHARES.items()}, abs=0.1)
    assert study.samples.filter(pl.col("day") == 200)["statement"].item().startswith("recipient")
    # the rows written for the trial: HSPC on day 19, so day 49 is the test of month 1
    trial = small_trial({"chimerism": study.trial_rows.to_dicts()}, hsct_day=19.0)
    answers = assess_chimerism(trial).results
    month = one(answers, "chimerism_month_1", source="derived")
    assert month["value"] == pytest.approx(88.35, abs=0.1)
    assert month["label"] == "mixed"
    assert one(answers, "chimerism_month_6", source="derived")["label"].startswith("full")


def test_net_responses_of_a_sheet(tmp_path: Path) -> None:
    study = function_study(function_sheet(tmp_path))
    net = {
        (r["patient"], r["role"], r["stimulus"]): r["net_mean"]
        for r in study.summary.iter_rows(named=True)
    }
    # by construction: background 0.2 %, PMA/ionomycin 20 % of patients and 40 % of donors
    assert net["P1", "patient", "pma_ionomycin"] == pytest.approx(20)
    assert net["P2", "donor", "pma_ionomycin"] == pytest.approx(40)
    assert net["P1", "patient", "ebv"] == pytest.approx(0)
    people = {r["stimulus"]: r for r in study.people.iter_rows(named=True)}
    assert people["pma_ionomycin"]["difference"] == pytest.approx(-20)
    assert study.wells.filter(pl.col("stimulus") == "none")["net_percent"].null_count() == 8


def test_counts_of_a_sheet_may_come_from_gates(tmp_path: Path) -> None:
    write_fcs(tmp_path / "rest.fcs", [np.array([1.0, 1, 1, 9]), np.array([5.0, 5, 0, 5])])
    write_fcs(tmp_path / "cmv.fcs", [np.array([1.0, 9, 9, 9]), np.array([5.0, 5, 0, 5])])
    (tmp_path / "g.toml").write_text(
        '[[gates]]\nname = "cd8"\nbounds = [{channel = "C2", min = 1}]\n'
        '[[gates]]\nname = "ifn"\nbounds = [{channel = "C1", min = 5}]\n'
    )
    rows = [
        ("P1", 1, "patient", stimulus, 1, f"{name}.fcs", "g.toml", "ifn", "cd8")
        for stimulus, name in (("none", "rest"), ("cmv", "cmv"))
    ]
    header = "patient day person stimulus replicate file gating responding_gate parent_gate"
    study = function_study(write_rows(tmp_path / "function.csv", header, rows))
    # three CD8 cells each: one responds at rest, two with CMV
    assert study.wells.select("stimulus", "responding", "parent").rows() == [
        ("none", 1, 3),
        ("cmv", 2, 3),
    ]


def test_signal_variants_and_clusters_of_a_sheet(tmp_path: Path) -> None:
    tracks(tmp_path)
    vcf(tmp_path / "base.vcf", record(82_315_000, "C>T", "40,0"))
    vcf(tmp_path / "relapse.vcf", record(82_315_000, "C>T", "20,20"))
    cells_file(tmp_path / "cells.h5ad")
    rows = [
        ("base.bw", "atac", "P7", "baseline"),
        ("relapse.bw", "atac", "P7", "relapse"),
        ("base.vcf", "vcf", "P7", "baseline"),
        ("relapse.vcf", "vcf", "P7", "relapse"),
        ("cells.h5ad", "h5ad", "", ""),
    ]
    study = cd7_study(write_rows(tmp_path / "cd7.csv", "file kind patient time", rows))
    promoter = study.signal.filter(pl.col("region") == "promoter")
    assert promoter["over_flanks"].to_list() == [8, 2]
    assert promoter["against_baseline"].to_list() == [1, 0.25]
    assert study.variants["call"].to_list() == ["new"]
    low = study.changes.filter(pl.col("cluster") == "CD7 low").row(0, named=True)
    assert (low["share_before"], low["share_after"]) == pytest.approx((0.2, 0.7))
    assert low["p"] == pytest.approx(0.1)  # three against three, wholly apart
    assert study.missing == ()


def test_what_is_not_compared_is_said(tmp_path: Path) -> None:
    tracks(tmp_path)
    rows = [("relapse.bw", "atac", "P7", "relapse")]
    study = cd7_study(write_rows(tmp_path / "cd7.csv", "file kind patient time", rows))
    assert study.signal["against_baseline"].null_count() == study.signal.height
    assert study.missing == ("ATAC signal of P7 not compared: no file of baseline.",)
