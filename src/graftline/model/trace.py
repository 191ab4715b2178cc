"""Tracing the equations into a graph of operations, and differentiating that graph.

The equations run once on symbols. Equal operations on equal arguments are the same node, so common
subexpressions are shared from the start, and a derivative is more nodes of the same graph.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Union

import numpy as np
from numpy.typing import NDArray

from graftline.model.equations import Maths

Operand = Union["Node", float, int]


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operation of a graph; arithmetic on nodes appends to their graph."""

    graph: "Graph"
    index: int
    op: str
    args: tuple["Node", ...]
    value: float
    name: str
    varies: bool

    def __add__(self, other: Operand) -> "Node":
        return self.graph.add(self, self.graph.node(other))

    def __radd__(self, other: Operand) -> "Node":
        return self.graph.add(self.graph.node(other), self)

    def __sub__(self, other: Operand) -> "Node":
        return self.graph.sub(self, self.graph.node(other))

    def __rsub__(self, other: Operand) -> "Node":
        return self.graph.sub(self.graph.node(other), self)

    def __mul__(self, other: Operand) -> "Node":
        return self.graph.mul(self, self.graph.node(other))

    def __rmul__(self, other: Operand) -> "Node":
        return self.graph.mul(self.graph.node(other), self)

    def __truediv__(self, other: Operand) -> "Node":
        return self.graph.div(self, self.graph.node(other))

    def __rtruediv__(self, other: Operand) -> "Node":
        return self.graph.div(self.graph.node(other), self)

    def __neg__(self) -> "Node":
        return self.graph.neg(self)


class Graph:
    """Nodes in the order in which they can be computed, each distinct operation once.

    ``varies`` marks what depends on a state. What depends on parameters alone is computed once per
    patient, not at every evaluation, so sums and products keep the two kinds apart.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._known: dict[tuple[str, tuple[int, ...], float, str], Node] = {}

    def _make(
        self, op: str, args: tuple[Node, ...] = (), value: float = 0.0, name: str = ""
    ) -> Node:
        key = (op, tuple(arg.index for arg in args), value, name)
        if key not in self._known:
            varies = op == "state" or any(arg.varies for arg in args)
            node = Node(self, len(self.nodes), op, args, value, name, varies)
            self.nodes.append(node)
            self._known[key] = node
        return self._known[key]

    def state(self, name: str) -> Node:
        """Symbol of a state."""
        return self._make("state", name=name)

    def parameter(self, name: str) -> Node:
        """Symbol of a parameter."""
        return self._make("parameter", name=name)

    def node(self, value: Operand) -> Node:
        """A node as it is, a number as a constant."""
        return value if isinstance(value, Node) else self._make("constant", value=float(value))

    def is_constant(self, node: Node, value: float) -> bool:
        """Whether the node is this number."""
        return node.op == "constant" and node.value == value

    def add(self, a: Node, b: Node) -> Node:
        """``a + b``; zeros vanish."""
        if self.is_constant(a, 0.0):
            return b
        if self.is_constant(b, 0.0):
            return a
        if a.op == b.op == "constant":
            return self.node(a.value + b.value)
        if b.op == "neg":
            return self.sub(a, b.args[0])
        return self._make("add", (a, b) if a.index <= b.index else (b, a))

    def sub(self, a: Node, b: Node) -> Node:
        """``a - b``; zeros vanish."""
        if self.is_constant(b, 0.0):
            return a
        if self.is_constant(a, 0.0):
            return self.neg(b)
        if a is b:
            return self.node(0.0)
        if a.op == b.op == "constant":
            return self.node(a.value - b.value)
        if b.op == "neg":
            return self.add(a, b.args[0])
        return self._make("sub", (a, b))

    def mul(self, a: Node, b: Node) -> Node:
        """``a * b``; ones and zeros vanish, factors that do not vary are gathered."""
        for x, y in ((a, b), (b, a)):
            if self.is_constant(x, 0.0):
                return x
            if self.is_constant(x, 1.0):
                return y
            if self.is_constant(x, -1.0):
                return self.neg(y)
            if x.op == "neg":
                return self.neg(self.mul(x.args[0], y))
        if a.op == b.op == "constant":
            return self.node(a.value * b.value)
        if a.varies and not b.varies:
            a, b = b, a
        if b.op == "mul" and b.varies and not b.args[0].varies:
            fixed, moving = b.args
            if not a.varies:
                return self._make("mul", (self.mul(a, fixed), moving))
            return self.mul(fixed, self.mul(a, moving))
        if a.varies == b.varies and a.index > b.index:
            a, b = b, a
        return self._make("mul", (a, b))

    def div(self, a: Node, b: Node) -> Node:
        """``a / b``; by something fixed it is a product with its reciprocal."""
        if self.is_constant(a, 0.0) or self.is_constant(b, 1.0):
            return a
        if a.op == b.op == "constant":
            return self.node(a.value / b.value)
        if a.op == "neg":
            return self.neg(self.div(a.args[0], b))
        return self.mul(a, self._make("reciprocal", (b,)))

    def neg(self, a: Node) -> Node:
        """``-a``."""
        if a.op == "constant":
            return self.node(-a.value)
        if a.op == "neg":
            return a.args[0]
        if a.op == "sub":
            return self._make("sub", (a.args[1], a.args[0]))
        return self._make("neg", (a,))

    def log(self, a: Node) -> Node:
        """Natural logarithm; a quotient becomes a difference, which saves a division."""
        if a.op == "mul" and not a.args[0].varies and a.args[1].op == "reciprocal":
            return self.sub(self.log(a.args[0]), self.log(a.args[1].args[0]))
        return self._make("log", (a,))

    def exp(self, a: Node) -> Node:
        """Exponential."""
        return self.node(1.0) if self.is_constant(a, 0.0) else self._make("exp", (a,))

    def power(self, a: Node, b: Node) -> Node:
        """``a ** b`` for positive ``a``."""
        return self.exp(self.mul(b, self.log(a)))

    def plus(self, a: Node) -> Node:
        """Positive part of ``a``."""
        return self._make("plus", (a,))

    def step(self, a: Node) -> Node:
        """1 where ``a`` is positive, else 0."""
        return self._make("step", (a,))

    def smaller(self, a: Node, b: Node) -> Node:
        """The smaller of two."""
        return self._make("smaller", (a, b))


def graph_maths(graph: Graph) -> Maths:
    """What the equations' four operations mean on this graph's nodes."""
    return Maths(
        positive_part=graph.plus,
        smaller=lambda a, b: graph.smaller(graph.node(a), graph.node(b)),
        power=lambda a, b: graph.power(graph.node(a), graph.node(b)),
        exp=graph.exp,
    )


def derivatives(
    graph: Graph, outputs: Sequence[Node], states: Sequence[Node]
) -> dict[tuple[int, int], Node]:
    """Partial derivatives that are not zero everywhere: ``{(row, column): node}``.

    At a kink the derivative from the side where the positive part is zero is taken.
    """
    order = {state.index: i for i, state in enumerate(states)}
    gradient: dict[int, dict[int, Node]] = {}
    for node in tuple(reachable(outputs)):
        if node.varies:
            gradient[node.index] = _gradient(graph, node, order, gradient)
    return {
        (row, column): entry
        for row, output in enumerate(outputs)
        if output.varies
        for column, entry in sorted(gradient[output.index].items())
    }


def _gradient(
    graph: Graph, node: Node, order: Mapping[int, int], known: Mapping[int, dict[int, Node]]
) -> dict[int, Node]:
    if node.op == "state":
        return {order[node.index]: graph.node(1.0)}
    total: dict[int, Node] = {}
    for arg, slope in zip(node.args, _slopes(graph, node), strict=True):
        if not arg.varies:
            continue
        for column, inner in known[arg.index].items():
            term = graph.mul(slope, inner)
            if not graph.is_constant(term, 0.0):
                total[column] = graph.add(total[column], term) if column in total else term
    return total


def _slopes(graph: Graph, node: Node) -> tuple[Node, ...]:
    one = graph.node(1.0)
    args = node.args
    if node.op == "add":
        return one, one
    if node.op == "sub":
        return one, graph.node(-1.0)
    if node.op == "mul":
        return args[1], args[0]
    if node.op == "neg":
        return (graph.node(-1.0),)
    if node.op == "reciprocal":
        return (graph.neg(graph.mul(node, node)),)
    if node.op == "exp":
        return (node,)
    if node.op == "log":
        return (graph.div(one, args[0]),)
    if node.op == "plus":
        return (graph.step(args[0]),)
    if node.op == "smaller":
        first = graph.step(args[1] - args[0])
        return first, one - first
    raise ValueError(f"operation {node.op!r} has no derivative rule; add it to trace._slopes")


def reachable(outputs: Iterable[Node]) -> list[Node]:
    """Nodes that the outputs need, in an order in which they can be computed."""
    seen: set[int] = set()
    stack = list(outputs)
    nodes: list[Node] = []
    while stack:
        node = stack.pop()
        if node.index not in seen:
            seen.add(node.index)
            nodes.append(node)
            stack.extend(node.args)
    return sorted(nodes, key=lambda node: node.index)


def evaluate(
    outputs: Sequence[Node], symbols: Mapping[str, NDArray[np.float64]]
) -> list[NDArray[np.float64]]:
    """Values of nodes from arrays of states and parameters (for constants, and for tests)."""
    values: dict[int, NDArray[np.float64]] = {}
    for node in reachable(outputs):
        values[node.index] = _value(node, [values[arg.index] for arg in node.args], symbols)
    return [values[node.index] for node in outputs]


def _value(
    node: Node, args: Sequence[NDArray[np.float64]], symbols: Mapping[str, NDArray[np.float64]]
) -> NDArray[np.float64]:
    if node.op == "constant":
        return np.asarray(node.value)
    if node.op in ("state", "parameter"):
        return symbols[node.name]
    operations: Mapping[str, Callable[..., NDArray[np.float64]]] = {
        "add": np.add,
        "sub": np.subtract,
        "mul": np.multiply,
        "neg": np.negative,
        "exp": np.exp,
        "log": np.log,
        "reciprocal": np.reciprocal,
        "smaller": np.minimum,
        "plus": lambda x: np.maximum(x, 0.0),
        "step": lambda x: np.where(x > 0.0, 1.0, 0.0),
    }
    return operations[node.op](*args)
