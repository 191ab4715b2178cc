"""A function of LLVM code under construction: arithmetic, tables, branches and loops by name."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

I64, F64, BIT = ir.IntType(64), ir.DoubleType(), ir.IntType(1)


class Body:
    """A function under construction: integer and real arithmetic, tables, branches and loops."""

    def __init__(self, module: Any, name: str, inputs: int, result: Any) -> None:
        kind = ir.FunctionType(result, [I64] * inputs)
        self.function = ir.Function(module, kind, name)
        self.function.linkage = "internal"
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.inputs = list(self.function.args)

    def whole(self, value: int) -> Any:
        """An integer."""
        return ir.Constant(I64, int(value))

    def real(self, value: float) -> Any:
        """A real number."""
        return ir.Constant(F64, float(value))

    def plus(self, a: Any, b: int | Any) -> Any:
        """Integer sum."""
        return self.builder.add(a, self.whole(b) if isinstance(b, int) else b)

    def times(self, a: Any, b: int | Any) -> Any:
        """Integer product."""
        return self.builder.mul(a, self.whole(b) if isinstance(b, int) else b)

    def address(self, base: Any, index: Any) -> Any:
        """Address of the eight-byte element ``index`` of a table."""
        return self.builder.add(base, self.builder.shl(index, self.whole(3)))

    def load(self, base: Any, index: Any, kind: Any = F64) -> Any:
        """Element of a table."""
        place = self.builder.inttoptr(self.address(base, index), kind.as_pointer())
        return self.builder.load(place)

    def store(self, value: Any, base: Any, index: Any) -> None:
        """Write an element of a table."""
        kind = value.type.as_pointer()
        self.builder.store(value, self.builder.inttoptr(self.address(base, index), kind))

    def variable(self, value: Any) -> Any:
        """A local variable."""
        with self.builder.goto_entry_block():
            place = self.builder.alloca(value.type)
        self.builder.store(value, place)
        return place

    def less(self, a: Any, b: Any) -> Any:
        """Whether integer a < b."""
        return self.builder.icmp_signed("<", a, b)

    def product(self, a: Any, b: Any) -> Any:
        """Real product, which a sum may take in."""
        return self.builder.fmul(a, b, flags=("contract",))

    def fused(self, a: Any, b: Any, c: Any) -> Any:
        """``a b + c`` of reals, rounded once where the processor can."""
        return self.builder.fadd(self.product(a, b), c, flags=("contract",))

    def horner(self, x: Any, coefficients: Sequence[float]) -> Any:
        """Polynomial in ``x``, lowest power first."""
        value = self.real(coefficients[-1])
        for coefficient in coefficients[-2::-1]:
            value = self.fused(value, x, self.real(coefficient))
        return value

    def smaller(self, a: Any, b: Any) -> Any:
        """The smaller of two reals."""
        return self.builder.select(self.builder.fcmp_ordered("<", a, b), a, b)

    @contextmanager
    def loop_while(self, condition: Callable[[], Any]) -> Iterator[None]:
        """Repeat while the condition, evaluated before each round, holds."""
        test, body, end = (self.builder.append_basic_block(n) for n in ("test", "body", "end"))
        self.builder.branch(test)
        self.builder.position_at_end(test)
        self.builder.cbranch(condition(), body, end)
        self.builder.position_at_end(body)
        yield
        self.builder.branch(test)
        self.builder.position_at_end(end)

    @contextmanager
    def loop_over(self, count: Any) -> Iterator[Any]:
        """Repeat for 0, 1, ... ``count`` - 1."""
        index = self.variable(self.whole(0))
        with self.loop_while(lambda: self.less(self.builder.load(index), count)):
            value = self.builder.load(index)
            yield value
            self.builder.store(self.plus(value, 1), index)

    def give_back_if(self, condition: Any, value: int) -> None:
        """Return ``value`` if the condition holds."""
        with self.builder.if_then(condition):
            self.builder.ret(self.whole(value))
