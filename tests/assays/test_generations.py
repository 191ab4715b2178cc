"""Fits of simulated wells whose generations are known (truth: the numbers drawn from)."""

import numpy as np
import pytest

from graftline.assays.division_indices import (
    division_errors,
    division_indices,
    fit_flags,
    judged_indices,
)
from graftline.assays.generations import fit_generations, fit_undivided_peak, fit_wells
from graftline.assays.mlr import Well, summarize_wells
from graftline.problems import InputError


def drawn(cells, *, width=0.2, divided_width=None, peak=20_000.0, shift=0.0, dim=0.0, seed=3):
    """CFSE of cells in generations 0, 1, ..., with the light of unlabelled cells added."""
    random = np.random.default_rng(seed)
    parts = []
    for i, n in enumerate(cells):
        spread = width if i == 0 or divided_width is None else divided_width
        label = peak * 2**shift / 2**i * 2 ** random.normal(0, spread, n)
        parts.append(label + dim * 2 ** random.normal(0, 0.4, n) if dim else label)
    return np.concatenate(parts)


def spread_cells(events, undivided, *, seed=1):
    """Cells of generations 0 to 8 around the third, a given share undivided."""
    weight = np.exp(-0.5 * ((np.arange(9) - 3) / 1.3) ** 2)
    weight[0] = 0
    weight *= (1 - undivided) / weight.sum()
    weight[0] = undivided
    return np.random.default_rng(seed).multinomial(events, weight)


SCENES = {
    "as modelled": {},
    "undivided peak brighter than at rest": {"shift": 0.2},
    "undivided peak dimmer than at rest": {"shift": -0.15},
    "divided peaks wider": {"divided": 1.4},
    "wider and shifted": {"divided": 1.4, "shift": 0.15},
    "autofluorescence merges the late ones": {"peak": 3000.0, "dim": 100.0},
}


@pytest.mark.parametrize(
    ("events", "width", "undivided"),
    [(300, 0.1, 0.5), (2000, 0.2, 0.05), (2000, 0.2, 0.95), (1000, 0.35, 0.5)],
)
@pytest.mark.parametrize("scene", SCENES)
def test_known_generations_are_found_or_doubted(scene, events, width, undivided) -> None:
    options = dict(SCENES[scene])
    factor = options.pop("divided", None)
    at_rest = {name: value for name, value in options.items() if name != "shift"}
    cells = spread_cells(events, undivided)
    peak = fit_undivided_peak(drawn([max(events, 500)], width=width, seed=9, **at_rest))
    well = drawn(cells, width=width, divided_width=factor and factor * width, **options)
    fit = fit_generations(well, peak)
    truth, found, error = division_indices(cells), judged_indices(fit), division_errors(fit)
    # within five percent or three (four) standard errors of counting, whichever is more
    assert found.division_index == pytest.approx(
        truth.division_index, rel=0.05, abs=3 * error.division_index
    )
    assert found.percent_divided == pytest.approx(
        truth.percent_divided, rel=0.02, abs=3 * error.percent_divided
    )
    assert found.expansion_index == pytest.approx(
        truth.expansion_index, rel=0.08, abs=3 * error.expansion_index
    )
    if not np.isnan(found.proliferation_index):
        assert found.proliferation_index == pytest.approx(
            truth.proliferation_index, abs=max(0.05, 4 * error.proliferation_index)
        )
    if width <= 0.2 and events == 2000:
        assert found.division_index == pytest.approx(
            truth.division_index, rel=0.06, abs=error.division_index
        )
        assert "not_resolved" not in fit_flags(fit)


def test_half_the_cells_divide_three_times_in_a_histogram() -> None:
    # FlowJo's own check, from events: 1,000 precursors rest, 1,000 become 8,000
    peak = fit_undivided_peak(drawn([4000]))
    index = judged_indices(fit_generations(drawn([1000, 0, 0, 8000]), peak))
    assert index.division_index == pytest.approx(1.5, abs=0.01)
    assert index.proliferation_index == pytest.approx(3, abs=0.01)
    assert index.replication_index == pytest.approx(8, abs=0.05)
    assert index.expansion_index == pytest.approx(4.5, abs=0.05)
    assert index.percent_divided == pytest.approx(50, abs=0.5)


@pytest.mark.parametrize("width", [0.1, 0.2, 0.35])
@pytest.mark.parametrize("events", [200, 2000])
def test_cells_that_did_not_divide_have_no_index_of_dividing_cells(width, events) -> None:
    peak = fit_undivided_peak(drawn([1000], width=width, seed=8))
    fit = fit_generations(drawn([events], width=width), peak)
    index = judged_indices(fit)
    assert np.isnan(index.proliferation_index)
    assert np.isnan(index.replication_index)
    assert index.division_index < 0.01
    assert "too_few_divided" in fit_flags(fit)


def test_autofluorescence_is_fitted_where_it_shows() -> None:
    cells = spread_cells(4000, 0.3)
    dark_peak = fit_undivided_peak(drawn([2000], peak=3000.0, dim=100.0))
    shown = fit_generations(drawn(cells, peak=3000.0, dim=100.0), dark_peak).autofluorescence
    assert 70 < shown < 140
    none = fit_generations(drawn(cells), fit_undivided_peak(drawn([2000]))).autofluorescence
    assert none < 20_000 / 100


@pytest.mark.parametrize("factor", [1.85, 1.93, 2.08])
def test_a_dye_that_is_not_halved_exactly_has_its_spacing_fitted(factor) -> None:
    random = np.random.default_rng(11)
    cells = spread_cells(20_000, 0.3)
    well = np.concatenate(
        [2e4 / factor**i * 2 ** random.normal(0, 0.25, n) for i, n in enumerate(cells)]
    )
    fit = fit_generations(well, fit_undivided_peak(drawn([5000], width=0.25)))
    assert 2**fit.spacing == pytest.approx(factor, rel=0.015)
    truth, error = division_indices(cells), division_errors(fit)
    assert division_indices(fit.cells).division_index == pytest.approx(
        truth.division_index, rel=0.015, abs=2 * error.division_index
    )


LABELS = {
    "normal on the linear scale": lambda random, n: np.abs(random.normal(1, 0.28, n)),
    "gamma": lambda random, n: random.gamma(1 / 0.3**2, 0.3**2, n),
    "two sizes of cells": lambda random, n: (
        np.where(random.random(n) < 0.3, 0.7, 1.05) * 2 ** random.normal(0, 0.15, n)
    ),
}


@pytest.mark.parametrize("label", LABELS)
def test_a_label_that_is_not_log_normal_is_no_division(label) -> None:
    # its left tail would be taken for cells that divided once
    random = np.random.default_rng(2)
    peak = fit_undivided_peak(2e4 * LABELS[label](random, 6000))
    rest = fit_generations(2e4 * LABELS[label](random, 4000), peak)
    assert division_indices(rest.cells).percent_divided < 2
    cells = spread_cells(4000, 0.4)
    well = np.concatenate([2e4 / 2**i * LABELS[label](random, n) for i, n in enumerate(cells)])
    fit = fit_generations(well, peak)
    truth, error = division_indices(cells), division_errors(fit)
    assert division_indices(fit.cells).division_index == pytest.approx(
        truth.division_index, rel=0.05, abs=2 * error.division_index
    )


def test_wells_of_a_subject_are_fitted_together() -> None:
    # three wells of 400 cells with wide peaks: labelled and measured at once, so of one spacing
    cells = [spread_cells(400, 0.4, seed=s) for s in range(3)]
    wells = [drawn(c, width=0.4, seed=20 + n) for n, c in enumerate(cells)]
    peak = fit_undivided_peak(drawn([3000], width=0.4, seed=9))
    together = fit_wells(wells, peak)
    assert len({fit.spacing for fit in together}) == 1
    for n, fit in enumerate(together):
        error = division_errors(fit)
        assert division_indices(fit.cells).division_index == pytest.approx(
            division_indices(cells[n]).division_index, abs=2 * error.division_index
        )


def test_an_autofluorescence_that_the_histogram_contradicts_is_doubted() -> None:
    cells = spread_cells(8000, 0.3)
    peak = fit_undivided_peak(drawn([4000], peak=8000.0, dim=200.0))
    well = drawn(cells, peak=8000.0, dim=200.0)
    wrong = fit_generations(well, peak, autofluorescence=10.0)
    right = fit_generations(well, peak, autofluorescence=200.0)
    assert "autofluorescence_doubted" in fit_flags(wrong)
    assert fit_flags(right) == ()


def test_an_odd_well_is_doubted_and_does_not_pull_on_its_neighbours() -> None:
    # truth: 1000, 500, 500, 500 cells, precursors 1437.5, rounds 687.5
    unlabelled = 30 * 2 ** np.random.default_rng(4).normal(0, 0.5, 2500)
    wells = [Well("A", "none", 1, drawn([3000], seed=7))]
    wells += [Well("A", "self", n, drawn([1000, 500, 500, 500], seed=n)) for n in (1, 2)]
    wells += [Well("A", "self", 3, np.concatenate([drawn([1000, 500, 500, 500]), unlabelled]))]
    wells += [Well("A", "self", 4, drawn([1000, 500, 500, 500], peak=1e4, seed=8))]
    table = summarize_wells(wells)
    by = {row["replicate"]: row for row in table.iter_rows(named=True) if row["stimulus"] == "self"}
    for replicate in (1, 2):
        assert by[replicate]["division_index"] == pytest.approx(687.5 / 1437.5, rel=0.02)
        assert by[replicate]["flags"] is None
    assert "many_in_last_generation" in by[3]["flags"]
    # a well half as bright: every cell seems to have divided once more, and nothing shows it
    assert by[4]["division_index"] == pytest.approx(1 + 687.5 / 1437.5, rel=0.02)
    assert "no_undivided_cells" in by[4]["flags"]


def test_a_well_out_of_reach_of_the_peaks_is_named() -> None:
    wells = [Well("A", "none", 1, drawn([500])), Well("A", "self", 2, np.full(80, 1.0))]
    with pytest.raises(InputError, match="none there") as caught:
        summarize_wells(wells)
    assert "self 2" in str(caught.value)


def test_late_generations_under_the_light_of_unlabelled_cells_are_doubted() -> None:
    # peaks 300, 200, 150, 125, 112 ...: nothing tells the last ones apart
    cells = [200] * 7
    peak = fit_undivided_peak(drawn([2000], peak=200.0, dim=100.0, width=0.2))
    fit = fit_generations(
        drawn(cells, peak=200.0, dim=100.0, width=0.2), peak, autofluorescence=100.0
    )
    assert "late_generations_merge" in fit_flags(fit)


def test_debris_and_doublets_are_counted_and_left_out() -> None:
    random = np.random.default_rng(5)
    debris, doublets = 10 ** random.uniform(0, 1.5, 400), np.full(30, 2e5)
    cells = [1500, 500, 1000]
    well = np.concatenate([drawn(cells), debris, doublets, [0.0, -5.0, np.nan, np.inf]])
    rest = np.concatenate([drawn([3000], seed=6), debris])
    fit = fit_generations(well, fit_undivided_peak(rest))
    assert (fit.left_out, fit.too_bright) == (4, 30)
    assert fit.too_dim == pytest.approx(400, abs=5)
    assert fit.cells[:3] == pytest.approx(cells, rel=0.05)
    assert "many_outside" in fit_flags(fit)


def test_errors_cover_the_scatter_of_repeated_wells() -> None:
    # 40 wells of one share: the standard error is that of repetition, within a third
    peak = fit_undivided_peak(drawn([5000], width=0.25))
    fits = [
        fit_generations(drawn(spread_cells(800, 0.5, seed=s), width=0.25, seed=s), peak)
        for s in range(40)
    ]
    seen = np.std([division_indices(f.cells).division_index for f in fits], ddof=1)
    said = np.mean([division_errors(f).division_index for f in fits])
    assert said == pytest.approx(seen, rel=0.35)


def test_peaks_too_wide_to_tell_apart_are_said() -> None:
    peak = fit_undivided_peak(drawn([3000], width=0.6))
    fit = fit_generations(drawn([1000, 1000, 1000, 1000], width=0.6), peak)
    assert "not_resolved" in fit_flags(fit)


def test_unlabelled_wells_give_the_autofluorescence() -> None:
    wells = [
        Well("A", "none", 1, drawn([2000], peak=3000.0, dim=100.0)),
        Well("A", "self", 1, drawn([500, 500, 900], peak=3000.0, dim=100.0)),
        Well("A", "unlabelled", 1, np.full(50, 100.0)),
    ]
    table = summarize_wells(wells)
    assert table["stimulus"].to_list() == ["none", "self"]
    assert table["autofluorescence"].to_list() == [100.0, 100.0]
    with pytest.raises(InputError, match="below the undivided peak"):
        summarize_wells(wells, autofluorescence=1e5)
