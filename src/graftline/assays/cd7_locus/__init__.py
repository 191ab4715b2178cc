"""The CD7 gene in ATAC signal, variants and single-cell expression."""
