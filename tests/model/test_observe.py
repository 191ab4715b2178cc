"""What assays read: hand-worked values, bounds of physics, and the stated noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.model import observe
from graftline.model.parameters import model


def patient(**values):
    states = np.zeros(len(model().states))
    for name, value in values.items():
        states[model().state_index[name]] = value
    return states


# worked: C 100, T 5+1+2+3+4 = 15, neutrophils 0.2 -> 250, leukaemia 10 -> 5, others 20: nuc 390
BUSY = patient(
    CE=90.0, CM=10.0, TR7=5.0, TR0=1.0, TD7=2.0, TD0=3.0, TA=4.0,
    NR=0.05, ND=0.15, LP=8.0, LN=2.0, SR=0.02, SD=0.30, P=40.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (observe.car_t_cells, 100.0),
        (observe.cd7_positive_t_cells, 7.0),
        (observe.cd7_negative_t_cells, 8.0),
        (observe.t_cells_without_car, 15.0),
        (observe.neutrophils, 0.2),
        (observe.platelets, 40.0),
        (observe.nucleated_cells, 390.0),
        (observe.leukocytes, 0.39),
        (observe.marrow_cells, 320.0),
        (observe.blast_fraction, 10.0 / 330.0),
        (observe.marrow_cellularity, 33.0),
        (observe.cd7_on_blasts, 0.8),
        (observe.donor_myeloid, 75.0),
        # 2.8 * (100/390) / 6.6e-6
        (lambda s: observe.car_copies(s, 2.8), 108780.109),
        # (187.5 + 9 + 100) / (390 - 20) and without the CAR-T
        (lambda s: observe.donor_str(s, True), 80.135135),
        (lambda s: observe.donor_str(s, False), 53.108108),
        # (9 + 100) / 115
        (lambda s: observe.donor_t_cells(s), 94.782609),
    ],
)
def test_worked_values(read, value):
    assert read(BUSY) == pytest.approx(value, rel=1e-7)


def test_whole_courses_at_once():
    courses = np.stack([[BUSY, patient(CE=1.0)], [patient(), BUSY]])
    assert observe.car_t_cells(courses).tolist() == [[100.0, 1.0], [0.0, 100.0]]


def test_empty_denominators_are_missing_not_zero():
    assert np.isnan(observe.donor_myeloid(patient(CE=3.0)))
    assert np.isnan(observe.donor_t_cells(patient()))
    assert np.isnan(observe.cd7_on_blasts(patient()))


def test_aplastic_marrow_counts_a_tenth():
    # section 6: cellularity for blasts is clipped at 0.1 of normal, 100e9 cells
    assert observe.marrow_cells(patient()) == 100.0
    assert observe.blast_fraction(patient(LP=100.0)) == 0.5


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.lists(st.floats(0.0, 1e5), min_size=8, max_size=8), st.floats(0.5, 10.0))
def test_copies_never_exceed_the_dna_of_a_microgram(cells, copies_per_cell):
    names = ("CE", "CM", "TR7", "TD0", "TA", "NR", "ND", "LP")
    states = patient(**dict(zip(names, cells, strict=True)))
    copies = observe.car_copies(states, copies_per_cell)
    assert 0.0 <= copies <= observe.most_car_copies(copies_per_cell)


def test_published_peaks_bound_the_copies_per_cell():
    # published: median peak 2.9e5 needs at least 1.9 copies per cell, the largest 6.9e5 needs 4.6
    assert observe.most_car_copies(1.9) < 2.9e5 < observe.most_car_copies(2.0)
    assert observe.most_car_copies(4.5) < 6.9e5 < observe.most_car_copies(4.6)


def test_lognormal_noise_and_limit():
    # stated: qPCR log SD 0.3, LLOQ 50 copies/ug
    z = np.random.default_rng(0).standard_normal(40_000)
    reading = observe.report_lognormal(np.full(40_000, 1000.0), z, observe.QPCR)
    assert np.log(reading.value).std() == pytest.approx(0.3, rel=0.02)
    assert np.median(reading.value) == pytest.approx(1000.0, rel=0.01)
    low = observe.report_lognormal(np.array([0.0, 49.0, 51.0]), np.zeros(3), observe.QPCR)
    assert low.below.tolist() == [True, True, False]
    assert low.value.tolist() == [50.0, 50.0, 51.0]


def test_counts_are_binomial():
    share = np.full(20_000, 0.05)
    blasts = observe.report_blasts(share, np.random.default_rng(1), counted=200).value
    assert blasts.mean() == pytest.approx(5.0, rel=0.02)
    assert blasts.std() == pytest.approx(100 * np.sqrt(0.05 * 0.95 / 200), rel=0.03)
    mrd = observe.report_mrd(np.array([0.0, 5e-5, 2e-3]), np.random.default_rng(1))
    assert mrd.below.tolist() == [True, True, False]
    assert mrd.value[:2].tolist() == [1e-4, 1e-4]
    assert mrd.value[2] == pytest.approx(2e-3, rel=0.1)


def test_chimerism_is_cut_at_both_ends():
    # stated: SD 1.5 points, limit 1 %
    reading = observe.report_str(np.array([0.5, 50.0, 99.6]), np.array([0.0, 2.0, 1.0]))
    assert reading.below.tolist() == [True, False, False]
    assert reading.value.tolist() == [1.0, 53.0, 100.0]
