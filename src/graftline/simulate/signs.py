"""What the clinic records and the model lacks, each from the state by a stated rule.

Temperature, pressure and oxygen follow interleukin-6 through thresholds drawn per patient, never
through a grade; organ findings of GVHD follow tissue damage through a drawn split of organs.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import ndtri

from graftline.model.parameters import state_column
from graftline.simulate.streams import Streams, normals, uniforms

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Integers = NDArray[np.int64]

_BASELINE_IL6 = 5.0
_FEVER_IL6, _SUPPORT_IL6, _INTENSIVE_IL6 = 80.0, 500.0, 2000.0
_SPREAD = 0.3
_GVHD_SCALE = 0.12
_GRADE_TWO, _GRADE_THREE = -0.6, 1.0
_SMALL_MEAN = 40.0
_MOST_OF_SMALL_MEAN = int(_SMALL_MEAN + 12.0 * np.sqrt(_SMALL_MEAN))


@dataclass(frozen=True, slots=True)
class Thresholds:
    """IL-6 (pg/mL) at which each patient has fever, and needs support of pressure or oxygen.

    ``normal_systolic_mmhg`` is the patient's own pressure when well; ``gut``, ``liver`` say which
    organ shows moderate GVHD, skin where neither.
    """

    fever: Floats
    pressure: Floats
    oxygen: Floats
    vasopressor: Floats
    high_flow: Floats
    normal_systolic_mmhg: Floats
    gut: Booleans
    liver: Booleans
    gvhd_latent: Floats


def draw_thresholds(streams: Streams, patients: Integers) -> Thresholds:
    """Thresholds of each patient; the lower of pressure and oxygen is the one of grade 2."""
    z = normals(streams, patients, "thresholds", count=4)
    u = uniforms(streams, patients, "organs", count=2)
    shift = np.exp(_SPREAD * z[:, 0])
    later = np.exp(_SPREAD * np.abs(z[:, 1]))
    pressure_first = u[:, 0] < 0.5
    pressure = np.where(pressure_first, 1.0, later)
    oxygen = np.where(pressure_first, later, 1.0)
    return Thresholds(
        fever=_FEVER_IL6 * shift,
        pressure=_SUPPORT_IL6 * shift * pressure,
        oxygen=_SUPPORT_IL6 * shift * oxygen,
        vasopressor=_INTENSIVE_IL6 * shift * pressure,
        high_flow=_INTENSIVE_IL6 * shift * oxygen,
        normal_systolic_mmhg=118.0 + 8.0 * z[:, 2],
        gut=u[:, 1] < 0.35,
        liver=(u[:, 1] >= 0.35) & (u[:, 1] < 0.45),
        gvhd_latent=z[:, 3],
    )


def take(thresholds: Thresholds, rows: Integers) -> Thresholds:
    """Thresholds of some patients."""
    return Thresholds(*(getattr(thresholds, name)[rows] for name in Thresholds.__slots__))


@dataclass(frozen=True, slots=True)
class VitalSigns:
    """Vital signs of one day; ``device`` 0 room air, 1 nasal cannula, 2 high-flow cannula."""

    temperature_c: Floats
    systolic_mmhg: Floats
    spo2_percent: Floats
    vasopressor: Booleans
    device: Integers
    flow_l_per_min: Floats


def vital_signs(
    states: Floats,
    thresholds: Thresholds,
    z: Floats,
    *,
    low_systolic_mmhg: Floats,
    tocilizumab_days: Floats | float = np.inf,
    effect_days: float = 2.0,
) -> VitalSigns:
    """Temperature, pressure and oxygen from interleukin-6 signalling.

    Parameters
    ----------
    states : array [n, state]
    z : standard normal array [n, 3]
    low_systolic_mmhg : array [n]
        Pressure below which a patient of that age is hypotensive: reached at the threshold.
    tocilizumab_days : array [n]
        Days since the first dose of tocilizumab, NaN without.
    effect_days : float
        Time constant with which the signs follow the block of signalling.

    Notes
    -----
    Signalling is IL-6 times the share that tocilizumab leaves. The block itself is immediate, but a
    patient recovers over days (two thirds of severe CRS within 14, Le 2018): so its effect
    on the signs builds up as ``1 - exp(-days / effect_days)``. Each sign moves with its logarithm
    from normal (at 5 pg/mL) to the limit (at the threshold): 38.0 C, the low pressure, 91 %.
    """
    felt = 1.0 - np.exp(-np.maximum(np.nan_to_num(tocilizumab_days), 0.0) / effect_days)
    il6 = state_column(states, "I") * (1.0 - felt * state_column(states, "X"))
    rise = np.log(np.maximum(il6, 1.0) / _BASELINE_IL6)

    def way(limit: Floats) -> Floats:
        share: Floats = np.maximum(rise, 0.0) / np.log(limit / _BASELINE_IL6)
        return share

    temperature = 36.8 + 1.2 * way(thresholds.fever) + 0.12 * z[:, 0]
    room = np.maximum(thresholds.normal_systolic_mmhg - low_systolic_mmhg, 12.0)
    pressed = il6 >= thresholds.vasopressor
    systolic = low_systolic_mmhg + room * (1.0 - way(thresholds.pressure)) + 1.5 * z[:, 1]
    device = (il6 >= thresholds.oxygen).astype(np.int64) + (il6 >= thresholds.high_flow)
    saturation = 97.0 - 6.0 * way(thresholds.oxygen) + 0.4 * z[:, 2]
    return VitalSigns(
        temperature_c=_rounded(np.clip(temperature, 35.5, 41.5), 1),
        systolic_mmhg=np.round(np.where(pressed, low_systolic_mmhg + 4.0, systolic).clip(60, 160)),
        spo2_percent=np.round(np.where(device > 0, 94.0, saturation).clip(85, 99)),
        vasopressor=pressed,
        device=device,
        flow_l_per_min=np.array([np.nan, 3.0, 40.0])[device],
    )


def _rounded(values: Floats, digits: int = 0) -> Floats:
    result: Floats = np.round(values, digits)
    return result


@dataclass(frozen=True, slots=True)
class OrganFindings:
    """Findings of one GVHD assessment: skin (%), bilirubin (mg/dL), stool (mL/d), nausea."""

    skin_bsa_percent: Floats
    bilirubin_mg_per_dl: Floats
    stool_ml_per_day: Floats
    nausea: Booleans


def gvhd_threshold(u: Floats) -> Floats:
    """Running integral of tissue damage at which GVHD begins: P = 1 - exp(-sqrt(B / 0.12))."""
    start: Floats = _GVHD_SCALE * np.log(1.0 / (1.0 - u)) ** 2
    return start


def gvhd_severity(damage: Floats, share_of_worst: Floats, latent: Floats) -> Floats:
    """Severity on the latent scale: 0.5 ln(B / 0.12) + z, less as the damage heals.

    ``damage`` is the integral B as it will be if nothing is added, ``share_of_worst`` present
    damage over the worst so far; below a half the findings fade.
    """
    healed = np.log(np.clip(2.0 * share_of_worst, 1e-6, 1.0))
    level: Floats = 0.5 * np.log(np.maximum(damage, 1e-12) / _GVHD_SCALE) + latent + healed
    return level


def organ_findings(
    level: Floats, ill: Booleans, thresholds: Thresholds, bilirubin: Floats
) -> OrganFindings:
    """Organ findings from severity: each organ rises smoothly through its printed stages.

    At severity -0.6 the drawn organ passes its limit of a moderate finding (skin 50 %, bilirubin
    2 mg/dL, stool 500 mL), at 1.0 that of a severe one (bilirubin 3 mg/dL, stool 1000 mL), then
    with gut signs whichever organ led.
    """
    above = level - _GRADE_TWO
    step = np.log(2.0) / (_GRADE_THREE - _GRADE_TWO)
    late_gut = 1000.0 * np.exp(4.0 * (level - _GRADE_THREE))
    gut = np.where(thresholds.gut, 500.0 * np.exp(step * above), late_gut)
    liver_slope = np.log(1.5) / (_GRADE_THREE - _GRADE_TWO)
    liver = np.where(thresholds.liver, 2.0 * np.exp(liver_slope * above), 0.0)
    led = thresholds.gut | thresholds.liver
    skin = np.where(led, 20.0, 50.0) * np.exp(0.5 * above)
    gut = np.where(thresholds.liver & (level > _GRADE_THREE), np.minimum(gut, 450.0), gut)
    none = np.zeros_like(level)
    return OrganFindings(
        skin_bsa_percent=_rounded(np.where(ill, np.clip(skin, 1.0, 90.0), none)),
        bilirubin_mg_per_dl=_rounded(np.where(ill, np.maximum(liver, bilirubin), bilirubin), 2),
        stool_ml_per_day=_rounded(np.where(ill & (gut > 200.0), np.minimum(gut, 4000.0), none)),
        nausea=ill & thresholds.gut & (gut > 400.0),
    )


def binomial(u: Floats, trials: int, share: Floats) -> Integers:
    """Binomial counts from uniform numbers, one each; inverted, so that they follow ``u``.

    Means up to 40 (counted from the nearer end) are inverted exactly, larger ones by the normal
    approximation with correction for skewness.
    """
    share = np.clip(share, 0.0, 1.0)
    flip = share > 0.5
    p, v = np.where(flip, 1.0 - share, share), np.where(flip, 1.0 - u, u)
    z = ndtri(v)
    sd = np.sqrt(np.maximum(trials * p * (1.0 - p), 1e-300))
    skew = (1.0 - 2.0 * p) * (z * z - 1.0) / 6.0
    count = np.clip(np.round(trials * p + sd * z + skew), 0, trials)
    few = trials * p <= _SMALL_MEAN
    count[few] = _invert(v[few], trials, p[few], _MOST_OF_SMALL_MEAN)
    hits: Integers = np.where(flip, trials - count, count).astype(np.int64)
    return hits


@njit(cache=True, nogil=True)
def _invert(u: Floats, trials: int, p: Floats, most: int) -> Floats:
    count = np.zeros(u.size)
    for i in range(u.size):
        odds = p[i] / (1.0 - p[i])
        share = np.exp(trials * np.log1p(-p[i]))
        reached, k = share, 0
        while reached < u[i] and k <= most:
            share *= odds * (trials - k) / (k + 1.0)
            k += 1
            reached += share
        count[i] = min(k, trials)
    return count
