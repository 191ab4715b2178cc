"""The section on mixed-lymphocyte reactions, from a study of a sample sheet."""

import polars as pl

from graftline.assays.mlr_study import MlrStudy
from graftline.figures.assays_division import (
    draw_division_fits,
    draw_division_overlays,
    draw_person_bars,
)
from graftline.report.value import ReportFigure, Section
from graftline.tables.assay_mlr import (
    generations_listing,
    people_table,
    replicates_table,
    wells_listing,
)

MOST_PANELS = 12


def mlr_section(study: MlrStudy) -> Section:
    """Division of every well: CFSE-low net of unstimulated, indices, patients beside donors."""
    tables = [
        replicates_table(study),
        people_table(study),
        wells_listing(study),
        generations_listing(study),
    ]
    return Section(
        "mlr",
        "Mixed-lymphocyte reaction",
        _text(study),
        tuple(table for table in tables if table is not None),
        _figures(study),
        _missing(study),
    )


def mlr_facts(study: MlrStudy) -> tuple[tuple[str, str], ...]:
    """What a reader of the page wants first."""
    stimuli = study.wells["stimulus"].unique().sort().to_list()
    return (
        ("Patients", str(study.wells["patient"].n_unique())),
        ("Wells", str(study.wells.height)),
        ("Stimuli", ", ".join(word.replace("_", " ") for word in stimuli)),
        ("Generations looked for", f"0 to {study.options.generations}"),
    )


def _text(study: MlrStudy) -> tuple[str, ...]:
    given = study.options.autofluorescence is not None
    said = (
        f"Autofluorescence {study.options.autofluorescence:.3g}, as given."
        if given
        else "Autofluorescence is the median of unlabelled wells where the sheet has them, else it "
        "is fitted, and the doubt about it is in the standard errors."
    )
    return (
        "Every division halves CFSE. The undivided peak and its shape come from the person's "
        "unstimulated wells; the cells of each generation are fitted by maximum likelihood over "
        "all wells of the person and day, each with a small shift of its comb, all with one "
        f"spacing and width of the divided generations. {said}",
    )


def _figures(study: MlrStudy) -> tuple[ReportFigure, ...]:
    subjects = study.wells["subject"].unique(maintain_order=True).to_list()[:MOST_PANELS]
    patients = study.wells["patient"].unique(maintain_order=True).to_list()[:MOST_PANELS]
    judged = [one for one in study.judged if one.well.subject in subjects]
    stimulated = [one for one in judged if one.well.stimulus != "none"]
    bars = study.wells.filter(pl.col("patient").is_in(patients))
    figures = [
        ReportFigure(
            "mlr-bars",
            "CFSE-low cells of donor and patient",
            "Bars are means, points are wells; unstimulated wells stand first.",
            draw_person_bars(bars, value="cfse_low_percent", label="CFSE-low (%)"),
        )
    ]
    if stimulated:
        figures += [
            ReportFigure(
                "mlr-overlays",
                "CFSE of stimulated over unstimulated cells",
                "Scaled to the maximum of each; left of the dashed line cells are CFSE-low. First "
                "wells.",
                draw_division_overlays(judged, study.at_rest),
            ),
            ReportFigure(
                "mlr-fits",
                "Generations fitted",
                "Grey: events; blue: generations by number; line: their sum. First wells.",
                draw_division_fits(stimulated),
            ),
        ]
    return tuple(figures)


def _missing(study: MlrStudy) -> tuple[str, ...]:
    sentences = []
    subjects = study.wells["subject"].n_unique()
    if subjects > MOST_PANELS:
        sentences.append(f"Figures show the first {MOST_PANELS} of {subjects} people.")
    doubted = study.wells.filter(
        pl.col("flags").is_not_null(),
        (pl.col("stimulus") != "none") | ~pl.col("flags").is_in(["too_few_divided", "imprecise"]),
    )
    if doubted.height:
        count = "1 well has" if doubted.height == 1 else f"{doubted.height} wells have"
        sentences.append(f"{count} doubts about the fit; the table of wells names them.")
    if not study.people.filter((pl.col("patients") > 0) & (pl.col("donors") > 0)).height:
        sentences.append("Patients and donors are not compared: one side has no stimulated wells.")
    return tuple(sentences)
