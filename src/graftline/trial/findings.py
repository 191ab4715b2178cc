"""Problems of one file, gathered while its table is read."""

from dataclasses import dataclass, field

import polars as pl

from graftline.problems import Problem, Severity
from graftline.trial.identity import safe_text

MAX_ROWS_SHOWN = 20


@dataclass(slots=True)
class Findings:
    """Problems of one file, gathered while its columns are cast."""

    file: str
    problems: list[Problem] = field(default_factory=list)

    def rows(
        self,
        bad: pl.DataFrame,
        column: str,
        expected: str,
        remedy: str,
        *,
        severity: Severity = Severity.ERROR,
        echo: bool = True,
    ) -> None:
        """Add one problem per row of ``bad`` [row, patient, found]; many alike are counted."""
        shown = bad.head(MAX_ROWS_SHOWN)
        for row, patient, found in shown.select("row", "patient", "found").iter_rows():
            text = None if found is None or not echo else safe_text(str(found))
            self.problems.append(
                Problem(
                    self.file,
                    expected,
                    remedy,
                    severity,
                    row=row,
                    column=column,
                    patient=None if patient is None else safe_text(patient),
                    found=text,
                )
            )
        if bad.height > MAX_ROWS_SHOWN:
            self.problems.append(
                Problem(
                    self.file,
                    expected,
                    remedy,
                    severity,
                    row=int(bad["row"][MAX_ROWS_SHOWN]),
                    column=column,
                    count=bad.height - MAX_ROWS_SHOWN,
                    found="rows like those above",
                )
            )


def bad_rows(text: pl.DataFrame, values: pl.Series, mask: pl.Series) -> pl.DataFrame:
    """Places of the values that ``mask`` marks: [row, patient, found]."""
    places = pl.DataFrame({"row": text["row"], "patient": text["patient"], "found": values})
    return places.filter(mask).with_columns(
        pl.col("patient").cast(pl.String), pl.col("found").cast(pl.String, strict=False)
    )
