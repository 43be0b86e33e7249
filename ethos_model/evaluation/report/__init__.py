"""Text, CSV and HTML output of an evaluation report."""
