"""Quality of a face from 0 to 1: whether its landmarks can be trusted.

The quality is the probability that the mean landmark error is small, given the
uncertainty that the network states. Size, sharpness, brightness, noise and yaw are not
used: on people who were not used for the fit, they did not improve the prediction (log
loss 0.377 without them, 0.379 with them), because the network takes them into account
when it states its uncertainty.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ethos_model.footage.measures.picture import PictureMeasures

ERROR_LIMIT: Final = 3.0
"""Landmark error (NME_box, in % of the face size) up to which landmarks count as good.
The mean error of the shipped network on clean frames is 2.4 %."""

HALF_SIGMA: Final = 0.0257
"""Mean stated uncertainty, in face sizes, at which half of the faces have good
landmarks. Logistic regression on 342 faces of 28 validation people of YouTube Faces
under 79 conditions: `python -m benchmarks.quality DATA --split validation --calibrate`.
"""

STEEPNESS: Final = 7.08
"""Exponent of the uncertainty, from the same regression."""


def estimate_quality(relative_sigma: float, picture: PictureMeasures) -> float:
    """Estimates the probability that the mean landmark error is at most `ERROR_LIMIT`.

    The formula is a logistic function of log(sigma): 1 / (1 + (sigma / HALF_SIGMA) **
    STEEPNESS).

    Args:
      relative_sigma: Mean stated uncertainty of the 68 landmarks divided by the face
        size.
      picture: Appearance of the face.

    Returns:
      Probability from 0 to 1. 0 if the face is outside the frame.
    """
    if np.isnan(picture.brightness):
        return 0.0
    ratio = np.clip(relative_sigma / HALF_SIGMA, 1e-3, 1e3)
    return float(1 / (1 + ratio**STEEPNESS))
