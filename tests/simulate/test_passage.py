"""Between two visits: haemoglobin, and the first signs of GVHD, worked by hand."""

import numpy as np
import pytest

from graftline.model.parameters import model
from graftline.protocol import shipped_protocol
from graftline.simulate import passage
from graftline.simulate.cohort import sample_cohort
from graftline.simulate.strategy import plan_of
from graftline.simulate.streams import streams_of
from graftline.simulate.ward import admit, open_case

ROWS = np.arange(3)


def three_patients():
    plan = plan_of(shipped_protocol("all-in-one-2024"))
    cohort = sample_cohort(plan, streams_of(1), ROWS)
    return open_case(plan, streams_of(1), cohort), admit(cohort, np.full(3, 365.0))


def states_with(**values):
    states = np.zeros((3, len(model().states)))
    for name, value in values.items():
        states[:, model().state_index[name]] = value
    return states


# docs/simulate.md, worked: without marrow a day in hospital leaves exp(-1/60 - 0.01) of 100 g/L,
# 97.3686; thirty days at home exp(-1/2), 60.6531
def test_hemoglobin_falls_faster_where_blood_is_drawn():
    _, ward = three_patients()
    empty = states_with(SR=0.0)
    ward.hemoglobin[:] = 100.0
    passage._hemoglobin(ward, ROWS, empty, empty, np.array([1.0, 30.0, 0.0]))
    np.testing.assert_allclose(ward.hemoglobin, [97.36858, 60.65307, 100.0], rtol=1e-6)


# law: with a full marrow haemoglobin goes to the healthy 135 g/L
def test_hemoglobin_recovers_with_the_marrow():
    _, ward = three_patients()
    full = states_with(SD=1.0)
    passage._hemoglobin(ward, ROWS, full, full, np.full(3, 600.0))
    np.testing.assert_allclose(ward.hemoglobin, 135.0, rtol=1e-3)


# worked: damage from 0 to 1 between days 20 and 30; a threshold of 0.4 is passed on day 24, and the
# signs follow after the drawn days; a threshold above 1 is not passed
def test_signs_of_gvhd_come_the_drawn_days_after_it_began():
    case, ward = three_patients()
    thresholds = case.fates.gvhd
    thresholds[:] = [0.4, 1.2, 0.4]
    before, after = states_with(B=0.0), states_with(B=1.0)
    start = np.full(3, 20.0)
    passage._onset_of_gvhd(case, ward, ROWS, before, after, start, 30)
    latency = case.fates.gvhd_latency_days
    assert ward.gvhd_onset[[0, 2]] == pytest.approx(24.0 + latency[[0, 2]])
    assert np.isnan(ward.gvhd_onset[1])
