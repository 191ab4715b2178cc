"""Infinitesimal-jackknife variance of the cumulative incidence, in linear time."""

import numpy as np

from graftline.stats.event_counts import EventCounts, FloatArray, IntArray


def incidence_jackknife(
    counts: EventCounts,
    incidence: FloatArray,
    event_free: FloatArray,
    exit_place: IntArray,
    cause: IntArray,
    entry_place: IntArray | None,
    weights: FloatArray | None,
) -> tuple[FloatArray, FloatArray]:
    """Sum over patients of the squared influence on each F_k(t), and on S(t).

    The influence of patient i on F_k(t) is A_i(t) + F_k(t) B_i(t), where A and B are martingale
    integrals stopped at the patient's exit; so the sum of squares at every t follows from three
    running sums over patients who left and three over those still at risk, instead of n x T terms.
    """
    case = np.ones(exit_place.size) if weights is None else weights * weights
    before = np.concatenate(([1.0], event_free[:-1]))
    with np.errstate(divide="ignore", invalid="ignore"):
        per_patient = np.where(counts.at_risk > 0.0, before / counts.at_risk, 0.0)
        share = np.where(counts.at_risk > 0.0, counts.events / counts.at_risk, 0.0)
        inverse = np.where(event_free > 0.0, 1.0 / event_free, 0.0)
    b_jump = -per_patient * inverse
    variances = []
    for row in range(incidence.shape[0]):
        a_any = per_patient * incidence[row] * inverse
        own = (cause == row + 1).astype(np.float64)
        failed = (cause > 0).astype(np.float64)
        a_hazard = np.cumsum(per_patient * share[row] + a_any * share.sum(axis=0))
        b_hazard = np.cumsum(b_jump * share.sum(axis=0))
        a_event = own * per_patient[exit_place] + failed * a_any[exit_place]
        b_event = failed * b_jump[exit_place]
        variances.append(
            _squares(
                incidence[row],
                (a_event, a_hazard),
                (b_event, b_hazard),
                exit_place,
                entry_place,
                case,
            )
        )
    hazard = np.cumsum(b_jump * share.sum(axis=0))
    event = (cause > 0) * b_jump[exit_place]
    zero = np.zeros_like(hazard)
    free = _squares(
        event_free, (np.zeros_like(event), zero), (event, hazard), exit_place, entry_place, case
    )
    return np.array(variances).reshape(incidence.shape), free


def _squares(
    value: FloatArray,
    a: tuple[FloatArray, FloatArray],
    b: tuple[FloatArray, FloatArray],
    exit_place: IntArray,
    entry_place: IntArray | None,
    case: FloatArray,
) -> FloatArray:
    """Sum of case (A + value B)^2 at every time, over patients who left and those at risk."""
    places = value.size
    start = [
        np.zeros(exit_place.size) if entry_place is None else _at(h, entry_place)
        for h in (a[1], b[1])
    ]
    gone = [e - h[exit_place] + s for (e, h), s in zip((a, b), start, strict=True)]
    moments = ((0, 0), (0, 1), (1, 1))
    scale = (np.ones(places), 2.0 * value, value * value)
    total = np.zeros(places)
    hazard = (a[1], b[1])

    def present(w: FloatArray) -> FloatArray:
        """Running sum over those who entered at or before each time and leave after it."""
        left = np.cumsum(np.bincount(exit_place, weights=w, minlength=places))
        if entry_place is None:
            return np.asarray(w.sum() - left)
        early = entry_place < 0
        came = np.bincount(entry_place[~early], weights=w[~early], minlength=places)
        return np.asarray(w[early].sum() + np.cumsum(came) - left)

    staying = present(case)
    sums = [present(case * s) for s in start]
    for (i, j), factor in zip(moments, scale, strict=True):
        done = np.cumsum(
            np.bincount(exit_place, weights=case * gone[i] * gone[j], minlength=places)
        )
        here = (
            staying * hazard[i] * hazard[j]
            - hazard[i] * sums[j]
            - hazard[j] * sums[i]
            + present(case * start[i] * start[j])
        )
        total += factor * (done + here)
    return np.maximum(total, 0.0)


def _at(hazard: FloatArray, entry_place: IntArray) -> FloatArray:
    """Hazard already passed at entry; none for those observed from the origin (place -1)."""
    return np.where(entry_place >= 0, hazard[np.maximum(entry_place, 0)], 0.0)
