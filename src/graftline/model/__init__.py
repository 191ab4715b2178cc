"""The virtual patient: equations once, their compiled solver, SBML, and what an assay reads."""

from graftline.model.events import (
    Body,
    car_t_infusion,
    clone_rates,
    conditioning,
    draw_small_clones,
    forced_course,
    give_tocilizumab,
    graft_infusion,
    join_doses,
    lymphodepletion,
    platelet_transfusion,
    set_product,
    set_treatment,
)
from graftline.model.parameters import (
    column,
    individual_parameters,
    model,
    starting_states,
    state_column,
    typical_parameters,
)
from graftline.model.sbml import sbml_document
from graftline.model.solver import Doses, Integration, Pace, integrate

__all__ = [
    "Body",
    "Doses",
    "Integration",
    "Pace",
    "car_t_infusion",
    "clone_rates",
    "column",
    "conditioning",
    "draw_small_clones",
    "forced_course",
    "give_tocilizumab",
    "graft_infusion",
    "individual_parameters",
    "integrate",
    "join_doses",
    "lymphodepletion",
    "model",
    "platelet_transfusion",
    "sbml_document",
    "set_product",
    "set_treatment",
    "starting_states",
    "state_column",
    "typical_parameters",
]
