"""The commands of cell assays and kinetics: parse, call one function, print."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from graftline.cli_assays import PAGE_FIGURES, page_options, write_and_show
from graftline.terminal import PATH, chosen_formats, progress, reports_input_errors

if TYPE_CHECKING:
    from graftline.assess.nca import BlqRule, Trapezoid


@click.command(short_help="CFSE division: mixed lymphocyte reactions.")
@click.argument("sheet", type=PATH)
@click.option(
    "--generations",
    type=click.IntRange(1, 12),
    default=8,
    show_default=True,
    help="Highest generation looked for; dimmer events are left out and counted.",
)
@click.option(
    "--autofluorescence",
    type=click.FloatRange(0),
    metavar="INTENSITY",
    help="Of unlabelled cells  [default: from the sheet's wells unlabelled, else from the crowding "
    "of late generations]",
)
@page_options
@reports_input_errors
def mlr(
    sheet: Path, generations: int, autofluorescence: float | None, out: Path | None, figures: str
) -> None:
    """Division of CFSE-labelled cells, net of unstimulated, patients beside donors.

    SHEET has a row per well (columns file, patient, day, person, stimulus, replicate;
    docs/trial-folder.md); files are FCS or CSV of intensities. Division and proliferation index
    are FlowJo's; expansion index is sum N / sum P.
    """
    formats = chosen_formats(figures, PAGE_FIGURES, "--figures")

    from graftline.assays.mlr_study import MlrOptions, mlr_study
    from graftline.report.assay_mlr import mlr_facts, mlr_section
    from graftline.tables.assay_mlr import people_table, replicates_table

    with progress("Mixed-lymphocyte reaction") as step:
        study = mlr_study(sheet, options=MlrOptions(generations, autofluorescence), progress=step)
        step("Drawing")
        section = mlr_section(study)
    people = people_table(study)
    write_and_show(
        section,
        [sheet],
        name="mlr",
        shown=[replicates_table(study), *([people] if people else [])],
        problems=study.problems,
        facts=mlr_facts(study),
        out=out,
        figures=formats,
    )


@click.command(short_help="Donor percent from STR peaks.")
@click.argument("sheet", type=PATH)
@click.option(
    "--stutter",
    type=click.FloatRange(0, 0.5),
    metavar="RATIO",
    help="Stutter ratio where the sheet names none; 0: none  [default: estimated from each sample]",
)
@click.option(
    "--detection",
    type=click.FloatRange(0.01, 50),
    default=5.0,
    show_default=True,
    help="Limit of detection in percent, where the sheet names none.",
)
@click.option(
    "--full",
    type=click.FloatRange(50, 100),
    default=95.0,
    show_default=True,
    help="Donor percent at and above which chimerism is full.",
)
@page_options
@reports_input_errors
def chimerism(
    sheet: Path,
    stutter: float | None,
    detection: float,
    full: float,
    out: Path | None,
    figures: str,
) -> None:
    """Donor percent from STR peaks: by locus, joint with its error, and chimerism.csv.

    SHEET has a row per sample and lineage (columns file, genotypes, patient, day, lineage,
    recipient, donor; docs/trial-folder.md).
    """
    formats = chosen_formats(figures, PAGE_FIGURES, "--figures")

    from graftline.assays.chimerism_study import chimerism_study
    from graftline.report.assay_chimerism import chimerism_facts, chimerism_section
    from graftline.tables.assay_chimerism import samples_table

    with progress("STR chimerism") as step:
        study = chimerism_study(
            sheet,
            stutter=stutter,
            detection_percent=detection,
            full_percent=full,
            progress=step,
        )
        step("Drawing")
        section = chimerism_section(study)
    write_and_show(
        section,
        [sheet],
        name="chimerism",
        shown=samples_table(study),
        problems=study.problems,
        facts=chimerism_facts(study),
        trial_rows={"chimerism": study.trial_rows},
        out=out,
        figures=formats,
    )


@click.command(short_help="T-cell responses to stimulation and peptides.")
@click.argument("wells", type=PATH, metavar="SHEET|WELLS.csv")
@click.option(
    "--level",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="One-sided level of Fisher's exact test at which a person responds.",
)
@page_options
@reports_input_errors
def function(wells: Path, level: float, out: Path | None, figures: str) -> None:
    """T-cell responses to PMA/ionomycin, CD3/CD28 and viral peptides, net of unstimulated.

    SHEET has a row per well (columns patient, day, person, stimulus, replicate, and responding and
    parent, or an FCS file with a gating file; docs/trial-folder.md).
    """
    formats = chosen_formats(figures, PAGE_FIGURES, "--figures")

    from graftline.assays.function_study import function_study
    from graftline.report.assay_function import function_facts, function_section
    from graftline.tables.assay_function import function_people_table, responses_table

    with progress("T-cell function") as step:
        study = function_study(wells, level=level, progress=step)
        step("Drawing")
        section = function_section(study)
    people = function_people_table(study)
    write_and_show(
        section,
        [wells],
        name="function",
        shown=[responses_table(study), *([people] if people else [])],
        problems=study.problems,
        facts=function_facts(study),
        out=out,
        figures=formats,
    )


@click.command(short_help="CD7 at relapse: ATAC signal, variants, single cells.")
@click.argument("sheet", type=PATH)
@click.option("--gene", default="CD7", show_default=True, help="Gene of the h5ad files.")
@click.option(
    "--before",
    default="baseline",
    show_default=True,
    help="Time compared with; in an h5ad file, a word of its column of times.",
)
@click.option("--after", default="relapse", show_default=True, help="Time that is compared.")
@page_options
@reports_input_errors
def cd7(sheet: Path, gene: str, before: str, after: str, out: Path | None, figures: str) -> None:
    """CD7 at relapse: ATAC signal, variants in its exons, clusters of single cells.

    SHEET has a row per file (columns file, kind: atac, vcf or h5ad, patient, time;
    docs/trial-folder.md). Coordinates are GRCh38. Needs: pip install "graftline[genomics]".
    """
    formats = chosen_formats(figures, PAGE_FIGURES, "--figures")

    from graftline.assays.cd7_locus.study import cd7_study
    from graftline.report.assay_cd7 import cd7_facts, cd7_section

    with progress("The CD7 locus") as step:
        study = cd7_study(sheet, gene=gene, before=before, after=after, progress=step)
        step("Drawing")
        section = cd7_section(study)
    write_and_show(
        section,
        [sheet],
        name="cd7",
        shown=section.tables,
        problems=study.problems,
        facts=cd7_facts(study),
        out=out,
        figures=formats,
    )


@click.command(short_help="CAR-T kinetics by qPCR and flow cytometry.")
@click.argument("source", type=PATH, metavar="TRIAL|LABS.csv")
@click.option(
    "--blq",
    type=click.Choice(["pknca", "lloq_half_after_last"]),
    help="Below quantification: before the first quantifiable value 0, between dropped, after the "
    "last 0 (pknca), or LLOQ/2 once after the last  [default: the protocol's]",
)
@click.option(
    "--trapezoid",
    type=click.Choice(["linear_up_log_down", "linear"]),
    default="linear_up_log_down",
    show_default=True,
    help="Area between two samples.",
)
@click.option(
    "--until",
    type=click.FloatRange(0, min_open=True),
    default=28.0,
    show_default=True,
    help="Day at which the area ends.",
)
@click.option(
    "--samples",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    help="Samples from day 5 to 21 that Cmax and the area need.",
)
@click.option(
    "--half-life-r2",
    type=click.FloatRange(max=1),
    default=0.8,
    show_default=True,
    help="Smallest adjusted r2 of a half-life.",
)
@page_options
@reports_input_errors
def kinetics(
    source: Path,
    blq: "BlqRule | None",
    trapezoid: "Trapezoid",
    until: float,
    samples: int,
    half_life_r2: float,
    out: Path | None,
    figures: str,
) -> None:
    """CAR-T kinetics by qPCR and flow: Cmax, Tmax, AUC, Tlast, half-life; patients and cohort.

    TRIAL is a trial folder (HSPC is marked in the curve); LABS.csv a table with its columns
    patient, day, analyte, value, unit, quantification, lloq. Rules are those of PKNCA.
    """
    formats = chosen_formats(figures, PAGE_FIGURES, "--figures")

    from graftline.assess.kinetics_study import KineticsOptions, kinetics_study
    from graftline.report.assay_kinetics import kinetics_facts, kinetics_page_section
    from graftline.tables.assay_kinetics import cohort_table, parameters_table

    options = KineticsOptions(blq, trapezoid, until, samples, half_life_r2)
    with progress("Kinetics"):
        study = kinetics_study(source, options=options)
        section = kinetics_page_section(study)
    write_and_show(
        section,
        [source],
        name="kinetics",
        shown=[parameters_table(study), cohort_table(study)],
        problems=study.problems,
        facts=kinetics_facts(study),
        out=out,
        figures=formats,
    )


COMMANDS: tuple[click.Command, ...] = (mlr, chimerism, function, cd7, kinetics)
