"""The right-hand side of the virtual patient, written once.

Every function here takes named states ``s``, named parameters ``p``, named auxiliaries ``a`` and a
``Maths`` that says what positive part, smaller of two, power and exponential mean for values
at hand. With `ARRAYS` they work on floats and arrays; traced with symbols they become the
compiled kernel, its Jacobian and the SBML file, so that no second copy of an equation exists.

Each rate is returned as named terms, because a balance that can be checked term by term is the
cheapest test a compartment model has. Units and sources are in ``parameters.toml``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

Value = Any
Terms = dict[str, dict[str, Value]]

_RELATIVE_OFFSET_N = 0.001
_OFFSET_P = 1.0
_REJECTION_OF_INFLAMED_GRAFT = 0.3


@dataclass(frozen=True, slots=True)
class Maths:
    """The four operations that differ between numbers, arrays and symbols."""

    positive_part: Callable[[Value], Value]
    smaller: Callable[[Value, Value], Value]
    power: Callable[[Value, Value], Value]
    exp: Callable[[Value], Value]


ARRAYS = Maths(
    positive_part=lambda x: np.maximum(x, 0.0),
    smaller=np.minimum,
    power=np.power,
    exp=np.exp,
)


AUXILIARY_UNITS = {
    "car": "cells/uL",
    "host": "cells/uL",
    "endogenous": "cells/uL",
    "antigen_drive": "1",
    "cytokine_drive": "1",
    "growth_room": "1",
    "il15": "1",
    "density": "1",
    "host_rejects": "1",
    "kill_cd7": "1/day",
    "kill_leukaemia": "1/day",
    "attack_niche": "1",
    "graft_versus_leukaemia": "1/day",
    "leukaemia_room": "1",
    "niche": "1",
    "alarm": "1",
    "inflammation": "1/day",
    "neutrophils": "1e9/L",
    "feedback_n": "1",
    "feedback_p": "1",
    "chemo_t": "1/day",
    "chemo_l": "1/day",
    "chemo_m": "1/day",
}


def auxiliaries(s: Any, p: Any, m: Maths) -> SimpleNamespace:
    """Quantities that several rates share: cell sums, saturations, feedbacks, room.

    ``s`` must hold states clipped at zero.
    """
    car = s.CE + s.CM
    host = s.TR7 + s.TR0
    donor = s.TD7 + s.TD0 + s.TA
    endogenous = host + donor
    leukaemia = s.LP + s.LN
    antigen = p.wL * s.LP + p.wT * (s.TR7 + s.TD7)
    alarm = s.I / (p.I50 + s.I)
    less_growth = 1.0 - (1.0 - p.prophylaxis_growth) * p.prophylaxis
    f_max_n = p.Fmax * (1.0 + (p.gcsf_Fmax - 1.0) * p.gcsf)
    neutrophils = s.NR + s.ND
    return SimpleNamespace(
        car=car,
        host=host,
        endogenous=endogenous,
        antigen_drive=antigen / (p.KA + antigen),
        cytokine_drive=antigen / (p.KAI + antigen),
        growth_room=m.positive_part(1.0 - (endogenous + car) * (1.0 / p.KT)) * less_growth,
        il15=p.K15 / (p.K15 + endogenous),
        density=m.positive_part(1.0 - car * (1.0 / p.KC2)),
        host_rejects=host / (p.KH + host),
        kill_cd7=p.k7 * car / (p.KC + car),
        kill_leukaemia=p.kL * car / (p.KL + car),
        attack_niche=car / (p.Kal + car),
        graft_versus_leukaemia=p.kGVL * donor / (p.KGVL + donor),
        leukaemia_room=m.positive_part(1.0 - leukaemia * (1.0 / p.Lmax)),
        niche=m.positive_part(1.0 - s.SR - s.SD - leukaemia * (1.0 / p.Lmax)),
        alarm=alarm,
        inflammation=p.kinf * (1.0 - s.X) * alarm,
        neutrophils=neutrophils,
        feedback_n=m.smaller(
            f_max_n, m.power(p.ANC0 / (neutrophils + _RELATIVE_OFFSET_N), p.gam_N)
        ),
        feedback_p=m.smaller(p.Fmax, m.power(p.P0 / (s.P + _OFFSET_P), p.gam_P)),
        chemo_t=_exposure(s, p, p.sFT, p.sYT, p.sVT),
        chemo_l=_exposure(s, p, p.sFL, p.sYL, p.sVL),
        chemo_m=_exposure(s, p, p.sFM, p.sYM, p.sVM),
    )


def _exposure(s: Any, p: Any, f: Value, y: Value, v: Value) -> Value:
    """Kill rate by the three drugs at their present concentrations (1/day)."""
    return (f / p.VF) * s.F + (y / p.VY) * s.Y + (v / p.VV) * s.V


def drug_terms(s: Any, a: Any, p: Any) -> Terms:
    """Elimination of the lymphodepleting drugs, tocilizumab's block and conditioning."""
    return {
        "F": {"elimination": -p.kF * s.F},
        "Y": {"elimination": -p.kY * s.Y},
        "V": {"elimination": -p.kV * s.V},
        "X": {"elimination": -p.kX * s.X},
        "K": {"elimination": -p.kK * s.K},
    }


def car_t_terms(s: Any, a: Any, p: Any) -> Terms:
    """CAR-T cells: settling, expansion on antigen and IL-15, contraction, memory, rejection.

    Conditioning kills them like other T cells, and GVHD prophylaxis (a block of T-cell activation)
    slows their expansion: neither is part of the all-in-one strategy.
    """
    rejected = p.aC * p.khvg * a.host_rejects
    calm = 1.0 - (1.0 - p.prophylaxis_left) * p.prophylaxis
    recall = p.rE * a.antigen_drive * s.CM
    return {
        "CP": {"settling": -p.kD * s.CP},
        "CE": {
            "settling": p.fE * p.kD * s.CP,
            "expansion": p.rhoE * calm * a.antigen_drive * a.il15 * a.density * s.CE,
            "recall": recall,
            "contraction": -p.dE * (1.0 - a.antigen_drive) * s.CE,
            "memory": -p.kEM * s.CE,
            "rejection": -rejected * s.CE,
            "chemotherapy": -a.chemo_t * s.CE,
            "conditioning": -p.sKH * s.K * s.CE,
        },
        "CM": {
            "memory": p.kEM * s.CE,
            "recall": -recall,
            "death": -p.dM * s.CM,
            "rejection": -rejected * s.CM,
            "chemotherapy": -a.chemo_t * s.CM,
            "conditioning": -p.sKH * s.K * s.CM,
        },
    }


def recipient_t_terms(s: Any, a: Any, p: Any) -> Terms:
    """Recipient T cells: regrowth, drugs, CAR-T killing of CD7+ cells, attack by donor cells.

    As published, the attack on recipient CD7- T cells is ``aC k0 (C + TD0) / (K0 + C + TD0)``: with
    an autologous product (aC = 0) even the T cells of a later graft would spare the recipient. Here
    each attacker has its own switch, ``k0 (aC C + aD TD0) / (K0 + aC C + aD TD0)``: aC for the
    CAR-T, aD for the other donor T cells. For a donor-derived product (both 1) they are the same.
    """
    attackers = p.aC * a.car + p.aD * s.TD0
    return {
        "TR7": {
            "growth": p.r7 * a.growth_room * s.TR7,
            "chemotherapy": -a.chemo_t * s.TR7,
            "car_t": -a.kill_cd7 * s.TR7,
            "silencing": -p.eps * s.TR7,
            "conditioning": -p.sKH * s.K * s.TR7,
        },
        "TR0": {
            "growth": p.r0 * a.growth_room * s.TR0,
            "chemotherapy": -a.chemo_t * s.TR0,
            "silencing": p.eps * s.TR7,
            "donor_attack": -p.k0 * attackers / (p.K0 + attackers) * s.TR0,
            "conditioning": -p.sKH * s.K * s.TR0,
        },
    }


def donor_t_terms(s: Any, a: Any, p: Any) -> Terms:
    """Donor T cells from product, graft and donor marrow; alloreactive cells and tissue damage.

    ``depletion`` purges the graft of alloreactive cells in vivo, as conventional HSCT does. Without
    it, and without CAR-T that hold CD7+ donor cells down, nearly everybody has severe GVHD.
    """
    calm = (1.0 - (1.0 - p.steroid_left) * p.steroid) * (
        1.0 - (1.0 - p.prophylaxis_left) * p.prophylaxis
    )
    purged = 1.0 - (1.0 - p.depletion_left) * p.depletion
    activation = p.aA * calm * purged * p.fal * s.TD7
    passengers = p.aC * p.fE * p.kD * (1.0 - p.ptr) / p.ptr
    return {
        "TD7": {
            "growth": p.r7 * a.growth_room * s.TD7,
            "chemotherapy": -a.chemo_t * s.TD7,
            "car_t": -a.kill_cd7 * s.TD7,
            "silencing": -p.eps * s.TD7,
            "activation": -activation,
            "conditioning": -p.sKH * s.K * s.TD7,
            "thymus": p.th7 * s.SD * a.growth_room,
        },
        "TD0": {
            "growth": p.r0 * a.growth_room * s.TD0,
            "chemotherapy": -a.chemo_t * s.TD0,
            "silencing": p.eps * s.TD7,
            "thymus": p.th0 * s.SD * a.growth_room,
            "product": passengers * s.CP,
            "rejection": -p.khvg * a.host_rejects * s.TD0,
            "conditioning": -p.sKH * s.K * s.TD0,
        },
        "TA": {
            "activation": activation,
            "alarm_growth": activation * a.alarm,
            "growth": p.rhoA * calm * a.growth_room * s.TA,
            "death": -p.dA * s.TA,
            "car_t": -p.phi7 * a.kill_cd7 * s.TA,
            "chemotherapy": -a.chemo_t * s.TA,
            "conditioning": -p.sKH * s.K * s.TA,
        },
        "G": {"damage": p.kG * s.TA, "healing": -p.dG * s.G},
    }


def leukaemia_terms(s: Any, a: Any, p: Any) -> Terms:
    """The CD7+ leukaemia and the clone that has lost CD7."""
    kill = a.chemo_l + a.graft_versus_leukaemia
    return {
        "LP": {
            "growth": p.gP * a.leukaemia_room * s.LP,
            "car_t": -a.kill_leukaemia * s.LP,
            "chemotherapy_and_graft": -kill * s.LP,
            "conditioning": -p.sKL * s.K * s.LP,
            "loss_of_cd7": -p.mu * s.LP,
        },
        "LN": {
            "growth": p.gN * a.leukaemia_room * s.LN,
            "chemotherapy_and_graft": -kill * s.LN,
            "conditioning": -p.sKL * s.K * s.LN,
            "loss_of_cd7": p.mu * s.LP,
        },
    }


def stem_cell_terms(s: Any, a: Any, p: Any) -> Terms:
    """Recipient and donor stem cells compete for the niche; CAR-T, host T cells and drugs kill."""
    reject = a.host / (p.Krej + a.host)
    return {
        "SR": {
            "growth": p.rS * p.resR * a.niche * s.SR,
            "chemotherapy": -a.chemo_m * s.SR,
            "inflammation": -a.inflammation * s.SR,
            "car_t": -p.aC * p.kal * a.attack_niche * s.SR,
            "conditioning": -p.sKM * s.K * s.SR,
        },
        "SD": {
            "growth": p.rS * a.niche * s.SD,
            "chemotherapy": -a.chemo_m * s.SD,
            "inflammation": -_REJECTION_OF_INFLAMED_GRAFT * a.inflammation * s.SD,
            "rejection": -p.krej * reject * s.SD,
            "car_t": -p.aG * p.kal * a.attack_niche * s.SD,
        },
    }


def blood_terms(s: Any, a: Any, p: Any) -> Terms:
    """Neutrophils by origin through two transits, platelets of both origins, interleukin-6."""
    k_n = p.kN * (1.0 + (p.gcsf_kN - 1.0) * p.gcsf)
    steroid_cytokine = 1.0 - (1.0 - p.steroid_left) * p.steroid
    effectors = s.CP + a.car
    terms: Terms = {}
    for stem, one, two, count in (("SR", "NR1", "NR2", "NR"), ("SD", "ND1", "ND2", "ND")):
        first, second = getattr(s, one), getattr(s, two)
        terms[one] = {
            "inflow": k_n * getattr(s, stem) * a.feedback_n,
            "outflow": -k_n * first,
            "conditioning": -p.sKM * s.K * first,
        }
        terms[two] = {"inflow": k_n * first, "outflow": -k_n * second}
        terms[count] = {
            "inflow": k_n * p.ANC0 * second,
            "outflow": -k_n * getattr(s, count),
        }
    terms["M1"] = {
        "inflow": p.kM * (s.SR + s.SD) * a.feedback_p,
        "outflow": -p.kM * s.M1,
        "conditioning": -p.sKM * s.K * s.M1,
    }
    terms["M2"] = {"inflow": p.kM * s.M1, "outflow": -p.kM * s.M2}
    terms["P"] = {
        "inflow": p.kP * p.P0 * s.M2,
        "outflow": -p.kP * s.P,
        "consumption": -p.kP * s.P * a.alarm,
    }
    terms["I"] = {
        "baseline": p.pI0,
        "car_t": p.pI * steroid_cytokine * a.cytokine_drive * effectors / (p.KI + effectors),
        "clearance": -p.dI * s.I,
    }
    return terms


def below(x: Value, threshold: Value) -> Value:
    """1 well below the threshold, 0 well above, 1/2 on it.

    A true step would be invisible to the error control between two evaluations; the sixteenth power
    passes from 0.84 to 0.16 within 10 % of the threshold.
    """
    ratio = x * (1.0 / threshold)
    for _ in range(4):
        ratio = ratio * ratio
    return 1.0 / (1.0 + ratio)


def hazard_terms(s: Any, a: Any, p: Any, m: Maths) -> Terms:
    """Cumulative hazards: death from infection, death after relapse, and the integral of G."""
    person = m.exp(p.h_age * (p.age - 50.0) + p.h_frailty * p.frailty)
    return {
        "HI": {
            "baseline": p.h0 * person,
            "neutropenia": p.hN * person * below(a.neutrophils, p.h_anc),
            "t_cell_deficiency": p.hT * person * below(a.endogenous, p.h_tcell),
        },
        "HR": {"relapsed": p.hR * p.relapsed},
        "B": {"damage": s.G},
    }


def rate_terms(s: Any, p: Any, m: Maths = ARRAYS, a: Any = None) -> Terms:
    """Every term of every rate, by state: ``terms[state][reason]`` in state unit per day.

    Parameters
    ----------
    s, p : objects with one attribute per state (clipped at zero) and per parameter.
    m : what positive part, minimum, power and exponential mean for these values.
    a : auxiliaries if they are at hand (the SBML export passes symbols), else computed.
    """
    shared = auxiliaries(s, p, m) if a is None else a
    groups = (drug_terms, car_t_terms, recipient_t_terms, donor_t_terms)
    more = (leukaemia_terms, stem_cell_terms, blood_terms)
    terms: Terms = {}
    for group in groups + more:
        terms.update(group(s, shared, p))
    terms.update(hazard_terms(s, shared, p, m))
    return terms


def rates(s: Any, p: Any, m: Maths = ARRAYS, a: Any = None) -> Mapping[str, Value]:
    """Rate of change of each state, in state unit per day: the sum of its terms."""
    totals: dict[str, Value] = {}
    for state, terms in rate_terms(s, p, m, a).items():
        first, *rest = terms.values()
        total = first
        for term in rest:
            total = total + term
        totals[state] = total
    return totals
