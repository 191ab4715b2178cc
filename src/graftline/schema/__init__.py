"""The trial folder, declared once: tables, columns, units, allowed values."""

from graftline.schema.declaration import Column, Kind, Quantity, Table
from graftline.schema.tables import TABLES, table

__all__ = ["TABLES", "Column", "Kind", "Quantity", "Table", "table"]
