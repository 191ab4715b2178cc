"""How the sheet of each assay becomes a page; imported only where an assay is read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import polars as pl

from graftline.assays.cd7_locus.study import Cd7Study, cd7_study
from graftline.assays.chimerism_study import ChimerismStudy, chimerism_study
from graftline.assays.flow.sample import FlowThresholds
from graftline.assays.flow.study import FlowStudy, flow_study
from graftline.assays.function_study import function_study, inspect_function
from graftline.assays.mlr_study import MlrOptions, inspect_mlr, mlr_study
from graftline.assays.tcr.clones import CloneKey
from graftline.assays.tcr.study import TcrOptions, TcrStudy, inspect_tcr, tcr_files_study, tcr_study
from graftline.assays.tcr.tracking import TieRule
from graftline.problems import Problem
from graftline.report.assay_cd7 import cd7_facts, cd7_section
from graftline.report.assay_chimerism import chimerism_facts, chimerism_section
from graftline.report.assay_flow import FlowOptions, flow_study_page
from graftline.report.assay_function import function_facts, function_section
from graftline.report.assay_mlr import mlr_facts, mlr_section
from graftline.report.assay_page import AssayPage, with_settings
from graftline.report.assay_sources import AssaySource
from graftline.report.assay_tcr import tcr_facts, tcr_section
from graftline.report.value import Section
from graftline.schema.sheets import SHEETS
from graftline.settings.assays import chosen_settings
from graftline.settings.value import Settings, Value
from graftline.tables.assay_chimerism import samples_table
from graftline.tables.assay_function import function_people_table, responses_table
from graftline.tables.assay_mlr import people_table, replicates_table
from graftline.tables.assay_tcr import terminal_table
from graftline.tables.value import ReportTable
from graftline.trial.timeline import hsct_days

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class AssayReader:
    """How one sheet is read.

    ``page`` makes what is shown; ``inspect`` gives the findings that stopped nothing, without the
    numbers. Both raise `InputError` for what stops the assay.
    """

    page: Callable[[AssaySource, Progress], AssayPage]
    inspect: Callable[[AssaySource], Sequence[Problem]]


def read_assay(source: AssaySource, progress: Progress = lambda _: None) -> AssayPage:
    """What an assay shows, with its settings, and the findings about its sheet.

    Raises
    ------
    InputError
        The sheet or a file it names cannot be used.
    ExtraMissingError
        A file needs a reader that is not installed.
    """
    left_out = len(source.without)
    if source.everything_cut:
        sheet = SHEETS[source.settings.assay]
        said = f"All {left_out} samples are of days after the data cut."
        return AssayPage(Section(sheet.name, sheet.title, missing=(said,)), (), source.problems)
    page = with_settings(READERS[source.settings.assay].page(source, progress), source.settings)
    if left_out:
        said = (
            f"Left out: {left_out} {'sample' if left_out == 1 else 'samples'} after the data cut."
        )
        section = replace(page.section, text=(*page.section.text, said))
        page = replace(page, section=section, said=(*page.said, said))
    return replace(page, problems=(*source.problems, *page.problems))


def inspect_assay(source: AssaySource) -> list[Problem]:
    """The findings of `read_assay` without the numbers.

    Raises
    ------
    InputError, ExtraMissingError
        As `read_assay`.
    """
    if source.everything_cut:
        return list(source.problems)
    return [*source.problems, *READERS[source.settings.assay].inspect(source)]


def tcr_options(settings: Settings) -> TcrOptions:
    """The settings of repertoires as the study takes them."""
    return TcrOptions(
        key=cast("CloneKey", settings.word("key").replace("+", "_")),
        locus=None if settings.word("locus") == "all" else settings.word("locus"),
        productive="all" if settings.word("rows") == "all" else "only",
        rank_at=settings.number_or_none("rank_at"),
        top=settings.whole("top"),
        ties=cast("TieRule", settings.word("ties")),
        depth=settings.whole("depth"),
        seed=settings.whole("seed"),
    )


def read_repertoires(
    files: Sequence[Path],
    given: Mapping[str, Value],
    *,
    dialect: str | None = None,
    count_column: str | None = None,
    progress: Progress = lambda _: None,
) -> AssayPage:
    """What repertoires without a sheet show: nothing of patients and days.

    Raises
    ------
    InputError
        A file cannot be used.
    """
    settings = chosen_settings("tcr", given=given)
    study = tcr_files_study(
        files,
        options=tcr_options(settings),
        dialect=dialect,
        count_column=count_column,
        progress=progress,
    )
    progress("Drawing")
    return with_settings(_tcr_page(study), settings)


def _tcr_page(study: TcrStudy) -> AssayPage:
    shown = (terminal_table(study),)
    return AssayPage(tcr_section(study), shown, study.problems, tcr_facts(study))


def flow_options(settings: Settings) -> FlowOptions:
    """The settings of flow cytometry as the study and its section take them."""
    return FlowOptions(
        FlowThresholds(
            settings.whole("least_events"),
            settings.whole("detection_events"),
            settings.whole("quantification_events"),
            settings.number("sensitivity"),
            settings.whole("nucleated_events"),
        ),
        settings.number("eradicated_below"),
        settings.number("eradicated_below_percent"),
        settings.flag("every_gate"),
    )


def _hsct_days(source: AssaySource) -> pl.DataFrame | None:
    """Days of the first HSPC by patient: [patient, hsct_day]."""
    if source.trial is None:
        return None
    return hsct_days(source.trial).select("patient", "hsct_day")


def _tcr(source: AssaySource, progress: Progress) -> AssayPage:
    study = tcr_study(
        source.sheet,
        options=tcr_options(source.settings),
        hsct_days=_hsct_days(source),
        without=source.without,
        progress=progress,
    )
    progress("Drawing")
    return _tcr_page(study)


def _inspect_tcr(source: AssaySource) -> Sequence[Problem]:
    return inspect_tcr(
        source.sheet,
        options=tcr_options(source.settings),
        hsct_days=_hsct_days(source),
        without=source.without,
    )


def _flow_study(source: AssaySource, progress: Progress) -> FlowStudy:
    return flow_study(
        source.sheet,
        gating=source.gating,
        thresholds=flow_options(source.settings).thresholds,
        without=source.without,
        progress=progress,
    )


def _flow(source: AssaySource, progress: Progress) -> AssayPage:
    study = _flow_study(source, progress)
    progress("Drawing")
    return flow_study_page(study, flow_options(source.settings))


def _mlr(source: AssaySource, progress: Progress) -> AssayPage:
    settings = source.settings
    options = MlrOptions(settings.whole("generations"), settings.number_or_none("autofluorescence"))
    study = mlr_study(source.sheet, options=options, without=source.without, progress=progress)
    progress("Drawing")
    shown = _present(replicates_table(study), people_table(study))
    return AssayPage(mlr_section(study), shown, study.problems, mlr_facts(study))


def _function(source: AssaySource, progress: Progress) -> AssayPage:
    level = source.settings.number("level")
    study = function_study(source.sheet, level=level, without=source.without, progress=progress)
    progress("Drawing")
    shown = _present(responses_table(study), function_people_table(study))
    return AssayPage(function_section(study), shown, study.problems, function_facts(study))


def _chimerism_study(source: AssaySource, progress: Progress) -> ChimerismStudy:
    settings = source.settings
    return chimerism_study(
        source.sheet,
        stutter=settings.number_or_none("stutter"),
        detection_percent=settings.number("detection"),
        full_percent=settings.number("full"),
        without=source.without,
        progress=progress,
    )


def _chimerism(source: AssaySource, progress: Progress) -> AssayPage:
    study = _chimerism_study(source, progress)
    progress("Drawing")
    return AssayPage(
        chimerism_section(study),
        (samples_table(study),),
        study.problems,
        chimerism_facts(study),
        {"chimerism": study.trial_rows},
    )


def _cd7_study(source: AssaySource, progress: Progress) -> Cd7Study:
    settings = source.settings
    return cd7_study(
        source.sheet,
        gene=settings.word("gene"),
        before=settings.word("before"),
        after=settings.word("after"),
        progress=progress,
    )


def _cd7(source: AssaySource, progress: Progress) -> AssayPage:
    study = _cd7_study(source, progress)
    progress("Drawing")
    section = cd7_section(study)
    return AssayPage(section, section.tables, study.problems, cd7_facts(study))


def _present(*tables: ReportTable | None) -> tuple[ReportTable, ...]:
    return tuple(table for table in tables if table is not None)


def _quietly(_: str) -> None:
    """Tell nobody what is being done."""


# One entry per sheet that has a section; the key is the sheet's name.
READERS: Mapping[str, AssayReader] = {
    "tcr": AssayReader(_tcr, _inspect_tcr),
    "flow": AssayReader(_flow, lambda source: _flow_study(source, _quietly).problems),
    "mlr": AssayReader(_mlr, lambda source: inspect_mlr(source.sheet, without=source.without)),
    "function": AssayReader(
        _function, lambda source: inspect_function(source.sheet, without=source.without)
    ),
    "chimerism": AssayReader(
        _chimerism, lambda source: _chimerism_study(source, _quietly).problems
    ),
    "cd7": AssayReader(_cd7, lambda source: _cd7_study(source, _quietly).problems),
}
