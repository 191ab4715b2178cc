"""Figures of the report: one file per figure, a function from numbers to a matplotlib Figure."""
