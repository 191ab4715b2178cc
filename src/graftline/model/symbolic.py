"""The equations as a graph, and the parts of it that are at work in a stretch of a course.

Before the graft every donor cell is zero, and some weeks after the last infusion every drug is
gone. A part leaves out what is absent: the equations run once more with zeros in its place, so that
a part is no second copy.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from graftline.model.equations import rates
from graftline.model.parameters import Model, model, typical_parameters
from graftline.model.sparse import Elimination, Entry, plan_elimination
from graftline.model.trace import (
    Graph,
    Node,
    derivatives,
    evaluate,
    graph_maths,
    reachable,
)

# in the order in which they are preferred; the last leaves nothing out
ABSENT: Mapping[str, tuple[str, ...]] = {
    "without_drugs": ("F", "Y", "V", "CP", "K"),
    "without_donor": ("TD7", "TA", "G", "SD", "ND1", "ND2", "ND", "K"),
    "whole": (),
}
# a state drawn back faster than this forgets an error before it matters to others (1/day)
_FORGETS_ABOVE = 2.0
_FORGETFUL_MAY_ERR = 4.0


@dataclass(frozen=True, slots=True)
class Part:
    """Rates, kinks and Jacobian without the states that are ``absent``.

    ``decays`` gives for each state that does nothing but decay its rate: a node of parameters
    alone, negative. ``fading`` are the states without which another part, which is preferred,
    takes over.
    """

    name: str
    absent: tuple[int, ...]
    rates: Mapping[int, Node]
    kinks: tuple[Node, ...]
    negative_jacobian: Mapping[Entry, Node]
    read: frozenset[int]
    decays: Mapping[int, Node]
    fading: tuple[int, ...]
    plan: Elimination


@dataclass(frozen=True, slots=True)
class Traced:
    """The model as a graph: rates, Jacobian, parts, and what depends on parameters alone."""

    graph: Graph
    states: tuple[Node, ...]
    rates: tuple[Node, ...]
    jacobian: Mapping[Entry, Node]
    parts: tuple[Part, ...]
    fixed: tuple[Node, ...]

    @property
    def kinks(self) -> int:
        """Largest number of kinks of a part."""
        return max(len(part.kinks) for part in self.parts)


def symbols_of(graph: Graph, table: Model) -> tuple[SimpleNamespace, SimpleNamespace]:
    """Named symbols of all states and all parameters."""
    states = SimpleNamespace(**{state.name: graph.state(state.name) for state in table.states})
    names = [parameter.name for parameter in table.parameters]
    return states, SimpleNamespace(**{name: graph.parameter(name) for name in names})


@lru_cache(maxsize=1)
def traced() -> Traced:
    """The equations run once on symbols, and once per part, with all derivatives."""
    table, graph = model(), Graph()
    s, p = symbols_of(graph, table)
    states = tuple(getattr(s, state.name) for state in table.states)
    outputs = _run(graph, table, s, p)
    parts = tuple(_part(graph, table, name, p) for name in ABSENT)
    wanted = [node for part in parts for node in _outputs(part)]
    return Traced(
        graph=graph,
        states=states,
        rates=outputs,
        jacobian=derivatives(graph, outputs, states),
        parts=parts,
        fixed=_fixed_nodes(reachable(wanted), wanted),
    )


def _run(graph: Graph, table: Model, s: SimpleNamespace, p: SimpleNamespace) -> tuple[Node, ...]:
    by_name = rates(s, p, graph_maths(graph))
    return tuple(graph.node(by_name[state.name]) for state in table.states)


def _part(graph: Graph, table: Model, name: str, p: SimpleNamespace) -> Part:
    absent = ABSENT[name]
    s, _ = symbols_of(graph, table)
    states = tuple(getattr(s, state.name) for state in table.states)
    for state in absent:
        setattr(s, state, graph.node(0.0))
    outputs = _run(graph, table, s, p)
    gone = {table.state_index[state] for state in absent}
    preferred = {table.state_index[state] for state in next(iter(ABSENT.values()))}
    restless = [table.states[i].name for i in gone if not graph.is_constant(outputs[i], 0.0)]
    if restless:
        raise ValueError(
            f"{name}: {restless} would not stay at zero; take them out of symbolic.ABSENT"
        )
    present = {i: node for i, node in enumerate(outputs) if not graph.is_constant(node, 0.0)}
    jacobian = derivatives(graph, outputs, states)
    return Part(
        name=name,
        absent=tuple(sorted(gone)),
        rates=present,
        kinks=_kinks(graph, outputs),
        negative_jacobian={entry: graph.neg(node) for entry, node in jacobian.items()},
        read=frozenset(column for _, column in jacobian),
        decays=_decays(graph, present, states),
        fading=tuple(sorted(preferred)) if preferred - gone else (),
        plan=plan_elimination(present, jacobian),
    )


def _kinks(graph: Graph, outputs: tuple[Node, ...]) -> tuple[Node, ...]:
    """For each minimum and positive part, what changes its sign at the corner."""
    kinds = [node for node in reachable(outputs) if node.varies]
    corners = [node.args[0] - node.args[1] for node in kinds if node.op == "smaller"]
    return (*corners, *(node.args[0] for node in kinds if node.op == "plus"))


def _decays(graph: Graph, outputs: Mapping[int, Node], states: tuple[Node, ...]) -> dict[int, Node]:
    """States that lose a fixed share per day and gain nothing, with that share's negative."""
    found = {}
    for i, node in outputs.items():
        loss = node.args[0] if node.op == "neg" else node
        if loss is not node and loss.op == "mul" and loss.args[1] is states[i]:
            found[i] = graph.neg(loss.args[0])
    return {i: rate for i, rate in found.items() if not rate.varies}


def _outputs(part: Part) -> list[Node]:
    return [
        *part.rates.values(),
        *part.kinks,
        *part.negative_jacobian.values(),
        *part.decays.values(),
    ]


def _fixed_nodes(needed: list[Node], outputs: list[Node]) -> tuple[Node, ...]:
    """Nodes of parameters alone that a varying node, or an output, uses directly."""
    used = {arg.index: arg for node in needed if node.varies for arg in node.args}
    used |= {node.index: node for node in outputs}
    keep = (node for node in used.values() if not node.varies and node.op != "constant")
    return tuple(sorted(keep, key=lambda node: node.index))


def fixed_values(
    parameters: NDArray[np.float64], columns: tuple[int, ...] | None = None
) -> NDArray[np.float64]:
    """What depends on parameters alone: array [n, constant] from an array [n, parameter].

    ``columns`` picks some of the constants, default all.
    """
    trace = traced()
    wanted = trace.fixed if columns is None else [trace.fixed[i] for i in columns]
    symbols = {parameter.name: parameters[:, i] for i, parameter in enumerate(model().parameters)}
    values = evaluate(wanted, symbols)
    result = np.empty((len(parameters), len(wanted)))
    for i, value in enumerate(values):
        result[:, i] = value
    return result


def fixed_by(names: Collection[str]) -> tuple[int, ...]:
    """Columns of ``fixed_values`` that depend on any of these parameters."""
    return tuple(
        i
        for i, node in enumerate(traced().fixed)
        if any(each.op == "parameter" and each.name in names for each in reachable([node]))
    )


@lru_cache(maxsize=1)
def slack() -> tuple[float, ...]:
    """How many times the allowed error each state may be off in one step.

    A state that others only feed, and that is drawn back at a fixed fast rate, has forgotten an
    error after a step or two, while a population that grows or is killed carries it on for good.
    """
    trace = traced()
    rows = range(len(trace.states))
    own = {i: trace.jacobian[i, i] for i in rows if (i, i) in trace.jacobian}
    steady = {i: node for i, node in own.items() if not node.varies}
    typical = typical_parameters()
    symbols = {parameter.name: typical[:, i] for i, parameter in enumerate(model().parameters)}
    speeds = dict(zip(steady, evaluate(list(steady.values()), symbols), strict=True))
    decays = {i for part in trace.parts for i in part.decays}
    return tuple(
        _FORGETFUL_MAY_ERR
        if i in speeds and i not in decays and float(np.max(-speeds[i])) > _FORGETS_ABOVE
        else 1.0
        for i in rows
    )
