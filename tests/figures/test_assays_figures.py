"""Figures of assays: what is drawn is what the tables say (truth: the tables)."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from graftline.assays.cd7_locus.gene import CD7
from graftline.assays.flow.fcs import read_fcs
from graftline.assays.flow.gates import gate_sample
from graftline.assays.flow.gating_file import parse_gating
from graftline.assays.mlr import fit_generations, fit_undivided_peak
from graftline.assays.tcr.expansion import expansion_test
from graftline.assays.tcr.overlap import overlap_table
from graftline.assays.tcr.spectrum import spectrum_of
from graftline.assays.tcr.tracking import track_clones, track_rank_bands
from graftline.figures import (
    assays_cd7,
    assays_division,
    assays_flow,
    assays_tcr,
    assays_tcr_traced,
)
from graftline.figures.theme import figure_bytes
from tests.assays.flow.fcs_writer import write_fcs

CLONES = pl.DataFrame(
    {
        "sample": ["donor"] * 4 + ["m12"] * 4,
        "junction_aa": ["A", "B", "C", "D", "A", "B", "C", "E"],
        "count": [5, 5, 30, 60, 500, 300, 100, 100],
    }
)


def test_courses_have_a_line_per_patient_and_the_donor_left_of_the_axis() -> None:
    table = pl.DataFrame(
        {
            "patient": ["P1", "P1", "P1", "P2", "P2"],
            "month": [None, 1.0, 12.0, 1.0, 6.0],
            "clonality": [0.1, 0.3, 0.4, 0.2, None],
            "hill_1": [900.0, 200.0, 150.0, 300.0, 200.0],
        }
    )
    figure = assays_tcr.draw_repertoire_courses(table)
    first = figure.axes[0]
    assert first.get_legend_handles_labels()[1] == ["P1", "P2"]
    assert first.lines[1].get_xdata()[0] < 0
    assert first.lines[0].get_ydata().tolist() == [0.3, 0.4]


LABELS = {"donor": "donor", "m12": "12"}
PATIENT = pl.lit("P1").alias("patient")


def test_bands_fill_every_bar_to_one() -> None:
    bands = track_rank_bands(CLONES, at="m12", key="aa", bands=(1, 2)).with_columns(PATIENT)
    figure = assays_tcr_traced.draw_rank_bands(
        bands, labels=LABELS, titles={"P1": "P1"}, time="Months"
    )
    tops = [bar.get_y() + bar.get_height() for bar in figure.axes[0].patches]
    assert max(tops) == pytest.approx(1)
    assert figure.axes[0].patches[1].get_height() == pytest.approx(0.5)


def test_tracked_clones_stand_as_high_as_their_share() -> None:
    tracked = track_clones(CLONES, at="m12", key="aa", top=3).with_columns(PATIENT)
    figure = assays_tcr_traced.draw_tracked_clones(
        tracked, labels=LABELS, titles={"P1": "P1 (month 12)"}, time="Months", named=2
    )
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["40%", "90%"]
    tops = [bar.get_y() + bar.get_height() for bar in axes.patches]
    assert max(tops) == pytest.approx(0.9)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["donor", "12"]


def test_overlap_expansion_and_rarefaction_are_drawn() -> None:
    table = expansion_test(CLONES, before="donor", after="m12", key="aa").with_columns(PATIENT)
    figures = [
        assays_tcr.draw_overlap(overlap_table(CLONES, key="aa")),
        assays_tcr_traced.draw_expansion(
            table, titles={"P1": "P1"}, before="the donor", after="month 12"
        ),
        assays_tcr.draw_rarefaction(
            {"P1": {"donor": spectrum_of([5, 5, 30, 60])}}, months={"donor": None}
        ),
    ]
    assert all(figure_bytes(figure, "svg").startswith(b"<?xml") for figure in figures)
    drawn = sum(len(line.get_xdata()) for line in figures[1].axes[0].lines[1:4])
    assert drawn == table.height
    assert figures[2].axes[0].lines[0].get_ydata()[-1] == pytest.approx(4)


def test_gates_and_intensities(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    columns = list(random.normal(500, 100, (2, 3000)))
    sample = read_fcs(write_fcs(tmp_path / "a.fcs", columns, names=["X", "Y"]))
    axes = {"x": {"channel": "X"}, "y": {"channel": "Y"}}
    gates = [
        {"name": "box", "bounds": [{"channel": "X", "min": 400}, {"channel": "Y", "max": 600}]},
        {"name": "one", "parent": "box", "bounds": [{"channel": "X", "min": 500}]},
        {"name": "poly", "vertices": [[400, 400], [600, 400], [500, 600]], **axes},
        {"name": "round", "centre": [500, 500], "covariance": [[9e3, 0], [0, 4e3]], **axes},
        {"name": "none", "bounds": [{"channel": "X", "min": 1e6}]},
        {"name": "empty", "parent": "none", "bounds": [{"channel": "X"}, {"channel": "Y"}]},
        {"name": "not", "none_of": ["box"]},
    ]
    gated = gate_sample(sample, parse_gating({"gates": gates}))
    figure = assays_flow.draw_gates(gated)
    share = 100 * gated.inside["box"].mean()
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.get_visible()]
    assert titles[0] == f"box: {share:.3g} %"
    assert len(titles) == 6
    assert titles[5] == "empty: no events"
    figure_bytes(figure, "png")
    overlay = assays_flow.draw_intensity_overlay(
        {"baseline": columns[0], "remission": np.array([]), "relapse": columns[1]}, label="CD7"
    )
    labels = [text.get_text() for text in overlay.legends[0].get_texts()]
    assert labels == ["baseline (n = 3000)", "remission (n = 0)", "relapse (n = 3000)"]


def test_cfse_curves_hold_the_fitted_cells() -> None:
    random = np.random.default_rng(3)
    rest = 1e4 * 2 ** random.normal(0, 0.15, 4000)
    moved = np.concatenate([rest[:1000], rest[:2000] / 4])
    peak = fit_undivided_peak(rest)
    fit = fit_generations(moved, peak)
    figure = assays_division.draw_cfse(moved, rest, peak, fit)
    curves = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 600]
    area = sum(np.trapezoid(c.get_ydata(), np.log2(c.get_xdata())) for c in curves) * 16
    assert area == pytest.approx(3000, rel=0.02)
    wells = pl.DataFrame(
        {
            "subject": ["donor", "donor", "patient"],
            "stimulus": ["third_party"] * 3,
            "net_cfse_low_percent": [60.0, 70.0, 20.0],
        }
    )
    bars = assays_division.draw_stimulation_bars(wells).axes[0]
    assert [p.get_height() for p in bars.patches] == [65.0, 20.0]
    assert sum(len(line.get_xdata()) for line in bars.lines[:2]) == 3


def test_tracks_share_one_scale_and_clusters_show_every_sample() -> None:
    bases = np.linspace(CD7.start - 5000, CD7.end + 5000, 50)
    tracks = {"baseline": (bases, np.full(50, 4.0)), "relapse": (bases, np.full(50, 1.0))}
    figure = assays_cd7.draw_signal_tracks(tracks)
    assert {axes.get_ylim() for axes in figure.axes} == {(0, 4.2)}
    shares = pl.DataFrame(
        {
            "sample": ["a", "b", "c"],
            "time": ["baseline", "baseline", "relapse"],
            "cluster": ["CD7 low"] * 3,
            "share": [0.1, 0.3, 0.8],
        }
    )
    lines = assays_cd7.draw_cluster_shares(shares, times=["baseline", "relapse"]).axes[0].lines
    assert lines[0].get_ydata().tolist() == pytest.approx([0.2, 0.8])
    assert [len(line.get_xdata()) for line in lines[1:]] == [2, 1]
