"""Reconstruction of a face from many frames."""
