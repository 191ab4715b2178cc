"""The settings of an assay as a table: what was chosen, by whom, and what it means."""

import polars as pl

from graftline.settings.value import Settings, value_text
from graftline.tables.value import ReportTable, TableColumn, plain_rows


def settings_table(settings: Settings) -> ReportTable:
    """Every setting of an assay with its value, where it was set, and its meaning."""
    data = pl.DataFrame(
        [
            (
                one.setting.name.replace("_", " "),
                value_text(one.setting, one.value),
                one.origin,
                one.setting.meaning,
            )
            for one in settings.chosen
        ],
        schema=dict.fromkeys(("setting", "value", "set_by", "meaning"), pl.String),
        orient="row",
    )
    columns = tuple(TableColumn(name, "left") for name in ("Setting", "Value", "Set by", "Meaning"))
    return ReportTable(f"{settings.assay}-settings", "Settings", columns, plain_rows(data), data)
