"""What chance does to a virtual patient: thresholds on cumulative hazards, drawn once.

An event happens when its cumulative hazard, integrated with the state, passes an exponential
number: so causes compete, and a treatment that lowers a hazard delays the same event of the same
patient.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graftline.simulate.signs import gvhd_threshold
from graftline.simulate.streams import Streams, normals, uniforms

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Integers = NDArray[np.int64]

_INFECTIONS = 4


@dataclass(frozen=True, slots=True)
class Fates:
    """Drawn thresholds and days of each patient.

    ``infection`` and ``after_relapse`` are cumulative hazards at death; ``infections`` [n, k] those
    of the first infections that are survived; ``gvhd`` the integral of tissue damage at which GVHD
    begins, ``gvhd_latency_days`` the days from then to its first signs.
    Days of CAR-T-related GVHD and of chronic GVHD (from HSPC) are NaN where there is none.
    """

    infection: Floats
    after_relapse: Floats
    infections: Floats
    gvhd: Floats
    gvhd_latency_days: Floats
    car_t_gvhd_day: Floats
    chronic_gvhd_day: Floats
    cmv_day: Floats
    ebv_day: Floats


def draw_fates(
    streams: Streams,
    patients: Integers,
    *,
    allogeneic_product: Booleans,
    infections_per_death: float = 4.0,
    car_t_gvhd_share: float = 0.10,
    chronic_gvhd_share: float = 0.05,
    reactivation_share: float = 0.90,
    latency_days: float = 8.0,
    latency_log_sd: float = 0.4,
) -> Fates:
    """Thresholds of each patient (shares assumed, docs/simulate.md).

    Parameters
    ----------
    allogeneic_product : boolean array [n]
        Whether the CAR-T attack the recipient (donor-derived).
    infections_per_death : float
        Infections survived per expected death from infection.
    reactivation_share : float
        Patients with CMV or EBV reactivation of those whose T cells are low after HSCT.
    latency_days, latency_log_sd : float
        Median and SD of the logarithm of the days from GVHD to its signs: donor T cells need about
        a week to divide and to reach skin, gut and liver.
    """
    u = uniforms(streams, patients, "fates", count=11)
    waits = -np.log(uniforms(streams, patients, "infections", count=_INFECTIONS))
    each = 1.0 - np.sqrt(1.0 - reactivation_share)
    return Fates(
        infection=-np.log(u[:, 0]),
        after_relapse=-np.log(u[:, 1]),
        infections=np.cumsum(waits, axis=1) / infections_per_death,
        gvhd=gvhd_threshold(u[:, 2]),
        gvhd_latency_days=latency_days
        * np.exp(latency_log_sd * normals(streams, patients, "gvhd_latency", count=1)[:, 0]),
        car_t_gvhd_day=_sometimes(
            allogeneic_product & (u[:, 3] < car_t_gvhd_share), np.floor(5.0 + 10.0 * u[:, 4])
        ),
        chronic_gvhd_day=_sometimes(u[:, 5] < chronic_gvhd_share, 101.0 + 200.0 * u[:, 6]),
        cmv_day=_sometimes(u[:, 7] < each, 10.0 + 50.0 * u[:, 8]),
        ebv_day=_sometimes(u[:, 9] < each, 10.0 + 50.0 * u[:, 10]),
    )


def _sometimes(happens: Booleans, day: Floats) -> Floats:
    return np.where(happens, day, np.nan)


def crossing_day(
    before: Floats, after: Floats, threshold: Floats, start: Floats, end: Floats | float
) -> Floats:
    """Day on which a cumulative hazard passes its threshold, NaN where it does not.

    Between two visits the hazard is taken as constant.
    """
    passed = (after >= threshold) & (before < threshold)
    rise = np.where(after > before, after - before, 1.0)
    share = np.clip((threshold - before) / rise, 0.0, 1.0)
    return np.where(passed, start + share * (end - start), np.nan)


def growth_crossing_day(
    before: Floats, after: Floats, threshold: float, start: Floats, end: Floats | float
) -> Floats:
    """Day on which a growing share passes a threshold, NaN where it does not; growth exponential.

    A share that is above at the start crossed then.
    """
    low, high = np.log(np.maximum(before, 1e-30)), np.log(np.maximum(after, 1e-30))
    share = (np.log(threshold) - low) / np.where(high > low, high - low, 1.0)
    day = np.where(before >= threshold, start, start + np.clip(share, 0.0, 1.0) * (end - start))
    return np.where(after >= threshold, day, np.nan)
