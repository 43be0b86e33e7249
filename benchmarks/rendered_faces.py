"""Rendered heads with exact pose and openness, and what is measured on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Final

import cv2
import numpy as np

from ethos_data import topology
from ethos_data.degrade import source
from ethos_data.heads.figure import Figure, sample_figure
from ethos_data.heads.model import HeadModel
from ethos_data.heads.pose import FACE_CM, Pose
from ethos_data.heads.render import Rendering
from ethos_data.heads.scene import Scene, render_frames, sample_scene
from ethos_data.progress import bar
from ethos_model.footage.measures import blinks, fitting, head, openness, pose
from ethos_model.predict import Face, FacePredictor

CONDITIONS: Final = ("exact", "clean", *source.CONDITIONS)
"""Where the landmarks come from: the renderer, or the network and a clean or degraded
frame."""

FRAMES: Final = 8
"""Number of frames of each person."""

TRACK_FRAMES: Final = 100
"""Number of frames of a video for the blinks."""

FPS: Final = 25.0
"""Frame rate of the rendered videos, in frames/s."""

LIMITS: Final = (75.0, 30.0, 30.0)
"""Largest yaw, pitch and roll, in degrees."""

SIZE: Final = 200
"""Nominal height of a frame, in pixels. The median face size is 88 pixels, as in
YouTube Faces."""

EXACT_SIGMA: Final = 0.002
"""Uncertainty that is stated for exact landmarks, in face sizes."""

RIGID: Final = np.r_[0:5, 12:17, 27:36, 36, 39, 42, 45]
"""Landmarks that expressions hardly move. Their centre is the origin of the head."""

_LIDS: Final = ((37, 38, 40, 41), (43, 44, 46, 47), (61, 62, 63, 65, 66, 67))
"""Landmarks of the right eye, the left eye and the mouth that the openness uses."""


@dataclasses.dataclass(frozen=True, eq=False)
class Faces:
    """N rendered faces and their measures. Dictionaries are by condition.

    Attributes:
      true_angles: Yaw, pitch and roll, (N, 3), in degrees.
      true_openness: Openness of right eye, left eye and mouth, (N, 3).
      visible_openings: bool (N, 3), True if all landmarks of the opening are visible.
      angles: Measured yaw, pitch and roll, (N, 3), in degrees.
      sigmas: Stated standard deviations of `angles`, (N, 3), in degrees.
      raw_sigmas: The same without the calibration, (N, 3), in degrees.
      turns: Result of `pose.turn`, (N,).
      pnp_angles: Angles of cv2.solvePnP with the mean head, (N, 3), in degrees.
      openness: Measured openness, (N, 3).
      openness_sigma: Stated standard deviations of `openness`, (N, 3).
      raw_openness_sigma: The same without the calibration, (N, 3).
      aspect_ratio: Eye aspect ratios in the image divided by `openness.WIDE_EYE`,
        (N, 2).
    """

    true_angles: np.ndarray
    true_openness: np.ndarray
    visible_openings: np.ndarray
    angles: dict[str, np.ndarray]
    sigmas: dict[str, np.ndarray]
    raw_sigmas: dict[str, np.ndarray]
    turns: dict[str, np.ndarray]
    pnp_angles: dict[str, np.ndarray]
    openness: dict[str, np.ndarray]
    openness_sigma: dict[str, np.ndarray]
    raw_openness_sigma: dict[str, np.ndarray]
    aspect_ratio: dict[str, np.ndarray]

    def pose_errors(self, condition: str) -> np.ndarray:
        """Errors of yaw, pitch and roll, (N, 3), in degrees."""
        return _wrapped(self.angles[condition] - self.true_angles)

    def pnp_errors(self, condition: str) -> np.ndarray:
        """Errors of the angles of cv2.solvePnP, (N, 3), in degrees."""
        return _wrapped(self.pnp_angles[condition] - self.true_angles)


def _wrapped(degrees: np.ndarray) -> np.ndarray:
    return (degrees + 180) % 360 - 180


def concatenate(groups: Sequence[Faces]) -> Faces:
    """Joins the faces of several head models."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Faces):
        parts = [getattr(group, field.name) for group in groups]
        values[field.name] = (
            {c: np.concatenate([part[c] for part in parts]) for c in parts[0]}
            if isinstance(parts[0], dict)
            else np.concatenate(parts)
        )
    return Faces(**values)


def models(path: str | None) -> dict[str, HeadModel]:
    """The built-in head and, if a path is given, a morphable head, by name."""
    known = {"built-in head": HeadModel.builtin()}
    if path is not None:
        known["morphable head"] = HeadModel.load(path)
    return known


def zero_rotation(model: HeadModel) -> np.ndarray:
    """What the fit calls the pose of the mean neutral head seen from the front.

    Returns:
      float64 (3, 3). It defines the zero of the angles for this head model.
    """
    points = model.neutral[model.landmarks68].astype(np.float64)
    points -= points[RIGID].mean(axis=0)
    distance = 80.0  # cm
    image = points * (1, -1, 1)
    image[:, :2] /= 1 - points[:, 2:] / distance
    sigma = np.full(len(points), EXACT_SIGMA * FACE_CM)
    return fitting.fit(image, sigma).rotation


def true_angles(
    figure: Figure, head_pose: Pose, distance: float, zero: np.ndarray
) -> tuple[float, float, float]:
    """Yaw, pitch and roll relative to the line of sight to the head, in degrees.

    Args:
      figure: The person.
      head_pose: Pose in the scene, relative to the optical axis.
      distance: Distance of the camera from the pivot of the head, in cm.
      zero: Result of `zero_rotation`.
    """
    neutral = figure.shape[figure.model.landmarks68] - figure.pivot
    center = head_pose.rotation @ neutral[RIGID].mean(axis=0)
    sight = (0, 0, distance) - center
    sight /= np.linalg.norm(sight)
    ahead = np.array([0.0, 0.0, 1.0])
    axis = np.cross(sight, ahead)
    sine = float(np.linalg.norm(axis))
    angle = np.arctan2(sine, sight @ ahead)
    to_sight = cv2.Rodrigues(axis * (angle / sine if sine else 0.0))[0]
    return pose.angles_of(to_sight @ head_pose.rotation @ zero)


def _random_scene(figure: Figure, rng: np.random.Generator, frames: int) -> Scene:
    scene = sample_scene(figure, rng, num_frames=frames, size=SIZE)
    angles = rng.uniform(-1, 1, (frames, 3)) * LIMITS
    poses = tuple(Pose(*row, torso=0.4 * row[0]) for row in angles.tolist())
    return dataclasses.replace(scene, poses=poses)


@dataclasses.dataclass(frozen=True, eq=False)
class RenderedFace:
    """A rendered face, and what the network predicts for it.

    Attributes:
      figure: The person.
      scene: The scene.
      index: Index of the frame in the scene.
      frame: The rendered frame.
      predicted: Prediction of the network for the clean and each degraded frame, inside
        the true face box, by condition.
    """

    figure: Figure
    scene: Scene
    index: int
    frame: Rendering
    predicted: dict[str, Face]


def render_people(
    model: HeadModel, num_people: int, seed: int
) -> Iterator[RenderedFace]:
    """Renders random people and predicts their landmarks.

    Args:
      model: Head model.
      num_people: Number of people. Each has `FRAMES` frames.
      seed: Random seed.
    """
    predictor = FacePredictor()
    with bar(num_people * FRAMES, "faces") as progress:
        for person in range(num_people):
            rng = np.random.default_rng((seed, person, 0x9053))
            figure = sample_figure(model, rng)
            scene = _random_scene(figure, rng, FRAMES)
            for t, frame in enumerate(render_frames(figure, scene)):
                predicted = _predict(predictor, frame, rng)
                yield RenderedFace(figure, scene, t, frame, predicted)
                progress.update(1)


def _predict(
    predictor: FacePredictor, frame: Rendering, rng: np.random.Generator
) -> dict[str, Face]:
    box = topology.face_box(frame.landmarks)
    faces = {}
    for condition in CONDITIONS[1:]:
        image = frame.image
        if condition in source.CONDITIONS:
            image = source.CONDITIONS[condition](image, rng)
        faces[condition] = predictor.predict(image, [box])[0]
    return faces


def measure_people(model: HeadModel, num_people: int, seed: int) -> Faces:
    """Renders and measures random people; see `render_people` for the arguments."""
    zero = zero_rotation(model)
    rows = [
        (_truth(face, zero), _measures(face))
        for face in render_people(model, num_people, seed)
    ]
    truths, measured = zip(*rows, strict=True)
    names = [field.name for field in dataclasses.fields(Faces)]
    fixed = [np.array(values) for values in zip(*truths, strict=True)]
    by_condition = [
        {c: np.array([face[c][k] for face in measured]) for c in CONDITIONS}
        for k in range(len(names) - len(fixed))
    ]
    return Faces(*fixed, *by_condition)


def _truth(face: RenderedFace, zero: np.ndarray) -> tuple[Any, ...]:
    """The first three attributes of `Faces` for one frame."""
    figure, scene, t = face.figure, face.scene, face.index
    shape = figure.model.expressed(figure.shape, scene.expressions[t])
    landmarks = shape[figure.model.landmarks68].astype(np.float64)
    return (
        true_angles(figure, scene.poses[t], scene.distance, zero),
        openness.exact_openness(landmarks),
        [bool(face.frame.visible[list(lids)].all()) for lids in _LIDS],
    )


def _measures(face: RenderedFace) -> dict[str, tuple[Any, ...]]:
    """The other attributes of `Faces` for one frame, by condition."""
    exact = face.frame.landmarks
    focal = float(face.scene.face_size[face.index] / FACE_CM * face.scene.distance)
    size = float(topology.face_size(topology.face_box(exact)))
    sigma = np.full(topology.NUM_LANDMARKS, EXACT_SIGMA * size)
    return {"exact": _measure_landmarks(exact, sigma, focal)} | {
        condition: _measure_landmarks(found.landmarks, found.uncertainty, focal)
        for condition, found in face.predicted.items()
    }


def _measure_landmarks(
    landmarks: np.ndarray, sigma: np.ndarray, focal: float
) -> tuple[Any, ...]:
    fitted = fitting.fit(landmarks, sigma)
    opened = openness.measure_openness(landmarks, sigma, fitted)
    deviations = [opened.right_eye_sigma, opened.left_eye_sigma, opened.mouth_sigma]
    factors = [openness.SIGMA_FACTOR[part] for part in ("eye", "eye", "mouth")]
    return (
        pose.angles_of(fitted.rotation),
        pose.stated_sigmas(fitted),
        pose.fit_sigmas(fitted),
        pose.turn(fitted.rotation),
        pnp_angles(landmarks, focal),
        [opened.right_eye, opened.left_eye, opened.mouth],
        deviations,
        np.array(deviations) / factors,
        [aspect_ratio(landmarks, first) / openness.WIDE_EYE for first in (36, 42)],
    )


def pnp_angles(landmarks: np.ndarray, focal: float) -> tuple[float, float, float]:
    """Angles of cv2.solvePnP with the mean head, without weights and shape.

    Args:
      landmarks: (68, 3), in source pixels.
      focal: Focal length, in source pixels.

    Returns:
      Yaw, pitch and roll relative to the line of sight, in degrees.
    """
    flip = np.diag([1.0, -1.0, -1.0])
    xy = landmarks[:, :2].astype(np.float64)
    # The origin of the camera's axes is in the face, so they follow the line of sight.
    camera = np.diag([focal, focal, 1.0])
    camera[:2, 2] = xy[RIGID].mean(axis=0)
    _, vector, _ = cv2.solvePnP(
        head.load().mean @ flip, xy, camera, None, flags=cv2.SOLVEPNP_SQPNP
    )
    return pose.angles_of(flip @ cv2.Rodrigues(vector)[0] @ flip)


def aspect_ratio(landmarks: np.ndarray, first: int) -> float:
    """Eye aspect ratio in the image (Soukupová and Čech, 2016).

    Args:
      landmarks: (68, 3), in source pixels.
      first: Index of the first landmark of the eye, 36 or 42.
    """
    p = landmarks[first : first + 6, :2].astype(np.float64)
    heights = np.linalg.norm(p[1] - p[5]) + np.linalg.norm(p[2] - p[4])
    return float(heights / (2 * max(float(np.linalg.norm(p[0] - p[3])), 1e-6)))


def count_blinks(model: HeadModel, num_tracks: int, seed: int) -> dict[str, Any]:
    """Counts the blinks that are found in rendered video.

    Returns:
      A row of a table.
    """
    predictor = FacePredictor()
    existing = found = other = 0
    with bar(num_tracks, "videos") as progress:
        for track in range(num_tracks):
            rng = np.random.default_rng((seed, track, 0xB11))
            figure = sample_figure(model, rng)
            scene = sample_scene(figure, rng, num_frames=TRACK_FRAMES, size=SIZE)
            times = np.arange(TRACK_FRAMES) / FPS
            values = np.array(list(_eyes(predictor, figure, scene)))
            detected = blinks(times, values[:, 0], values[:, 1])
            true = _true_blinks(figure, scene)
            # The closure must be complete within the video.
            true = [t for t in true if 0.1 < t < times[-1] - 0.2]
            hits = [
                [b.start - 0.04 <= t <= b.end + 0.04 for t in true] for b in detected
            ]
            existing += len(true)
            found += sum(any(column) for column in zip(*hits, strict=True))
            other += sum(not any(row) for row in hits)
            progress.update(1)
    return {"blinks": existing, "blinks found": found, "other drops": other}


def _eyes(
    predictor: FacePredictor, figure: Figure, scene: Scene
) -> Iterator[tuple[float, float]]:
    """Mean openness of the eyes, weighted by their uncertainty, and its sigma."""
    box = None
    for frame in render_frames(figure, scene):
        if box is None:
            box = topology.face_box(frame.landmarks)
        face = predictor.predict(frame.image, [box])[0]
        box = topology.face_box(face.landmarks)
        fitted = fitting.fit(face.landmarks, face.uncertainty)
        opened = openness.measure_openness(face.landmarks, face.uncertainty, fitted)
        weights = np.array([opened.right_eye_sigma, opened.left_eye_sigma]) ** -2.0
        mean = weights @ [opened.right_eye, opened.left_eye] / weights.sum()
        yield float(mean), float(weights.sum() ** -0.5)


def _true_blinks(figure: Figure, scene: Scene) -> list[float]:
    """Times at which the lids are completely closed by a blink, in s."""
    names = figure.model.expression_names
    lids = [k for k, name in enumerate(names) if name.startswith("eyeBlink")]
    closed = scene.expressions[:, lids].mean(axis=1)
    # A blink of `scene.BLINK` is complete in one frame and nearly so in the next.
    return [
        t / FPS
        for t in range(1, len(closed) - 1)
        if closed[t] > 0.95 and closed[t - 1] < 0.95 and closed[t + 1] < 0.97
    ]
