"""A rule: what it reads, what it says in words, and where it was published."""

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Literal

Origin = Literal["car_t", "hspc"]


@dataclass(frozen=True, slots=True)
class Read:
    """Records a rule reads: rows of ``table``, narrowed to ``values`` of ``column``.

    ``window`` is in days from day 0, both ends included; ``None`` leaves an end open.
    """

    table: str
    column: str | None = None
    values: tuple[str, ...] = ()
    window: tuple[float | None, float | None] = (None, None)


@dataclass(frozen=True, slots=True)
class Rule:
    """One published (or stated) rule.

    ``id`` is the value of the ``rule`` column of results; ``words`` is what the report's methods
    and ``graftline explain`` print; ``citation`` is a key of ``references.toml``; ``origin`` says
    what the ``day`` of its results counts from.
    """

    id: str
    title: str
    words: str
    citation: str
    reads: tuple[Read, ...]
    origin: Origin = "car_t"
    parameters: tuple[str, ...] = field(default=())


@cache
def references() -> dict[str, str]:
    """Citation key to printed reference."""
    text = files("graftline").joinpath("references.toml").read_text(encoding="utf-8")
    return {key: str(entry["text"]) for key, entry in tomllib.loads(text).items()}
