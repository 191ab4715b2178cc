"""Methods as text: rules used, definitions chosen, statistics, files, software."""

import platform
from collections.abc import Sequence
from importlib.metadata import version

import polars as pl

from graftline import __version__
from graftline.assess.assessment import all_rules
from graftline.report.further_methods import further_citations, further_methods
from graftline.report.value import Inputs, Section
from graftline.rules import Rule, references
from graftline.tables.analyses import analyses
from graftline.tables.format import words
from graftline.tables.selection import only_transplanted
from graftline.tables.value import ReportTable, TableColumn, TableRow, plain_rows

_PACKAGES = ("polars", "numpy", "scipy", "matplotlib", "great-tables")


def methods_section(inputs: Inputs, printed: Sequence[ReportTable] = ()) -> Section:
    """Everything a reader needs to repeat the analysis.

    Parameters
    ----------
    printed : sequence of ReportTable
        Tables of the report: the methods behind them are named, no others.
    """
    rules = used_rules(inputs)
    cited = _citations(inputs, rules, printed)
    numbers = {key: place for place, key in enumerate(cited, start=1)}
    text = (*_study(inputs), *_statistics(inputs, numbers, printed), _software())
    tables = [_rule_table(rules, numbers), _definitions_table(inputs)]
    tables += [_endpoint_definitions(inputs, numbers)] if inputs.trial.protocol.endpoints else []
    tables += [_file_table(inputs)] if inputs.trial.files else []
    known = references()
    items = tuple(f"{place}. {known.get(key, key)}" for key, place in numbers.items())
    return Section("methods", "Methods", text, tuple(tables), list_items=items)


def used_rules(inputs: Inputs) -> list[Rule]:
    """Rules that gave at least one patient an answer, by id."""
    answered = inputs.assessed.chosen.filter(pl.col("state").is_in(["yes", "no"]))
    ids = set(answered["rule"].unique().to_list())
    return [rule for id, rule in sorted(all_rules().items()) if id in ids]


def _citations(inputs: Inputs, rules: list[Rule], printed: Sequence[ReportTable]) -> list[str]:
    keys = [*inputs.trial.protocol.citations, *(rule.citation for rule in rules)]
    keys += ["clopper1934"]
    if not inputs.endpoints.is_empty():
        keys += ["kaplan1958", "aalen1978", "gray1988", "schemper1996", "iacobelli2013"]
    keys += further_citations(printed)
    if inputs.trial.protocol.stopping:
        keys += ["thall1994", "ivanova2005"]
    # a protocol's endpoint may name a passage after the key
    keys += [e.source.split(",")[0] for e in inputs.trial.protocol.endpoints.values()]
    known = references()
    return [key for key in dict.fromkeys(keys) if key in known]


def _study(inputs: Inputs) -> tuple[str, ...]:
    protocol, settings = inputs.trial.protocol, inputs.trial.settings
    registered = f" ({', '.join(protocol.registration)})" if protocol.registration else ""
    lines = [f"Strategy: {protocol.title}{registered}; protocol {protocol.name!r}."]
    if settings.data_cut is not None:
        lines.append(f"Data cut: {settings.data_cut.isoformat()}.")
    elif settings.data_cut_day is not None:
        lines.append(f"Data cut: study day {settings.data_cut_day:g} of every patient.")
    else:
        lines.append("Data cut: none stated; everything in the files is used.")
    lines.append(
        "Days count from the index infusion (day 0) unless a table says otherwise; a month is "
        "30.4375 days. A day known only as a range is taken at its middle and marked as assumed. "
        "What is not recorded is not evaluable, never a no."
    )
    preferred = protocol.definitions.source_preferred
    other = "derived" if preferred == "adjudicated" else "adjudicated"
    lines.append(
        f"Where records allow an answer and an investigator gave one too, both are kept; results "
        f"and endpoints use the {preferred} answer, and the {other} one where there is no other."
    )
    if protocol.selection == "reached_hsct":
        who = "only" if only_transplanted(inputs.trial) else "endpoints count only"
        lines.append(
            f"Selection: {who} patients who reached HSCT ({protocol.selection_source}). Time runs "
            "from the index infusion as published; delayed entry at HSPC is printed beside it."
        )
    return (*lines, *protocol.notes)


def _statistics(
    inputs: Inputs, numbers: dict[str, int], printed: Sequence[ReportTable]
) -> tuple[str, ...]:
    def cite(*keys: str) -> str:
        found = [str(numbers[key]) for key in keys if key in numbers]
        return f" [{', '.join(found)}]" if found else ""

    lines = [
        f"Proportions: exact (Clopper-Pearson) 95% intervals{cite('clopper1934')}; the denominator "
        "is the number of patients that could be evaluated. Other values: median, minimum and "
        "maximum."
    ]
    if not inputs.endpoints.is_empty():
        interval = inputs.trial.protocol.definitions.survival_interval
        found = list(analyses(inputs.trial, inputs.endpoints))
        if any(not a.competing for a in found):
            lines.append(
                f"Survival endpoints: Kaplan-Meier{cite('kaplan1958')} with Greenwood variance and "
                f"{interval} intervals; follow-up by reverse Kaplan-Meier"
                f"{cite('schemper1996')} and as the median of survivors, two"
                " different quantities."
            )
        if any(a.competing for a in found):
            lines.append(
                f"Endpoints with competing events: cumulative incidence by Aalen-Johansen"
                f"{cite('aalen1978', 'gray1988')}, delta-method variance, log-log intervals"
                f"{cite('iacobelli2013')}."
            )
        if any(a.late_entry for a in found):
            lines.append("Delayed entry: patients are at risk from HSPC on (left truncation).")
    return (*lines, *further_methods(printed, cite))


def _software() -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"Software: graftline {__version__} on Python {platform.python_version()} with {versions}."
    )


def _rule_table(rules: list[Rule], numbers: dict[str, int]) -> ReportTable:
    frame = pl.DataFrame(
        [
            {
                "rule": rule.id,
                "title": rule.title,
                "words": rule.words,
                "citation": rule.citation,
                "parameters": ", ".join(rule.parameters),
            }
            for rule in rules
        ],
        schema=dict.fromkeys(("rule", "title", "words", "citation", "parameters"), pl.String),
    )
    rows = tuple(
        TableRow(
            (
                rule.title,
                rule.words,
                ", ".join(p.replace("_", " ") for p in rule.parameters),
                f"[{numbers[rule.citation]}]" if rule.citation in numbers else rule.citation,
            )
        )
        for rule in rules
    )
    labels = ("Result", "Rule", "Settings", "Source")
    return ReportTable(
        "rules",
        "Rules that gave an answer",
        tuple(TableColumn(label, "left") for label in labels),
        rows,
        frame,
    )


def _definitions_table(inputs: Inputs) -> ReportTable:
    values = inputs.trial.protocol.definitions.model_dump()
    frame = pl.DataFrame(
        {"setting": list(values), "value": [str(v) for v in values.values()]},
        schema={"setting": pl.String, "value": pl.String},
    )
    shown = frame.with_columns(pl.col("setting").str.replace_all("_", " ", literal=True))
    return ReportTable(
        "definitions",
        "Definitions chosen by the protocol",
        (TableColumn("Setting", "left"), TableColumn("Value", "left")),
        plain_rows(shown),
        frame,
    )


def _endpoint_definitions(inputs: Inputs, numbers: dict[str, int]) -> ReportTable:
    frame = pl.DataFrame(
        [
            {
                "endpoint": e.title,
                "origin": words(e.origin),
                "population": e.population,
                "censored_at": e.censor.replace("_", " "),
                "horizon_days": e.horizon_days,
                "source": e.source,
            }
            for e in inputs.trial.protocol.endpoints.values()
        ],
        schema={
            **dict.fromkeys(("endpoint", "origin", "population", "censored_at"), pl.String),
            "horizon_days": pl.Float64,
            "source": pl.String,
        },
    )
    shown = frame.with_columns(
        pl.col("horizon_days").cast(pl.Int64).cast(pl.String).fill_null("none"),
        source=pl.Series([_cited(source, numbers) for source in frame["source"]], dtype=pl.String),
    )
    labels = ("Endpoint", "Counted from", "Population", "Censored at", "Last day", "Source")
    return ReportTable(
        "endpoint-definitions",
        "Endpoints of the protocol",
        tuple(TableColumn(label, "left") for label in labels),
        plain_rows(shown),
        frame,
    )


def _cited(source: str, numbers: dict[str, int]) -> str:
    """A source with the number of its reference for the key, and the passage it names."""
    key, comma, passage = source.partition(",")
    return f"[{numbers[key]}]{comma}{passage}" if key in numbers else source


def _file_table(inputs: Inputs) -> ReportTable:
    frame = pl.DataFrame(
        [
            {"file": f.name, "rows": f.rows, "sha256": f.sha256}
            for f in sorted(inputs.trial.files, key=lambda f: f.name)
        ],
        schema={"file": pl.String, "rows": pl.Int64, "sha256": pl.String},
    )
    return ReportTable(
        "files",
        "Files read",
        (TableColumn("File", "left"), TableColumn("Rows"), TableColumn("SHA-256", "left")),
        plain_rows(frame),
        frame,
    )
