"""Generations of CFSE-labelled cells: indices by hand, fits of simulated wells of known truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.assays.mlr import (
    Well,
    division_indices,
    fit_generations,
    fit_undivided_peak,
    percent_cfse_low,
    summarize_replicates,
    summarize_wells,
)
from graftline.problems import InputError


def well(
    cells: list[int], *, peak: float = 20_000, width: float = 0.2, seed: int = 1, dim: float = 0
):
    """CFSE of cells in generations 0, 1, ...: log-normal peaks one division apart."""
    random = np.random.default_rng(seed)
    return np.concatenate(
        [((peak - dim) / 2**i + dim) * 2 ** random.normal(0, width, n) for i, n in enumerate(cells)]
    )


def test_half_the_cells_divide_three_times() -> None:
    # FlowJo's own check: 100 precursors rest, 100 become 800. Peaks 1 : 8.
    index = division_indices([100, 0, 0, 800])
    assert index.proliferation_index == 3
    assert index.division_index == 1.5
    assert index.expansion_index == 4.5  # what flowFit and FCS Express call proliferation index
    assert index.replication_index == 8
    assert index.percent_divided == 50  # while 89 % of the cells are CFSE-low


def test_indices_of_nothing_are_not_numbers() -> None:
    index = division_indices([10, 0, 0])
    assert (index.division_index, index.expansion_index, index.percent_divided) == (0, 1, 0)
    assert np.isnan(index.proliferation_index)
    assert np.isnan(division_indices([0, 0]).division_index)


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.lists(st.integers(0, 1000), min_size=2, max_size=9).filter(lambda n: sum(n) > 0))
def test_laws_of_the_indices(cells: list[int]) -> None:
    index = division_indices(cells)
    assert index.expansion_index >= 1 - 1e-12
    assert 0 <= index.percent_divided <= 100 + 1e-9
    if sum(cells[1:]):
        divided = index.percent_divided / 100
        assert index.proliferation_index >= 1 - 1e-12
        assert index.division_index == pytest.approx(index.proliferation_index * divided)
        assert index.expansion_index == pytest.approx(
            1 - divided + divided * index.replication_index
        )


@pytest.mark.parametrize("width", [0.1, 0.2, 0.3, 0.4])
@pytest.mark.parametrize(
    "cells", [[3000, 800, 1500, 2500, 3000, 1200], [9000, 0, 0, 0, 900], [50, 4000]]
)
def test_known_generations_are_found(width: float, cells: list[int]) -> None:
    undivided = fit_undivided_peak(well([5000, 150, 40], width=width, seed=7))
    fit = fit_generations(well(cells, width=width), undivided)
    assert undivided.intensity == pytest.approx(20_000, rel=0.02)
    truth = np.zeros(9)
    truth[: len(cells)] = cells
    assert fit.cells.sum() == pytest.approx(sum(cells))
    assert np.abs(fit.cells - truth).max() < 0.035 * sum(cells)
    found, wanted = division_indices(fit.cells), division_indices(cells)
    assert found.division_index == pytest.approx(wanted.division_index, rel=0.03, abs=0.01)


def test_autofluorescence_lifts_the_late_peaks() -> None:
    truth = [1000, 1000, 1000, 1000, 1000, 1000, 1000]
    values = well(truth, width=0.1, dim=200)
    undivided = fit_undivided_peak(well([5000], width=0.1))
    fit = fit_generations(values, undivided, generations=6, autofluorescence=200)
    assert fit.cells == pytest.approx(np.array(truth), rel=0.06)
    with pytest.raises(ValueError, match="autofluorescence"):
        fit_generations(values, undivided, autofluorescence=1e6)


def test_percent_low_is_cut_half_way_between_the_first_two_peaks() -> None:
    undivided = fit_undivided_peak(well([5000], width=0.1))
    edge = undivided.intensity / 2**0.5
    values = np.array([edge * 1.001, edge * 0.999, -5.0, np.nan])
    assert percent_cfse_low(values, undivided) == pytest.approx(200 / 3)
    assert np.isnan(percent_cfse_low(np.array([]), undivided))


def test_replicates_are_kept_and_net_of_unstimulated() -> None:
    wells = [
        Well(subject, stimulus, replicate, well(cells, width=0.1, seed=replicate))
        for subject, stimulus, cells in (
            ("donor", "none", [2000, 20]),
            ("donor", "third_party", [1000, 1000, 2000]),
            ("patient", "none", [2000, 100]),
            ("patient", "third_party", [2000, 200]),
        )
        for replicate in (1, 2, 3)
    ]
    table = summarize_wells(wells)
    assert table.height == 12
    means = {
        r["subject"]: r
        for r in summarize_replicates(table).iter_rows(named=True)
        if r["stimulus"] == "third_party"
    }
    assert means["donor"]["replicates"] == 3
    assert means["donor"]["net_mean"] == pytest.approx(75 - 100 * 20 / 2020, abs=0.2)
    assert means["patient"]["net_mean"] == pytest.approx(100 * 200 / 2200 - 100 / 21, abs=0.2)
    rest = table.filter((table["subject"] == "donor") & (table["stimulus"] == "none"))
    assert rest["net_cfse_low_percent"].sum() == pytest.approx(0, abs=1e-9)


def test_wells_that_cannot_be_judged_are_all_named() -> None:
    wells = [
        Well("A", "self", 1, well([500])),
        Well("A", "self", 1, well([500])),
        Well("B", "none", 1, np.array([1.0, 2.0])),
    ]
    with pytest.raises(InputError) as caught:
        summarize_wells(wells)
    text = str(caught.value)
    assert "a well 'none' of each subject" in text
    assert "each replicate once" in text
    assert "at least 200 events" in text
    with pytest.raises(InputError):
        summarize_wells([])
