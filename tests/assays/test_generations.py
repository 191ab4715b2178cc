"""Fits of simulated wells whose generations are known (truth: the numbers drawn from)."""

import numpy as np
import pytest

from graftline.assays.division_indices import (
    division_errors,
    division_indices,
    fit_flags,
    judged_indices,
)
from graftline.assays.generations import (
    estimate_autofluorescence,
    fit_generations,
    fit_undivided_peak,
)
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


@pytest.mark.parametrize("undivided", [0.05, 0.5, 0.95])
@pytest.mark.parametrize(("events", "width"), [(300, 0.1), (2000, 0.2), (1000, 0.35)])
@pytest.mark.parametrize("scene", SCENES)
def test_known_generations_are_found_or_doubted(scene, events, width, undivided) -> None:
    options = dict(SCENES[scene])
    factor = options.pop("divided", None)
    at_rest = {name: value for name, value in options.items() if name != "shift"}
    cells = spread_cells(events, undivided)
    peak = fit_undivided_peak(drawn([max(events, 500)], width=width, seed=9, **at_rest))
    well = drawn(cells, width=width, divided_width=factor and factor * width, **options)
    dark = estimate_autofluorescence(well, peak)
    fit = fit_generations(well, peak, autofluorescence=dark)
    truth, found, error = division_indices(cells), judged_indices(fit), division_errors(fit)
    if "not_resolved" in fit_flags(fit):
        assert width == 0.35
        return
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
        assert found.division_index == pytest.approx(truth.division_index, rel=0.06)
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


def test_autofluorescence_is_estimated_only_where_it_shows() -> None:
    cells = spread_cells(4000, 0.3)
    dark_peak = fit_undivided_peak(drawn([2000], peak=3000.0, dim=100.0))
    shown = estimate_autofluorescence(drawn(cells, peak=3000.0, dim=100.0), dark_peak)
    assert 70 < shown < 140
    assert estimate_autofluorescence(drawn(cells), fit_undivided_peak(drawn([2000]))) == 0


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
