"""Every table of the trial folder, in the order a reader meets them."""

from collections.abc import Mapping
from types import MappingProxyType

from graftline.schema.declaration import Table
from graftline.schema.findings import AE, EVENTS, GVHD, IMAGING, INFECTIONS, MARROW, PUBLISHED
from graftline.schema.measurements import CHIMERISM, LABS, VIRAL, VITALS
from graftline.schema.people import DONORS, FOLLOWUP, PATIENTS
from graftline.schema.treatment import DRUGS, INFUSIONS, PRODUCTS, TRANSFUSIONS

TABLES: Mapping[str, Table] = MappingProxyType(
    {
        t.name: t
        for t in (
            PATIENTS,
            DONORS,
            PRODUCTS,
            INFUSIONS,
            DRUGS,
            LABS,
            VITALS,
            AE,
            MARROW,
            IMAGING,
            TRANSFUSIONS,
            GVHD,
            CHIMERISM,
            INFECTIONS,
            VIRAL,
            EVENTS,
            FOLLOWUP,
            PUBLISHED,
        )
    }
)


def table(name: str) -> Table:
    """Return the declaration of one table."""
    return TABLES[name]
