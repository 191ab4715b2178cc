"""Tables of the report: numbers first, one frozen table value, rendered last."""
