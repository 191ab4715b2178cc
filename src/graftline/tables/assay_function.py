"""Tables of stimulation assays: people, patients beside donors, wells."""

from graftline.assays.function_study import FunctionStudy
from graftline.tables.assay_mlr import people_comparison
from graftline.tables.format import number, p_value
from graftline.tables.layout import frame_table
from graftline.tables.value import ReportTable, TableColumn

STIMULUS_WORDS = {
    "none": "unstimulated",
    "pma_ionomycin": "PMA/ionomycin",
    "cd3_cd28": "CD3/CD28",
    "cmv": "CMV peptides",
    "ebv": "EBV peptides",
}
LISTING_LIMIT = 200


def responses_table(study: FunctionStudy) -> ReportTable:
    """Net percent responding of each person, day and stimulus, and whether there is a response."""
    return frame_table(
        "function-responses",
        "Response by person and stimulus",
        study.summary,
        (
            (TableColumn("Person", "left"), lambda row: row["subject"]),
            (TableColumn("Day"), lambda row: number(row["day"], digits=0)),
            (TableColumn("Stimulus", "left"), lambda row: STIMULUS_WORDS[row["stimulus"]]),
            (TableColumn("Wells"), lambda row: str(row["replicates"])),
            (
                TableColumn("Net responding", unit="%"),
                lambda row: number(row["net_mean"], digits=2),
            ),
            (
                TableColumn("SD", unit="points"),
                lambda row: (
                    "one well" if row["net_sd"] is None else number(row["net_sd"], digits=2)
                ),
            ),
            (TableColumn("p"), lambda row: p_value(row["p"])),
            (TableColumn("Responds", "left"), lambda row: "yes" if row["responds"] else "no"),
        ),
        footnotes=(
            "Net: percent of the parent gate that responds, minus the mean of the unstimulated "
            "wells of the person and day; it may be negative. p: Fisher's exact test of pooled "
            "events, one-sided, or the t-test by the scatter of replicate wells where they "
            "scatter more than counting explains. Single wells cannot show that.",
        ),
    )


def function_people_table(study: FunctionStudy) -> ReportTable | None:
    """Patients beside donors per stimulus; none without donors or patients."""
    frame = study.people.filter((study.people["patients"] > 0) & (study.people["donors"] > 0))
    if frame.is_empty():
        return None
    named = frame.with_columns(frame["stimulus"].replace(STIMULUS_WORDS))
    return people_comparison("function-people", "Net responding", named)


def function_wells_table(study: FunctionStudy) -> ReportTable:
    """Every well as counted (the first 200 rows where there are more)."""
    return frame_table(
        "function-wells",
        "Stimulated wells",
        study.wells,
        (
            (TableColumn("Day"), lambda row: number(row["day"], digits=0)),
            (TableColumn("Stimulus", "left"), lambda row: STIMULUS_WORDS[row["stimulus"]]),
            (TableColumn("Well"), lambda row: f"{row['replicate']:g}"),
            (TableColumn("Responding"), lambda row: f"{row['responding']:,.0f}"),
            (TableColumn("Parent"), lambda row: f"{row['parent']:,.0f}"),
            (
                TableColumn("Responding", unit="%"),
                lambda row: number(row["percent"], digits=2),
            ),
            (
                TableColumn("Net", unit="points"),
                lambda row: (
                    "" if row["net_percent"] is None else number(row["net_percent"], digits=2)
                ),
            ),
        ),
        group=lambda row: row["subject"],
        limit=LISTING_LIMIT,
    )
