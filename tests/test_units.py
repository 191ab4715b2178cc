"""Conversions against printed conversion tables (Young, Ann Intern Med 1987;106:114)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.units import _FACTORS, accepted_units, conversion_factor


@pytest.mark.parametrize(
    ("value", "unit", "canonical", "analyte", "expected"),
    [
        (1.0, "umol/L", "mg/dL", "bilirubin", 0.0585),
        (34.2, "umol/L", "mg/dL", "bilirubin", 2.0),
        (88.4, "umol/L", "mg/dL", "creatinine", 1.0),
        (7.4, "g/dL", "g/L", "hemoglobin", 74.0),
        (500, "/uL", "1e9/L", "anc", 0.5),
        (0.5, "K/uL", "1e9/L", "anc", 0.5),
        (650, "ng/mL", "ug/L", "ferritin", 650),
        (3.0, "mg/dL", "mg/L", "crp", 30),
        (150, "mg/dL", "g/L", "fibrinogen", 1.5),
        (1.0, "mmol/L", "mg/dL", "triglycerides", 88.57),
        # as labels and laboratories write them, with the micro sign and with the Greek letter
        (250, "cells/\u00b5L", "cells/uL", "car_t_flow", 250),
        (250, "/\u03bcL", "cells/uL", "car_t_flow", 250),
        (0.5, "K/\u00b5L", "1e9/L", "anc", 0.5),
        (34.2, "\u03bcmol/L", "mg/dL", "bilirubin", 2.0),
        (1.5, "\u00b5g/L", "ug/L", "ferritin", 1.5),
        (2e4, "copies/\u00b5g gDNA", "copies/ug DNA", "car_t_qpcr", 2e4),
        (2e4, "copies/\u03bcg", "copies/ug DNA", "car_t_qpcr", 2e4),
        (20, "copies/ng DNA", "copies/ug DNA", "car_t_qpcr", 2e4),
    ],
)
def test_printed_conversions(value, unit, canonical, analyte, expected):
    multiply, divide = conversion_factor(unit, canonical, analyte=analyte)
    assert value * multiply / divide == pytest.approx(expected, rel=1e-3)


def test_nothing_is_inferred():
    assert conversion_factor("umol/L", "mg/dL") is None
    assert conversion_factor("mg", "1e9/L") is None
    assert conversion_factor("IU/mL", "copies/mL") is None


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.integers(0, 100_000))
def test_counts_per_microlitre_convert_to_the_last_digit(count):
    multiply, divide = conversion_factor("/uL", "1e9/L")
    assert count * multiply / divide == float(f"{count}e-3")


def test_canonical_unit_comes_first():
    for canonical in _FACTORS:
        assert accepted_units(canonical)[0] == canonical
