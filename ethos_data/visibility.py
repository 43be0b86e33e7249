"""How much is known about a landmark: the values of the arrays called `visible`.

The values are those of COCO keypoints (https://cocodataset.org/#format-data).
"""

from __future__ import annotations

from typing import Final

UNLABELLED: Final = 0
"""The corpus contains no position. The stored position is an estimate, without loss."""

HIDDEN: Final = 1
"""The position is labelled, but something covers the landmark."""

VISIBLE: Final = 2
"""The position is labelled, and the image shows the landmark."""
