"""What grey means here."""

from __future__ import annotations

from typing import Final

LUMA: Final = (0.299, 0.587, 0.114)
"""ITU-R BT.601 weights of red, green and blue, as in JPEG."""
