"""Landmarks over time: a filter for live video, and a smoother for whole tracks."""
