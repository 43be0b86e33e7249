"""The mean face, as a first guess for a face that the tracker did not find."""

from __future__ import annotations

import numpy as np

from ethos_data.depth import prior
from ethos_data.topology import face_box


def mean_face(box: np.ndarray) -> np.ndarray:
    """The landmarks of the mean head, seen from the front, in a face box.

    Args:
      box: (4,), x0, y0, x1, y1 in source pixels.

    Returns:
      float64 (68, 2), in source pixels. Their tight box is `box`.
    """
    points = np.array(prior.shipped().mean[:68, :2], np.float64)
    points[:, 1] *= -1  # the mean head has y up
    own, box = face_box(points), np.asarray(box, np.float64)
    share = (points - own[:2]) / (own[2:] - own[:2])
    return box[:2] + share * (box[2:] - box[:2])
