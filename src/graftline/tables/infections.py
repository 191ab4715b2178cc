"""Infections and viral reactivation: patients, episodes, density."""

import polars as pl

from graftline.tables.format import number, sentence, words
from graftline.tables.layout import statistics_table
from graftline.tables.rule_summary import RuleLine, summarise_rules
from graftline.tables.value import ReportTable, TableColumn, plain_rows

INFECTION_LINES = (
    RuleLine("infection_any", "Any infection", "yes", "Infection"),
    RuleLine("infection_bacterial_or_fungal", "Bacterial or fungal", "yes", "Infection"),
    RuleLine("viral_reactivation", "Viral reactivation", "yes", "Virus"),
    RuleLine("cmv_dnaemia", "CMV DNAemia", "yes", "Virus"),
    RuleLine("cmv_dnaemia", "CMV DNAemia, onset", "day", "Virus", unit="day", digits=0),
    RuleLine("cmv_clinically_significant", "CMV, clinically significant", "yes", "Virus"),
    RuleLine("ebv_dnaemia", "EBV DNAemia", "yes", "Virus"),
    RuleLine("ebv_dnaemia", "EBV DNAemia, onset", "day", "Virus", unit="day", digits=0),
    RuleLine("hhv6_dnaemia", "HHV-6 DNAemia", "yes", "Virus"),
    RuleLine("ptld", "PTLD", "yes", "Virus"),
)


def infection_table(chosen: pl.DataFrame) -> ReportTable:
    """Patients with infection and with viral reactivation."""
    return statistics_table(
        "infections",
        "Infection and viral reactivation",
        summarise_rules(chosen, INFECTION_LINES),
        first_column="Result",
        missing_label="Not evaluable",
    )


def infection_density_table(density: pl.DataFrame) -> ReportTable:
    """Episodes per 100 patient-days at risk, by period.

    Parameters
    ----------
    density : details ``infection_density`` of ``assess.infection``
        Its columns are printed as they come; numbers are rounded here only.
    """
    shown = pl.DataFrame({name: _texts(density[name]) for name in density.columns})
    return ReportTable(
        "infection-density",
        "Density of infection episodes",
        tuple(
            TableColumn(sentence(name), "left" if density[name].dtype == pl.String else "right")
            for name in density.columns
        ),
        plain_rows(shown),
        density,
    )


def _texts(values: pl.Series) -> list[str]:
    if values.dtype.is_float():
        whole = bool((values.drop_nulls() == values.drop_nulls().round(0)).all())
        return [number(v, digits=0 if whole else 2) for v in values]
    return ["" if v is None else words(str(v)) for v in values]
