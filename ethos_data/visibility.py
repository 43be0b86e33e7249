"""How much is known about a landmark: the values of the arrays called `visible`.

The first three values are those of COCO keypoints (https://cocodataset.org/#format-data).
"""

from __future__ import annotations

from typing import Final

UNLABELLED: Final = 0
"""The corpus contains no position. The stored position is an estimate, without loss."""

HIDDEN: Final = 1
"""The position is labelled, but something covers the landmark."""

VISIBLE: Final = 2
"""The position is labelled, and the image shows the landmark."""

UNSTATED: Final = 3
"""The position is labelled. Whether the image shows the landmark is not known. Corpora
whose format has no flag for it have this value. COCO has no such value; it is exported
as `VISIBLE`."""
