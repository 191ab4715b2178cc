"""What a setting is: its name, what it may be, what it means, and who set it."""

from dataclasses import dataclass
from typing import Literal

Value = bool | int | float | str
_LARGEST = 2**53


@dataclass(frozen=True, slots=True)
class Setting:
    """One choice of an assay.

    ``name`` is the key in ``[assays.<assay>]`` of a trial's protocol.toml; the command's option is
    the same with dashes. ``otherwise`` says what holds where there is no default. ``definition`` is
    the key of ``[definitions]`` that holds it in a trial: what a criterion uses is said there.
    """

    name: str
    kind: Literal["whole", "number", "word", "flag"]
    default: Value | None
    meaning: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    above_low: bool = False
    below_high: bool = False
    otherwise: str = ""
    metavar: str | None = None
    definition: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A setting with the value that holds, and who set it."""

    setting: Setting
    value: Value | None
    origin: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of one assay as it holds."""

    assay: str
    chosen: tuple[Chosen, ...]

    def value(self, name: str) -> Value | None:
        """The value of a setting; None where nothing was chosen and there is no default."""
        return next(one.value for one in self.chosen if one.setting.name == name)

    def whole(self, name: str) -> int:
        """A whole number that has a default."""
        return int(self.number(name))

    def number(self, name: str) -> float:
        """A number that has a default."""
        found = self.number_or_none(name)
        if found is None:
            raise KeyError(name)
        return found

    def number_or_none(self, name: str) -> float | None:
        """A number."""
        found = self.value(name)
        return None if found is None else float(found)

    def word(self, name: str) -> str:
        """A word that has a default."""
        return str(self.value(name))

    def flag(self, name: str) -> bool:
        """Yes or no."""
        return bool(self.value(name))


def expected_value(setting: Setting) -> str:
    """What a setting may be, in words."""
    if setting.choices:
        return f"one of {', '.join(setting.choices)}"
    if setting.kind in ("word", "flag"):
        return "a word" if setting.kind == "word" else "true or false"
    bounds = []
    if setting.low is not None:
        bounds.append(f"{'above' if setting.above_low else 'at least'} {setting.low:g}")
    if setting.high is not None:
        bounds.append(f"{'below' if setting.below_high else 'at most'} {setting.high:g}")
    return f"a {'whole ' * (setting.kind == 'whole')}number {' and '.join(bounds)}".strip()


def fits(setting: Setting, value: object) -> bool:
    """Whether a value of a TOML file is one that the setting may have."""
    if setting.kind == "flag":
        return isinstance(value, bool)
    if setting.kind == "word":
        return isinstance(value, str) and bool(value) and value in (setting.choices or (value,))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if not abs(value) <= _LARGEST:  # so that no number and infinity are refused too
        return False
    if setting.kind == "whole" and not isinstance(value, int):
        return False
    low, high = setting.low, setting.high
    if low is not None and (value < low or (setting.above_low and value == low)):
        return False
    return high is None or value < high or (not setting.below_high and value == high)


def value_text(setting: Setting, value: Value | None) -> str:
    """A value as people read it; of one that is not set, what holds instead."""
    if value is None:
        return setting.otherwise
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
