"""From the traced equations to machine code for this processor, by LLVM's library alone."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from numpy.typing import NDArray

from graftline.model import rodas4, tsit5
from graftline.model.equations import rates
from graftline.model.lanes import LANES, Code, emit_nodes
from graftline.model.loop import Shape, loop_code
from graftline.model.parameters import Model, model
from graftline.model.sparse import Elimination, plan_elimination
from graftline.model.trace import (
    Graph,
    Node,
    derivatives,
    evaluate,
    graph_maths,
    reachable,
)

_LOCK = threading.Lock()
_CALLED = "declare void @rates(ptr, ptr, ptr)\ndeclare void @jacobian(ptr, ptr, ptr)\n"
_FEATURE_OF_WIDTH = {8: ("avx512f", "avx512dq"), 4: ("avx2", "fma"), 2: ()}


@dataclass(frozen=True, slots=True)
class Traced:
    """The model as a graph: rates, Jacobian, and what depends on parameters alone."""

    graph: Graph
    states: tuple[Node, ...]
    rates: tuple[Node, ...]
    jacobian: Mapping[tuple[int, int], Node]
    negative_jacobian: Mapping[tuple[int, int], Node]
    fixed: tuple[Node, ...]
    read: frozenset[int]


@dataclass(frozen=True, slots=True)
class Kernel:
    """Compiled loops by address, and how their buffers are laid out."""

    width: int
    explicit_run: int
    implicit_run: int
    explicit_rows: tsit5.Rows
    implicit_rows: rodas4.Rows
    engine: Any


def symbols_of(graph: Graph, table: Model) -> tuple[SimpleNamespace, SimpleNamespace]:
    """Named symbols of all states and all parameters."""
    states = SimpleNamespace(**{state.name: graph.state(state.name) for state in table.states})
    names = [parameter.name for parameter in table.parameters]
    return states, SimpleNamespace(**{name: graph.parameter(name) for name in names})


@lru_cache(maxsize=1)
def traced() -> Traced:
    """The equations run once on symbols, with all derivatives."""
    table = model()
    graph = Graph()
    s, p = symbols_of(graph, table)
    by_name = rates(s, p, graph_maths(graph))
    outputs = tuple(graph.node(by_name[state.name]) for state in table.states)
    states = tuple(getattr(s, state.name) for state in table.states)
    jacobian = derivatives(graph, outputs, states)
    negative = {entry: graph.neg(node) for entry, node in jacobian.items()}
    wanted = [*outputs, *negative.values()]
    return Traced(
        graph=graph,
        states=states,
        rates=outputs,
        jacobian=jacobian,
        negative_jacobian=negative,
        fixed=_fixed_nodes(reachable(wanted), wanted),
        read=frozenset(column for _, column in jacobian),
    )


def _fixed_nodes(needed: list[Node], outputs: list[Node]) -> tuple[Node, ...]:
    """Nodes of parameters alone that a varying node, or an output, uses directly."""
    used = {arg.index: arg for node in needed if node.varies for arg in node.args}
    used |= {node.index: node for node in outputs}
    keep = (node for node in used.values() if not node.varies and node.op != "constant")
    return tuple(sorted(keep, key=lambda node: node.index))


def fixed_values(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
    """What depends on parameters alone: array [n, constant] from an array [n, parameter]."""
    trace = traced()
    symbols = {parameter.name: parameters[:, i] for i, parameter in enumerate(model().parameters)}
    values = evaluate(trace.fixed, symbols)
    result = np.empty((len(parameters), len(trace.fixed)))
    for i, value in enumerate(values):
        result[:, i] = value
    return result


@lru_cache(maxsize=1)
def elimination() -> Elimination:
    """Order of elimination for the Jacobian's pattern."""
    trace = traced()
    return plan_elimination(len(trace.states), trace.jacobian)


def best_width() -> int:
    """Lanes per register on this processor: 8 (AVX-512), 4 (AVX2) or 2."""
    features = llvm.get_host_cpu_features()
    for width in LANES:
        if all(features.get(name, False) for name in _FEATURE_OF_WIDTH[width]):
            return width
    return LANES[-1]


def kernel(width: int | None = None) -> Kernel:
    """The loops of both methods compiled for ``width`` lanes, this processor's best by default."""
    with _LOCK:
        return _kernel(best_width() if width is None else width)


@lru_cache(maxsize=len(LANES))
def _kernel(width: int) -> Kernel:
    trace, plan = traced(), elimination()
    size, constants = len(trace.states), len(trace.fixed)
    explicit = tsit5.Rows(size, constants)
    implicit = rodas4.Rows(size, constants, len(plan.entries))
    clones = tuple(
        (i, state.one_cell) for i, state in enumerate(model().states) if state.one_cell > 0
    )
    atol = tuple(state.atol for state in model().states)
    # each in a module of its own: an optimiser that knew that the rates leave a step's other rows
    # alone would keep all slopes at hand in registers it does not have
    steps = [
        tsit5.begin_code(width, explicit),
        tsit5.step_code(width, explicit, trace.read, atol, clones),
        rodas4.step_code(width, implicit, plan, frozenset(trace.jacobian), atol, clones),
    ]
    engine = build(
        [
            _rates_code(width, trace),
            _jacobian_code(width, trace, plan),
            *(_CALLED + step for step in steps),
            rodas4.begin_code(),
            *(loop_code(shape) for shape in _shapes(width, explicit, implicit)),
        ]
    )
    return Kernel(
        width=width,
        explicit_run=engine.get_function_address("explicit_run"),
        implicit_run=engine.get_function_address("implicit_run"),
        explicit_rows=explicit,
        implicit_rows=implicit,
        engine=engine,
    )


def _shapes(width: int, explicit: tsit5.Rows, implicit: rodas4.Rows) -> tuple[Shape, Shape]:
    def shape(
        name: str, rows: tsit5.Rows | rodas4.Rows, method: int, turns: float, interpolate: Any
    ) -> Shape:
        return Shape(
            name=name,
            width=width,
            states=rows.states,
            constants=rows.constants,
            now=rows.now,
            next=rows.next,
            fixed=rows.fixed,
            control=rows.control,
            method=method,
            turns=turns,
            interpolate=interpolate,
        )

    return (
        shape("explicit", explicit, 0, tsit5.STIFF_STEPS, tsit5.interpolation(explicit)),
        shape("implicit", implicit, 1, rodas4.EASY_STEPS, rodas4.interpolation(implicit)),
    )


def _symbols(code: Code, trace: Traced) -> dict[int, str]:
    names = {
        node.index: code.clipped(code.load("%s", i))
        for i, node in enumerate(trace.states)
        if i in trace.read
    }
    names.update({node.index: code.load("%c", i) for i, node in enumerate(trace.fixed)})
    return names


def _rates_code(width: int, trace: Traced) -> str:
    code = Code(width)
    emit_nodes(code, dict(enumerate(trace.rates)), _symbols(code, trace), "%out")
    return code.function("rates", ["s", "c", "out"])


def _jacobian_code(width: int, trace: Traced, plan: Elimination) -> str:
    """The Jacobian's entries with their sign changed, as the matrix of the method needs them."""
    code = Code(width)
    place = {entry: i for i, entry in enumerate(plan.entries)}
    entries = {place[entry]: trace.negative_jacobian[entry] for entry in trace.jacobian}
    emit_nodes(code, entries, _symbols(code, trace), "%out")
    return code.function("jacobian", ["s", "c", "out"])


def build(texts: Sequence[str]) -> Any:
    """Machine code for this processor; the engine owns it and must be kept."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features()
    features["prefer-256-bit"] = False
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features.flatten(), opt=3
    )
    modules = [_optimised(text, machine) for text in texts]
    engine = llvm.create_mcjit_compiler(modules[0], machine)
    for module in modules[1:]:
        engine.add_module(module)
    engine.finalize_object()
    return engine


def _optimised(text: str, machine: Any) -> Any:
    module = llvm.parse_assembly(text)
    module.triple = llvm.get_default_triple()
    module.data_layout = str(machine.target_data)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.slp_vectorization = False
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    return module
