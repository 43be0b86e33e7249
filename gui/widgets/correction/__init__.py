"""The correction mode of the window."""
