"""Faces in video: decoding, detection, tracking, drawing, the window, annotation."""
