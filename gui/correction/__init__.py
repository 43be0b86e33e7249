"""Corrections of landmarks by hand: everything except the window."""
