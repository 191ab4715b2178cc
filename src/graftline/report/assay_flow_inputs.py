"""What else than a sheet the flow command takes: FCS files, a workspace, a GatingML file."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import polars as pl

from graftline.assays.flow.fcs import read_fcs
from graftline.assays.flow.flowjo import count_gating_ml, recompute_flowjo_counts
from graftline.assays.flow.sample import FlowRow
from graftline.assays.flow.starter import channel_table, keyword_table, starter_gating
from graftline.assays.flow.study import study_samples
from graftline.assays.flow.workspace import absent_samples, read_flowjo_counts
from graftline.problems import InputError, Problem, Severity, stops_results
from graftline.report.assay_flow import flow_study_page
from graftline.report.assay_page import AssayPage, with_settings
from graftline.report.assay_readers import flow_options
from graftline.report.value import Section
from graftline.schema.sheets import FLOW_SHEET
from graftline.settings.assays import chosen_settings
from graftline.settings.value import Value
from graftline.tables.assay_flow import (
    channels_listing,
    flowjo_table,
    gating_ml_table,
    keywords_listing,
)

_TITLE = "Flow cytometry"


def flow_page(
    inputs: Sequence[Path],
    given: Mapping[str, Value],
    *,
    gating: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> AssayPage:
    """Everything that the files tell, by what they are.

    FCS files are gated by ``gating``, or listed without one. A FlowJo workspace (.wsp) shows its
    stored counts, beside those computed anew where FCS files are given. A GatingML file (.xml)
    gates the FCS files.

    Parameters
    ----------
    given : mapping of name to value
        Settings of the command line.

    Raises
    ------
    InputError
        A file cannot be used, or the files do not go together; every one.
    ExtraMissingError
        A workspace or GatingML file with FCS files, and FlowKit is not installed.
    """
    _refuse_folders(inputs)
    kinds = {path: path.suffix.lower() for path in inputs}
    workspaces = [path for path, kind in kinds.items() if kind == ".wsp"]
    gating_ml = [path for path, kind in kinds.items() if kind == ".xml"]
    rest = [path for path in inputs if path not in (*workspaces, *gating_ml)]
    if len(workspaces) + len(gating_ml) > 1:
        raise _one_of_them(inputs[0])
    if workspaces:
        return _flowjo(workspaces[0], rest, progress)
    if gating_ml:
        return _gating_ml(gating_ml[0], rest, progress)
    if any(kind in (".csv", ".tsv") for kind in kinds.values()):
        raise _not_together(inputs)
    if gating is None:
        return _listed(rest, progress)
    settings = chosen_settings("flow", given=given)
    options = flow_options(settings)
    study = study_samples(
        [FlowRow(path, gating) for path in rest],
        file="the command line",
        thresholds=options.thresholds,
        progress=progress,
    )
    progress("Drawing")
    return with_settings(flow_study_page(study, options), settings)


def starter_of(inputs: Sequence[Path]) -> str:
    """A gating file to begin with, for the first FCS file.

    Raises
    ------
    InputError
        The file cannot be read.
    """
    _refuse_folders(inputs)
    return starter_gating(read_fcs(inputs[0]))


def _refuse_folders(inputs: Sequence[Path]) -> None:
    folders = [path for path in inputs if path.is_dir()]
    if folders:
        remedy = "name the files in it, as in: graftline flow {}/*.fcs"
        raise InputError(
            Problem(
                path.name or str(path),
                "files, not a folder",
                remedy.format(path.name),
                Severity.UNREADABLE,
            )
            for path in folders
        )


def _one_of_them(path: Path) -> InputError:
    expected = "one workspace (.wsp) or one GatingML file (.xml), with FCS files"
    return InputError([Problem(path.name, expected, "give them one at a time")])


def _not_together(inputs: Sequence[Path]) -> InputError:
    if len(inputs) > 1:
        expected, remedy = "a sample sheet alone, or FCS files", "name the FCS files in the sheet"
    else:
        needed = ", ".join(c.name for c in FLOW_SHEET.columns if c.required)
        expected = f"a sample sheet with the columns {needed}"
        remedy = "correct the header; docs/trial-folder.md lists every column"
    return InputError(
        Problem(p.name, expected, remedy) for p in inputs if p.suffix.lower() in (".csv", ".tsv")
    )


def _listed(files: Sequence[Path], progress: Callable[[str], None]) -> AssayPage:
    channels, keywords = [], []
    problems: list[Problem] = []
    facts = []
    for path in files:
        progress(path.name)
        try:
            sample = read_fcs(path)
        except InputError as error:
            problems += error.problems
            continue
        channels.append(channel_table([sample]))
        keywords.append(keyword_table([sample]))
        problems += sample.problems
        facts.append((sample.name, f"{sample.version}, {sample.events:,} events"))
    if stops_results(problems):
        raise InputError(problems)
    listing = channels_listing(pl.concat(channels))
    told = (
        "No gating file was given, so nothing is counted. graftline flow FILE --starter prints one "
        "to begin with; give it with --gating, or in the column gating of a sample sheet."
    )
    tables = (listing, keywords_listing(pl.concat(keywords)))
    section = Section("flow", _TITLE, (), tables, (), (told,))
    return AssayPage(section, (listing,), tuple(problems), tuple(facts))


def _flowjo(workspace: Path, fcs: Sequence[Path], progress: Callable[[str], None]) -> AssayPage:
    missing: tuple[str, ...] = ()
    problems: list[Problem] = []
    if fcs:
        progress("Gating by the workspace")
        problems = [*_unreadable_files(fcs), *absent_samples(workspace, fcs)]
        if any(p.severity is Severity.UNREADABLE for p in problems):
            raise InputError(problems)
        counts = recompute_flowjo_counts(workspace, fcs)
    else:
        counts = read_flowjo_counts(workspace).select(
            "sample",
            "gate",
            pl.lit(None, pl.Int64).alias("events"),
            pl.col("events").alias("flowjo_events"),
            pl.lit(None, pl.Int64).alias("difference"),
        )
        missing = (
            "Counts as FlowJo stored them. To compute them anew, give the FCS files too: "
            f"graftline flow {workspace.name} FILES...",
        )
    table = flowjo_table(counts)
    facts = (("Workspace", workspace.name), ("Samples", str(counts["sample"].n_unique())))
    section = Section("flow", _TITLE, (), (table,), (), missing)
    return AssayPage(section, (table,), tuple(problems), facts)


def _unreadable_files(fcs: Sequence[Path]) -> list[Problem]:
    """Findings of our own reader, before another reads the files."""
    problems: list[Problem] = []
    for path in fcs:
        try:
            problems += read_fcs(path).problems
        except InputError as error:
            problems += error.problems
    return problems


def _gating_ml(gates: Path, fcs: Sequence[Path], progress: Callable[[str], None]) -> AssayPage:
    if not fcs:
        remedy = f"name them behind it: graftline flow {gates.name} FILES..."
        raise InputError([Problem(gates.name, "FCS files to gate", remedy)])
    problems = _unreadable_files(fcs)
    if any(p.severity is Severity.UNREADABLE for p in problems):
        raise InputError(problems)
    tables = []
    for path in fcs:
        progress(path.name)
        tables.append(count_gating_ml(gates, path))
    table = gating_ml_table(pl.concat(tables))
    section = Section("flow", _TITLE, (f"Gates of {gates.name} (GatingML 2.0).",), (table,))
    return AssayPage(section, (table,), tuple(problems), (("Gates", gates.name),))
