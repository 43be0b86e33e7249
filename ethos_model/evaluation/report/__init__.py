"""The evaluation report: an HTML page, its figures and tables."""
