"""T cells by CD7 and immune reconstitution, as thresholds first reached."""

import polars as pl

from graftline.tables.layout import statistics_table
from graftline.tables.rule_summary import RuleLine, summarise_rules
from graftline.tables.value import ReportTable


def _threshold(rule: str, label: str, group: str) -> tuple[RuleLine, RuleLine]:
    return (
        RuleLine(rule, label, "yes", group),
        RuleLine(rule, f"{label}, time", "day", group, unit="day", digits=1),
    )


RECONSTITUTION_LINES = (
    *_threshold("cd7_t_eradication", "CD7+ T cells eradicated", "CD7+ T cells"),
    *_threshold("cd7_t_reappearance", "CD7+ T cells back", "CD7+ T cells"),
    *_threshold("cd3_500", "CD3+ at least 500/uL", "Reconstitution"),
    *_threshold("cd4_50", "CD4+ at least 50/uL", "Reconstitution"),
    *_threshold("cd4_200", "CD4+ at least 200/uL", "Reconstitution"),
    *_threshold("cd8_200", "CD8+ at least 200/uL", "Reconstitution"),
    *_threshold("cd19_100", "CD19+ at least 100/uL", "Reconstitution"),
    *_threshold("nk_100", "NK cells at least 100/uL", "Reconstitution"),
)


def reconstitution_table(chosen: pl.DataFrame) -> ReportTable:
    """Thresholds reached, and when; a threshold not yet reached is no time."""
    return statistics_table(
        "reconstitution",
        "T cells and immune reconstitution",
        summarise_rules(chosen, RECONSTITUTION_LINES),
        first_column="Result",
        missing_label="Not evaluable",
    )
