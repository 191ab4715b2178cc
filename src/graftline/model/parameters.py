"""States and parameters of the virtual patient, read from ``parameters.toml``."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

Scale = Literal["log", "log10", "normal"]
Role = Literal["biology", "product", "treatment", "patient"]

_START = {"TR7": "tr7_0", "TR0": "tr0_0"}
_START_NEUTROPHILS = {"NR1": 1.1, "NR2": 1.1, "NR": 4.4}
_START_PLATELETS = {"M1": 1.2, "M2": 1.2, "P": 264.0}
_START_IL6 = 5.0


@dataclass(frozen=True, slots=True)
class State:
    """One state: its unit, what it means, the absolute error allowed, the size of one cell."""

    name: str
    unit: str
    label: str
    atol: float
    one_cell: float
    cumulative: bool


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: unit, typical value, spread between patients, where the value is from."""

    name: str
    unit: str
    value: float
    omega: float
    scale: Scale
    shared: str
    role: Role
    upper: float
    mark: str
    source: str


@dataclass(frozen=True, slots=True)
class Model:
    """All states and parameters, in the order in which arrays hold them."""

    states: tuple[State, ...]
    parameters: tuple[Parameter, ...]
    state_index: Mapping[str, int]
    parameter_index: Mapping[str, int]
    etas: tuple[str, ...]


@lru_cache(maxsize=1)
def model() -> Model:
    """The model as shipped: states, parameters and their order."""
    text = files("graftline.model").joinpath("parameters.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    states = tuple(_state(name, entry) for name, entry in table["states"].items())
    parameters = tuple(_parameter(name, entry) for name, entry in table["parameters"].items())
    return Model(
        states=states,
        parameters=parameters,
        state_index={state.name: i for i, state in enumerate(states)},
        parameter_index={parameter.name: i for i, parameter in enumerate(parameters)},
        etas=tuple(dict.fromkeys(eta_name(q) for q in parameters if q.omega > 0)),
    )


def _state(name: str, entry: Mapping[str, Any]) -> State:
    return State(
        name=name,
        unit=str(entry["unit"]),
        label=str(entry["label"]),
        atol=float(entry.get("atol", 0.0)),
        one_cell=float(entry.get("one_cell", 0.0)),
        cumulative=bool(entry.get("cumulative", False)),
    )


def _parameter(name: str, entry: Mapping[str, Any]) -> Parameter:
    return Parameter(
        name=name,
        unit=str(entry["unit"]),
        value=float(entry["value"]),
        omega=float(entry["omega"]),
        scale=cast(Scale, entry.get("scale", "log")),
        shared=str(entry.get("shared", "")),
        role=cast(Role, entry.get("role", "biology")),
        upper=float(entry.get("upper", np.inf)),
        mark=str(entry["mark"]),
        source=str(entry["source"]),
    )


def eta_name(parameter: Parameter) -> str:
    """Name of the random effect that moves this parameter; several may share one."""
    return parameter.shared or parameter.name


def typical_parameters(n: int = 1) -> NDArray[np.float64]:
    """Typical values for ``n`` patients: array [n, parameter]."""
    values = np.array([parameter.value for parameter in model().parameters])
    return np.tile(values, (n, 1))


def individual_parameters(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Parameters of patients from their standard normal random effects.

    Parameters
    ----------
    z : array [n, effect]
        One column per name of ``model().etas``; zero is the typical patient.

    Returns
    -------
    array [n, parameter]. Values with an upper limit (shares) are cut there.

    Raises
    ------
    ValueError : ``z`` has another number of columns than there are random effects.
    """
    table = model()
    if z.ndim != 2 or z.shape[1] != len(table.etas):
        found = "x".join(str(size) for size in z.shape)
        raise ValueError(
            f"random effects: found an array of shape {found}, expected n x {len(table.etas)} "
            "(one column per name in model().etas)"
        )
    values = typical_parameters(len(z))
    column = {name: i for i, name in enumerate(table.etas)}
    for i, parameter in enumerate(table.parameters):
        if parameter.omega > 0:
            shift = parameter.omega * z[:, column[eta_name(parameter)]]
            values[:, i] = _moved(parameter, shift)
    return values


def _moved(parameter: Parameter, shift: NDArray[np.float64]) -> NDArray[np.float64]:
    if parameter.scale == "normal":
        return parameter.value + shift
    factor = np.exp(shift) if parameter.scale == "log" else np.power(10.0, shift)
    return np.minimum(parameter.value * factor, parameter.upper)


def column(parameters: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """The column of one parameter in an array [n, parameter] (a view, so it can be written)."""
    return parameters[:, model().parameter_index[name]]


def state_column(states: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """One state out of an array whose last axis is the state (a view, so it can be written)."""
    return states[..., model().state_index[name]]


def starting_states(
    parameters: NDArray[np.float64], leukaemia_1e9: NDArray[np.float64]
) -> NDArray[np.float64]:
    """States before lymphodepletion (day -5, or before the first drug).

    Parameters
    ----------
    parameters : array [n, parameter]
    leukaemia_1e9 : array [n]
        CD7+ leukaemia in the whole body (1e9 cells): blast fraction times 900.
    """
    states = np.zeros((len(parameters), len(model().states)))
    for name, source in _START.items():
        state_column(states, name)[:] = column(parameters, source)
    marrow = column(parameters, "sr0")
    state_column(states, "SR")[:] = marrow
    for name, factor in (_START_NEUTROPHILS | _START_PLATELETS).items():
        state_column(states, name)[:] = factor * marrow
    state_column(states, "LP")[:] = leukaemia_1e9
    state_column(states, "LN")[:] = leukaemia_1e9 * column(parameters, "fn")
    state_column(states, "I")[:] = _START_IL6
    return states
