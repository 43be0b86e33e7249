"""The pose of a head and its shoulders, and cameras that are aimed at a face."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from ethos_data import topology
from ethos_data.heads.figure import Figure
from ethos_data.heads.geometry import axis_rotation
from ethos_data.heads.raster import Camera

FACE_CM: Final = 14.2
"""sqrt(width * height) of a mean face's box seen from the front, in cm."""


@dataclasses.dataclass(frozen=True)
class Pose:
    """How a person holds the head and the shoulders. All angles are in degrees.

    Attributes:
      yaw: Positive turns the face to the right of the image.
      pitch: Positive turns the face down.
      roll: Positive tilts the top of the head to the left of the image.
      torso: Yaw of the shoulders.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    torso: float = 0.0

    @property
    def rotation(self) -> np.ndarray:
        """The rotation from head frame to world frame, float64 (3, 3).

        The yaw is applied first, then the pitch, then the roll.
        """
        roll, pitch = axis_rotation(2, self.roll), axis_rotation(0, self.pitch)
        return roll @ pitch @ axis_rotation(1, self.yaw)


def posed_vertices(figure: Figure, expression: np.ndarray, pose: Pose) -> np.ndarray:
    """Returns the vertices of a person with an expression and a pose.

    Args:
      figure: The person.
      expression: Expression coefficients in [0, 1], (E,).
      pose: Pose of head and shoulders.

    Returns:
      Vertices in the world frame, float32 (N, 3), in cm.
    """
    head = figure.model.expressed(figure.shape, expression)
    vertices = np.concatenate([head, figure.worn]) - figure.pivot.astype(np.float32)
    num_turned = len(head) + figure.num_attached
    head_turn = pose.rotation.T.astype(np.float32)
    torso_turn = axis_rotation(1, pose.torso).T.astype(np.float32)
    return np.concatenate(
        [vertices[:num_turned] @ head_turn, vertices[num_turned:] @ torso_turn]
    )


def aim(
    figure: Figure,
    pose: Pose,
    *,
    height: int,
    width: int,
    face_size: float,
    center: tuple[float, float],
    distance: float = 80.0,
) -> Camera:
    """Returns a camera that shows a face at a given position and size.

    Args:
      figure: The person.
      pose: Pose of the head. The camera is aimed at the neutral expression.
      height: Height of the image, in pixels.
      width: Width of the image, in pixels.
      face_size: sqrt(width * height) of a mean face seen from the front, in pixels.
      center: x and y of the centre of the face box, in source pixels.
      distance: Distance of the camera, in cm. Infinity means weak perspective.
    """
    camera = Camera(height, width, face_size / FACE_CM, (0.0, 0.0), distance)
    landmarks = figure.shape[figure.model.landmarks68] - figure.pivot
    box = topology.face_box(camera.project(landmarks @ pose.rotation.T))
    x, y = center[0] - (box[0] + box[2]) / 2, center[1] - (box[1] + box[3]) / 2
    return dataclasses.replace(camera, center=(float(x), float(y)))
