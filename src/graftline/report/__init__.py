"""The report of a trial: sections as values, then one HTML page, files, or JSON."""
