"""bigWig files: their chromosomes, and the intervals over a region at full resolution.

Own code for one reason: pybigtools, the library used before, ends the program on damaged files
(a panic, or an abort where a length is absurd) instead of raising what could be told to the user.
Source of the layout: Kent and others 2010, with its supplement.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

_BIGWIG, _BIGBED, _CHROMOSOMES, _INDEX = 0x888FFC26, 0x8789F2EB, 0x78CA8C91, 0x2468ACE0
_BEDGRAPH, _VARIABLE_STEP, _FIXED_STEP = 1, 2, 3
_LARGEST_BLOCK = 1 << 26
_FIELDS = {_BEDGRAPH: ("u4", "u4", "f4"), _VARIABLE_STEP: ("u4", "f4"), _FIXED_STEP: ("f4",)}


class BigWigError(ValueError):
    """Not a bigWig, or one that is cut short or damaged."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Values of half-open intervals that count from 0, in the order of the file."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Source:
    """An open file, its length and its byte order."""

    stream: BinaryIO
    size: int
    order: str

    def take(self, offset: int, size: int) -> bytes:
        if offset < 0 or size < 0 or offset + size > self.size:
            raise BigWigError(f"it ends at byte {self.size:,}, before byte {offset + size:,}")
        self.stream.seek(offset)
        return self.stream.read(size)

    def unpack(self, layout: str, offset: int) -> tuple[int, ...]:
        form = self.order + layout
        return struct.unpack(form, self.take(offset, struct.calcsize(form)))


@dataclass(frozen=True, slots=True)
class _Chromosome:
    number: int
    length: int


@dataclass(frozen=True, slots=True)
class BigWig:
    """A bigWig that is open; to be used in a ``with`` statement.

    The layout is that of Kent et al. 2010: a header, a tree of chromosomes, blocks of intervals and
    an index of the blocks. Zoom levels are not read: they are rounded. Both byte orders are read.
    """

    source: _Source
    chromosomes: dict[str, _Chromosome]
    index: int
    packed: bool

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a file and read its chromosomes.

        Raises
        ------
        BigWigError
            Not a bigWig, or a damaged one.
        OSError
            It cannot be read.
        """
        stream = path.open("rb")
        try:
            source = _Source(stream, path.stat().st_size, _byte_order(stream.read(4)))
            tree, _, index = source.unpack("3Q", 8)
            (buffer,) = source.unpack("I", 52)
            return cls(source, _read_chromosomes(source, tree), index, buffer > 0)
        except BaseException:
            stream.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.source.stream.close()

    def lengths(self) -> dict[str, int]:
        """Bases of every chromosome."""
        return {name: found.length for name, found in self.chromosomes.items()}

    def intervals(self, chromosome: str, start: int, end: int) -> Intervals:
        """Intervals that touch a region, which is half-open and counts from 0.

        Raises
        ------
        BigWigError
            Damaged.
        """
        number = self.chromosomes[chromosome].number
        parts = [
            _block(self._data(offset, size), self.source.order, number)
            for offset, size in _blocks(self.source, self.index, (number, start), (number, end))
        ]
        starts, ends, values = (
            (np.concatenate(part) for part in zip(*parts, strict=True))
            if parts
            else (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
        )
        if (starts >= ends).any():
            raise BigWigError("an interval ends before it starts")
        touching = (starts < end) & (ends > start)
        return Intervals(starts[touching], ends[touching], values[touching])

    def _data(self, offset: int, size: int) -> bytes:
        stored = self.source.take(offset, size)
        if not self.packed:
            return stored
        try:
            return zlib.decompressobj().decompress(stored, _LARGEST_BLOCK)
        except zlib.error as fault:
            raise BigWigError(f"a damaged block at byte {offset:,}: {fault}") from None


def _byte_order(magic: bytes) -> str:
    for order in "<>":
        if magic == struct.pack(order + "I", _BIGWIG):
            return order
        if magic == struct.pack(order + "I", _BIGBED):
            raise BigWigError("it is a bigBed: intervals with names, without signal")
    raise BigWigError("it does not begin as one")


def _read_chromosomes(source: _Source, offset: int) -> dict[str, _Chromosome]:
    magic, _, key, value, count = source.unpack("4IQ", offset)
    if magic != _CHROMOSOMES or value != 8:
        raise BigWigError("no list of chromosomes")
    found: dict[str, _Chromosome] = {}
    places, seen = [offset + 32], set[int]()
    while places:
        place = places.pop()
        leaf, items = _node(source, place, seen)
        for n in range(items):
            here = place + 4 + n * (key + 8)
            if leaf:
                name = source.take(here, key).rstrip(b"\0").decode("utf-8", "replace")
                found[name] = _Chromosome(*source.unpack("2I", here + key))
            else:
                places += source.unpack("Q", here + key)
        if len(found) > count:
            raise BigWigError(f"more than its {count} chromosomes")
    return found


def _node(source: _Source, offset: int, seen: set[int]) -> tuple[bool, int]:
    """Whether a node of a tree is a leaf, and how many items it has."""
    if offset in seen:
        raise BigWigError("a tree that runs in a circle")
    seen.add(offset)
    leaf, _, items = source.unpack("2BH", offset)
    return bool(leaf), items


def _blocks(
    source: _Source, offset: int, start: tuple[int, int], end: tuple[int, int]
) -> Iterator[tuple[int, int]]:
    """Place and size of the blocks that touch a region; its ends are (chromosome, base)."""
    if source.unpack("I", offset)[0] != _INDEX:
        raise BigWigError("no index of intervals")
    places, seen = [offset + 48], set[int]()
    while places:
        place = places.pop()
        leaf, items = _node(source, place, seen)
        width = 32 if leaf else 24
        inner = []
        for n in range(items):
            here = place + 4 + n * width
            first, first_base, last, last_base, at = source.unpack("4IQ", here)
            if (first, first_base) >= end or (last, last_base) <= start:
                continue
            if leaf:
                yield at, source.unpack("Q", here + 24)[0]
            else:
                inner.append(at)
        places += reversed(inner)


def _block(
    data: bytes, order: str, number: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Starts, ends and values of one block; empty where it is of another chromosome."""
    if len(data) < 24:
        raise BigWigError("an empty block")
    chromosome, start, _, step, span, kind, _, count = struct.unpack_from(order + "5I2BH", data)
    fields = _FIELDS.get(kind)
    if fields is None or len(data) < 24 + count * 4 * len(fields):
        raise BigWigError("a block of a kind that is not known, or cut short")
    layout = np.dtype([(str(n), order + form) for n, form in enumerate(fields)])
    items = np.frombuffer(data, layout, count if chromosome == number else 0, 24)
    values = items[str(len(fields) - 1)].astype(np.float64)
    if kind == _FIXED_STEP:
        starts = start + step * np.arange(items.size, dtype=np.int64)
    else:
        starts = items["0"].astype(np.int64)
    ends = items["1"].astype(np.int64) if kind == _BEDGRAPH else starts + span
    return starts, ends, values
