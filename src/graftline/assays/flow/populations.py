"""From gate counts to what the trial records: cells per microlitre, MRD, CD7 on blasts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl
from scipy.stats import beta

from graftline.assays.flow.gates import GatedSample, median_intensity
from graftline.problems import InputError, Problem


@dataclass(frozen=True, slots=True)
class Concentration:
    """Cells per microlitre and the lowest concentration the events acquired could show.

    ``quantification`` is ``below`` when fewer than the required events were seen; then
    ``cells_per_ul`` is the limit.
    """

    events: int
    cells_per_ul: float
    limit_per_ul: float
    quantification: Literal["quantified", "below"]


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


def role_events(gated: GatedSample, role: str) -> int:
    """Events of the gate that plays a role.

    Raises
    ------
    InputError
        The gating file names no gate for this role.
    """
    return int(gated.inside[role_gate(gated, role)].sum())


def role_gate(gated: GatedSample, role: str) -> str:
    """Name of the gate that plays a role.

    Raises
    ------
    InputError
        The gating file names no gate for this role.
    """
    gate = gated.gating.roles.get(role)
    if gate is None:
        remedy = f'add to the gating file: [roles] {role} = "name of a gate"'
        raise InputError(
            [Problem(gated.gating.file, f"a gate for {role}", remedy, column="[roles]")]
        )
    return gate


def concentration(
    events: int, *, reference_events: int, reference_per_ul: float, least_events: int = 20
) -> Concentration:
    """Cells per microlitre from events and a reference of known concentration.

    Parameters
    ----------
    reference_events, reference_per_ul
        Single platform: bead events and beads per microlitre of blood. Dual platform: leukocyte
        events and the white-cell count per microlitre (1e9/L x 1000).
    least_events : int
        Fewer events are below the limit.

    Raises
    ------
    ValueError
        No reference events or a reference concentration that is not positive.
    """
    if reference_events < 1 or not reference_per_ul > 0:
        raise ValueError("a concentration needs reference events and their concentration")
    per_event = reference_per_ul / reference_events
    limit = least_events * per_event
    if events < least_events:
        return Concentration(events, limit, limit, "below")
    return Concentration(events, events * per_event, limit, "quantified")


_ANALYTES: Mapping[str, str] = {
    "cd3_cd7_positive": "cd7_positive_t",
    "cd3_cd7_negative": "cd7_negative_t",
    "car_t_flow": "car_t",
}


def t_cell_labs(
    gated: GatedSample,
    *,
    patient: str,
    day: float,
    wbc_1e9_per_l: float | None = None,
    beads_per_ul: float | None = None,
    least_events: int = 20,
) -> pl.DataFrame:
    """T-cell counts of one blood sample as rows of the trial's ``labs`` table.

    CAR+ cells carry CD3 and may carry CD7: the roles ``cd7_positive_t`` and ``cd7_negative_t`` must
    be gates below the CAR-negative T cells (role ``car_negative_t``).

    Parameters
    ----------
    wbc_1e9_per_l, beads_per_ul : float
        One of them: the white-cell count with role ``leukocytes``, or beads per microlitre of
        blood with role ``beads``.

    Returns
    -------
    DataFrame [patient, day, analyte, value, unit, quantification, lloq]
        ``cd3_cd7_positive``, ``cd3_cd7_negative`` and ``car_t_flow`` in cells/uL, as far as the
        gating file has the roles, and ``cd3_cd7_positive_percent`` of CAR-negative T cells if
        there are at least ``least_events`` of those.

    Raises
    ------
    InputError
        Roles missing, no reference events, CD7 gates that are not inside the CAR-negative gate.
    """
    if (wbc_1e9_per_l is None) == (beads_per_ul is None):
        raise ValueError("give either wbc_1e9_per_l or beads_per_ul")
    role = "leukocytes" if wbc_1e9_per_l is not None else "beads"
    per_ul = 1000 * wbc_1e9_per_l if wbc_1e9_per_l is not None else beads_per_ul
    _require_car_negative(gated)
    reference = role_events(gated, role)
    if reference == 0 or per_ul is None or not per_ul > 0:
        remedy = "check the gate, the acquisition and the concentration"
        expected = f"events in the gate of {role} and their concentration"
        raise InputError([Problem(gated.sample.name, expected, remedy)])
    rows: list[tuple[str, float, str, str, float | None]] = []
    for analyte, gate_role in _ANALYTES.items():
        if gate_role in gated.gating.roles:
            cells = concentration(
                role_events(gated, gate_role),
                reference_events=reference,
                reference_per_ul=per_ul,
                least_events=least_events,
            )
            rows.append(
                (analyte, cells.cells_per_ul, "cells/uL", cells.quantification, cells.limit_per_ul)
            )
    rows += _cd7_percent(gated, least_events)
    schema = {
        "analyte": pl.String,
        "value": pl.Float64,
        "unit": pl.String,
        "quantification": pl.String,
        "lloq": pl.Float64,
    }
    table = pl.DataFrame(rows, schema=schema, orient="row")
    return table.select(
        pl.lit(patient).alias("patient"), pl.lit(float(day)).alias("day"), *table.columns
    )


def _require_car_negative(gated: GatedSample) -> None:
    outer = gated.inside[role_gate(gated, "car_negative_t")]
    problems = [
        Problem(
            gated.gating.file,
            f"{role} inside the CAR-negative T cells; CAR-T cells would count as T cells",
            "make the gate of car_negative_t its parent",
            column="[roles]",
            found=gated.gating.roles[role],
        )
        for role in ("cd7_positive_t", "cd7_negative_t")
        if role in gated.gating.roles and (gated.inside[role_gate(gated, role)] & ~outer).any()
    ]
    if problems:
        raise InputError(problems)


def _cd7_percent(
    gated: GatedSample, least_events: int
) -> list[tuple[str, float, str, str, float | None]]:
    cells = role_events(gated, "car_negative_t")
    if "cd7_positive_t" not in gated.gating.roles or cells < least_events:
        return []
    limit = 100 * least_events / cells
    share = 100 * role_events(gated, "cd7_positive_t") / cells
    quantified = share >= limit
    word = "quantified" if quantified else "below"
    return [("cd3_cd7_positive_percent", max(share, limit), "%", word, limit)]


def mrd_result(
    events: int,
    total: int,
    *,
    detection_events: int = 20,
    quantification_events: int = 50,
    sensitivity: float = 1e-4,
    confidence: float = 0.95,
) -> Mrd:
    """MRD by flow from a cluster's events among all nucleated cells.

    Positive with at least ``detection_events``; the limit of detection is that number over the
    total, so 1e-4 needs 200,000 nucleated events. Fewer total events make a negative result
    ``negative, low sensitivity``.

    Raises
    ------
    ValueError
        No events at all, or more events than the total.

    Notes
    -----
    20 events to detect and 50 to quantify as EuroFlow has it (Theunissen 2017).
    """
    if total < 1 or not 0 <= events <= total:
        raise ValueError("MRD needs nucleated events, and no more MRD events than those")
    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, events, total - events + 1)) if events else 0.0
    high = float(beta.ppf(1 - tail, events + 1, total - events)) if events < total else 1.0
    limit = detection_events / total
    label = "positive" if events >= detection_events else "negative"
    if label == "negative" and limit > sensitivity:
        label = "negative, low sensitivity"
    quantified = quantification_events / total
    return Mrd(events, total, events / total, low, high, limit, quantified, label)


def marrow_row(
    gated: GatedSample,
    *,
    patient: str,
    day: float,
    gate_markers: str,
    detection_events: int = 20,
    cd7_channel: str | None = None,
) -> pl.DataFrame:
    """MRD and CD7 on blasts of one marrow sample as a row of the trial's ``marrow`` table.

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
        ``detection_events`` cells.

    Raises
    ------
    InputError
        No role ``mrd`` or ``nucleated``, or no nucleated events.
    """
    total = role_events(gated, "nucleated")
    if total == 0:
        remedy = "check the gate and the acquisition"
        raise InputError([Problem(gated.sample.name, "events in the gate of nucleated", remedy)])
    found = mrd_result(role_events(gated, "mrd"), total, detection_events=detection_events)
    return pl.DataFrame(
        {
            "patient": [patient],
            "day": [float(day)],
            "specimen": ["marrow"],
            "mrd": ["positive" if found.label == "positive" else "negative"],
            "mrd_fraction": [found.fraction],
            "mrd_sensitivity": [found.limit_of_detection],
            "mrd_events": [float(total)],
            "mrd_method": ["flow"],
            "mrd_gate_markers": [gate_markers],
            "cd7_percent_of_blasts": [_cd7_of_blasts(gated, detection_events)],
            "cd7_mfi_percent_of_normal_t": [_relative_mfi(gated, cd7_channel, detection_events)],
        },
        schema_overrides={
            "cd7_percent_of_blasts": pl.Float64,
            "cd7_mfi_percent_of_normal_t": pl.Float64,
        },
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
