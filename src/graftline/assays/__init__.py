"""Assay files of a trial into tables: repertoires, flow cytometry, cultures, chimerism, CD7."""
