"""Every keyword and every key with every kind of wrong value: a finding or a result, no traceback.

Truth: the law that nothing but `InputError` leaves the readers.
"""

import contextlib
import copy
import datetime
import tomllib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graftline.assays.flow.fcs import FlowSample, read_fcs
from graftline.assays.flow.gates import count_gates, gate_sample
from graftline.assays.flow.gating_file import parse_gating
from graftline.assays.flow.starter import channel_table, keyword_table, starter_gating
from graftline.problems import InputError
from tests.assays.flow.fcs_writer import write_fcs
from tests.assays.flow.study_files import GATING

FULL = tomllib.loads(
    GATING
    + """
[compensation]
matrix = "none"

[scales.fj]
kind = "biex"
t = 262144
width = -10
positive = 4.4
negative = 0

[scales.fa]
kind = "fasinh"
t = 1000
m = 4
a = 1

[scales.plain]
kind = "asinh"
cofactor = 5

[[gates]]
name = "ellipse"
x = { channel = "CD3", scale = "fj" }
y = { channel = "CD7", scale = "plain", compensated = false }
centre = [2000, 1]
covariance = [[90000, 0], [0, 4]]
distance_square = 4

[[gates]]
name = "either"
parent = "ellipse"
any_of = ["T", "blasts"]

[[gates]]
name = "both"
all_of = ["T", "blasts"]
"""
)
WRONG: tuple[Any, ...] = (
    *(True, 0, 1, -1, 1e308, 5e-324, 10**400, -(10**400), float("nan"), float("inf")),
    *("", "x", "all", "T", "\0", [], [1], [[1, 2]], [[1, 2], [3, 4]], [["T"]], ["T", 1]),
    *({}, {"channel": "CD3"}, [{"channel": "CD3"}], [{}], datetime.date(2020, 1, 1)),
)


def places(content: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every key and every item."""
    if above:
        yield above
    if isinstance(content, dict):
        for key, value in content.items():
            yield from places(value, (*above, key))
    elif isinstance(content, list):
        for at, value in enumerate(content):
            yield from places(value, (*above, at))


def changed(content: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    whole = copy.deepcopy(content)
    part: Any = whole
    for key in place[:-1]:
        part = part[key]
    if value is Ellipsis:
        del part[place[-1]]
    else:
        part[place[-1]] = value
    return whole


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> FlowSample:
    names = ["FSC-A", "FSC-H", "SSC-A", "CAR", "CD7", "CD3", "CD34", "CD45"]
    random = np.random.default_rng(1)
    columns = [random.lognormal(6, 3, 40) for _ in names]
    return read_fcs(write_fcs(tmp_path_factory.mktemp("h") / "a.fcs", columns, names=names))


def test_every_key_of_a_gating_file_with_every_kind_of_value(sample: FlowSample) -> None:
    count_gates(gate_sample(sample, parse_gating(FULL)))
    told = []
    for place in places(FULL):
        for value in (*WRONG, ...):
            try:
                gating = parse_gating(changed(FULL, place, value))
            except InputError as error:
                told += error.problems
                continue
            with contextlib.suppress(InputError):
                count_gates(gate_sample(sample, gating))
    assert len(told) > 1000
    assert all(problem.remedy and problem.column for problem in told)


def test_a_gate_at_fault_does_not_put_its_children_at_fault() -> None:
    gates = [
        {"name": "T", "bounds": [{"channel": "CD3", "scale": "f"}], "vertices": []},
        {"name": "CD7", "parent": "T", "bounds": [{"channel": "CD7", "scale": "f"}]},
    ]
    content = {"scales": {"f": {"kind": "logicle", "w": 9}}, "gates": gates}
    with pytest.raises(InputError) as caught:
        parse_gating(content)
    assert [p.column for p in caught.value.problems] == ["[scales.f]", "gate T"]


@pytest.mark.parametrize("parent", ["A", "B", "C"])
def test_gates_that_are_their_own_ancestors_are_findings(parent: str) -> None:
    bounds = [{"channel": "X", "min": 1}]
    gates = [
        {"name": "A", "parent": parent, "bounds": bounds},
        {"name": "B", "parent": "A", "bounds": bounds},
        {"name": "C", "parent": "B", "bounds": bounds},
    ]
    with pytest.raises(InputError, match=f"a gate above it, not '{parent}'"):
        parse_gating({"gates": gates})


VALUES = (
    *("", "0", "-1", "1", "3", "24", "1e308", "1e-320", "nan", "inf", "x", "\u0663", "4,0", "4,"),
    *("400,1", "\0", "\u00e9", "1_0", "+5", "I", "D", "4,3,2,1", "12345678901234567890"),
    *("2,C1,C2,1,1,1,1", "2,C1,C2,nan,1,1,1", "2,C1,Nope,1,0,0,1", "99999999,C1", "9" * 400),
)
KEYS = (
    *("$PAR", "$TOT", "$MODE", "$DATATYPE", "$BYTEORD", "$NEXTDATA", "$TIMESTEP", "$SPILLOVER"),
    *("$P1B", "$P1E", "$P1G", "$P1N", "$P1R", "$P1S", "$P1DATATYPE", "$BEGINSTEXT", "$ENDSTEXT"),
    *("$BEGINDATA", "$ENDDATA"),
)


@pytest.mark.parametrize("kind", ["F", "I"])
def test_every_keyword_of_a_file_with_every_kind_of_value(kind: str, tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    columns = [random.integers(0, 900, 30) for _ in range(3)]
    read = 0
    for key in KEYS:
        for value in VALUES:
            path = write_fcs(
                tmp_path / "m.fcs",
                columns,
                names=["FSC-A", "C1", "C2"],
                kind=kind,
                ranges=1024,
                keywords={key: value},
            )
            with contextlib.suppress(InputError), warnings.catch_warnings():
                found = read_fcs(path)
                channel_table([found])
                keyword_table([found])
                gate_sample(found, parse_gating(tomllib.loads(starter_gating(found))))
                read += 1
    assert read > 100


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("$P1G", "-2", "a gain above 0 in $P1G"),
        ("$P1B", "12345678901234567890", "8 to 64 bits in $P1B"),
        ("$P1R", "1e400", "a number in $P1R"),
    ],
)
def test_impossible_declarations_are_named(
    key: str, value: str, words: str, tmp_path: Path
) -> None:
    path = write_fcs(tmp_path / "a.fcs", [np.ones(3)], keywords={key: value})
    with pytest.raises(InputError) as caught:
        read_fcs(path)
    assert words in str(caught.value)


@pytest.mark.parametrize("step", ["0", "-1", "nan", "inf", "fast"])
def test_time_without_a_sound_step_stays_in_ticks(step: str, tmp_path: Path) -> None:
    found = read_fcs(
        write_fcs(tmp_path / "t.fcs", [np.ones(3)], names=["Time"], keywords={"$TIMESTEP": step})
    )
    assert found.time_step == 1
    assert [problem.found for problem in found.problems] == [step]
