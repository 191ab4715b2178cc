"""How the sheet of each assay becomes a section; imported only where a trial has assays."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from graftline.assays.cd7_locus.study import cd7_study, inspect_cd7
from graftline.assays.chimerism_study import chimerism_study, inspect_chimerism
from graftline.assays.flow.study import flow_study
from graftline.assays.function_study import function_study, inspect_function
from graftline.assays.mlr_study import inspect_mlr, mlr_study
from graftline.assays.tcr.study import inspect_tcr, tcr_study
from graftline.problems import Problem
from graftline.report.assay_cd7 import cd7_section
from graftline.report.assay_chimerism import chimerism_section
from graftline.report.assay_flow import eradication_threshold, flow_section
from graftline.report.assay_function import function_section
from graftline.report.assay_mlr import mlr_section
from graftline.report.assay_tcr import tcr_section
from graftline.report.value import Section
from graftline.trial import Trial
from graftline.trial.timeline import hsct_days

Found = tuple[Section, tuple[Problem, ...]]


@dataclass(frozen=True, slots=True)
class AssayReader:
    """How one sheet is read.

    ``section`` makes the section of the report and the findings that stopped nothing; ``inspect``
    gives the findings alone, without the numbers. Both take the sheet and the trial, which is None
    where it cannot be read, and raise `InputError` for what stops the assay.
    """

    section: Callable[[Path, Trial | None], Found]
    inspect: Callable[[Path, Trial | None], Sequence[Problem]]


def _hsct_days(trial: Trial | None) -> pl.DataFrame | None:
    """Days of the first HSPC by patient: [patient, hsct_day]."""
    if trial is None:
        return None
    return hsct_days(trial).select("patient", "hsct_day")


def _tcr(path: Path, trial: Trial | None) -> Found:
    study = tcr_study(path, hsct_days=_hsct_days(trial))
    return tcr_section(study), study.problems


def _flow(path: Path, trial: Trial | None) -> Found:
    study = flow_study(path)
    below = 1.0 if trial is None else eradication_threshold(trial)
    return flow_section(study, cells_per_ul_below=below), study.problems


def _mlr(path: Path, trial: Trial | None) -> Found:
    study = mlr_study(path)
    return mlr_section(study), study.problems


def _function(path: Path, trial: Trial | None) -> Found:
    study = function_study(path)
    return function_section(study), study.problems


def _chimerism(path: Path, trial: Trial | None) -> Found:
    study = chimerism_study(path)
    return chimerism_section(study), study.problems


def _cd7(path: Path, trial: Trial | None) -> Found:
    study = cd7_study(path)
    return cd7_section(study), study.problems


# One entry per sheet that has a section; the key is the sheet's name.
READERS: Mapping[str, AssayReader] = {
    "tcr": AssayReader(_tcr, lambda path, trial: inspect_tcr(path, hsct_days=_hsct_days(trial))),
    "flow": AssayReader(_flow, lambda path, trial: flow_study(path).problems),
    "mlr": AssayReader(_mlr, lambda path, trial: inspect_mlr(path)),
    "function": AssayReader(_function, lambda path, trial: inspect_function(path)),
    "chimerism": AssayReader(_chimerism, lambda path, trial: inspect_chimerism(path)),
    "cd7": AssayReader(_cd7, lambda path, trial: inspect_cd7(path)),
}
