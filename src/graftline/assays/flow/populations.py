"""From gate counts to cells per microlitre: the rows of T cells that a trial records."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from graftline.assays.flow.gates import GatedSample
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


@dataclass(frozen=True, slots=True)
class Reference:
    """What turns events into cells per microlitre: the role's events and their concentration."""

    role: str
    events: int
    per_ul: float


def choose_reference(
    gated: GatedSample,
    *,
    wbc_1e9_per_l: float | None = None,
    lymphocytes_1e9_per_l: float | None = None,
    beads_per_ul: float | None = None,
    least_events: int = 1,
) -> Reference | None:
    """The reference of a sample: counting beads, leukocytes or lymphocytes; none without a number.

    Raises
    ------
    InputError
        No gate for the role, fewer than ``least_events`` in it, or a concentration that is not
        positive.
    ValueError
        More than one concentration.
    """
    given = {
        "beads": beads_per_ul,
        "leukocytes": None if wbc_1e9_per_l is None else 1000 * wbc_1e9_per_l,
        "lymphocytes": None if lymphocytes_1e9_per_l is None else 1000 * lymphocytes_1e9_per_l,
    }
    known = [(role, per_ul) for role, per_ul in given.items() if per_ul is not None]
    if len(known) > 1:
        raise ValueError("give one of wbc_1e9_per_l, lymphocytes_1e9_per_l and beads_per_ul")
    if not known:
        return None
    role, per_ul = known[0]
    events = role_events(gated, role)
    if events < max(least_events, 1) or not per_ul > 0:
        remedy = "check the gate, the acquisition and the concentration"
        expected = f"at least {max(least_events, 1)} events of {role} and their concentration"
        found = f"{events} events at {per_ul:g} per microlitre"
        raise InputError([Problem(gated.sample.name, expected, remedy, found=found)])
    return Reference(role, events, per_ul)


def t_cell_labs(
    gated: GatedSample,
    *,
    patient: str,
    day: float,
    wbc_1e9_per_l: float | None = None,
    lymphocytes_1e9_per_l: float | None = None,
    beads_per_ul: float | None = None,
    least_events: int = 20,
) -> pl.DataFrame:
    """T-cell counts of one blood sample as rows of the trial's ``labs`` table.

    CAR+ cells carry CD3 and may carry CD7: the roles ``cd7_positive_t`` and ``cd7_negative_t`` must
    be gates below the CAR-negative T cells (role ``car_negative_t``).

    Parameters
    ----------
    wbc_1e9_per_l, lymphocytes_1e9_per_l, beads_per_ul : float
        At most one of them: the white-cell or lymphocyte count with role ``leukocytes`` or
        ``lymphocytes``, or beads per microlitre of blood with role ``beads``. Without one there are
        shares and no counts.
    least_events : int
        Fewer events are below the limit.

    Returns
    -------
    DataFrame [patient, day, analyte, value, unit, quantification, lloq]
        ``cd3_cd7_positive``, ``cd3_cd7_negative`` and ``car_t_flow`` in cells/uL, as far as the
        gating file has the roles, and ``cd3_cd7_positive_percent`` of CAR-negative T cells if
        there are at least ``least_events`` of those.

    Raises
    ------
    InputError
        Roles missing, too few reference events, CD7 gates that hold CAR-T cells.
    """
    require_car_negative(gated)
    reference = choose_reference(
        gated,
        wbc_1e9_per_l=wbc_1e9_per_l,
        lymphocytes_1e9_per_l=lymphocytes_1e9_per_l,
        beads_per_ul=beads_per_ul,
        least_events=least_events,
    )
    rows: list[tuple[str, float, str, str, float | None]] = []
    if reference is not None:
        for analyte, gate_role in _ANALYTES.items():
            if gate_role in gated.gating.roles:
                cells = concentration(
                    role_events(gated, gate_role),
                    reference_events=reference.events,
                    reference_per_ul=reference.per_ul,
                    least_events=least_events,
                )
                limit = cells.limit_per_ul
                rows.append((analyte, cells.cells_per_ul, "cells/uL", cells.quantification, limit))
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


def require_car_negative(gated: GatedSample) -> None:
    """Refuse CD7 gates that hold CAR-T cells.

    Raises
    ------
    InputError
        No role ``car_negative_t``, or CD7 gates with events outside it.
    """
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
