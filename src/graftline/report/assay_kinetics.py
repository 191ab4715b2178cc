"""The page of CAR-T kinetics: every choice named, each patient, the cohort, the courses."""

from graftline.assess.kinetics_study import KineticsStudy
from graftline.figures.kinetics import draw_analytes
from graftline.report.value import ReportFigure, Section
from graftline.tables.assay_kinetics import choices, cohort_table, parameters_table
from graftline.trial import hsct_days


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
