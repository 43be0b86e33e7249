"""The parts of ethos-refine: corrected faces, rendered heads, split and progress."""
