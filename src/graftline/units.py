"""The units graftline accepts and the exact conversions between them.

Nothing is inferred from the size of a number. Factors are definitions (SI prefixes) or molar masses
as printed by the SI conversion tables of clinical chemistry (bilirubin 584.66 g/mol gives 17.1,
creatinine 113.12 g/mol gives 88.4; Young, Ann Intern Med 1987;106:114).
"""

from collections.abc import Mapping

# canonical unit -> {accepted unit: factor that turns it into the canonical unit}
_FACTORS: Mapping[str, Mapping[str, float]] = {
    "1e9/L": {
        "10^9/L": 1.0,
        "10*9/L": 1.0,
        "x10^9/L": 1.0,
        "G/L": 1.0,
        "K/uL": 1.0,
        "10^3/uL": 1.0,
        "1e3/uL": 1.0,
        "/uL": 1e-3,
        "cells/uL": 1e-3,
        "/mm3": 1e-3,
        "1e6/L": 1e-3,
    },
    "cells/uL": {"/uL": 1.0, "cells/mm3": 1.0, "/mm3": 1.0, "1e6/L": 1.0, "1e9/L": 1e3},
    "g/L": {"g/dL": 10.0, "mg/dL": 0.01},
    "mg/dL": {"mg/L": 0.1},
    "mg/L": {"mg/dL": 10.0},
    "ug/L": {"ng/mL": 1.0, "mg/L": 1e3},
    "pg/mL": {"ng/L": 1.0, "ng/mL": 1e3},
    "copies/ug DNA": {"copies/ug": 1.0, "copies/µg DNA": 1.0, "copies/μg DNA": 1.0},
    "copies/mL": {"copies/ml": 1.0},
    "IU/mL": {"IU/ml": 1.0},
    "U/L": {"IU/L": 1.0},
    "cells/kg": {"1e6 cells/kg": 1e6, "1e6/kg": 1e6},
    "%": {"percent": 1.0, "fraction": 100.0},
    "mg": {"g": 1e3},
    "mm": {"cm": 10.0},
}

# analyte-specific factors: the molar mass makes them differ from one analyte to the next
_ANALYTE_FACTORS: Mapping[tuple[str, str], Mapping[str, float]] = {
    ("bilirubin", "mg/dL"): {"umol/L": 1 / 17.1, "µmol/L": 1 / 17.1, "μmol/L": 1 / 17.1},
    ("creatinine", "mg/dL"): {"umol/L": 1 / 88.4, "µmol/L": 1 / 88.4, "μmol/L": 1 / 88.4},
    ("triglycerides", "mg/dL"): {"mmol/L": 88.57},
    ("hemoglobin", "g/L"): {"mmol/L": 16.114},
}


def conversion_factor(unit: str, canonical: str, *, analyte: str | None = None) -> float | None:
    """Return the factor that turns a value in ``unit`` into ``canonical``.

    Parameters
    ----------
    unit, canonical : str
        Units as written in the file and as declared by the schema.
    analyte : str, optional
        Opens the conversions that need a molar mass.

    Returns
    -------
    float or None
        ``None`` when the unit is not known for that quantity; it is never guessed.
    """
    if unit == canonical:
        return 1.0
    if analyte is not None:
        special = _ANALYTE_FACTORS.get((analyte, canonical), {})
        if unit in special:
            return special[unit]
    return _FACTORS.get(canonical, {}).get(unit)


def accepted_units(canonical: str, *, analyte: str | None = None) -> tuple[str, ...]:
    """Return every unit that can be converted into ``canonical``, canonical first."""
    special = _ANALYTE_FACTORS.get((analyte or "", canonical), {})
    return (canonical, *_FACTORS.get(canonical, {}), *special)
