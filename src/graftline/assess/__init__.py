"""Clinical criteria: one module per criterion, tables in, results out."""
