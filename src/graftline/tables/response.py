"""Response: overall, by disease and by earlier transplant, with MRD."""

import polars as pl

from graftline.tables.layout import statistics_table
from graftline.tables.rule_summary import RuleLine, rule_rows, summarise_rules
from graftline.tables.selection import only_transplanted
from graftline.tables.statistics import count_rows, join_statistics
from graftline.tables.value import ReportTable
from graftline.trial import Trial

RESPONSE_LABELS = ("CR", "CRh", "CRi", "MLFS", "PR", "SD", "NR", "PD")
RESPONDED = ("CR", "CRh", "CRi", "MLFS", "PR")
REMISSION = ("CR", "CRh", "CRi")

RESPONSE_LINES = (
    RuleLine(
        "response",
        "Best response",
        "labels",
        "Response",
        tuple((label, label) for label in RESPONSE_LABELS),
    ),
    RuleLine("remission", "Time to first CR, CRh or CRi", "day", "Response", unit="day"),
    RuleLine("mrd", "MRD at first remission", "labels", "MRD"),
    RuleLine("remission_day28_after_hsct", "Remission on day 28 after HSPC", "yes", "After HSPC"),
    RuleLine("mrd_day28_after_hsct", "MRD on day 28 after HSPC", "labels", "After HSPC"),
    RuleLine("relapse", "Relapse or progression", "yes", "Relapse"),
    RuleLine("relapse", "CD7 at relapse", "labels", "Relapse"),
    RuleLine("relapse", "Time to relapse", "day", "Relapse", unit="day"),
)


def response_statistics(trial: Trial, chosen: pl.DataFrame) -> pl.DataFrame:
    """Overall response and remission first, then each class; one population per subgroup.

    Subgroups are diseases and earlier allogeneic HSCT; only those recorded appear.
    """
    frames = []
    for name, patients in _subgroups(trial):
        rows = chosen.join(patients, on="patient", how="semi")
        population = f"{name}, N = {patients.height}"
        frames += [_rates(rows, population)]
        frames += [summarise_rules(rows, RESPONSE_LINES, everybody=chosen, population=population)]
    return join_statistics(frames)


def _subgroups(trial: Trial) -> list[tuple[str, pl.DataFrame]]:
    infused = trial.patients.filter(pl.col("status").is_in(["infused", "transplanted"]))
    groups = [("All", infused)]
    diseases = infused["disease"].drop_nulls().unique().sort()
    if diseases.len() > 1 or infused["disease"].null_count():
        groups += [(d, infused.filter(pl.col("disease") == d)) for d in diseases]
    for flag, name in ((True, "Earlier HSCT"), (False, "No earlier HSCT")):
        chosen = infused.filter(pl.col("prior_allo_hsct") == flag)
        if 0 < chosen.height < infused.height:
            groups.append((name, chosen))
    return [(name, frame.select("patient")) for name, frame in groups]


def _rates(chosen: pl.DataFrame, population: str) -> pl.DataFrame:
    rows = rule_rows(chosen, "response")
    if rows.is_empty():
        return join_statistics([])
    answered = pl.col("state").is_in(["yes", "no"]) & pl.col("label").is_not_null()
    labels = rows.select(pl.when(answered).then("label")).to_series()
    return join_statistics(
        count_rows(
            labels.is_in(list(classes)), [(True, title)], group="Response", population=population
        )
        for title, classes in (
            ("Overall response (CR, CRh, CRi, MLFS, PR)", RESPONDED),
            ("CR, CRh or CRi", REMISSION),
        )
    )


def response_table(trial: Trial, chosen: pl.DataFrame) -> ReportTable:
    """Response and MRD for everybody and in each subgroup."""
    notes = [f"Response by the definition {trial.protocol.definitions.response!r}."]
    if only_transplanted(trial):
        notes.append(
            "The patients were selected after remission: remission is an entry criterion here, "
            "not a response rate."
        )
    return statistics_table(
        "response",
        "Response and measurable residual disease",
        response_statistics(trial, chosen),
        first_column="Result",
        missing_label="Not evaluable",
        footnotes=notes,
    )
