"""Improves tracked faces with the frames after them."""
