"""Products, infusions, drugs and transfusions."""

from graftline.schema.declaration import (
    Column,
    Table,
    day_column,
    day_range_columns,
    patient_column,
    provenance_columns,
)

CELL_KINDS = ("car_t", "hspc", "dli")
PRODUCT_TYPES = ("donor_derived", "prior_donor", "universal", "autologous")
INDICATIONS = (
    "lymphodepletion",
    "conditioning",
    "gvhd_prophylaxis",
    "crs",
    "icans",
    "iec_hs",
    "gvhd",
    "infection",
    "cmv",
    "ebv",
    "premedication",
    "physiologic",
    "antipyretic",
    "neutropenia",
    "other",
    "unknown",
)

PRODUCTS = Table(
    "products",
    "One row per CAR-T lot or graft made or attempted",
    (
        patient_column(),
        Column("product", "text", "ID of the lot or graft", required=True),
        Column("kind", "category", "What it is", required=True, allowed=CELL_KINDS),
        Column("type", "category", "CAR-T: whose cells", allowed=PRODUCT_TYPES),
        Column(
            "tissue",
            "category",
            "Graft: where the cells come from",
            allowed=("PBSC", "marrow", "cord", "marrow+PBSC"),
        ),
        Column("donor", "text", "Study ID of the donor"),
        day_column("Day of collection", name="collected_day"),
        day_column("Day of release", name="released_day"),
        Column("released", "flag", "Released for infusion"),
        Column("failure", "text", "Why it failed, if it did"),
        Column("volume_ml", "number", "Volume", unit="mL", minimum=0, maximum=5000),
        Column(
            "cells_per_ml", "number", "Nucleated cells", unit="cells/mL", minimum=0, maximum=1e11
        ),
        Column("viability_percent", "number", "Viable cells", unit="%", minimum=0, maximum=100),
        Column("cd3_percent", "number", "CD3+ of viable cells", unit="%", minimum=0, maximum=100),
        Column(
            "car_percent",
            "number",
            "CAR+ cells, of the parent named in car_parent",
            unit="%",
            minimum=0,
            maximum=100,
        ),
        Column("car_parent", "category", "Parent of car_percent", allowed=("cd3", "viable")),
        Column(
            "vcn_copies_per_cell",
            "number",
            "Vector copies per cell",
            unit="copies/cell",
            minimum=0,
            maximum=100,
        ),
        Column("endotoxin_eu_per_kg_per_h", "number", "Endotoxin", unit="EU/kg/h", minimum=0),
        Column(
            "cd7_residual_percent",
            "number",
            "CD7+ cells left in the product",
            unit="%",
            minimum=0,
            maximum=100,
        ),
        Column(
            "cd34_percent", "number", "CD34+ of nucleated cells", unit="%", minimum=0, maximum=100
        ),
        *provenance_columns(),
    ),
    key=("patient", "product"),
)

INFUSIONS = Table(
    "infusions",
    "One row per infusion of cells; the first bag of the protocol's index infusion is day 0",
    (
        patient_column(),
        day_column("Day of infusion"),
        *day_range_columns(),
        Column("kind", "category", "What was infused", required=True, allowed=CELL_KINDS),
        Column("type", "category", "CAR-T: whose cells", allowed=PRODUCT_TYPES),
        Column("product", "text", "ID of the lot or graft, as in products"),
        Column("donor", "text", "Study ID of the donor, as in donors"),
        Column(
            "purpose",
            "category",
            "Why HSPC were given",
            allowed=("prophylactic", "consolidation", "salvage", "second graft", "boost"),
        ),
        Column(
            "car_t_1e6_per_kg", "number", "CAR+ T cells", unit="1e6/kg", minimum=0, maximum=1000
        ),
        Column(
            "cd34_1e6_per_kg",
            "number",
            "CD34+ cells",
            unit="1e6/kg",
            minimum=0,
            maximum=500,
            plausible=(1, 20),
        ),
        Column(
            "cd3_1e8_per_kg",
            "number",
            "CD3+ cells",
            unit="1e8/kg",
            minimum=0,
            maximum=500,
            plausible=(0.1, 20),
        ),
        Column(
            "mnc_1e8_per_kg",
            "number",
            "Mononuclear cells",
            unit="1e8/kg",
            minimum=0,
            maximum=500,
            plausible=(1, 30),
        ),
        *provenance_columns(),
    ),
    required=True,
)

DRUGS = Table(
    "drugs",
    "One row per drug and uninterrupted course at one dose",
    (
        patient_column(),
        Column("drug", "text", "International nonproprietary name, lower case", required=True),
        day_column("First day", name="start_day", required=True),
        day_column("Last day", name="end_day"),
        Column("dose", "number", "Dose per day", minimum=0),
        Column(
            "unit",
            "category",
            "Unit of the dose per day",
            allowed=("mg", "mg/m2", "mg/kg", "ug", "ug/kg", "g", "IU", "IU/kg", "mg/d"),
        ),
        Column(
            "route",
            "category",
            "Route",
            allowed=("iv", "oral", "subcutaneous", "topical", "intrathecal", "inhaled"),
        ),
        Column("indication", "category", "Why it was given", allowed=INDICATIONS),
        *provenance_columns(),
    ),
)

TRANSFUSIONS = Table(
    "transfusions",
    "One row per transfusion day and product",
    (
        patient_column(),
        day_column("Day", required=True),
        Column(
            "product",
            "category",
            "What was transfused",
            required=True,
            allowed=("red_cells", "platelets", "granulocytes", "plasma"),
        ),
        Column("units", "number", "Units", unit="unit", minimum=0, maximum=50),
        *provenance_columns(),
    ),
)
