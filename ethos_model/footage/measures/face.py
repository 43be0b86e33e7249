"""All measures of one face in one frame."""

from __future__ import annotations

import dataclasses

import numpy as np

from ethos_model.footage.measures import fitting
from ethos_model.footage.measures.openness import Openness, measure_openness
from ethos_model.footage.measures.picture import PictureMeasures, measure_picture
from ethos_model.footage.measures.pose import HeadPose, head_pose
from ethos_model.footage.measures.quality import estimate_quality
from ethos_model.predict import Face


@dataclasses.dataclass(frozen=True)
class FaceMeasures:
    """Measures of one face in one frame.

    Attributes:
      pose: Yaw, pitch, roll and position of the head.
      openness: Openness of the eyes and the mouth.
      picture: Size, sharpness, brightness and noise of the face.
      quality: Estimated probability, from 0 to 1, that the mean error of the landmarks
        is at most `quality.ERROR_LIMIT` % of the face size.
    """

    pose: HeadPose
    openness: Openness
    picture: PictureMeasures
    quality: float


def measure(
    frame_rgb: np.ndarray, face: Face, *, focal_length: float | None = None
) -> FaceMeasures:
    """Measures a face.

    Example:
      for tracked in tracker.update(frame, timestamp):
          measures = measure(frame, tracked.face)
          print(tracked.id, measures.pose.yaw, measures.pose.yaw_sigma)

    Args:
      frame_rgb: uint8 (H, W, 3), RGB, the frame that the face was found in.
      face: Prediction of the network. Its landmarks may be smoothed.
      focal_length: Focal length of the camera, in source pixels, if it is known. It
        improves the position and, for a near face, the angles.

    Raises:
      ValueError: The landmarks are not finite or all at the same point, or the focal
        length is not positive.
    """
    fitted = fitting.fit(face.landmarks, face.uncertainty, focal_length=focal_length)
    height, width = frame_rgb.shape[:2]
    pose = head_pose(fitted, height, width, focal_length)
    picture = measure_picture(frame_rgb, face.landmarks)
    relative_sigma = float(np.mean(face.uncertainty)) / picture.size
    return FaceMeasures(
        pose=pose,
        openness=measure_openness(face.landmarks, face.uncertainty, fitted),
        picture=picture,
        quality=estimate_quality(relative_sigma, picture),
    )
