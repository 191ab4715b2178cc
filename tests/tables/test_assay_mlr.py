"""Patients beside donors in words (truth: law)."""

import polars as pl
import pytest

from graftline.assays.function import compare_people
from graftline.tables.assay_mlr import people_comparison


@pytest.mark.parametrize(
    ("patients", "donors", "told"),
    [
        ((1.0, 2.0), (3.0,), "fewer than two a side"),
        ((1.0, 1.0), (3.0, 3.0), "no spread"),
        ((1.0, 1.1), (3.0, 3.1), "<0.05"),
    ],
)
def test_why_there_is_no_p(patients, donors, told) -> None:
    people = [("patient", v) for v in patients] + [("donor", v) for v in donors]
    rows = [("third_party", role, f"{n}", value) for n, (role, value) in enumerate(people)]
    frame = pl.DataFrame(rows, schema=["stimulus", "role", "person", "net"], orient="row")
    table = people_comparison(
        "t", "Net", compare_people(frame, value="net", role="role", person="person")
    )
    first, *_, p = table.rows[0].cells
    assert first == "third party"
    assert p == told if not told.startswith("<") else float(p.strip("<")) < 0.05
