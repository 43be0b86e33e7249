"""Everything that imports Tk."""
