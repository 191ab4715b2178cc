"""Tables of one gated sample: gates, T cells by CD7, CD7 on blasts, residual disease."""

import numpy as np
import polars as pl

from graftline.assays.flow.gates import GatedSample, count_gates, gate_values
from graftline.assays.flow.gating_file import Dimension
from graftline.assays.flow.intervals import count_interval, share_interval, share_intervals
from graftline.assays.flow.markers import cd7_axis
from graftline.assays.flow.populations import (
    Reference,
    concentration,
    require_car_negative,
    role_events,
    role_gate,
)
from graftline.assays.flow.residual import mrd_result, require_nucleated

_PER_UL = {"cd7_positive": "cd7_positive_t", "cd7_negative": "cd7_negative_t", "car_t": "car_t"}


def gate_table(gated: GatedSample) -> pl.DataFrame:
    """Counts of `count_gates` with exact 95% limits of both percentages.

    Returns
    -------
    DataFrame [gate, parent, events, parent_events, percent_of_parent, parent_low, parent_high,
        percent_of_all, all_low, all_high]
    """
    counts = count_gates(gated).drop("sample")
    events = counts["events"].to_numpy()
    within = counts["parent_events"].fill_null(0).to_numpy()
    of_parent = share_intervals(events, within)
    of_all = share_intervals(events, counts["events"].head(1).to_numpy().repeat(events.size))
    limits = pl.DataFrame(
        {
            "parent_low": of_parent[0],
            "parent_high": of_parent[1],
            "all_low": of_all[0],
            "all_high": of_all[1],
        }
    ).select(pl.all().fill_nan(None) * 100)
    return pl.concat([counts, limits], how="horizontal").select(
        *("gate", "parent", "events", "parent_events"),
        *("percent_of_parent", "parent_low", "parent_high"),
        *("percent_of_all", "all_low", "all_high"),
    )


def has_roles(gated: GatedSample, *roles: str) -> bool:
    """Whether the gating file names a gate for each role."""
    return set(roles) <= set(gated.gating.roles)


def t_cell_table(
    gated: GatedSample, reference: Reference | None, *, least_events: int = 20
) -> pl.DataFrame:
    """CAR-negative T cells by CD7, and CAR-T cells: events, shares and cells per microlitre.

    Parameters
    ----------
    reference : Reference, optional
        From `choose_reference`; without it the concentrations are null.

    Returns
    -------
    DataFrame, one row
        ``car_negative_events``, ``cd7_positive_events``, ``cd7_negative_events``, ``car_t_events``;
        ``cd7_positive_percent`` of the CAR-negative T cells with exact 95% limits; for each
        population ``<name>_per_ul`` with exact (Poisson) 95% limits, which are null and
        ``<name>_below`` is true where fewer than ``least_events`` were seen: then the value is the
        limit.

    Raises
    ------
    InputError
        CD7 gates that hold CAR-T cells.
    """
    require_car_negative(gated)
    total = role_events(gated, "car_negative_t")
    positive = role_events(gated, "cd7_positive_t") if has_roles(gated, "cd7_positive_t") else None
    row: dict[str, object] = {
        "car_negative_events": total,
        **{
            f"{name}_events": role_events(gated, role) if has_roles(gated, role) else None
            for name, role in _PER_UL.items()
        },
        "cd7_positive_percent": 100 * positive / total if positive is not None and total else None,
    }
    low, high = share_interval(positive, total) if positive is not None and total else (None, None)
    row["cd7_positive_percent_low"] = None if low is None else 100 * low
    row["cd7_positive_percent_high"] = None if high is None else 100 * high
    row["reference"] = None if reference is None else reference.role
    row["reference_events"] = None if reference is None else reference.events
    row["reference_per_ul"] = None if reference is None else reference.per_ul
    for name, role in _PER_UL.items():
        row |= _per_ul(gated, name, role, reference, least_events)
    types = {"reference": pl.String}
    schema = {name: types.get(name, _type_of(name)) for name in row}
    return pl.DataFrame([row], schema=schema)


def _type_of(name: str) -> type[pl.DataType]:
    if name.endswith("_events"):
        return pl.Int64
    return pl.Boolean if name.endswith("_below") else pl.Float64


def _per_ul(
    gated: GatedSample, name: str, role: str, reference: Reference | None, least: int
) -> dict[str, object]:
    columns = [f"{name}_per_ul", f"{name}_per_ul_low", f"{name}_per_ul_high", f"{name}_below"]
    if reference is None or not has_roles(gated, role):
        return dict.fromkeys(columns)
    events = role_events(gated, role)
    cells = concentration(
        events,
        reference_events=reference.events,
        reference_per_ul=reference.per_ul,
        least_events=least,
    )
    per_event = reference.per_ul / reference.events
    low, high = (per_event * end for end in count_interval(events))
    below = cells.quantification == "below"
    values = [cells.cells_per_ul, None if below else low, None if below else high, below]
    return dict(zip(columns, values, strict=True))


def blast_table(gated: GatedSample, *, least_events: int = 20) -> pl.DataFrame:
    """CD7 on blasts: share of CD7+ with exact 95% limits, median, and median against normal T.

    Returns
    -------
    DataFrame, one row [blast_events, cd7_positive_events, cd7_positive_percent,
        cd7_positive_percent_low, cd7_positive_percent_high, cd7_median, cd7_median_of_normal_t,
        cd7_percent_of_normal_t]
        Shares and medians are null for fewer than ``least_events`` cells; the medians are linear,
        compensated, of the cells named.
    """
    blasts = gated.inside[role_gate(gated, "blasts")]
    total = int(blasts.sum())
    positive = None
    if has_roles(gated, "cd7_positive_blasts"):
        positive = int((blasts & gated.inside[role_gate(gated, "cd7_positive_blasts")]).sum())
    share = low = high = None
    if positive is not None and total >= least_events:
        share = 100 * positive / total
        low, high = (100 * end for end in share_interval(positive, total))
    own, normal = (_cd7_median(gated, role, least_events) for role in ("blasts", "cd7_positive_t"))
    relative = 100 * own / normal if own is not None and normal is not None and normal > 0 else None
    return pl.DataFrame(
        {
            "blast_events": [total],
            "cd7_positive_events": [positive],
            "cd7_positive_percent": [share],
            "cd7_positive_percent_low": [low],
            "cd7_positive_percent_high": [high],
            "cd7_median": [own],
            "cd7_median_of_normal_t": [normal],
            "cd7_percent_of_normal_t": [relative],
        },
        schema_overrides={
            "cd7_positive_events": pl.Int64,
            "cd7_positive_percent": pl.Float64,
            "cd7_positive_percent_low": pl.Float64,
            "cd7_positive_percent_high": pl.Float64,
            "cd7_median": pl.Float64,
            "cd7_median_of_normal_t": pl.Float64,
            "cd7_percent_of_normal_t": pl.Float64,
        },
    )


def _cd7_median(gated: GatedSample, role: str, least: int) -> float | None:
    axis = cd7_axis(gated)
    if axis is None or not has_roles(gated, role):
        return None
    bare = Dimension(axis.channel, compensated=axis.compensated)
    values = gate_values(gated, bare, gate=role_gate(gated, role))
    known = values[~np.isnan(values)]
    return float(np.median(known)) if known.size >= least else None


def mrd_table(
    gated: GatedSample,
    *,
    markers: str,
    detection_events: int = 20,
    quantification_events: int = 50,
    sensitivity: float = 1e-4,
    nucleated_events: int = 500_000,
) -> pl.DataFrame:
    """Residual disease of one sample, as `mrd_result`, with the markers its gate relies on.

    Returns
    -------
    DataFrame, one row [mrd_events, nucleated_events, fraction, low, high, limit_of_detection,
        limit_of_quantification, label, quantified, markers]
        All shares are fractions of nucleated cells. ``quantified``: as many events as
        quantification needs.

    Raises
    ------
    InputError
        MRD events outside the nucleated cells.
    """
    require_nucleated(gated)
    found = mrd_result(
        role_events(gated, "mrd"),
        role_events(gated, "nucleated"),
        detection_events=detection_events,
        quantification_events=quantification_events,
        sensitivity=sensitivity,
        nucleated_events=nucleated_events,
    )
    return pl.DataFrame(
        {
            "mrd_events": [found.events],
            "nucleated_events": [found.total],
            "fraction": [found.fraction],
            "low": [found.low],
            "high": [found.high],
            "limit_of_detection": [found.limit_of_detection],
            "limit_of_quantification": [found.limit_of_quantification],
            "label": [found.label],
            "quantified": [found.events >= quantification_events],
            "markers": [markers],
        }
    )
