"""Random virtual patients on a schedule that nobody decides on, for checks of the solver."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graftline.model.events import Body, forced_course
from graftline.model.parameters import column, individual_parameters, model, starting_states
from graftline.model.solver import Doses

Floats = NDArray[np.float64]
START = -5.0
DECISIONS = np.r_[-5.0:0.0, 0, 1, 4, 7, 10, 12:62:2, 65:100:5, 100:180:14, 180:731:30, 730.0]


@dataclass(frozen=True, slots=True)
class Cohort:
    parameters: Floats
    states: Floats
    doses: Doses
    body: Body
    graft_day: Floats

    @property
    def start(self) -> Floats:
        return np.full(len(self.states), START)

    def stops(self, days: Floats = DECISIONS) -> Floats:
        return np.tile(days, (len(self.states), 1))

    def doses_of(self, i: int) -> Doses:
        mine = self.doses.patient == i
        return Doses(
            np.zeros(mine.sum(), dtype=np.int64),
            self.doses.state[mine],
            self.doses.day[mine],
            self.doses.amount[mine],
        )


def random_cohort(n: int, *, graft: bool, seed: int = 1) -> Cohort:
    """``n`` patients with all random effects, weights, grafts and graft days drawn."""
    draw = np.random.default_rng(seed)
    parameters = individual_parameters(draw.standard_normal((n, len(model().etas))))
    column(parameters, "age")[:] = draw.uniform(15.0, 75.0, n)
    blasts = np.clip(draw.beta(1.1, 1.6, n), 0.02, 0.9)
    weight = np.clip(65.0 * np.exp(0.2 * draw.standard_normal(n)), 40.0, 110.0)
    body = Body(weight, 1.65 * np.sqrt(weight / 60.0))
    graft_day = draw.uniform(15.0, 40.0, n)
    doses = forced_course(
        body,
        graft_day=graft_day if graft else None,
        cd34_per_kg=4.8e6 * np.exp(0.28 * draw.standard_normal(n)),
        cd3_per_kg=5.5e8 * np.exp(0.45 * draw.standard_normal(n)),
    )
    states = starting_states(parameters, 900.0 * blasts)
    return Cohort(parameters, states, doses, body, graft_day)
