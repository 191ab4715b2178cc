"""Plain-text tables of numbers, aligned as a statistician reads them."""

from collections.abc import Sequence


def text_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns aligned right under their names; the first column aligned left."""
    cells = [list(header), *[[text_number(value) for value in row] for row in rows]]
    widths = [max(len(line[j]) for line in cells) for j in range(len(header))]
    lines = [
        "  ".join(
            cell.ljust(width) if j == 0 else cell.rjust(width)
            for j, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
    return "\n".join(lines)


def text_number(value: object) -> str:
    """Four significant digits, whole numbers whole, ``-`` for what has no value."""
    if not isinstance(value, float):
        return str(value)
    if value != value:
        return "-"
    if value == int(value) if abs(value) < 1e15 else False:
        return str(int(value))
    return f"{value:.4g}"


def text_p_value(p: float) -> str:
    """``< 0.0001`` below that, otherwise three significant digits."""
    if p != p:
        return "-"
    return "< 0.0001" if p < 1e-4 else f"{p:.3g}"
