"""Treating a chunk of virtual patients: integrate to the next visit, measure, ask, act, write down.

The whole chunk goes through a visit day together; only patients who are due are integrated and
measured. Measurements carry assay noise from ``model.observe``; every random number is named
(``streams``), so that a decision changes nothing but what follows from it.
"""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from graftline.model import observe
from graftline.model.events import (
    Body,
    car_t_infusion,
    drug_dose,
    graft_infusion,
    join_doses,
)
from graftline.model.parameters import column, state_column
from graftline.model.solver import Doses
from graftline.simulate import care, gate
from graftline.simulate.passage import carry
from graftline.simulate.signs import (
    binomial,
    gvhd_severity,
    organ_findings,
    take,
    vital_signs,
)
from graftline.simulate.streams import normals, uniforms
from graftline.simulate.visits import Due, calendar_of, due_on
from graftline.simulate.ward import Case, Ledger, Ward, admit

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Integers = NDArray[np.int64]

_STAYS_ILL = 0.15


def treat(
    case: Case,
    end_day: Floats,
    *,
    threads: int | None = None,
    kinds: Collection[str] | None = None,
) -> tuple[Ward, Ledger]:
    """Treat all patients of a chunk until death or the last day of follow-up.

    Parameters
    ----------
    case : Case
    end_day : array [n]
        Whole days.
    threads : int, optional
        For the solver.
    kinds : collection of str, optional
        Kinds of rows that are written down, default all. What the clinic does is the same.

    Returns
    -------
    Ward at the end, Ledger of everything written down.
    """
    ledger = Ledger(None if kinds is None else frozenset(kinds))
    ward = admit(case.cohort, end_day)
    last = int(np.max(end_day))
    calendar = calendar_of(case.plan.visits, last)
    if case.plan.fixed_hsct_day is not None:
        ward.hsct_planned[:] = case.plan.fixed_hsct_day
    doses = _lymphodepletion(case)
    for day in range(last + 1):
        due = due_on(calendar, day, ward.hsct_day, ward.gvhd_active)
        seen = _who(case, ward, due, day)
        if seen.size == 0:
            continue
        carry(case, ward, ledger, seen, day, doses if day == 0 else None, threads)
        present = seen[np.isnan(ward.death_day[seen]) & (ward.status[seen] == 0)]
        _visit(case, ward, ledger, due, present, day)
        _infuse(case, ward, ledger, present, day)
        care.set_steroids(ward, present, day)
        if case.plan.prophylaxis:
            care.set_prophylaxis(ward, present, day)
    care.close_gcsf(ward, ledger)
    return ward, ledger


def _lymphodepletion(case: Case) -> Doses:
    """Doses of the plan's drugs, each on its own days; `plan_of` refuses what the model lacks."""
    body, everybody = case.cohort.body, np.arange(len(case.cohort.numbers))
    given = case.plan.lymphodepletion
    return join_doses(
        [
            drug_dose(everybody, body, drug.drug, float(day), drug.dose or 0.0, drug.unit)
            for day in sorted({day for drug in given for day in drug.days})
            for drug in given
            if day in drug.days
        ]
    )


def _who(case: Case, ward: Ward, due: Due, day: int) -> Integers:
    """Rows of patients seen today: due, or to be infused, conditioned, or at the end."""
    coming = ward.hsct_planned - day
    prepared = (coming >= 0) & (coming <= (6 if case.plan.conditioning else 0))
    treated = prepared & np.isnan(ward.hsct_day)
    here = np.isnan(ward.death_day) & (ward.end_day >= day) & (ward.status == 0)
    switched = care.changes_today(ward, day, prophylaxis=case.plan.prophylaxis)
    rows: Integers = np.flatnonzero(here & (due.any | treated | switched | (ward.end_day == day)))
    return rows


def _visit(case: Case, ward: Ward, ledger: Ledger, due: Due, present: Integers, day: int) -> None:
    """Everything looked at today, and what is done on it."""
    _look_at_signs(case, ward, ledger, present[due.vitals[present]], day)
    _look_at_gvhd(
        case, ward, ledger, present[due.gvhd[present] | _car_t_rash(case, present, day)], day
    )
    counted = present[due.counts[present] | due.marrow[present]]
    anc, platelets, hemoglobin = _look_at_counts(case, ward, ledger, counted, day)
    _look_at_car_t(case, ward, ledger, present[due.kinetics[present]], day)
    _look_for_viruses(case, ward, ledger, present[due.viral[present]], day)
    _look_at_chimerism(case, ward, ledger, present[due.chimerism[present]], day)
    suspected = _suspicious(ward, counted, day)
    examined = np.flatnonzero(due.marrow[counted] | suspected)
    if day > 0:
        _look_at_marrow(
            case,
            ward,
            ledger,
            counted[examined],
            day,
            anc[examined],
            platelets[examined],
            hemoglobin[examined],
        )
        _plan_salvage(case, ward, counted, day, anc, platelets, hemoglobin)
    care.transfuse(ward, ledger, counted, day, platelets, hemoglobin)
    judged = case.plan.protocol.definitions.graft_failure_day
    care.give_gcsf(ward, ledger, counted, day, anc, last_hsct_day=judged)


def _numbers(case: Case, rows: Integers) -> Integers:
    return case.cohort.numbers[rows]


def _look_at_signs(case: Case, ward: Ward, ledger: Ledger, rows: Integers, day: int) -> None:
    if rows.size == 0:
        return
    z = normals(case.streams, _numbers(case, rows), "vitals", day=day, count=4)
    signs = vital_signs(
        ward.states.take(rows, axis=0),
        take(case.thresholds, rows),
        z,
        low_systolic_mmhg=case.low_systolic_mmhg[rows],
        tocilizumab_days=day - ward.tocilizumab_first[rows],
    )
    il6 = observe.report_lognormal(
        state_column(ward.states.take(rows, axis=0), "I"), z[:, 3], observe.IL6
    )
    ledger.write(
        "vitals",
        rows,
        day=float(day),
        temperature_c=signs.temperature_c,
        systolic_mmhg=signs.systolic_mmhg,
        spo2_percent=signs.spo2_percent,
        vasopressor=signs.vasopressor,
        device=signs.device,
        flow=signs.flow_l_per_min,
        il6=il6.value,
        il6_below=il6.below,
    )
    care.treat_crs(ward, ledger, rows, day, care.crs_grades(case, rows, day, signs))


def _look_at_counts(
    case: Case, ward: Ward, ledger: Ledger, rows: Integers, day: int
) -> tuple[Floats, Floats, Floats]:
    states = ward.states.take(rows, axis=0)
    z = normals(case.streams, _numbers(case, rows), "counts", day=day, count=3)
    # one dilution error for the whole sample, so that neutrophils never exceed white cells
    white = observe.report_lognormal(observe.leukocytes(states), z[:, 0], observe.LEUKOCYTES)
    anc = observe.report_lognormal(observe.neutrophils(states), z[:, 0], observe.ANC)
    platelets = observe.report_lognormal(observe.platelets(states), z[:, 1], observe.PLATELETS)
    hemoglobin = np.round(ward.hemoglobin[rows] * np.exp(0.02 * z[:, 2]), 0)
    rounded = np.round(anc.value, 2), np.round(platelets.value, 0)
    ledger.write(
        "counts",
        rows,
        day=float(day),
        anc=rounded[0],
        anc_below=anc.below,
        wbc=np.round(white.value, 2),
        wbc_below=white.below,
        platelets=rounded[1],
        platelets_below=platelets.below,
        hemoglobin=hemoglobin,
        creatinine=case.creatinine_mg_per_dl[rows],
        bilirubin=case.bilirubin_mg_per_dl[rows],
    )
    return rounded[0], rounded[1], hemoglobin


def _look_at_car_t(case: Case, ward: Ward, ledger: Ledger, rows: Integers, day: int) -> None:
    if rows.size == 0 or not ledger.wants("car_t"):
        return
    states = ward.states.take(rows, axis=0)
    z = normals(case.streams, _numbers(case, rows), "car_t", day=day, count=4)
    copies = observe.car_copies(states, column(ward.parameters, "VCN")[rows])
    readings = {
        "car_t_qpcr": observe.report_lognormal(copies, z[:, 0], observe.QPCR),
        "car_t_flow": observe.report_lognormal(observe.car_t_cells(states), z[:, 1], observe.FLOW),
        "cd3_cd7_positive": observe.report_lognormal(
            observe.cd7_positive_t_cells(states), z[:, 2], observe.FLOW
        ),
        "cd3_cd7_negative": observe.report_lognormal(
            observe.cd7_negative_t_cells(states), z[:, 3], observe.FLOW
        ),
    }
    columns: dict[str, object] = {}
    for name, reading in readings.items():
        columns[name], columns[f"{name}_below"] = reading.value, reading.below
    ledger.write("car_t", rows, day=float(day), **columns)


def _car_t_rash(case: Case, rows: Integers, day: int, *, lasts_days: int = 5) -> Booleans:
    """Whether GVHD of the CAR-T product shows today."""
    since = day - case.fates.car_t_gvhd_day[rows]
    rash: Booleans = (since >= 0) & (since <= lasts_days)
    return rash


def _look_at_gvhd(case: Case, ward: Ward, ledger: Ledger, rows: Integers, day: int) -> None:
    if rows.size == 0:
        return
    states = ward.states.take(rows, axis=0)
    damage, present = state_column(states, "B"), state_column(states, "G")
    begun = day >= ward.gvhd_onset[rows]
    # findings fade with what they were when they first showed
    worst = np.where(begun, np.maximum(ward.worst_damage[rows], present), 0.0)
    ward.worst_damage[rows] = worst
    share = np.divide(present, worst, out=np.zeros_like(worst), where=worst > 0)
    rash = _car_t_rash(case, rows, day)
    fading = rash & (day - case.fates.car_t_gvhd_day[rows] > 4)
    ill = begun & (share > _STAYS_ILL)
    healing = column(ward.parameters, "dG")[rows]
    # damage that is there now will still add this much to the integral
    level = gvhd_severity(damage + present / healing, share, case.thresholds.gvhd_latent[rows])
    findings = organ_findings(
        level, ill, take(case.thresholds, rows), case.bilirubin_mg_per_dl[rows]
    )
    skin = np.where(rash & ~ill, np.where(fading, 0.0, 60.0), findings.skin_bsa_percent)
    ward.gvhd_active[rows] = ill | (rash & ~fading)
    since = day - ward.hsct_day[rows]
    chronic = since >= case.fates.chronic_gvhd_day[rows]
    ledger.write(
        "gvhd",
        rows,
        day=float(day),
        skin_bsa_percent=skin,
        bilirubin_mg_per_dl=findings.bilirubin_mg_per_dl,
        stool_ml_per_day=findings.stool_ml_per_day,
        nausea=findings.nausea,
        from_car_t=rash & ~ill,
        chronic=chronic,
        late=since >= 100,
    )
    care.treat_gvhd(ward, ledger, case, rows, day, findings)


def _look_for_viruses(case: Case, ward: Ward, ledger: Ledger, rows: Integers, day: int) -> None:
    """Viral DNA: from the drawn onset on, if T cells without CAR were below 200/uL since HSCT."""
    if rows.size == 0 or not ledger.wants("viral"):
        return
    states = ward.states.take(rows, axis=0)
    since = day - ward.hsct_day[rows]
    low = (since > 0) & (observe.t_cells_without_car(states) < 200.0)
    ward.t_cells_low[rows] |= low
    low = ward.t_cells_low[rows]
    z = normals(case.streams, _numbers(case, rows), "virus", day=day, count=2)
    for j, (virus, onset) in enumerate(
        (("CMV", case.fates.cmv_day[rows]), ("EBV", case.fates.ebv_day[rows]))
    ):
        age = since - onset
        shape = np.exp(-(((age - 14.0) / 10.0) ** 2))
        load = np.where((age >= 0) & (age <= 42) & low, 2e4 * shape * np.exp(0.8 * z[:, j]), 0.0)
        ledger.write("viral", rows, day=float(day), virus=virus, value=np.round(load))


def _look_at_chimerism(case: Case, ward: Ward, ledger: Ledger, rows: Integers, day: int) -> None:
    if rows.size == 0:
        return
    states = ward.states.take(rows, axis=0)
    own = case.of_graft_donor[rows]
    z = normals(case.streams, _numbers(case, rows), "str", day=day, count=3)
    true = {
        "unsorted": observe.donor_str(states, own),
        "cd3": observe.donor_t_cells(states, own),
        "cd15": observe.donor_myeloid(states),
    }
    # cells of an earlier transplant from the same donor cannot be told from the new graft's
    blasts = 50.0 * observe.leukaemia(states) / observe.nucleated_cells(states)
    for j, (lineage, percent) in enumerate(true.items()):
        same = 100.0 - (blasts if lineage == "unsorted" else 0.0)
        seen = np.where(case.earlier_donor[rows], same, np.nan_to_num(percent))
        value = observe.report_str(seen, z[:, j]).value
        ledger.write(
            "chimerism", rows, day=float(day), lineage=lineage, donor_percent=np.round(value, 1)
        )


def _suspicious(ward: Ward, rows: Integers, day: int) -> Booleans:
    """Blasts in the blood film (1 % and more) call for a marrow, at most once a fortnight."""
    seen = np.zeros(rows.size, dtype=np.bool_)
    if day < 28:
        return seen
    last = ward.last_marrow[rows]
    able = np.flatnonzero(ward.in_remission[rows] & ~(last > day - 14))
    states = ward.states.take(rows[able], axis=0)
    share = 0.5 * observe.leukaemia(states) / observe.nucleated_cells(states)
    seen[able] = share >= 0.01
    return seen


def _look_at_marrow(
    case: Case,
    ward: Ward,
    ledger: Ledger,
    rows: Integers,
    day: int,
    anc: Floats,
    platelets: Floats,
    hemoglobin: Floats,
) -> None:
    """Differential, cellularity, residual disease; then the decision for HSCT."""
    if rows.size == 0:
        return
    states = ward.states.take(rows, axis=0)
    numbers = _numbers(case, rows)
    u = uniforms(case.streams, numbers, "marrow", day=day, count=3)
    z = normals(case.streams, numbers, "cellularity", day=day)[:, 0]
    share = observe.blast_fraction(states)
    cellularity = np.round(observe.marrow_cellularity(states) * np.exp(0.15 * z)).clip(0, 100)
    counted = np.where(cellularity < 25.0, 200, 500)
    blasts = np.where(
        counted == 200, binomial(u[:, 0], 200, share) / 2.0, binomial(u[:, 0], 500, share) / 5.0
    )
    residual = binomial(u[:, 1], 1_000_000, share) / 1e6
    in_blood = 0.5 * observe.leukaemia(states) / observe.nucleated_cells(states)
    circulating = binomial(u[:, 2], 200, in_blood)
    cd7 = np.nan_to_num(observe.cd7_on_blasts(states), nan=0.0)
    expressed = case.cohort.table["cd7_percent_of_blasts"].to_numpy()[rows]
    ledger.write(
        "marrow",
        rows,
        day=float(day),
        blasts_percent=blasts,
        cells_counted=counted,
        cellularity_percent=cellularity,
        mrd_fraction=residual,
        cd7_percent_of_blasts=np.where(residual >= 1e-3, np.round(cd7 * expressed), np.nan),
        blood_blasts=circulating / 2.0,
    )
    ward.last_marrow[rows] = day
    response = gate.responses(
        case,
        rows,
        blasts_percent=blasts,
        cells_counted=counted,
        cellularity_percent=cellularity,
        circulating=circulating > 0,
        anc=anc,
        platelets=platelets,
        anc_supported=~np.isnan(ward.gcsf_since[rows]),
        platelets_supported=ward.platelets_given[rows] > day - 7,
    )
    ward.in_remission[rows] = gate.remission(response)
    _decide(case, ward, rows, day, response, cellularity, (anc, platelets, hemoglobin))


def _decide(
    case: Case,
    ward: Ward,
    rows: Integers,
    day: int,
    response: NDArray[np.str_],
    cellularity: Floats,
    counts: tuple[Floats, Floats, Floats],
) -> None:
    """Plan HSCT for those whom the gate (or the physician) sends there."""
    plan = case.plan
    low, high = plan.window_days
    # the gate is asked from two weeks on even if the window opens earlier: nobody looks before
    open_to = np.isnan(ward.hsct_planned[rows]) & np.isnan(ward.hsct_day[rows])
    if plan.hsct == "none" or plan.fixed_hsct_day is not None or not open_to.any() or day >= high:
        return
    place = np.flatnonzero(open_to)
    who = rows[place]
    if plan.hsct == "physician":
        u = case.physician[who]
        going = gate.remission(response[place]) & (u[:, 0] < 0.73)
        chosen = np.clip(np.round(57.0 * np.exp(0.6 * _score(u[:, 1]))), 28.0, 227.0)
        ward.hsct_planned[who[going]] = np.maximum(day + 10.0, chosen)[going]
        return
    anc, platelets, hemoglobin = (c[place] for c in counts)
    states = ward.states.take(who, axis=0)
    copies = observe.car_copies(states, column(ward.parameters, "VCN")[who])
    z = normals(case.streams, _numbers(case, who), "car_t", day=day, count=1)[:, 0]
    detected = ~observe.report_lognormal(copies, z, observe.QPCR).below
    going = gate.ask_gate(
        case,
        ward,
        who,
        day,
        response=response[place],
        cellularity_percent=cellularity[place],
        pancytopenia=gate.counts_pancytopenic(
            case, day, anc, platelets, hemoglobin, ward.red_cells_given[who]
        ),
        car_t_detectable=detected,
        bilirubin=case.bilirubin_mg_per_dl[who],
    )
    latest = max(np.floor(high), day + 1.0)
    planned: Floats = np.clip(day + case.hsct_wait[who], max(low, day + 1.0), latest)
    if plan.conditioning:
        planned = day + case.hsct_wait[who].astype(np.float64)
    ward.hsct_planned[who[going]] = planned[going]


def _score(u: Floats) -> Floats:
    z: Floats = ndtri(u)
    return z


def _plan_salvage(
    case: Case,
    ward: Ward,
    rows: Integers,
    day: int,
    anc: Floats,
    platelets: Floats,
    hemoglobin: Floats,
    *,
    persists_days: int = 7,
) -> None:
    """HSCT for pancytopenia that persists at the protocol's salvage day."""
    after = case.plan.salvage_after_day
    if after is None or day < after - persists_days or case.plan.fixed_hsct_day is not None:
        return
    waiting = np.isnan(ward.hsct_planned[rows]) & np.isnan(ward.hsct_day[rows])
    place = np.flatnonzero(waiting)
    who = rows[place]
    low = gate.counts_pancytopenic(
        case, day, anc[place], platelets[place], hemoglobin[place], ward.red_cells_given[who]
    )
    since = np.where(np.isnan(ward.pancytopenic_since[who]), day, ward.pancytopenic_since[who])
    ward.pancytopenic_since[who] = np.where(low, since, np.nan)
    persistent = low & (day - since >= persists_days) & (day >= after) & ward.in_remission[who]
    chosen = who[persistent]
    ward.hsct_planned[chosen] = day + np.minimum(case.hsct_wait[chosen], 28)
    ward.salvage[chosen] = True


def _infuse(case: Case, ward: Ward, ledger: Ledger, rows: Integers, day: int) -> None:
    """CAR-T on day 0; conditioning and the graft on their days."""
    if day == 0:
        _add(ward, car_t_infusion(rows, _body(case, rows), 0.0, _dose_per_kg(case)[rows]))
    if case.plan.conditioning:
        coming = ward.hsct_planned[rows] - day
        conditioned = rows[(coming >= 2) & (coming <= 6) & np.isnan(ward.hsct_day[rows])]
        state_column(ward.states, "K")[conditioned] += 0.2
    grafted = rows[(ward.hsct_planned[rows] == day) & np.isnan(ward.hsct_day[rows])]
    if grafted.size == 0:
        return
    table = case.cohort.table
    cd34 = table["cd34_1e6_per_kg"].to_numpy()[grafted] * 1e6 * case.plan.cd34_factor
    cd3 = table["cd3_1e8_per_kg"].to_numpy()[grafted] * 1e8
    _add(ward, graft_infusion(grafted, _body(case, grafted), float(day), cd34, cd3))
    ward.hsct_day[grafted] = day
    if case.plan.conditioning:
        column(ward.parameters, "depletion")[grafted] = 1.0


def _dose_per_kg(case: Case) -> Floats:
    return np.array(case.plan.doses_per_kg)[case.cohort.product]


def _body(case: Case, rows: Integers) -> Body:
    body = case.cohort.body
    return Body(body.weight_kg[rows], body.bsa_m2[rows])


def _add(ward: Ward, doses: Doses) -> None:
    """Give doses of today at once."""
    np.add.at(ward.states, (doses.patient, doses.state), doses.amount)
