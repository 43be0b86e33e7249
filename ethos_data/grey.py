"""The definition of brightness that training, degradations and metrics share."""

from __future__ import annotations

from typing import Final

LUMA: Final = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in luma (ITU-R BT.601), as in JPEG and OpenCV."""
