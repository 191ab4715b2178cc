"""Vector arithmetic of the compiled code against NumPy's."""

import ctypes

import numpy as np
import pytest

from graftline.model.compile import build
from graftline.model.lanes import Code
from graftline.model.stepsize import corner


def run_vectorised(write, values, width):
    """Results of a function over rows of ``values`` [row, lane]; ``write`` returns their names."""
    code = Code(width)
    rows = [code.load("%in", i) for i in range(len(values))]
    results = write(code, rows)
    for i, name in enumerate(results):
        code.store(name, "%out", i)
    engine = build([code.function("test", ["in", "out"])])
    call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(
        engine.get_function_address("test")
    )
    raw = np.zeros((len(values) + len(results)) * width + 8)
    skip = (-raw.ctypes.data % 64) // 8
    buffer = raw[skip : skip + (len(values) + len(results)) * width].reshape(-1, width)
    buffer[: len(values)] = values
    call(buffer.ctypes.data, buffer[len(values) :].ctypes.data)
    return buffer[len(values) :].copy()


@pytest.mark.parametrize("width", [2, 4, 8])
def test_exp_and_log(width):
    draw = np.random.default_rng(0)
    x = np.concatenate([draw.uniform(-30, 30, 60), [0.0, 1e-9, -650.0, 650.0]]).reshape(-1, width)
    result = run_vectorised(lambda code, rows: [code.exp(row) for row in rows], x, width)
    np.testing.assert_allclose(result, np.exp(x), rtol=2e-13)
    y = np.exp(x)
    result = run_vectorised(lambda code, rows: [code.log(row) for row in rows], y, width)
    np.testing.assert_allclose(result, np.log(y), rtol=2e-13, atol=1e-14)


def test_divisions_in_fours():
    values = np.exp(np.random.default_rng(1).normal(0, 8, (7, 4)))
    result = run_vectorised(lambda code, rows: code.many_reciprocals(rows), values, 4)
    np.testing.assert_allclose(result, 1.0 / values, rtol=1e-14)


def test_masks():
    values = np.array([[1.0, -2.0, np.nan, 0.0], [0.5, 5.0, 1.0, 0.0]])
    result = run_vectorised(
        lambda code, rows: [
            code.clipped(rows[0]),
            code.larger(*rows),
            code.smaller(*rows),
            code.choose(code.not_below(*rows), rows[0], rows[1]),
            code.choose(code.negated(code.above(*rows)), rows[0], rows[1]),
        ],
        values,
        4,
    )
    expected = [[1, 0, 0, 0], [1, 5, 1, 0], [0.5, -2, 1, 0], [1, 5, 1, 0], [0.5, -2, np.nan, 0]]
    np.testing.assert_array_equal(result, expected)


def test_first_corner_of_a_step():
    # worked: distances fall from 1 to -1 and from 3 to -1, so corners lie at 1/2 and 3/4; the last
    # lane has none
    values = np.array([[1.0, 3.0, 1.0, 1.0], [3.0, 1.0, 2.0, 2.0]])
    after = np.array([[-1.0, -1.0, -1.0, 1.0], [-1.0, -1.0, 5.0, 0.5]])
    code = Code(4)
    code.store(corner(code, (0, 2), 2), "%b", 4)
    raw = np.zeros(5 * 4 + 8)
    skip = (-raw.ctypes.data % 64) // 8
    buffer = raw[skip : skip + 20].reshape(5, 4)
    buffer[:2], buffer[2:4] = values, after
    engine = build([code.function("test", ["b"])])
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(engine.get_function_address("test"))(buffer.ctypes.data)
    np.testing.assert_allclose(buffer[4], [0.5, 0.5, 0.5, 1.0])
