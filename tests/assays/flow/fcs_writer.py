"""Writes FCS files from the standard's text, with every fault a test asks for."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np


def write_fcs(
    path: Path,
    columns: Sequence[np.ndarray],
    *,
    names: Sequence[str] | None = None,
    version: str = "FCS3.1",
    kind: str = "F",
    order: str = "1,2,3,4",
    bits: int = 32,
    ranges: float = 262144,
    total: int | None = None,
    data_shift: int = 0,
    data_surplus: int = 0,
    header_data: tuple[int, int] | None = None,
    delimiter: str = "/",
    keywords: dict[str, str] | None = None,
    events: bytes | None = None,
    encoding: str = "utf-8",
) -> Path:
    """``keywords`` override the ones written or add to them; ``events`` stand for the columns."""
    names = names or [f"C{i}" for i in range(1, len(columns) + 1)]
    mark = "<" if order.startswith("1") else ">"
    code = {"F": "f4", "D": "f8"}.get(kind, f"u{bits // 8}")
    data = np.column_stack([np.asarray(c) for c in columns]).astype(mark + code).tobytes()
    data = data if events is None else events
    text = {
        "$BEGINDATA": "@1@@@@@@",
        "$ENDDATA": "@2@@@@@@",
        "$PAR": str(len(columns)),
        "$TOT": str(len(columns[0]) if total is None else total),
        "$MODE": "L",
        "$DATATYPE": kind,
        "$BYTEORD": order,
        "$NEXTDATA": "0",
    }
    for i, name in enumerate(names, start=1):
        text |= {
            f"$P{i}N": name,
            f"$P{i}B": str({"F": 32, "D": 64}.get(kind, bits)),
            f"$P{i}R": str(ranges),
            f"$P{i}E": "0,0",
        }
    text |= keywords or {}
    if version == "FCS2.0":
        del text["$BEGINDATA"], text["$ENDDATA"]
    body = delimiter + "".join(
        f"{key}{delimiter}{value.replace(delimiter, delimiter * 2)}{delimiter}"
        for key, value in text.items()
    )
    begin = 58 + len(body.encode(encoding))
    end = begin + len(data) - 1 + data_surplus
    body = body.replace("@1@@@@@@", f"{begin + data_shift:08d}").replace(
        "@2@@@@@@", f"{end + data_shift:08d}"
    )
    first, last = header_data or (begin + data_shift, end + data_shift)
    header = f"{version}    {58:>8}{begin - 1:>8}{first:>8}{last:>8}{0:>8}{0:>8}"
    path.write_bytes(header.encode() + body.encode(encoding) + data)
    return path
