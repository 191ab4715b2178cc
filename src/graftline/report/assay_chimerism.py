"""The section on STR chimerism, from a study of a sample sheet."""

import polars as pl

from graftline.assays.chimerism_study import ChimerismStudy
from graftline.figures.assays_chimerism import draw_chimerism_course, draw_chimerism_loci
from graftline.report.value import ReportFigure, Section
from graftline.tables.assay_chimerism import loci_table, samples_table

MOST_PANELS = 12
MOST_SAMPLES = 60


def chimerism_section(study: ChimerismStudy) -> Section:
    """Donor percent by locus and in all, over time."""
    missing = []
    patients = study.samples["patient"].unique(maintain_order=True).to_list()
    if len(patients) > MOST_PANELS or study.samples.height > MOST_SAMPLES:
        missing.append(
            f"Figures show the first {MOST_PANELS} patients and {MOST_SAMPLES} samples; the tables "
            "hold all."
        )
    return Section(
        "chimerism",
        "STR chimerism",
        (
            "The share of every allele is modelled as the mixture of the people's alleles, half "
            "per copy, and solved by least squares over all informative loci. Stutter is corrected "
            "by the ratio given, or by the one that the sample shows.",
        ),
        (samples_table(study), loci_table(study)),
        _figures(study, patients[:MOST_PANELS]),
        tuple(missing),
    )


def chimerism_facts(study: ChimerismStudy) -> tuple[tuple[str, str], ...]:
    """What a reader of the page wants first."""
    loci = study.samples["informative"].to_list()
    counts = study.samples["label"].value_counts().sort("label").rows()
    return (
        ("Patients", str(study.samples["patient"].n_unique())),
        ("Samples", str(study.samples.height)),
        ("Informative loci", f"{min(loci)} to {max(loci)}"),
        ("Classes", ", ".join(f"{n} {label}" for label, n in counts)),
    )


def _figures(study: ChimerismStudy, patients: list[str]) -> tuple[ReportFigure, ...]:
    shown = study.samples.filter(pl.col("patient").is_in(patients))
    figures = [
        ReportFigure(
            "chimerism-loci",
            "Donor percent by locus",
            "Dots are loci alone; the bar is the joint percent with two standard errors. Dashed: "
            "full donor, and the limit of detection.",
            draw_chimerism_loci(
                shown.head(MOST_SAMPLES), study.loci, full_percent=study.full_percent
            ),
        )
    ]
    if shown.group_by("patient", "lineage").len()["len"].max() != 1:
        title, caption = "Donor percent over time", "Bars: two standard errors."
        figure = draw_chimerism_course(shown, full_percent=study.full_percent)
        figures.append(ReportFigure("chimerism-course", title, caption, figure))
    return tuple(figures)
