"""Reading protocol files: the strategies that ship, and a trial's own ``protocol.toml``."""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from graftline.problems import Problem, ProtocolError, Severity
from graftline.protocol.strategy import Protocol
from graftline.settings.trial import setting_faults
from graftline.settings.value import Value

_SHIPPED = files("graftline.protocol") / "strategies"
# from the heading [trial] to the next heading or the end
_TRIAL_TABLE = re.compile(r"^\[trial\].*?(?=^\[|\Z)", re.MULTILINE | re.DOTALL)
_TRIAL_KEYS = {"name", "title", "protocol", "data_cut", "data_cut_day", "simulated", "decimal"}


@dataclass(frozen=True, slots=True)
class TrialSettings:
    """What ``[trial]`` of a trial's protocol.toml says about this one trial.

    ``data_cut`` is a calendar date (used only with infusion dates), ``data_cut_day`` a study day
    that holds for every patient; ``decimal`` is the decimal mark of its CSV files. ``assays`` are
    the settings of ``[assays.<assay>]``, by assay.
    """

    name: str
    title: str = ""
    data_cut: date | None = None
    data_cut_day: float | None = None
    simulated: bool = False
    decimal: str = "."
    assays: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)


def shipped_protocols() -> tuple[str, ...]:
    """Names of the strategies that come with graftline."""
    names = (p.name for p in _SHIPPED.iterdir())
    return tuple(sorted(n.removesuffix(".toml") for n in names if n.endswith(".toml")))


def shipped_protocol_text(name: str) -> str:
    """The file of a shipped strategy, as written.

    Raises
    ------
    ProtocolError
        No strategy of that name ships.
    """
    if name not in shipped_protocols():
        raise unknown_name("protocol", name, shipped_protocols())
    return (_SHIPPED / f"{name}.toml").read_text(encoding="utf-8")


def find_protocol(name_or_file: str) -> Protocol:
    """A strategy by the name it ships under, or from a file or trial folder of one's own.

    Parameters
    ----------
    name_or_file : str
        A name such as ``all-in-one-2024``, a TOML file as in a trial folder, or the folder.

    Raises
    ------
    ProtocolError
        Neither a shipped name nor a readable protocol file.
    """
    path = Path(name_or_file)
    if name_or_file in shipped_protocols():
        return shipped_protocol(name_or_file)
    if path.is_dir():
        path = path / "protocol.toml"
    if path.suffix == ".toml" or path.is_file():
        return read_trial_protocol(path)[0]
    raise unknown_name("protocol", name_or_file, shipped_protocols())


def protocol_text(name_or_file: str, *, trial: Mapping[str, str | bool]) -> str:
    """A ``protocol.toml`` that follows the strategy, with a ``[trial]`` of its own.

    What a file of one's own says stays as written; of its ``[trial]`` only the strategy it builds
    on is kept.

    Parameters
    ----------
    name_or_file : str
        As for `find_protocol`.
    trial : mapping of key to value
        Further keys of ``[trial]``, such as ``title`` and ``simulated``.
    """
    path, body, base = Path(name_or_file), "", name_or_file
    if name_or_file not in shipped_protocols():
        path = path / "protocol.toml" if path.is_dir() else path
        base = _load(path).get("trial", {}).get("protocol", "")
        body = _TRIAL_TABLE.sub("", path.read_text(encoding="utf-8-sig")).strip() + "\n\n"
    keys = {**({"protocol": base} if base else {}), **trial}
    lines = (f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in keys.items())
    return body.lstrip() + "[trial]\n" + "\n".join(lines) + "\n"


def unknown_name(column: str, found: str, known: Iterable[str]) -> ProtocolError:
    """Make the error that says which names are known where ``found`` is not one of them."""
    return ProtocolError(
        [
            _problem(
                column,
                found,
                f"one of {', '.join(sorted(known))}",
                "write one of these names, or spell the whole thing out in protocol.toml",
            )
        ]
    )


@cache
def shipped_protocol(name: str) -> Protocol:
    """One of the strategies that come with graftline.

    Raises
    ------
    ProtocolError
        No strategy of that name ships.
    """
    return parse_protocol(tomllib.loads(shipped_protocol_text(name)), file=f"{name}.toml")


def parse_protocol(data: Mapping[str, Any], *, file: str) -> Protocol:
    """A protocol from parsed TOML; every fault is reported at once.

    Raises
    ------
    ProtocolError
        A key is unknown, missing or of the wrong kind.
    """
    try:
        return Protocol.model_validate(dict(data))
    except ValidationError as error:
        raise ProtocolError(
            Problem(
                file,
                expected=fault["msg"],
                remedy="see docs/protocols.md for the keys and their values",
                column=".".join(str(part) for part in fault["loc"]),
                found=None if isinstance(fault["input"], dict) else str(fault["input"])[:80],
            )
            for fault in error.errors()
        ) from error


def read_trial_protocol(path: Path) -> tuple[Protocol, TrialSettings]:
    """Protocol and settings of a trial from its ``protocol.toml``.

    The file holds ``[trial]`` and either ``protocol = "NAME"`` there with overrides in the other
    tables, or a whole protocol; and ``[assays.<assay>]`` with settings of assays.

    Raises
    ------
    ProtocolError
        The file is missing, not TOML, or says something a protocol cannot say.
    """
    data = _load(path)
    trial, assays = data.pop("trial", {}), data.pop("assays", {})
    unknown = sorted(set(trial) - _TRIAL_KEYS) if isinstance(trial, dict) else ["trial"]
    faults = [
        _problem(
            f"trial.{key}",
            None,
            f"one of {', '.join(sorted(_TRIAL_KEYS))} in [trial]",
            "remove the key or correct its name",
        )
        for key in unknown
    ]
    if faults := [*faults, *setting_faults(assays, file=path.name)]:
        raise ProtocolError(faults)
    base = trial.pop("protocol", None)
    if base is not None:
        merged = _merge(tomllib.loads(shipped_protocol_text(str(base))), data)
    else:
        merged = data
    return parse_protocol(merged, file=path.name), _settings(trial, path, assays)


def _load(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        found, expected, remedy = None, "a protocol.toml in the trial folder", "run: graftline init"
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        found, expected, remedy = str(error), "a TOML file in UTF-8", "correct the line named"
    raise ProtocolError([_problem(None, found, expected, remedy, severity=Severity.UNREADABLE)])


def _settings(
    trial: dict[str, Any], path: Path, assays: Mapping[str, Mapping[str, Value]]
) -> TrialSettings:
    faults = []
    if not isinstance(trial.get("data_cut", date.min), date):
        faults.append(
            _problem(
                "trial.data_cut",
                str(trial["data_cut"]),
                "a date such as 2023-11-08",
                "write it without quotation marks",
            )
        )
    if not isinstance(trial.get("data_cut_day", 0.0), int | float):
        faults.append(
            _problem(
                "trial.data_cut_day",
                str(trial["data_cut_day"]),
                "a number of days",
                "write it without quotation marks",
            )
        )
    if not isinstance(trial.get("simulated", False), bool):
        faults.append(
            _problem(
                "trial.simulated",
                str(trial["simulated"]),
                "true or false",
                "write it without quotation marks",
            )
        )
    if trial.get("decimal", ".") not in (".", ","):
        faults.append(
            _problem(
                "trial.decimal",
                str(trial["decimal"]),
                '"." or ","',
                "name the decimal mark of the CSV files",
            )
        )
    if faults:
        raise ProtocolError(faults)
    return TrialSettings(**{"name": path.resolve().parent.name, **trial, "assays": assays})


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = (
            _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return merged


def _problem(
    column: str | None,
    found: str | None,
    expected: str,
    remedy: str,
    *,
    severity: Severity = Severity.ERROR,
) -> Problem:
    return Problem("protocol.toml", expected, remedy, severity, column=column, found=found)
