"""From one visit to the next: the state integrated, and what chance does on the way."""

import numpy as np
from numpy.typing import NDArray

from graftline.model import observe
from graftline.model.events import draw_small_clones
from graftline.model.parameters import column, model, state_column
from graftline.model.solver import RTOL, Doses, Pace, integrate
from graftline.model.symbolic import fixed_values
from graftline.simulate.hazards import crossing_day, growth_crossing_day
from graftline.simulate.streams import uniforms
from graftline.simulate.ward import Case, Ledger, Ward, switched_columns, switched_constants

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Integers = NDArray[np.int64]

_RELAPSE_SHARE = 0.05
_SMALL_CLONE_1E9 = 1e-7
_HEALTHY_HB, _HB_DAYS = 135.0, 60.0
_SAMPLED_PER_DAY = 0.01


def carry(
    case: Case,
    ward: Ward,
    ledger: Ledger,
    rows: Integers,
    day: int,
    doses: Doses | None,
    threads: int | None,
) -> None:
    """Integrate these patients to the day; deaths, relapse and infections on the way.

    Parameters
    ----------
    rows : integer array
        Rows of the ward, alive.
    day : int
        Day of the next visit.
    doses : Doses, optional
        Jumps on the way, by place in ``rows``.
    threads : int, optional
        For the solver.
    """
    # ``take`` copies whole rows, where an index would go through them number by number
    start, before = ward.day[rows], ward.states.take(rows, axis=0)
    result = integrate(
        before,
        None,
        start,
        np.full((rows.size, 1), float(day)),
        doses=doses,
        pace=Pace(ward.step[rows], ward.stiff[rows]),
        constants=kept_constants(ward, rows),
        rtol=RTOL * case.tolerance,
        atol_factor=case.tolerance,
        threads=threads,
    )
    after = _small_clones(case, ward, rows, before, result.final, day - start, day)
    _onset_of_relapse(ward, rows, before, after, start, day)
    ward.states[rows] = after
    ward.step[rows], ward.stiff[rows] = result.pace.step, result.pace.stiff
    ward.status[rows] = result.status
    _hemoglobin(ward, rows, before, after, day - start)
    ward.day[rows] = day
    if day == 0:
        # whoever is infused has lived to be: the clocks of infection start here
        state_column(ward.states, "HI")[rows] = 0.0
        return
    _onset_of_gvhd(case, ward, rows, before, after, start, day)
    _deaths(case, ward, rows, before, after, start, day)
    _infections(case, ward, ledger, rows, before, after, start, day)


def kept_constants(ward: Ward, rows: Integers) -> Floats:
    """What the equations need of the parameters; computed anew only where treatment has changed."""
    changed = np.zeros(rows.size, dtype=np.bool_)
    for i, place in enumerate(switched_columns()):
        changed |= ward.parameters[rows, place] != ward.switched[rows, i]
    if changed.any():
        who = rows[changed]
        follow = switched_constants()
        ward.constants[np.ix_(who, np.array(follow))] = fixed_values(ward.parameters[who], follow)
        ward.switched[who] = ward.parameters[np.ix_(who, switched_columns())]
    kept: Floats = ward.constants.take(rows, axis=0)
    return kept


def _small_clones(
    case: Case,
    ward: Ward,
    rows: Integers,
    before: Floats,
    after: Floats,
    days: Floats,
    day: int,
) -> Floats:
    """Replace clones that began the interval below 100 cells by a birth-death draw, in place."""
    clones = before[:, [model().state_index[name] for name in ("LP", "LN")]]
    small = (clones > 0.0) & (clones < _SMALL_CLONE_1E9)
    # cells that the CD7+ clone sheds would be lost by the draw: then the clone stays integrated
    small[:, 1] &= clones[:, 0] * column(ward.parameters, "mu")[rows] * days < 1e-9
    who = np.flatnonzero(small.any(axis=1))
    if who.size == 0:
        return after
    u = uniforms(case.streams, case.cohort.numbers[rows[who]], "clones", day=day, count=6)
    drawn = draw_small_clones(
        before[who], ward.parameters[rows[who]], days[who], u.reshape(-1, 2, 3)
    )
    for j, name in enumerate(("LP", "LN")):
        mine = small[who, j]
        state_column(after, name)[who[mine]] = state_column(drawn, name)[mine]
    return after


def _onset_of_relapse(
    ward: Ward, rows: Integers, before: Floats, after: Floats, start: Floats, day: int
) -> None:
    """Morphologic relapse (or refractory disease from day 28 on) starts the hazard of death."""
    share = observe.blast_fraction(after)
    onset = growth_crossing_day(
        observe.blast_fraction(before), share, _RELAPSE_SHARE, start, float(day)
    )
    new = np.isnan(ward.relapsed_day[rows]) & np.isfinite(onset) & (day >= 28)
    ward.relapsed_day[rows[new]] = onset[new]
    hazard = column(ward.parameters, "hR")[rows]
    state_column(after, "HR")[new] += (hazard * (day - onset))[new]
    column(ward.parameters, "relapsed")[rows[new]] = 1.0
    healed = rows[(share < 0.01) & ~np.isnan(ward.relapsed_day[rows])]
    ward.relapsed_day[healed] = np.nan
    column(ward.parameters, "relapsed")[healed] = 0.0


def _onset_of_gvhd(
    case: Case, ward: Ward, rows: Integers, before: Floats, after: Floats, start: Floats, day: int
) -> None:
    """First signs of GVHD: a latency after the integral of tissue damage passes its threshold."""
    damage = state_column(before, "B"), state_column(after, "B")
    begun = crossing_day(*damage, case.fates.gvhd[rows], start, float(day))
    new = np.isfinite(begun)
    ward.gvhd_onset[rows[new]] = (begun + case.fates.gvhd_latency_days[rows])[new]


def _hemoglobin(ward: Ward, rows: Integers, before: Floats, after: Floats, days: Floats) -> None:
    """Haemoglobin follows the marrow towards 135 g/L times its output, over 60 days.

    Where counts are daily a patient is in hospital, and a hundredth of the blood is drawn a day.
    """
    output = [np.minimum(_stem(states), 1.0) for states in (before, after)]
    target = _HEALTHY_HB * 0.5 * (output[0] + output[1])
    left = np.exp(-days / _HB_DAYS)
    ward.hemoglobin[rows] *= np.where(days <= 1.0, np.exp(-_SAMPLED_PER_DAY * days), 1.0)
    ward.hemoglobin[rows] = target + (ward.hemoglobin[rows] - target) * left


def _stem(states: Floats) -> Floats:
    total: Floats = state_column(states, "SR") + state_column(states, "SD")
    return total


def _infections(
    case: Case,
    ward: Ward,
    ledger: Ledger,
    rows: Integers,
    before: Floats,
    after: Floats,
    start: Floats,
    day: int,
    *,
    lasts_days: float = 10.0,
) -> None:
    """Infections that are survived, where their cumulative hazard passes."""
    begun, now = state_column(before, "HI"), state_column(after, "HI")
    for k in range(case.fates.infections.shape[1]):
        at = crossing_day(begun, now, case.fates.infections[rows, k], start, float(day))
        # one infection at a time: what passes while one lasts belongs to it
        found = ~(at >= ward.death_day[rows]) & (at > ward.infected_until[rows] + 1.0)
        first = np.floor(at[found])
        ledger.write(
            "infections", rows[found], start_day=first, end_day=first + lasts_days, order=k
        )
        ward.infected_until[rows[found]] = first + lasts_days


def _deaths(
    case: Case,
    ward: Ward,
    rows: Integers,
    before: Floats,
    after: Floats,
    start: Floats,
    day: int,
) -> None:
    """Death of whichever comes first: infection, or relapse."""
    days = [
        crossing_day(
            state_column(before, name), state_column(after, name), threshold[rows], start, day
        )
        for name, threshold in (
            ("HI", case.fates.infection),
            ("HR", case.fates.after_relapse),
        )
    ]
    first = np.fmin(*days)
    dead = np.isfinite(first)
    ward.death_day[rows[dead]] = first[dead]
    ward.relapse_death[rows[dead]] = (days[1] == first)[dead]
