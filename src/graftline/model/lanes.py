"""Writing LLVM code that works on several patients at once, one per lane of a vector register.

The text of each function is assembled line by line: a value is its name in that text. Divisions are
gathered in fours, because one division costs as much as twenty products.
"""

import struct
from collections.abc import Callable, Mapping, Sequence

from graftline.model.trace import Node, reachable

LANES = (8, 4, 2)
_MAGIC = 6755399441055744.0  # 1.5 * 2**52: adding it leaves the integer part in the low bits
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
DIVISIONS_TOGETHER = 4


class Code:
    """The body of one LLVM function over vectors of ``width`` doubles."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.double = f"<{width} x double>"
        self.integer = f"<{width} x i64>"
        self.bit = f"<{width} x i1>"
        self.lines: list[str] = []
        self._count = 0

    def _new(self, text: str) -> str:
        self._count += 1
        name = f"%v{self._count}"
        self.lines.append(f"  {name} = {text}")
        return name

    def constant(self, value: float) -> str:
        """A number in every lane."""
        bits = struct.unpack("<Q", struct.pack("<d", value))[0]
        return "<" + ", ".join([f"double 0x{bits:016X}"] * self.width) + ">"

    def whole(self, value: int) -> str:
        """A 64-bit integer in every lane."""
        return "<" + ", ".join([f"i64 {value}"] * self.width) + ">"

    def row(self, base: str, index: int) -> str:
        """Address of row ``index`` of a buffer of rows of ``width`` doubles."""
        return self._new(f"getelementptr double, ptr {base}, i64 {index * self.width}")

    def load(self, base: str, index: int) -> str:
        """Row ``index`` of a buffer."""
        return self._new(f"load {self.double}, ptr {self.row(base, index)}, align {8 * self.width}")

    def store(self, value: str, base: str, index: int) -> None:
        """Write a row of a buffer."""
        address = self.row(base, index)
        self.lines.append(f"  store {self.double} {value}, ptr {address}, align {8 * self.width}")

    def call(self, name: str, *pointers: str) -> None:
        """Call a function of the same module on buffers."""
        arguments = ", ".join(f"ptr {pointer}" for pointer in pointers)
        self.lines.append(f"  call void @{name}({arguments})")

    def barrier(self) -> None:
        """Make loads below read memory again: what was stored need not stay in a register."""
        self.lines.append('  call void asm sideeffect "", "~{memory}"()')

    def add(self, a: str, b: str) -> str:
        """Sum; a product that feeds it may be fused."""
        return self._new(f"fadd contract {self.double} {a}, {b}")

    def sub(self, a: str, b: str) -> str:
        """Difference; a product that feeds it may be fused."""
        return self._new(f"fsub contract {self.double} {a}, {b}")

    def mul(self, a: str, b: str) -> str:
        """Product."""
        return self._new(f"fmul contract {self.double} {a}, {b}")

    def neg(self, a: str) -> str:
        """Negation."""
        return self._new(f"fneg {self.double} {a}")

    def divide(self, a: str, b: str) -> str:
        """Quotient (dear)."""
        return self._new(f"fdiv {self.double} {a}, {b}")

    def above(self, a: str, b: str) -> str:
        """Mask: where ``a > b``."""
        return self._new(f"fcmp ogt {self.double} {a}, {b}")

    def not_below(self, a: str, b: str) -> str:
        """Mask: where ``a >= b``."""
        return self._new(f"fcmp oge {self.double} {a}, {b}")

    def both(self, a: str, b: str) -> str:
        """Mask: where both hold."""
        return self._new(f"and {self.bit} {a}, {b}")

    def either(self, a: str, b: str) -> str:
        """Mask: where at least one holds."""
        return self._new(f"or {self.bit} {a}, {b}")

    def negated(self, mask: str) -> str:
        """Mask: where it does not hold."""
        everywhere = "<" + ", ".join(["i1 true"] * self.width) + ">"
        return self._new(f"xor {self.bit} {mask}, {everywhere}")

    def as_number(self, mask: str) -> str:
        """The mask as one integer, lane 0 in its lowest bit."""
        narrow = self._new(f"bitcast {self.bit} {mask} to i{self.width}")
        return self._new(f"zext i{self.width} {narrow} to i64")

    def call_where(self, mask: str, name: str, *pointers: str) -> None:
        """Call a function of the same module if the mask holds in any lane."""
        number = self.as_number(mask)
        test = self._new(f"icmp ne i64 {number}, 0")
        self._count += 1
        label = f"l{self._count}"
        self.lines.append(f"  br i1 {test}, label %{label}a, label %{label}b")
        self.lines.append(f"{label}a:")
        self.call(name, *pointers)
        self.lines.append(f"  br label %{label}b\n{label}b:")

    def choose(self, mask: str, a: str, b: str) -> str:
        """``a`` where the mask holds, else ``b``."""
        return self._new(f"select {self.bit} {mask}, {self.double} {a}, {self.double} {b}")

    def larger(self, a: str, b: str) -> str:
        """The larger of two (the second where the first is not a number)."""
        return self.choose(self.above(a, b), a, b)

    def smaller(self, a: str, b: str) -> str:
        """The smaller of two (the second where the first is not a number)."""
        return self.choose(self._new(f"fcmp olt {self.double} {a}, {b}"), a, b)

    def clipped(self, a: str) -> str:
        """Positive part."""
        return self.larger(a, self.constant(0.0))

    def combine(self, first: str, terms: Sequence[tuple[str, str]]) -> str:
        """``first`` plus the sum of products."""
        for a, b in terms:
            first = self.add(self.mul(a, b), first)
        return first

    def bits(self, a: str) -> str:
        """The bits of doubles as integers."""
        return self._new(f"bitcast {self.double} {a} to {self.integer}")

    def from_bits(self, a: str) -> str:
        """Integers read as the bits of doubles."""
        return self._new(f"bitcast {self.integer} {a} to {self.double}")

    def integer_op(self, op: str, a: str, b: str) -> str:
        """``add``, ``sub``, ``and``, ``shl``, ``lshr`` on 64-bit integers."""
        return self._new(f"{op} {self.integer} {a}, {b}")

    def polynomial(self, x: str, coefficients: Sequence[float]) -> str:
        """Estrin's scheme, highest power first: products of one level need not wait."""
        values = [self.constant(coefficient) for coefficient in reversed(coefficients)]
        while len(values) > 1:
            pairs = zip(values[::2], values[1::2], strict=False)
            odd = values[-1:] if len(values) % 2 else []
            values = [self.add(self.mul(high, x), low) for low, high in pairs] + odd
            x = self.mul(x, x)
        return values[0]

    def exp(self, x: str) -> str:
        """Exponential: 2**n times a Taylor polynomial on half a binade; arguments cut at 700."""
        x = self.larger(self.smaller(x, self.constant(700.0)), self.constant(-700.0))
        magic = self.constant(_MAGIC)
        shifted = self.add(self.mul(x, self.constant(1.4426950408889634)), magic)
        n = self._new(f"fsub {self.double} {shifted}, {magic}")
        r = self.sub(x, self.mul(n, self.constant(_LN2_HIGH)))
        r = self.sub(r, self.mul(n, self.constant(_LN2_LOW)))
        series = [1.0]
        for k in range(1, 12):
            series.insert(0, series[0] / k)
        exponent = self.integer_op("add", self.bits(shifted), self.whole(1023))
        scale = self.from_bits(self.integer_op("shl", exponent, self.whole(52)))
        return self.mul(self.polynomial(r, series), scale)

    def log(self, x: str) -> str:
        """Natural logarithm of a positive normal number: exponent plus an atanh series."""
        bits = self.bits(x)
        offset = 0x3FE6A09E667F3BCD  # sqrt(1/2): the mantissa then lies around 1
        shifted = self.integer_op("sub", bits, self.whole(offset))
        biased = self.integer_op("add", shifted, self.whole(1 << 62))
        exponent = self.integer_op("lshr", biased, self.whole(52))
        high = self.integer_op(
            "shl", self.integer_op("sub", exponent, self.whole(1 << 10)), self.whole(52)
        )
        mantissa = self.from_bits(self.integer_op("sub", bits, high))
        magic_bits = struct.unpack("<q", struct.pack("<d", _MAGIC))[0]
        n = self.from_bits(self.integer_op("add", exponent, self.whole(magic_bits - 1024)))
        n = self._new(f"fsub {self.double} {n}, {self.constant(_MAGIC)}")
        one = self.constant(1.0)
        s = self.divide(self.sub(mantissa, one), self.add(mantissa, one))
        square = self.mul(s, s)
        series = self.polynomial(square, [2.0 / (2 * k + 1) for k in range(8, -1, -1)])
        low = self.add(self.mul(s, series), self.mul(n, self.constant(_LN2_LOW)))
        return self.add(self.mul(n, self.constant(_LN2_HIGH)), low)

    def reciprocals(self, values: Sequence[str]) -> list[str]:
        """One over each of up to four values at the price of one division."""
        running = [values[0]]
        for value in values[1:]:
            running.append(self.mul(running[-1], value))
        rest = self.divide(self.constant(1.0), running[-1])
        result: list[str] = []
        for i in range(len(values) - 1, 0, -1):
            result.append(self.mul(rest, running[i - 1]))
            rest = self.mul(rest, values[i])
        return [rest, *reversed(result)]

    def many_reciprocals(self, values: Sequence[str]) -> list[str]:
        """One over each value, gathered in fours."""
        result: list[str] = []
        for start in range(0, len(values), DIVISIONS_TOGETHER):
            result.extend(self.reciprocals(values[start : start + DIVISIONS_TOGETHER]))
        return result

    def function(self, name: str, arguments: Sequence[str], *, result: str = "") -> str:
        """The finished function; ``result`` is a 64-bit integer that it returns."""
        signature = ", ".join(f"ptr noalias %{argument}" for argument in arguments)
        body = "\n".join(self.lines)
        back, end = ("i64", f"ret i64 {result}") if result else ("void", "ret void")
        head = f"define {back} @{name}({signature}) nounwind"
        return f"{head} {{\nentry:\n{body}\n  {end}\n}}\n"


def emit_nodes(
    code: Code, outputs: Mapping[int, Node], symbols: Mapping[int, str], target: str
) -> None:
    """Code that computes nodes of a graph and stores each in its row of ``target``.

    Divisions come first, gathered; after them each output is computed and stored before the next,
    so that few values wait in registers.

    Parameters
    ----------
    outputs : node by row
    symbols : name in the code of every state and of every node that depends on parameters alone.
    """
    values = dict(symbols)
    for gathered in _divisions(list(outputs.values())):
        inverted = [_emit(code, node.args[0], values) for node in gathered]
        names = code.many_reciprocals(inverted)
        values.update(zip((node.index for node in gathered), names, strict=True))
    for row, node in outputs.items():
        code.store(_emit(code, node, values), target, row)


def _divisions(outputs: Sequence[Node]) -> list[list[Node]]:
    """Reciprocals by the number of others on the way to them."""
    depth: dict[int, int] = {}
    levels: dict[int, list[Node]] = {}
    for node in reachable(outputs):
        before = max((depth[arg.index] for arg in node.args), default=0)
        division = node.op == "reciprocal" and node.varies
        depth[node.index] = before + division
        if division:
            levels.setdefault(before, []).append(node)
    return [levels[level] for level in sorted(levels)]


def _emit(code: Code, node: Node, values: dict[int, str]) -> str:
    """Name of a node's value, computed with what it needs if it is not known."""
    if node.op == "constant":
        return code.constant(node.value)
    if node.index not in values:
        args = [_emit(code, arg, values) for arg in node.args]
        values[node.index] = _operation(code, node, args)
    return values[node.index]


def _operation(code: Code, node: Node, args: Sequence[str]) -> str:
    if node.op == "step":
        positive = code.above(args[0], code.constant(0.0))
        return code.choose(positive, code.constant(1.0), code.constant(0.0))
    operations: Mapping[str, Callable[..., str]] = {
        "add": code.add,
        "sub": code.sub,
        "mul": code.mul,
        "neg": code.neg,
        "exp": code.exp,
        "log": code.log,
        "plus": code.clipped,
        "smaller": code.smaller,
    }
    return operations[node.op](*args)
