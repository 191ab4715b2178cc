"""The same rates in plain Python, compiled by numba, under SciPy's solvers."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from graftline.model.parameters import model
from graftline.model.symbolic import fixed_values, traced
from graftline.model.trace import reachable
from tests.model.forced import START, Cohort

Floats = NDArray[np.float64]
_FORMS = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "neg": "-{0}",
    "reciprocal": "1.0 / {0}",
    "exp": "math.exp({0})",
    "log": "math.log({0})",
    "plus": "max({0}, 0.0)",
    "smaller": "min({0}, {1})",
}


def rates_source() -> str:
    """Python text of ``rates(t, y, c, dy)`` from the traced equations."""
    trace = traced()
    lines = ["def rates(t, y, c, dy):"]
    names = {node.index: f"c[{i}]" for i, node in enumerate(trace.fixed)}
    for i, node in enumerate(trace.states):
        names[node.index] = f"s{i}"
        lines.append(f"    s{i} = max(y[{i}], 0.0)")
    for node in reachable(trace.rates):
        if node.op == "constant":
            names[node.index] = f"({node.value!r})"
        elif node.varies and node.index not in names:
            names[node.index] = f"v{node.index}"
            text = _FORMS[node.op].format(*(names[arg.index] for arg in node.args))
            lines.append(f"    v{node.index} = {text}")
    lines += [f"    dy[{i}] = {names[node.index]}" for i, node in enumerate(trace.rates)]
    return "\n".join(lines)


@lru_cache(maxsize=1)
def compiled_rates() -> Callable[..., Any]:
    scope: dict[str, Any] = {}
    exec("import math\n" + rates_source(), scope)
    inner = numba.njit(scope["rates"])

    @numba.njit
    def rates(t, y, c):
        dy = np.empty(y.size)
        inner(t, y, c, dy)
        return dy

    return rates


def scipy_states(
    cohort: Cohort, days: Floats, *, rtol: float = 1e-10, method: str = "DOP853"
) -> Floats:
    """States [patient, day, state] by SciPy, restarted at every dose.

    Cells are held to relative accuracy down to 1e-40, because a clone that falls to 1e-30 and comes
    back is only as good as it was at its lowest.
    """
    constants = fixed_values(cohort.parameters)
    atol = np.full(len(model().states), 1e-15)
    for name in ("CE", "CM", "TR7", "TR0", "TD7", "TD0", "LP", "LN", "SR", "SD"):
        atol[model().state_index[name]] = 1e-40
    found = np.empty((len(cohort.states), days.size, atol.size))
    for i in range(len(cohort.states)):
        doses = cohort.doses_of(i)
        y, t = cohort.states[i].copy(), START
        found[i, days <= START] = y
        for end in np.unique(np.append(doses.day[doses.day <= days[-1]], days[-1])):
            if end > t:
                within = (days > t) & (days <= end)
                times = np.unique(np.append(days[within], end))
                run = solve_ivp(
                    compiled_rates(),
                    (t, end),
                    y,
                    method=method,
                    rtol=rtol,
                    atol=atol,
                    t_eval=times,
                    args=(constants[i],),
                    max_step=2.0,
                )
                assert run.success, run.message
                found[i, within] = run.y.T[np.searchsorted(times, days[within])]
                y, t = np.maximum(run.y[:, -1], 0.0), end
            now = doses.day == end
            np.add.at(y, doses.state[now], doses.amount[now])
    return found


def worst_relative_error(got: Floats, reference: Floats, *, above: float = 1e-6) -> Floats:
    """Largest relative error of each patient where the reference exceeds ``above``."""
    error = np.abs(got - reference) / np.maximum(np.abs(reference), 1e-300)
    worst: Floats = np.where(reference > above, error, 0.0).max(axis=(1, 2))
    return worst
