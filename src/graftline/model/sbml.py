"""The same equations as SBML Level 3, so that any other simulator can check ours.

The equations are run once more on named formulas instead of numbers. SBML time 0 is the start day;
each dose is an event whose day and amount are parameters, so that one file serves many patients.
The file does not clip states at zero: exact solutions never go below it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from graftline.model.equations import AUXILIARY_UNITS, Maths, auxiliaries, rates
from graftline.model.parameters import model
from graftline.model.solver import Doses

Floats = NDArray[np.float64]
Operand = Union["Formula", float, int]

_LEVEL, _VERSION = 3, 1
_SUM, _PRODUCT, _SIGN, _ATOM = range(4)
# unit word: SBML kind, multiplier of that kind
_WORDS: dict[str, tuple[str, float]] = {
    "day": ("second", 86400.0),
    "year": ("second", 31557600.0),
    "mg": ("gram", 1e-3),
    "pg": ("gram", 1e-12),
    "L": ("litre", 1.0),
    "uL": ("litre", 1e-6),
    "mL": ("litre", 1e-3),
    "cells": ("item", 1.0),
    "cell": ("item", 1.0),
    "1e9 cells": ("item", 1e9),
    "1e9": ("item", 1e9),
    "copies": ("item", 1.0),
    "1": ("dimensionless", 1.0),
}


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression as text that SBML's formula parser reads; arithmetic writes more text."""

    text: str
    binding: int = _ATOM

    def _within(self, binding: int) -> str:
        return self.text if self.binding >= binding else f"({self.text})"

    def __add__(self, other: Operand) -> "Formula":
        return Formula(f"{self.text} + {formula(other)._within(_PRODUCT)}", _SUM)

    def __radd__(self, other: Operand) -> "Formula":
        return formula(other) + self

    def __sub__(self, other: Operand) -> "Formula":
        return Formula(f"{self.text} - {formula(other)._within(_PRODUCT)}", _SUM)

    def __rsub__(self, other: Operand) -> "Formula":
        return formula(other) - self

    def __mul__(self, other: Operand) -> "Formula":
        return Formula(f"{self._within(_PRODUCT)} * {formula(other)._within(_SIGN)}", _PRODUCT)

    def __rmul__(self, other: Operand) -> "Formula":
        return formula(other) * self

    def __truediv__(self, other: Operand) -> "Formula":
        return Formula(f"{self._within(_PRODUCT)} / {formula(other)._within(_ATOM)}", _PRODUCT)

    def __rtruediv__(self, other: Operand) -> "Formula":
        return formula(other) / self

    def __neg__(self) -> "Formula":
        return Formula(f"-{self._within(_ATOM)}", _SIGN)


def formula(value: Operand) -> Formula:
    """A formula as it is, a number as text with all its digits."""
    return value if isinstance(value, Formula) else Formula(repr(float(value)))


FORMULAS = Maths(
    positive_part=lambda x: Formula(f"piecewise({x.text}, {x.text} > 0, 0)"),
    smaller=lambda a, b: Formula(f"piecewise({a.text}, {a.text} < {b.text}, {b.text})"),
    power=lambda a, b: Formula(f"pow({formula(a).text}, {formula(b).text})"),
    exp=lambda x: Formula(f"exp({x.text})"),
)


def sbml_document(
    states: Floats,
    parameters: Floats,
    *,
    doses: Doses | None = None,
    start: float = -5.0,
    name: str = "virtual_patient",
) -> str:
    """One virtual patient and a forced schedule of doses as an SBML Level 3 document.

    Parameters
    ----------
    states : array [state], on day ``start`` before any dose.
    parameters : array [parameter]
    doses : Doses of this one patient (the column ``patient`` is not read). Doses on the first day
        are part of the starting values; of the others the parameters ``dose_1_day`` (since
        ``start``) and ``dose_1_amount``, and so on, hold what the events use.

    Returns
    -------
    str : the document, with units.

    Raises
    ------
    ImportError : libSBML is not installed (the message names the extra).
    ValueError : libSBML refuses what was written.
    """
    library = _libsbml()
    document = library.SBMLDocument(_LEVEL, _VERSION)
    target = document.createModel()
    target.setId(name)
    target.setTimeUnits("u_day")
    initial, later = _split_doses(states, doses, start)
    _write_units(target, library)
    _write_symbols(target, initial, parameters)
    _write_rules(target, library)
    _write_events(target, library, later, start)
    problems = [
        document.getError(i).getMessage().strip()
        for i in range(document.checkInternalConsistency())
    ]
    if problems:
        raise ValueError("the SBML document is not consistent: " + "; ".join(problems))
    return str(library.writeSBMLToString(document))


def _libsbml() -> Any:
    try:
        import libsbml
    except ImportError as error:
        raise ImportError(
            "SBML export needs libSBML, which is not installed; "
            "install it with: pip install 'graftline[sbml]'"
        ) from error
    return libsbml


def _split_doses(
    states: Floats, doses: Doses | None, start: float
) -> tuple[Floats, list[tuple[float, int, float]]]:
    """Starting values with the first day's doses, and later doses by day and state."""
    initial = states.astype(np.float64).copy()
    later: list[tuple[float, int, float]] = []
    if doses is not None:
        order = np.lexsort((doses.state, doses.day))
        for k in order:
            day, state, amount = float(doses.day[k]), int(doses.state[k]), float(doses.amount[k])
            if day <= start:
                initial[state] = max(initial[state] + amount, 0.0)
            else:
                later.append((day, state, amount))
    return initial, later


def unit_id(unit: str) -> str:
    """Identifier of a unit in the document: ``cells/uL`` becomes ``u_cells_per_uL``."""
    words = re.sub(r"/", "_per_", unit)
    return "u_" + re.sub(r"\W", "_", words)


def _write_units(target: Any, library: Any) -> None:
    table = model()
    units = {state.unit for state in table.states} | {"day"}
    units |= {parameter.unit for parameter in table.parameters}
    units |= {f"{state.unit}/day" for state in table.states}
    for unit in sorted(units):
        definition = target.createUnitDefinition()
        definition.setId(unit_id(unit))
        for position, word in enumerate(unit.split("/")):
            kind, multiplier = _WORDS[word]
            part = definition.createUnit()
            part.setKind(library.UnitKind_forName(kind))
            part.setExponent(-1.0 if position else 1.0)
            part.setScale(0)
            part.setMultiplier(multiplier)


def _add_symbol(target: Any, name: str, unit: str, value: float | None, label: str) -> None:
    symbol = target.createParameter()
    symbol.setId(name)
    symbol.setName(label)
    symbol.setUnits(unit_id(unit))
    symbol.setConstant(False)
    if value is not None:
        symbol.setValue(value)


def _write_symbols(target: Any, initial: Floats, parameters: Floats) -> None:
    table = model()
    for state, value in zip(table.states, initial, strict=True):
        _add_symbol(target, state.name, state.unit, float(value), state.label)
    for parameter, value in zip(table.parameters, parameters, strict=True):
        _add_symbol(target, parameter.name, parameter.unit, float(value), parameter.source)


def _write_rules(target: Any, library: Any) -> None:
    table = model()
    s = SimpleNamespace(**{state.name: Formula(state.name) for state in table.states})
    p = SimpleNamespace(**{each.name: Formula(each.name) for each in table.parameters})
    shared = vars(auxiliaries(s, p, FORMULAS))
    for name, value in shared.items():
        _add_symbol(target, name, AUXILIARY_UNITS[name], None, name.replace("_", " "))
        rule = target.createAssignmentRule()
        rule.setVariable(name)
        rule.setMath(_math(library, value))
    a = SimpleNamespace(**{name: Formula(name) for name in shared})
    for name, value in rates(s, p, FORMULAS, a).items():
        rule = target.createRateRule()
        rule.setVariable(name)
        rule.setMath(_math(library, value))


def _math(library: Any, value: Operand) -> Any:
    text = formula(value).text
    settings = library.L3ParserSettings()
    # else the parameter pI would be read as the number pi
    settings.setComparisonCaseSensitivity(library.L3P_COMPARE_BUILTINS_CASE_SENSITIVE)
    tree = library.parseL3FormulaWithSettings(text, settings)
    if tree is None:
        raise ValueError(f"SBML cannot read {text!r}: {library.getLastParseL3Error()}")
    return tree


def _write_events(
    target: Any, library: Any, doses: Sequence[tuple[float, int, float]], start: float
) -> None:
    for number, (day, state, amount) in enumerate(doses, start=1):
        dosed = model().states[state]
        _add_symbol(target, f"dose_{number}_day", "day", day - start, "days since the start")
        _add_symbol(target, f"dose_{number}_amount", dosed.unit, amount, f"added to {dosed.name}")
        event = target.createEvent()
        event.setId(f"dose_{number}")
        event.setUseValuesFromTriggerTime(False)
        trigger = event.createTrigger()
        trigger.setInitialValue(True)
        trigger.setPersistent(True)
        trigger.setMath(_math(library, Formula(f"time >= dose_{number}_day")))
        assignment = event.createEventAssignment()
        assignment.setVariable(dosed.name)
        assignment.setMath(_math(library, Formula(f"{dosed.name} + dose_{number}_amount")))
