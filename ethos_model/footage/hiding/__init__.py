"""Hides faces, so that nobody in a video can be recognised."""
