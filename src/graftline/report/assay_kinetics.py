"""The page of CAR-T kinetics: every choice named, each patient, the cohort, the courses."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from graftline.assess.kinetics_study import KineticsOptions, KineticsStudy, kinetics_study
from graftline.assess.nca import BlqRule, StartRule, Trapezoid
from graftline.figures.kinetics import draw_analytes
from graftline.problems import ProtocolError
from graftline.protocol import read_trial_protocol
from graftline.report.assay_page import AssayPage, with_settings
from graftline.report.value import ReportFigure, Section
from graftline.settings.assays import chosen_settings
from graftline.settings.value import Settings, Value
from graftline.tables.assay_kinetics import choices, cohort_table, parameters_table
from graftline.trial import hsct_days


def read_kinetics(source: Path, given: Mapping[str, Value], *, decimal: str = ".") -> AssayPage:
    """What the kinetics of a trial folder or of a table of laboratory values show.

    Parameters
    ----------
    given : mapping of name to value
        Settings of the command line; they come before the definitions of the trial.
    decimal : str
        Decimal mark of a table by itself.

    Raises
    ------
    InputError
        The trial or the table cannot be used.
    """
    settings = chosen_settings("kinetics", given=given, definitions=_definitions(source))
    study = kinetics_study(source, options=_options(settings, decimal))
    shown = (parameters_table(study), cohort_table(study))
    section = kinetics_page_section(study)
    page = AssayPage(section, shown, study.problems, kinetics_facts(study))
    return with_settings(page, settings)


def _definitions(source: Path) -> Mapping[str, Value]:
    if not source.is_dir():
        return {}
    try:
        return read_trial_protocol(source / "protocol.toml")[0].definitions.model_dump()
    except ProtocolError:
        return {}  # reading the trial says what is wrong, with all else


def _options(settings: Settings, decimal: str) -> KineticsOptions:
    return KineticsOptions(
        blq=cast("BlqRule", settings.word("blq")),
        trapezoid=cast("Trapezoid", settings.word("trapezoid")),
        auc_until=settings.number("until"),
        minimum_samples=settings.whole("samples"),
        half_life_r2=settings.number("half_life_r2"),
        start=cast("StartRule", settings.word("start")),
        peak_until=settings.number("peak_until"),
        decimal=decimal,
    )


def kinetics_page_section(study: KineticsStudy) -> Section:
    """Non-compartmental analysis of CAR-T by qPCR and by flow cytometry, never mixed."""
    title = "CAR-T cells in blood"
    figure = draw_analytes(study.trial, ("car_t_qpcr", "car_t_flow"))
    caption = (
        "Lines are patients, above sixty of them quantile bands; open symbols are below the limit "
        "of quantification (dotted)"
    )
    marked = hsct_days(study.trial).height > 0
    caption += "; triangles mark HSPC." if marked else "."
    missing = () if marked else ("HSPC is not marked: no infusions were read.",)
    return Section(
        "kinetics",
        "CAR-T kinetics",
        choices(study),
        (cohort_table(study), parameters_table(study)),
        () if figure is None else (ReportFigure("kinetics", title, caption, figure),),
        missing,
    )


def kinetics_facts(study: KineticsStudy) -> tuple[tuple[str, str], ...]:
    """What a reader of the page wants first."""
    frame = study.parameters
    quantified = frame.filter(frame["quantifiable"] > 0)
    return (
        ("Patients", str(frame["patient"].n_unique())),
        ("Profiles", str(frame.height)),
        ("Ever quantifiable", str(quantified.height)),
        ("Quantifiable at the last sample", str(int(frame["detectable_last"].sum()))),
    )
