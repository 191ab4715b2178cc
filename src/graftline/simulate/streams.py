"""Random numbers by name: one for each patient, decision, day and place, whoever asks first.

A counter-based generator turns (seed, patient, decision, day, place) into a number, so that patient
17 is the same in a chunk of one and of a million, in any order, on any number of workers, and a
treatment that asks for more numbers does not shift those of the rest.
"""

import zlib
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_11 = np.uint64(11)
_DAY_OFFSET = 1 << 20
_PER_BLOCK = 2
_STEP = 2.0**-53
_HALF_STEP = 2.0**-54


@dataclass(frozen=True, slots=True)
class Streams:
    """The key of a simulation, drawn from its seed."""

    key: tuple[int, int]


def streams_of(seed: int) -> Streams:
    """Streams of a seed.

    Raises
    ------
    ValueError : the seed is negative.
    """
    first, second = np.random.SeedSequence(seed).generate_state(2, np.uint32)
    return Streams((int(first), int(second)))


def uniforms(
    streams: Streams,
    patients: Integers,
    decision: str,
    *,
    day: Integers | int = 0,
    count: int = 1,
) -> Floats:
    """Uniform numbers strictly between 0 and 1: array [patient, place].

    Parameters
    ----------
    patients : integer array [n]
        Numbers of the patients in the whole simulation (not rows of a chunk), below 2**32.
    decision : str
        What the numbers decide.
    day : integer or array [n]
        Day of the decision.
    count : int
        Places, each with a number of its own.

    Notes
    -----
    Philox 4x32 with ten rounds (Salmon 2011).
    """
    days = np.broadcast_to(np.asarray(day, dtype=np.int64) + _DAY_OFFSET, patients.shape)
    out = np.empty((patients.size, count))
    name = zlib.crc32(decision.encode())
    _fill(
        np.ascontiguousarray(patients, dtype=np.uint64),
        np.ascontiguousarray(days, dtype=np.uint64),
        np.uint64(name),
        np.uint64(streams.key[0]),
        np.uint64(streams.key[1]),
        out,
    )
    return out


def normals(
    streams: Streams,
    patients: Integers,
    decision: str,
    *,
    day: Integers | int = 0,
    count: int = 1,
) -> Floats:
    """Standard normal numbers, array [patient, place]; arguments as for ``uniforms``."""
    result: Floats = ndtri(uniforms(streams, patients, decision, day=day, count=count))
    return result


@njit(cache=True)
def philox(
    c0: np.uint64, c1: np.uint64, c2: np.uint64, c3: np.uint64, k0: np.uint64, k1: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Four 32-bit words from a counter of four and a key of two (Philox 4x32-10)."""
    for _ in range(10):
        p0, p1 = _MULTIPLIER_0 * c0, _MULTIPLIER_1 * c2
        c0, c1, c2, c3 = (p1 >> _32) ^ c1 ^ k0, p1 & _LOW, (p0 >> _32) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
    return c0, c1, c2, c3


@njit(cache=True, nogil=True)
def _fill(
    patients: NDArray[np.uint64],
    days: NDArray[np.uint64],
    name: np.uint64,
    k0: np.uint64,
    k1: np.uint64,
    out: Floats,
) -> None:
    for i in range(patients.size):
        for block in range((out.shape[1] + _PER_BLOCK - 1) // _PER_BLOCK):
            a, b, c, d = philox(patients[i], name, days[i], np.uint64(block), k0, k1)
            out[i, 2 * block] = float(((a << _32) | b) >> _11) * _STEP + _HALF_STEP
            if 2 * block + 1 < out.shape[1]:
                out[i, 2 * block + 1] = float(((c << _32) | d) >> _11) * _STEP + _HALF_STEP
