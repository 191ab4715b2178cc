"""The virtual patient: equations once, their compiled solver, SBML, what an assay reads."""
