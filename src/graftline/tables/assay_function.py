"""Tables of stimulation assays: people, patients beside donors, wells."""

from graftline.assays.function_study import FunctionStudy
from graftline.tables.assay_mlr import people_comparison
from graftline.tables.format import number, p_value
from graftline.tables.value import ReportTable, TableColumn, TableRow

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
    rows = tuple(
        TableRow(
            (
                row["subject"],
                number(row["day"], digits=0),
                STIMULUS_WORDS[row["stimulus"]],
                str(row["replicates"]),
                number(row["net_mean"], digits=2),
                number(row["net_sd"], digits=2) if row["net_sd"] is not None else "one well",
                p_value(row["p"]),
                "yes" if row["responds"] else "no",
            )
        )
        for row in study.summary.iter_rows(named=True)
    )
    return ReportTable(
        "function-responses",
        "Response by person and stimulus",
        (
            TableColumn("Person", "left"),
            TableColumn("Day"),
            TableColumn("Stimulus", "left"),
            TableColumn("Wells"),
            TableColumn("Net responding", unit="%"),
            TableColumn("SD", unit="points"),
            TableColumn("p"),
            TableColumn("Responds", "left"),
        ),
        rows,
        study.summary,
        (
            "Net: percent of the parent gate that responds, minus the mean of the unstimulated "
            "wells of the person and day; it may be negative. p: Fisher's exact test of pooled "
            "events, one-sided.",
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
    rows = tuple(
        TableRow(
            (
                number(row["day"], digits=0),
                STIMULUS_WORDS[row["stimulus"]],
                f"{row['replicate']:g}",
                f"{row['responding']:,.0f}",
                f"{row['parent']:,.0f}",
                number(row["percent"], digits=2),
                number(row["net_percent"], digits=2) if row["net_percent"] is not None else "",
            ),
            row["subject"],
        )
        for row in study.wells.head(LISTING_LIMIT).iter_rows(named=True)
    )
    return ReportTable(
        "function-wells",
        "Stimulated wells",
        (
            TableColumn("Day"),
            TableColumn("Stimulus", "left"),
            TableColumn("Well"),
            TableColumn("Responding"),
            TableColumn("Parent"),
            TableColumn("Responding", unit="%"),
            TableColumn("Net", unit="points"),
        ),
        rows,
        study.wells,
    )
