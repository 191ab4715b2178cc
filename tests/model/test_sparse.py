"""Planned elimination against NumPy's dense solution."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.model.sparse import plan_elimination
from graftline.model.symbolic import traced


def solve(plan, matrix, right):
    a, x = matrix.copy(), right.copy()
    for k in plan.order:
        for i in plan.lower[k]:
            factor = a[i, k] / a[k, k]
            a[i, list(plan.upper[k])] -= factor * a[k, list(plan.upper[k])]
            x[i] -= factor * x[k]
    for k in reversed(plan.order):
        later = list(plan.upper[k])
        x[k] = (x[k] - a[k, later] @ x[later]) / a[k, k]
    return x


@settings(deadline=None, derandomize=True, max_examples=30)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 12))
def test_plan_solves_what_numpy_solves(seed, size):
    draw = np.random.default_rng(seed)
    matrix = np.where(draw.random((size, size)) < 0.3, draw.normal(size=(size, size)), 0.0)
    matrix[np.diag_indices(size)] = 5.0 + draw.random(size)
    plan = plan_elimination(
        range(size), [(int(i), int(j)) for i, j in zip(*np.nonzero(matrix), strict=True)]
    )
    right = draw.normal(size=size)
    np.testing.assert_allclose(
        solve(plan, matrix, right), np.linalg.solve(matrix, right), rtol=1e-9
    )
    inside = np.zeros((size, size), dtype=bool)
    for i, j in plan.entries:
        inside[i, j] = True
    assert inside[matrix != 0].all()


def test_the_model_stays_sparse():
    # a dense factorisation would hold 31 * 31 = 961 entries
    for part in traced().parts:
        assert sorted(part.plan.order) == sorted(part.rates)
        assert len(part.plan.entries) < 250
        assert set(part.negative_jacobian) <= set(part.plan.entries)
