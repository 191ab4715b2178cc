"""From the traced equations to machine code for this processor, by LLVM's library alone."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import llvmlite.binding as llvm

from graftline.model import rodas5p, tsit5
from graftline.model.interpolate import exp_code, interpolation_code
from graftline.model.lanes import LANES, Code, emit_nodes
from graftline.model.layout import Rows
from graftline.model.loop import loop_code
from graftline.model.parameters import model
from graftline.model.stepsize import Norm
from graftline.model.symbolic import Part, Traced, slack, traced
from graftline.model.trace import Node

EXPLICIT, IMPLICIT = 0, 1
_LOCK = threading.Lock()
_FEATURE_OF_WIDTH = {8: ("avx512f", "avx512dq"), 4: ("avx2", "fma"), 2: ()}
# before the graft nobody turns stiff for long enough to be worth a function of its own
_IMPLICIT_PARTS = ("without_drugs", "whole")


@dataclass(frozen=True, slots=True)
class Program:
    """One method on one part of the equations: addresses of its functions, rows of its buffer.

    ``serves`` are the parts whose patients it takes: its own, and those without a program.
    """

    method: int
    part: Part
    serves: tuple[int, ...]
    step: int
    begin: int
    interpolate: int
    turns: int
    row_count: int


@dataclass(frozen=True, slots=True)
class Kernel:
    """The compiled loop by address, what it can run, and how buffers are laid out."""

    width: int
    rows: Rows
    run: int
    programs: tuple[Program, ...]
    engine: Any


@lru_cache(maxsize=1)
def best_width() -> int:
    """Lanes per register on this processor: 8 (AVX-512), 4 (AVX2) or 2."""
    features = llvm.get_host_cpu_features()
    for width in LANES:
        if all(features.get(name, False) for name in _FEATURE_OF_WIDTH[width]):
            return width
    return LANES[-1]


def kernel(width: int | None = None) -> Kernel:
    """Loop and methods compiled for ``width`` lanes, this processor's best by default."""
    with _LOCK:
        return _kernel(best_width() if width is None else width)


@lru_cache(maxsize=len(LANES))
def _kernel(width: int) -> Kernel:
    trace, table = traced(), model()
    rows = Rows(len(trace.states), trace.kinks, len(trace.fixed))
    clones = [(i, state.one_cell) for i, state in enumerate(table.states) if state.one_cell > 0]
    norm = Norm(tuple(state.atol for state in table.states), slack(), tuple(clones))
    engine = build(_modules(width, rows, trace, norm), branching=_branching(width, rows, trace))
    everything = tuple(range(len(trace.parts)))
    programs = [_program(engine, rows, EXPLICIT, trace.parts[i], (i,)) for i in everything]
    others = tuple(i for i in everything if trace.parts[i].name not in _IMPLICIT_PARTS)
    for i in (i for i in everything if i not in others):
        serves = (i, *others) if i == everything[-1] else (i,)
        programs.append(_program(engine, rows, IMPLICIT, trace.parts[i], serves))
    run = engine.get_function_address("run")
    return Kernel(width, rows, run, tuple(programs), engine)


def _branching(width: int, rows: Rows, trace: Traced) -> list[str]:
    """Code with loops and branches, which an optimiser is of use to."""
    between = interpolation_code(width, rows, _decay_rates(rows, trace))
    return [loop_code(width, rows), between]


def _decay_rates(rows: Rows, trace: Traced) -> dict[int, int]:
    """Row of the rate of each state that does nothing but decay."""
    place = {node.index: rows.fixed + i for i, node in enumerate(trace.fixed)}
    return {i: place[node.index] for i, node in trace.parts[-1].decays.items()}


def _modules(width: int, rows: Rows, trace: Traced, norm: Norm) -> list[str]:
    """Code by module.

    Rates and steps do not share one: an optimiser that knew that the rates leave a step's other
    rows alone would keep all slopes at hand in registers it does not have.
    """
    decay_rates = _decay_rates(rows, trace)
    texts = [exp_code(), rodas5p.begin_code()]
    for part in trace.parts:
        arguments = (width, rows, part, norm, decay_rates)
        steps = [tsit5.begin_code(width, rows, part), tsit5.step_code(*arguments)]
        called = f"declare void @rates_{part.name}(ptr, ptr, ptr)\n"
        texts.append(_rates_code(width, trace, part))
        if part.name in _IMPLICIT_PARTS:
            called += f"declare void @jacobian_{part.name}(ptr, ptr, ptr)\n"
            called += f"declare void @solve_{part.name}(ptr, ptr)\n"
            texts += [_jacobian_code(width, trace, part), rodas5p.solve_code(width, part)]
            steps.append(rodas5p.step_code(*arguments))
        texts.append(called + "".join(steps))
    return texts


def _program(engine: Any, rows: Rows, method: int, part: Part, serves: tuple[int, ...]) -> Program:
    address = engine.get_function_address
    if method == EXPLICIT:
        return Program(
            method=method,
            part=part,
            serves=serves,
            step=address(f"explicit_step_{part.name}"),
            begin=address(f"explicit_begin_{part.name}"),
            interpolate=address("explicit_interpolate"),
            turns=tsit5.STIFF_STEPS,
            row_count=tsit5.row_count(rows),
        )
    return Program(
        method=method,
        part=part,
        serves=serves,
        step=address(f"implicit_step_{part.name}"),
        begin=address("implicit_begin"),
        interpolate=address("implicit_interpolate"),
        turns=rodas5p.EASY_STEPS,
        row_count=rodas5p.row_count(rows, len(part.plan.entries)),
    )


def _symbols(code: Code, trace: Traced, read: frozenset[int]) -> dict[int, str]:
    names = {
        node.index: code.clipped(code.load("%s", i))
        for i, node in enumerate(trace.states)
        if i in read
    }
    names.update({node.index: code.load("%c", i) for i, node in enumerate(trace.fixed)})
    return names


def _rates_code(width: int, trace: Traced, part: Part) -> str:
    """Rates of all that does more than decay, then the distances from the corners."""
    code = Code(width)
    outputs: dict[int, Node] = {i: node for i, node in part.rates.items() if i not in part.decays}
    outputs |= {len(trace.states) + k: node for k, node in enumerate(part.kinks)}
    emit_nodes(code, outputs, _symbols(code, trace, part.read), "%out")
    return code.function(f"rates_{part.name}", ["s", "c", "out"])


def _jacobian_code(width: int, trace: Traced, part: Part) -> str:
    """The Jacobian's entries with their sign changed, as the matrix of the method needs them."""
    code = Code(width)
    entries: Mapping[int, Node] = {
        i: part.negative_jacobian[entry]
        for i, entry in enumerate(part.plan.entries)
        if entry in part.negative_jacobian
    }
    emit_nodes(code, entries, _symbols(code, trace, part.read), "%out")
    return code.function(f"jacobian_{part.name}", ["s", "c", "out"])


def build(straight: Sequence[str], *, branching: Sequence[str] = ()) -> Any:
    """Machine code for this processor; the engine owns it and must be kept.

    ``straight`` code is taken as it is written, which is as fast and compiles in half the time;
    ``branching`` code is optimised first.
    """
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features()
    features["prefer-256-bit"] = False
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features.flatten(), opt=3
    )
    modules = [_parsed(text, machine) for text in straight]
    modules += [_optimised(_parsed(text, machine), machine) for text in branching]
    engine = llvm.create_mcjit_compiler(modules[0], machine)
    for module in modules[1:]:
        engine.add_module(module)
    engine.finalize_object()
    return engine


def _parsed(text: str, machine: Any) -> Any:
    module = llvm.parse_assembly(text)
    module.triple = llvm.get_default_triple()
    module.data_layout = str(machine.target_data)
    module.verify()
    return module


def _optimised(module: Any, machine: Any) -> Any:
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.slp_vectorization = False
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    return module
