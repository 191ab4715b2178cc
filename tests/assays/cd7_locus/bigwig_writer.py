"""bigWig files written byte by byte after Kent et al. 2010, in either byte order."""

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

Block = tuple[int, Sequence[tuple[float, ...]], int, int, int]  # kind, items, start, step, span

ITEMS = {1: "IIf", 2: "If", 3: "f"}


def write_bigwig(
    path: Path,
    blocks: Sequence[Block],
    *,
    order: str = "<",
    chromosome: str = "chr17",
    length: int = 83_257_441,
    packed: bool = True,
) -> Path:
    """One chromosome, one leaf in each tree, blocks of kind 1 (bedGraph), 2 or 3 (steps)."""

    def pack(layout: str, *values: float | bytes) -> bytes:
        return struct.pack(order + layout, *values)

    key = 16
    tree = pack("4I2Q", 0x78CA8C91, 1, key, 8, 1, 0)
    tree += pack("2BH", 1, 0, 1) + chromosome.encode().ljust(key, b"\0") + pack("2I", 0, length)
    data, places = b"", []
    offset = 64 + len(tree) + 8
    for kind, items, start, step, span in blocks:
        first, last = _extent(kind, items, start, step, span)
        made = pack("5I2BH", 0, first, last, step, span, kind, 0, len(items))
        made += b"".join(pack(ITEMS[kind], *item) for item in items)
        stored = zlib.compress(made) if packed else made
        places.append((first, last, offset + len(data), len(stored)))
        data += stored
    index = pack("2IQ4IQ2I", 0x2468ACE0, 256, len(blocks), 0, 0, 0, length, offset, 512, 0)
    index += pack("2BH", 1, 0, len(blocks))
    for first, last, place, size in places:
        index += pack("4I2Q", 0, first, 0, last, place, size)
    buffer = 1 << 15 if packed else 0
    header = pack(
        "I2H3Q2H2QIQ", 0x888FFC26, 4, 0, 64, offset - 8, offset + len(data), 0, 0, 0, 0, buffer, 0
    )
    path.write_bytes(header + tree + pack("Q", len(blocks)) + data + index)
    return path


def _extent(
    kind: int, items: Sequence[tuple[float, ...]], start: int, step: int, span: int
) -> tuple[int, int]:
    if kind == 1:
        return int(items[0][0]), int(items[-1][1])
    if kind == 2:
        return int(items[0][0]), int(items[-1][0]) + span
    return start, start + step * (len(items) - 1) + span
