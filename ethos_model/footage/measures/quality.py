"""Quality of a face: how far its landmarks can be trusted, from 0 to 1."""

from __future__ import annotations

from typing import Final

import numpy as np

from ethos_model.footage.measures.picture import PictureMeasures
from ethos_model.footage.measures.pose import HeadPose

ERROR_LIMIT: Final = 3.0
"""Error in % of the face size (NME_box) that a landmark detection of good quality does
not exceed. The mean error of the shipped network on clean frames is 2.4 %."""

INTERCEPT: Final = 0.0

WEIGHTS: Final = {
    "log sigma": -2.0,
    "log size": 0.0,
    "log sharpness": 0.0,
    "darkness": 0.0,
    "log noise": 0.0,
    "yaw": 0.0,
}


def estimate_quality(
    relative_sigma: float, pose: HeadPose, picture: PictureMeasures
) -> float:
    """Estimates the probability that the mean landmark error is at most `ERROR_LIMIT`.

    Args:
      relative_sigma: Mean stated uncertainty of the 68 landmarks divided by the face
        size.
      pose: Pose of the head.
      picture: How the face is shown.

    Returns:
      Probability from 0 to 1. 0 if the face is outside the frame.
    """
    if np.isnan(picture.brightness):
        return 0.0
    values = features(relative_sigma, pose, picture)
    score = INTERCEPT + sum(WEIGHTS[name] * value for name, value in values.items())
    return float(1 / (1 + np.exp(-np.clip(score, -30, 30))))


def features(
    relative_sigma: float, pose: HeadPose, picture: PictureMeasures
) -> dict[str, float]:
    """What the quality is computed from, by the names of `WEIGHTS`.

    Args:
      relative_sigma: See `estimate_quality`.
      pose: Pose of the head.
      picture: How the face is shown, inside the frame.
    """
    return {
        "log sigma": float(np.log(max(relative_sigma, 1e-6) / 0.02)),
        "log size": float(np.log(max(picture.size, 1.0) / 100)),
        "log sharpness": float(np.log((picture.sharpness + 0.001) / 0.05)),
        "darkness": float(max(0.0, 1 - picture.brightness / 100)),
        "log noise": float(np.log((picture.noise + 0.5) / 2)),
        "yaw": abs(pose.yaw) / 45,
    }
