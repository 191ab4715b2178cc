"""Residual leukaemia as a share of nucleated cells, with the limits the events allow; its CD7."""

from dataclasses import dataclass
from typing import Literal

import polars as pl

from graftline.assays.flow.gates import GatedSample, median_intensity
from graftline.assays.flow.intervals import share_interval
from graftline.assays.flow.populations import role_events, role_gate
from graftline.problems import InputError, Problem


@dataclass(frozen=True, slots=True)
class Mrd:
    """Residual disease as a share of nucleated cells, with what the acquisition could detect.

    ``label`` is ``positive``, ``negative`` or ``negative, low sensitivity``. ``low`` and ``high``
    are exact (Clopper-Pearson) limits of the share. All shares are fractions.
    """

    events: int
    total: int
    fraction: float
    low: float
    high: float
    limit_of_detection: float
    limit_of_quantification: float
    label: str


def mrd_result(
    events: int,
    total: int,
    *,
    detection_events: int = 20,
    quantification_events: int = 50,
    sensitivity: float = 1e-4,
    nucleated_events: int = 500_000,
    confidence: float = 0.95,
) -> Mrd:
    """MRD by flow from a cluster's events among all nucleated cells.

    Positive with at least ``detection_events``; the limit of detection is that number over the
    total, so 1e-4 needs 200,000 nucleated events. A negative result of a total that cannot detect
    ``sensitivity``, or is below ``nucleated_events``, is ``negative, low sensitivity``. Limits are
    at most 1.

    Raises
    ------
    ValueError
        No events at all, or more events than the total.

    Notes
    -----
    20 events to detect and 50 to quantify as EuroFlow has it (Theunissen 2017); 500,000 events for
    negativity as the European LeukemiaNet has it (Heuser 2021).
    """
    if total < 1 or not 0 <= events <= total:
        raise ValueError("MRD needs nucleated events, and no more MRD events than those")
    low, high = share_interval(events, total, confidence=confidence)
    limit = min(detection_events / total, 1.0)
    label = "positive" if events >= detection_events else "negative"
    if label == "negative" and (limit > sensitivity or total < nucleated_events):
        label = "negative, low sensitivity"
    quantified = min(quantification_events / total, 1.0)
    return Mrd(events, total, events / total, low, high, limit, quantified, label)


def marrow_row(
    gated: GatedSample,
    *,
    patient: str,
    day: float,
    gate_markers: str,
    specimen: Literal["marrow", "blood", "csf"] = "marrow",
    detection_events: int = 20,
    cd7_channel: str | None = None,
) -> pl.DataFrame:
    """MRD and CD7 on blasts of one sample as a row of the trial's ``marrow`` table.

    Parameters
    ----------
    gate_markers : str
        Markers the MRD gate relies on, separated by +. After CD7 CAR-T a gate that needs CD7
        misses CD7-negative relapse.
    cd7_channel : str, optional
        Channel of CD7, for the intensity on blasts against CAR-negative CD7+ T cells.

    Returns
    -------
    DataFrame [patient, day, specimen, mrd, mrd_fraction, mrd_sensitivity, mrd_events, mrd_method,
        mrd_gate_markers, cd7_percent_of_blasts, cd7_mfi_percent_of_normal_t]
        CD7 columns are null without the roles, without ``cd7_channel`` or with fewer than
        ``detection_events`` cells; ``mrd_fraction`` is null with 1 to ``detection_events`` - 1.

    Raises
    ------
    InputError
        No role ``mrd`` or ``nucleated``, no nucleated events, or MRD events outside those.
    """
    require_nucleated(gated)
    total = role_events(gated, "nucleated")
    if total == 0:
        remedy = "check the gate and the acquisition"
        raise InputError([Problem(gated.sample.name, "events in the gate of nucleated", remedy)])
    found = mrd_result(role_events(gated, "mrd"), total, detection_events=detection_events)
    # A fraction of fewer events than detection needs would be read as a positive result.
    undetected = 0 < found.events < detection_events
    return pl.DataFrame(
        {
            "patient": [patient],
            "day": [float(day)],
            "specimen": [specimen],
            "mrd": ["positive" if found.label == "positive" else "negative"],
            "mrd_fraction": [None if undetected else found.fraction],
            "mrd_sensitivity": [found.limit_of_detection],
            "mrd_events": [float(total)],
            "mrd_method": ["flow"],
            "mrd_gate_markers": [gate_markers],
            "cd7_percent_of_blasts": [_cd7_of_blasts(gated, detection_events)],
            "cd7_mfi_percent_of_normal_t": [_relative_mfi(gated, cd7_channel, detection_events)],
        },
        schema_overrides={
            "mrd_fraction": pl.Float64,
            "cd7_percent_of_blasts": pl.Float64,
            "cd7_mfi_percent_of_normal_t": pl.Float64,
        },
    )


def require_nucleated(gated: GatedSample) -> None:
    """Refuse an MRD gate that holds events outside the nucleated cells it is a share of.

    Raises
    ------
    InputError
        No role ``mrd`` or ``nucleated``, or such events.
    """
    outer = gated.inside[role_gate(gated, "nucleated")]
    outside = int((gated.inside[role_gate(gated, "mrd")] & ~outer).sum())
    if outside:
        expected = "mrd inside the nucleated cells, of which it is a share"
        remedy = "make the gate of nucleated its parent, or name a gate that holds both"
        found = f"{outside:,} events of {gated.gating.roles['mrd']} outside"
        raise InputError(
            [Problem(gated.gating.file, expected, remedy, column="[roles]", found=found)]
        )


def _cd7_of_blasts(gated: GatedSample, least: int) -> float | None:
    if not {"blasts", "cd7_positive_blasts"} <= set(gated.gating.roles):
        return None
    blasts = gated.inside[role_gate(gated, "blasts")]
    if blasts.sum() < least:
        return None
    positive = blasts & gated.inside[role_gate(gated, "cd7_positive_blasts")]
    return float(100 * positive.sum() / blasts.sum())


def _relative_mfi(gated: GatedSample, channel: str | None, least: int) -> float | None:
    if channel is None or not {"blasts", "cd7_positive_t"} <= set(gated.gating.roles):
        return None
    medians = []
    for role in ("blasts", "cd7_positive_t"):
        gate = role_gate(gated, role)
        row = median_intensity(gated, gate=gate, channels=[channel]).row(0, named=True)
        if row["events"] < least:
            return None
        medians.append(row["median"])
    return 100 * medians[0] / medians[1] if medians[1] > 0 else None
