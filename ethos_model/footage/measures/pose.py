"""Head pose: yaw, pitch and roll with standard deviations, and the position.

Axes of the angles: x points to the right of the image, y points up, and z points from
the head to the camera along the line of sight. A face with yaw = pitch = roll = 0 looks
into the camera, wherever it is in the frame.

| angle | positive if |
| --- | --- |
| yaw | the face is turned to the right of the image (the person looks to the left) |
| pitch | the face is turned down |
| roll | the top of the head is tilted to the left of the image |

The rotation from the head to these axes is Rz(roll) Rx(pitch) Ry(yaw), with
right-handed rotations: the yaw is applied first. This is the convention of the rendered
heads (`ethos_data.heads.pose.Pose`).
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from ethos_data import topology
from ethos_model.footage.measures.fitting import HeadFit, rotation_of

EYE_DISTANCE: Final = 63.0
"""Assumed distance between the centres of the eyes, in mm. Mean of adults according to
Dodgson, "Variation and extrema of human interpupillary distance" (2004): 63.4 mm,
standard deviation 3.8 mm."""

SIGMA_FACTOR: Final = (0.52, 1.02, 0.72)
"""Factors on the standard deviations of yaw, pitch and roll that follow from the fit.

The fit takes the error of the head model as independent. With these factors and
`SIGMA_GROWTH`, 68 % of the errors on rendered heads are within one standard deviation,
on clean and on degraded frames: `python -m benchmarks.measures --head_model
ict_facekit_light.npz --seed 1 --calibrate`."""

SIGMA_GROWTH: Final = (3.0, 1.25, 2.0)
"""How much the factors grow with sin**2 of the angle between the face and the line of
sight. The network underestimates its errors when the face is turned away. From the same
calibration."""

_FLIP: Final = np.diag([1.0, -1.0, -1.0])
"""Converts between y up, z to the camera and OpenFace's y down, z from the camera."""


@dataclasses.dataclass(frozen=True)
class HeadPose:
    """Pose of a head relative to the line of sight, and its position.

    Attributes:
      yaw: -180 to 180 degrees, positive to the right of the image.
      pitch: -90 to 90 degrees, positive downwards.
      roll: -180 to 180 degrees, positive if the top is tilted to the left of the image.
      yaw_sigma: Standard deviation of the yaw, in degrees.
      pitch_sigma: Standard deviation of the pitch, in degrees.
      roll_sigma: Standard deviation of the roll, in degrees.
      position: x, y and z of the head's origin (see `head.Head`) relative to the
        camera, in mm. x points right, y down, z away from the camera. The values assume
        that the centres of the eyes are `EYE_DISTANCE` apart, that the optical axis
        goes through the centre of the frame, and the focal length.
    """

    yaw: float
    pitch: float
    roll: float
    yaw_sigma: float
    pitch_sigma: float
    roll_sigma: float
    position: tuple[float, float, float]

    @property
    def rotation(self) -> np.ndarray:
        """Rotation from the head frame to the axes of the angles, float64 (3, 3)."""
        return rotation_matrix(self.yaw, self.pitch, self.roll)

    def openface(self) -> tuple[float, float, float, float, float, float]:
        """Converts the pose to the convention of OpenFace 2.

        OpenFace uses the axes of the camera: x points right, y down, z away from the
        camera, and the rotation is Rx Ry Rz. For a head in the centre of the frame that
        turns about one axis only, Rx = pitch, Ry = -yaw and Rz = -roll. Otherwise
        the angles differ, because OpenFace applies the roll first and measures from the
        optical axis, not from the line of sight.

        Returns:
          pose_Tx, pose_Ty, pose_Tz in mm, and pose_Rx, pose_Ry, pose_Rz in radians.
        """
        sight = _FLIP @ np.array(self.position) / np.linalg.norm(self.position)
        ahead = np.array([0.0, 0.0, -1.0])
        axis = np.cross(ahead, sight)
        sine = np.linalg.norm(axis)
        angle = np.arctan2(sine, ahead @ sight)
        vector = axis * (angle / sine) if sine > 0 else axis
        turned = _FLIP @ rotation_of(vector) @ self.rotation @ _FLIP
        angles = (
            np.arctan2(-turned[1, 2], turned[2, 2]),
            np.arcsin(np.clip(turned[0, 2], -1, 1)),
            np.arctan2(-turned[0, 1], turned[0, 0]),
        )
        x, y, z = self.position
        return x, y, z, float(angles[0]), float(angles[1]), float(angles[2])


def rotation_matrix(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Returns Rz(roll) Rx(pitch) Ry(yaw), float64 (3, 3). Angles in degrees."""
    (cy, cp, cr), (sy, sp, sr) = (
        function(np.radians([yaw, pitch, roll])) for function in (np.cos, np.sin)
    )
    by_yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    by_pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    by_roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return by_roll @ by_pitch @ by_yaw


def angles_of(rotation: np.ndarray) -> tuple[float, float, float]:
    """Inverts `rotation_matrix`.

    Returns:
      Yaw, pitch and roll, in degrees.
    """
    yaw = np.arctan2(-rotation[2, 0], rotation[2, 2])
    pitch = np.arcsin(np.clip(rotation[2, 1], -1, 1))
    roll = np.arctan2(-rotation[0, 1], rotation[1, 1])
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))


def default_focal_length(height: int, width: int) -> float:
    """Focal length that OpenFace 2 assumes for an unknown camera, in source pixels.

    Args:
      height: Height of the frame, in pixels.
      width: Width of the frame, in pixels.
    """
    return (500 * width / 640 + 500 * height / 480) / 2


def head_pose(
    fitted: HeadFit, height: int, width: int, focal_length: float | None = None
) -> HeadPose:
    """Converts a fitted head to angles and position.

    Args:
      fitted: Result of `fitting.fit`.
      height: Height of the frame, in pixels.
      width: Width of the frame, in pixels.
      focal_length: Focal length of the camera, in source pixels. None uses
        `default_focal_length`.
    """
    yaw, pitch, roll = angles_of(fitted.rotation)
    yaw_sigma, pitch_sigma, roll_sigma = stated_sigmas(fitted).tolist()
    focal = focal_length or default_focal_length(height, width)
    right, left = (
        fitted.landmarks[topology.GROUPS[name]].mean(axis=0)
        for name in ("right_eye", "left_eye")
    )
    mm_per_unit = EYE_DISTANCE / float(np.linalg.norm(left - right))
    z = focal * mm_per_unit / fitted.scale
    # Pixel centres are at integers, so the centre of the frame is (width - 1) / 2.
    x, y = (fitted.center - (np.array([width, height]) - 1) / 2) * z / focal
    return HeadPose(
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        yaw_sigma=yaw_sigma,
        pitch_sigma=pitch_sigma,
        roll_sigma=roll_sigma,
        position=(float(x), float(y), z),
    )


def stated_sigmas(fitted: HeadFit) -> np.ndarray:
    """Standard deviations of yaw, pitch and roll, float64 (3,), in degrees.

    They are those of the fit times `SIGMA_FACTOR` * (1 + `SIGMA_GROWTH` * turn).
    """
    growth = 1 + np.array(SIGMA_GROWTH) * turn(fitted.rotation)
    return fit_sigmas(fitted) * np.array(SIGMA_FACTOR) * growth


def fit_sigmas(fitted: HeadFit) -> np.ndarray:
    """Standard deviations that follow from the covariance of the fit.

    Returns:
      float64 (3,): yaw, pitch, roll, in degrees.
    """
    _, pitch, roll = angles_of(fitted.rotation)
    jacobian = angle_jacobian(pitch, roll)
    variances = np.einsum("ij,jk,ik->i", jacobian, fitted.covariance, jacobian)
    return np.degrees(np.sqrt(variances))


def turn(rotation: np.ndarray) -> float:
    """Returns sin**2 of the angle between the face and the line of sight.

    Args:
      rotation: (3, 3), from the head frame to the axes of the angles.
    """
    return float(1 - rotation[2, 2] ** 2)


def angle_jacobian(pitch: float, roll: float) -> np.ndarray:
    """Derivatives of yaw, pitch and roll by a rotation vector.

    The vector is in the axes of the angles. Without the roll, it is (pitch rate, yaw
    rate * cos(pitch), roll rate + yaw rate * sin(pitch)). This function inverts that
    relation.

    Args:
      pitch: In degrees.
      roll: In degrees.

    Returns:
      float64 (3, 3), without unit.
    """
    cosine, sine = np.cos(np.radians(pitch)), np.sin(np.radians(pitch))
    cosine = max(cosine, 1e-6)  # At 90 degrees, yaw and roll are the same rotation.
    rates = np.array([[0, 1 / cosine, 0], [1, 0, 0], [0, -sine / cosine, 1]])
    return rates @ rotation_matrix(0, 0, roll).T
