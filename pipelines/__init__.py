"""The conversion of corpora, its inspection, and the demo of the whole workflow."""
