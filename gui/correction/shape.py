"""The mean face, as a first guess for a face that the tracker did not find."""

from __future__ import annotations

import functools
import importlib.resources

import numpy as np

from ethos_data.topology import NUM_LANDMARKS, face_box


@functools.lru_cache(maxsize=1)
def _mean_landmarks() -> np.ndarray:
    """The landmarks of the mean head from the front, float64 (68, 2), y down.

    They are read from the file of the depth prior. `ethos_data.depth.prior` would
    import numba, which takes longer than the window needs to start.
    """
    file = importlib.resources.files("ethos_data") / "assets" / "depth_prior.npz"
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
        return data["mean"][:NUM_LANDMARKS, :2].astype(np.float64) * (1, -1)


def mean_face(box: np.ndarray) -> np.ndarray:
    """The landmarks of the mean head, seen from the front, in a face box.

    Args:
      box: (4,), x0, y0, x1, y1 in source pixels.

    Returns:
      float64 (68, 2), in source pixels. Their tight box is `box`.
    """
    points = _mean_landmarks()
    own, box = face_box(points), np.asarray(box, np.float64)
    share = (points - own[:2]) / (own[2:] - own[:2])
    return box[:2] + share * (box[2:] - box[:2])
