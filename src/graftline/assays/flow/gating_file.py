"""The gating file: compensation, scales and gates as a person writes them in TOML."""

import math
import sys
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

from graftline.assays.flow.scales import Scale, ScaleKind, scale_fault
from graftline.problems import InputError, Problem, Severity

ROLES = (
    "leukocytes",
    "lymphocytes",
    "beads",
    "nucleated",
    "car_t",
    "car_negative_t",
    "cd7_positive_t",
    "cd7_negative_t",
    "blasts",
    "cd7_positive_blasts",
    "mrd",
)
_DIMENSION_KEYS = {"channel", "scale", "min", "max", "compensated"}
_GATE_KEYS = {
    "name",
    "parent",
    "bounds",
    "x",
    "y",
    "vertices",
    "centre",
    "covariance",
    "distance_square",
    "all_of",
    "any_of",
    "none_of",
}
_BIEX_KEYS = ("width", "positive", "negative")
_KINDS = ("bounds", "vertices", "covariance", "all_of", "any_of", "none_of")


@dataclass(frozen=True, slots=True)
class Dimension:
    """One axis of a gate; a bound is None where the gate is open. ``min <= value < max``."""

    channel: str
    scale: str | None = None
    min: float | None = None
    max: float | None = None
    compensated: bool = True


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate: a box, a polygon, an ellipse, or a combination of other gates.

    ``kind`` is ``bounds``, ``vertices``, ``covariance``, ``all_of``, ``any_of`` or ``none_of``.
    """

    name: str
    parent: str | None
    kind: str
    dimensions: tuple[Dimension, ...] = ()
    vertices: tuple[tuple[float, float], ...] = ()
    centre: tuple[float, ...] = ()
    covariance: tuple[tuple[float, ...], ...] = ()
    distance_square: float = 1.0
    gates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gating:
    """A gating file: matrix (``file``, ``none`` or a CSV path), scales, gates in order, roles."""

    file: str
    matrix: str
    scales: Mapping[str, Scale]
    gates: tuple[Gate, ...]
    roles: Mapping[str, str]


def gate_axes(gating: Gating, name: str | None) -> Iterator[Dimension]:
    """Every axis that decides whether an event is in a gate: its own, its parents', its parts'."""
    gates = {gate.name: gate for gate in gating.gates}
    if name not in gates:
        return
    gate = gates[name]
    yield from gate.dimensions
    for part in gate.gates:
        yield from gate_axes(gating, part)
    yield from gate_axes(gating, gate.parent)


def read_gating(path: str | Path) -> Gating:
    """A gating file.

    Raises
    ------
    InputError
        Not TOML, unknown keys or scales, parents that are not gates above, bad shapes; all
        problems at once.
    """
    path = Path(path)
    if path.suffix.lower() in (".wsp", ".xml", ".fcs"):
        remedy = "write the gates as TOML; graftline flow takes a workspace or GatingML file itself"
        raise InputError([Problem(path.name, "a gating file (TOML)", remedy, Severity.UNREADABLE)])
    try:
        content = tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        remedy = "mend the line named; graftline flow FILE --starter prints a file to begin with"
        expected = f"a gating file (TOML): {fault}"
        raise InputError([Problem(path.name, expected, remedy, Severity.UNREADABLE)]) from None
    gating = parse_gating(content, file=path.name)
    if gating.matrix in ("file", "none"):
        return gating
    matrix = str((path.parent / gating.matrix).resolve())
    return Gating(gating.file, matrix, gating.scales, gating.gates, gating.roles)


def parse_gating(content: Mapping[str, Any], *, file: str = "gating") -> Gating:
    """Gates from the parsed TOML; relative matrix paths stay as written.

    Raises
    ------
    InputError
        As `read_gating`.
    """
    faults: list[tuple[str, str]] = []
    _unknown(faults, "the file", content, {"compensation", "scales", "gates", "roles"})
    compensation = _table(faults, "[compensation]", content.get("compensation", {}))
    _unknown(faults, "[compensation]", compensation, {"matrix"})
    matrix = compensation.get("matrix", "file")
    if not isinstance(matrix, str) or not matrix.isprintable() or not matrix:
        faults.append(("[compensation]", 'matrix: "file", "none" or a CSV file'))
    given_scales = _table(faults, "[scales]", content.get("scales", {}))
    scales = {
        name: scale
        for name, given in given_scales.items()
        if (scale := _scale(faults, name, _table(faults, f"[scales.{name}]", given))) is not None
    }
    gates: list[Gate] = []
    listed = content.get("gates")
    if not isinstance(listed, list) or not listed:
        faults.append(("[[gates]]", "at least one gate"))
        listed = []
    for number, given in enumerate(listed, start=1):
        table = _table(faults, f"gate {number}", given)
        names = [g.name for g in gates]
        gate = _gate(faults, number, table, given_scales, names) if table else None
        if gate is not None:
            gates.append(gate)
    roles = _table(faults, "[roles]", content.get("roles", {}))
    _roles(faults, roles, [g.name for g in gates])
    if faults:
        raise InputError(
            Problem(file, expected, f"correct {place}", column=place) for place, expected in faults
        )
    return Gating(file, matrix, scales, tuple(gates), dict(roles))


def _table(faults: list[tuple[str, str]], place: str, given: object) -> Mapping[str, Any]:
    if isinstance(given, dict):
        return given
    faults.append((place, f"a table of keys and values, not {given!r}"))
    return {}


def _unknown(
    faults: list[tuple[str, str]], place: str, given: Mapping[str, Any], known: set[str]
) -> None:
    faults.extend(
        (place, f"only the keys {', '.join(sorted(known))}; not {key!r}")
        for key in given
        if key not in known
    )


def _roles(faults: list[tuple[str, str]], roles: Mapping[str, Any], names: Sequence[str]) -> None:
    _unknown(faults, "[roles]", roles, set(ROLES))
    faults.extend(
        ("[roles]", f"a gate of this file for {role}, not {gate!r}")
        for role, gate in roles.items()
        if gate not in names and gate != "all"
    )


def _scale(faults: list[tuple[str, str]], name: str, given: Mapping[str, Any]) -> Scale | None:
    place = f"[scales.{name}]"
    kind = given.get("kind")
    if kind not in get_args(ScaleKind):
        faults.append((place, f"kind: one of {', '.join(get_args(ScaleKind))}; not {kind!r}"))
        return None
    of_biex = {"kind", "t", *_BIEX_KEYS}
    known = {field.name for field in fields(Scale)} - set(_BIEX_KEYS)
    known = of_biex if kind == "biex" else known
    _unknown(faults, place, given, known)
    numbers = {key: value for key, value in given.items() if key in known and key != "kind"}
    wrong = [f"{key} = {value!r}" for key, value in numbers.items() if not _is_number(value)]
    if wrong:
        faults.append((place, f"numbers; not {', '.join(wrong)}"))
        return None
    scale = Scale(given["kind"], **{key: float(value) for key, value in numbers.items()})
    fault = scale_fault(scale)
    if fault is not None:
        faults.append((place, fault))
    return scale


def _gate(
    faults: list[tuple[str, str]],
    number: int,
    given: Mapping[str, Any],
    scales: Collection[str],
    above: Sequence[str],
) -> Gate | None:
    name = given.get("name")
    place = f"gate {name or number}"
    if not isinstance(name, str) or not name or name == "all":
        faults.append((place, "a name other than 'all'"))
        return None
    _unknown(faults, place, given, _GATE_KEYS)
    if name in above:
        faults.append((place, "each name once"))
    parent = given.get("parent")
    if parent is not None and parent not in above:
        faults.append((place, f"a parent that is a gate above it, not {parent!r}"))
    kinds = [kind for kind in _KINDS if kind in given]
    if len(kinds) != 1:
        faults.append((place, f"exactly one of {', '.join(_KINDS)}"))
        # Known by name all the same: the gates below it are not at fault.
        return Gate(name, None, "bounds")
    shape = _shape(faults, place, kinds[0], given, above)
    if shape is None:
        return Gate(name, parent, kinds[0])
    faults.extend(
        (place, f"a scale defined under [scales], not {d.scale!r}")
        for d in shape.get("dimensions", ())
        if d.scale is not None and d.scale not in scales
    )
    return Gate(name, parent, kinds[0], **shape)


def _shape(
    faults: list[tuple[str, str]],
    place: str,
    kind: str,
    given: Mapping[str, Any],
    above: Sequence[str],
) -> dict[str, Any] | None:
    if kind in ("all_of", "any_of", "none_of"):
        others = given[kind]
        absent = [o for o in others if o not in above] if isinstance(others, list) else [others]
        if absent or not others:
            faults.append((place, f"{kind}: a list of gates above it, not {absent}"))
        return {"gates": tuple(others)} if not absent else None
    given_dimensions = given[kind] if kind == "bounds" else [given.get("x"), given.get("y")]
    dimensions = _dimensions(faults, place, given_dimensions)
    if dimensions is None or kind == "bounds":
        return None if dimensions is None else {"dimensions": dimensions}
    if kind == "vertices":
        vertices = _pairs(given["vertices"])
        if vertices is None or len(vertices) < 3:
            faults.append((place, "vertices: at least three pairs of numbers"))
            return None
        return {"dimensions": dimensions, "vertices": vertices}
    centre, covariance = given.get("centre"), _pairs(given["covariance"])
    if not _numbers(centre, 2) or covariance is None or len(covariance) != 2:
        faults.append((place, "centre: two numbers; covariance: two rows of two numbers"))
        return None
    distance = given.get("distance_square", 1.0)
    (a, b), (c, d) = covariance
    if not (_is_number(distance) and distance > 0 and b == c and a > 0 and a * d > b * c):
        faults.append((place, "a symmetric positive covariance and distance_square > 0"))
        return None
    return {
        "dimensions": dimensions,
        "centre": tuple(float(x) for x in given["centre"]),
        "covariance": covariance,
        "distance_square": float(distance),
    }


def _dimensions(
    faults: list[tuple[str, str]], place: str, given: object
) -> tuple[Dimension, ...] | None:
    if not isinstance(given, list) or not given or not all(isinstance(d, dict) for d in given):
        faults.append((place, 'axes such as { channel = "CD3", scale = "fluor", min = 0.4 }'))
        return None
    dimensions = []
    for axis in given:
        _unknown(faults, place, axis, _DIMENSION_KEYS)
        bounds = [axis.get(end) for end in ("min", "max")]
        named = isinstance(axis.get("channel"), str) and isinstance(axis.get("scale", ""), str)
        if not named or not all(b is None or _is_number(b) for b in bounds):
            faults.append(
                (
                    place,
                    "names for channel and scale, numbers for min and max; leave out an open end",
                )
            )
            return None
        low, high = (None if b is None else float(b) for b in bounds)
        if low is not None and high is not None and low >= high:
            faults.append((place, f"min below max for {axis['channel']}"))
        compensated = axis.get("compensated", True)
        if not isinstance(compensated, bool):
            faults.append((place, "true or false for compensated"))
        dimensions.append(
            Dimension(axis["channel"], axis.get("scale"), low, high, bool(compensated))
        )
    return tuple(dimensions)


def _pairs(given: object) -> tuple[tuple[float, float], ...] | None:
    if not isinstance(given, list) or not all(_numbers(pair, 2) for pair in given):
        return None
    return tuple((float(x), float(y)) for x, y in given)


def _numbers(given: object, count: int) -> bool:
    return isinstance(given, list) and len(given) == count and all(_is_number(x) for x in given)


def _is_number(given: object) -> bool:
    if not isinstance(given, int | float) or isinstance(given, bool):
        return False
    # TOML has whole numbers of any length.
    return abs(given) <= sys.float_info.max and math.isfinite(given)
