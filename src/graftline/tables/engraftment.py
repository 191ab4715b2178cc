"""Engraftment, chimerism and graft failure after HSPC."""

import polars as pl

from graftline.tables.layout import statistics_table
from graftline.tables.outcomes import GRADES
from graftline.tables.rule_summary import RuleLine, summarise_rules
from graftline.tables.value import ReportTable

_DAYS = "days after HSPC"
_MONTHS = (("1", "month_1"), ("3", "month_3"), ("6", "month_6"), ("12", "month_12"))
_CHIMERISM_CLASSES = (
    ("full", "full donor"),
    ("full (provisional)", "full donor (provisional, unsorted blood only)"),
    ("mixed", "mixed"),
    ("split", "split"),
    ("autologous", "autologous"),
)


def _engraftment(rule: str, label: str) -> tuple[RuleLine, RuleLine]:
    return (
        RuleLine(rule, label, "yes", "Engraftment"),
        RuleLine(rule, f"{label}, time", "day", "Engraftment", unit=_DAYS, digits=1),
    )


ENGRAFTMENT_LINES = (
    *_engraftment("neutrophil_engraftment", "Neutrophils at least 0.5e9/L"),
    *_engraftment("platelet_engraftment_20", "Platelets at least 20e9/L"),
    *_engraftment("platelet_engraftment_50", "Platelets at least 50e9/L"),
    *_engraftment("hemoglobin_independence", "Free of red-cell transfusion"),
    *_engraftment("donor_engraftment", "Donor engraftment"),
    RuleLine("graft_failure", "Graft failure", "yes", "Graft failure"),
    RuleLine("graft_failure", "Graft failure", "labels", "Graft failure"),
    RuleLine("autologous_recovery", "Autologous recovery", "yes", "Graft failure"),
    *(
        RuleLine(
            f"chimerism_{key}",
            f"Month {month}",
            "labels",
            "Donor chimerism",
            _CHIMERISM_CLASSES,
        )
        for month, key in _MONTHS
    ),
    RuleLine("chimerism_ever_full", "Full donor at any time", "yes", "Donor chimerism"),
    RuleLine("icaht_early", "Early ICAHT", "grades", "Cytopenia", GRADES[:5]),
    RuleLine("icaht_late", "Late ICAHT", "grades", "Cytopenia", GRADES[:4]),
    RuleLine("car_hematotox", "CAR-HEMATOTOX", "labels", "Cytopenia"),
    RuleLine("pancytopenia_grade4", "Grade 4 pancytopenia", "yes", "Cytopenia"),
    RuleLine("marrow_hypocellularity", "Severe marrow hypocellularity", "yes", "Cytopenia"),
)


def engraftment_table(chosen: pl.DataFrame) -> ReportTable:
    """Blood counts, engraftment, chimerism and graft failure."""
    return statistics_table(
        "engraftment",
        "Blood counts, engraftment and chimerism",
        summarise_rules(chosen, ENGRAFTMENT_LINES),
        first_column="Result",
        missing_label="Not evaluable",
    )
