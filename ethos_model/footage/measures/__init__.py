"""Measures of a face in a frame, each with its uncertainty.

    from ethos_model.footage.measures import blinks, measure

    measures = measure(frame, face)
    measures.pose.yaw, measures.pose.yaw_sigma    # degrees
    measures.openness.right_eye                   # 0 closed, 1 wide open
    measures.picture.sharpness                    # about 0.05 sharp, 0.01 blurred
    measures.quality                              # 0 to 1

The package needs numpy and OpenCV only. One face takes about 1 ms of one core.
"""

from ethos_model.footage.measures.blinking import Blink, blinks
from ethos_model.footage.measures.face import FaceMeasures, measure
from ethos_model.footage.measures.openness import Openness
from ethos_model.footage.measures.picture import PictureMeasures
from ethos_model.footage.measures.pose import HeadPose

__all__ = [
    "Blink",
    "FaceMeasures",
    "HeadPose",
    "Openness",
    "PictureMeasures",
    "blinks",
    "measure",
]
