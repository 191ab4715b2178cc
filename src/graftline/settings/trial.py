"""``[assays]`` of a trial's protocol.toml: what is wrong with it, and its guide."""

from collections.abc import Mapping
from difflib import get_close_matches

from graftline.problems import Problem
from graftline.settings.assays import ASSAY_SETTINGS
from graftline.settings.value import expected_value, fits, value_text

_GUIDE = """\
## Settings of assays

How an assay is analysed is set in the trial's `protocol.toml`, under `[assays.<assay>]`, or in
`[definitions]` where a criterion of the report uses the same value:

```toml
[assays.tcr]
depth = 500
rank_at = 365

[definitions]
cd7_eradication_cells_per_ul = 0.5
```

The report prints every setting with its section. The commands (`graftline tcr my-trial`) take them
from the folder too; an option of the same name, with dashes, overrides it for that one page.
"""


# kinetics have no sheet: the report's are criteria, set in [definitions] alone
_IN_FOLDER = tuple(name for name in ASSAY_SETTINGS if name != "kinetics")


def setting_faults(tables: object, *, file: str) -> list[Problem]:
    """What is wrong with ``[assays]`` of a trial's protocol.toml, all at once.

    Parameters
    ----------
    tables : object
        What stands under ``assays``, as TOML gives it.
    """
    if not isinstance(tables, Mapping):
        remedy = "write the settings of an assay below its own heading, such as [assays.tcr]"
        found = str(tables)[:80]
        return [Problem(file, "a table for each assay", remedy, column="assays", found=found)]
    faults = list[Problem | None]()
    for assay, values in tables.items():
        place = f"assays.{assay}"
        if assay not in _IN_FOLDER:
            expected, remedy = f"one of {', '.join(_IN_FOLDER)}", _nearest(assay, _IN_FOLDER)
            if assay in ASSAY_SETTINGS:
                keys = ", ".join(s.definition for s in ASSAY_SETTINGS[assay] if s.definition)
                remedy = f"{assay} is set below [definitions], by {keys}"
            faults.append(Problem(file, expected, remedy, column=place))
        elif not isinstance(values, Mapping):
            remedy = f"write its settings below the heading [{place}]"
            faults.append(Problem(file, "a table", remedy, column=place, found=str(values)[:80]))
        else:
            faults += [_fault(assay, name, value, file) for name, value in values.items()]
    return [fault for fault in faults if fault is not None]


def settings_guide() -> str:
    """Every setting of a trial as Markdown, for the guide of its folder."""
    head = ("| table | key | value | default | meaning |", "| --- | --- | --- | --- | --- |")
    lines = [_GUIDE, *head]
    for assay, settings in ASSAY_SETTINGS.items():
        for setting in settings:
            if setting.definition or assay in _IN_FOLDER:
                default = value_text(setting, setting.default)
                shown = (
                    "`[definitions]`" if setting.definition else f"`[assays.{assay}]`",
                    f"`{setting.definition or setting.name}`",
                    expected_value(setting),
                    "false" if setting.kind == "flag" else default,
                    setting.meaning.removesuffix("."),
                )
                lines.append(f"| {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def _fault(assay: str, name: str, value: object, file: str) -> Problem | None:
    known = {setting.name: setting for setting in ASSAY_SETTINGS[assay]}
    place, setting = f"assays.{assay}.{name}", known.get(name)
    if setting is None:
        own = tuple(name for name, one in known.items() if not one.definition)
        return Problem(file, f"one of {', '.join(own)}", _nearest(name, own), column=place)
    if setting.definition:
        remedy = f"write {setting.definition} below [definitions]: criteria use the same value"
        return Problem(file, f"definitions.{setting.definition}", remedy, column=place)
    if fits(setting, value):
        return None
    remedy = f"correct it: {setting.meaning[:1].lower()}{setting.meaning[1:]}"
    found = str(value)[:80]
    return Problem(file, expected_value(setting), remedy, column=place, found=found)


def _nearest(name: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"write {near[0]}, if that is meant" if near else "remove it or correct its name"
