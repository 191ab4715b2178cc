"""The units graftline accepts and the exact conversions between them.

Nothing is inferred from the size of a number. Factors are definitions (SI prefixes) or molar masses
as printed by the SI conversion tables of clinical chemistry (bilirubin 584.66 g/mol gives 17.1,
creatinine 113.12 g/mol gives 88.4; Young, Ann Intern Med 1987;106:114).
"""

from collections.abc import Mapping

# multiply by the first, divide by the second: 700 /uL is then 0.7e9/L to the last bit
Factor = tuple[float, float]

# canonical unit -> {accepted unit: factor that turns it into the canonical unit}
_FACTORS: Mapping[str, Mapping[str, Factor]] = {
    "1e9/L": {
        "10^9/L": (1, 1),
        "10*9/L": (1, 1),
        "x10^9/L": (1, 1),
        "G/L": (1, 1),
        "K/uL": (1, 1),
        "10^3/uL": (1, 1),
        "1e3/uL": (1, 1),
        "/uL": (1, 1000),
        "cells/uL": (1, 1000),
        "/mm3": (1, 1000),
        "1e6/L": (1, 1000),
    },
    "cells/uL": {
        "/uL": (1, 1),
        "cells/mm3": (1, 1),
        "/mm3": (1, 1),
        "1e6/L": (1, 1),
        "1e9/L": (1000, 1),
    },
    "g/L": {"g/dL": (10, 1), "mg/dL": (1, 100)},
    "mg/dL": {"mg/L": (1, 10)},
    "mg/L": {"mg/dL": (10, 1)},
    "ug/L": {"ng/mL": (1, 1), "mg/L": (1000, 1)},
    "pg/mL": {"ng/L": (1, 1), "ng/mL": (1000, 1)},
    "copies/ug DNA": {
        "copies/ug": (1, 1),
        "copies/ug gDNA": (1, 1),
        "copies/ug genomic DNA": (1, 1),
        "copies/ng DNA": (1000, 1),
        "copies/ng": (1000, 1),
    },
    "copies/mL": {"copies/ml": (1, 1)},
    "IU/mL": {"IU/ml": (1, 1)},
    "U/L": {"IU/L": (1, 1)},
    "cells/kg": {"1e6 cells/kg": (1000000, 1), "1e6/kg": (1000000, 1)},
    "%": {"percent": (1, 1), "fraction": (100, 1)},
    "mg": {"g": (1000, 1)},
    "mm": {"cm": (10, 1)},
}

# analyte-specific factors: the molar mass makes them differ from one analyte to the next
_ANALYTE_FACTORS: Mapping[tuple[str, str], Mapping[str, Factor]] = {
    ("bilirubin", "mg/dL"): {"umol/L": (1, 17.1)},
    ("creatinine", "mg/dL"): {"umol/L": (1, 88.4)},
    ("triglycerides", "mg/dL"): {"mmol/L": (88.57, 1)},
    ("hemoglobin", "g/L"): {"mmol/L": (16.114, 1)},
}

# the micro sign and the Greek letter look alike: both are written u here
_MICRO = str.maketrans({"\N{MICRO SIGN}": "u", "\N{GREEK SMALL LETTER MU}": "u"})


def conversion_factor(unit: str, canonical: str, *, analyte: str | None = None) -> Factor | None:
    """Return what turns a value in ``unit`` into ``canonical``: multiply, then divide.

    Parameters
    ----------
    unit, canonical : str
        Units as written in the file and as declared by the schema; micro may be written as its
        sign, as the Greek letter, or as u.
    analyte : str, optional
        Opens the conversions that need a molar mass.

    Returns
    -------
    (multiply, divide) or None
        ``None`` when the unit is not known for that quantity; it is never guessed.
    """
    unit = unit.translate(_MICRO)
    if unit == canonical:
        return (1, 1)
    if analyte is not None:
        special = _ANALYTE_FACTORS.get((analyte, canonical), {})
        if unit in special:
            return special[unit]
    return _FACTORS.get(canonical, {}).get(unit)


def accepted_units(canonical: str, *, analyte: str | None = None) -> tuple[str, ...]:
    """Return every unit that can be converted into ``canonical``, canonical first.

    Micro stands as u in all of them.
    """
    special = _ANALYTE_FACTORS.get((analyte or "", canonical), {})
    return (canonical, *_FACTORS.get(canonical, {}), *special)
