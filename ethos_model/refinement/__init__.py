"""Continued training of an exported model on a few corrected faces."""
