"""Landmarks between two corrected frames of a person.

Two estimates of each landmark are combined:

- Tracking: the landmarks of each end are followed through the frames by pyramidal
  Lucas-Kanade optical flow (Bouguet, 2001), forward from the first and backward from
  the last corrected frame. The two tracks are blended by the distance to their ends.
- Prediction: the model's landmarks plus its error, which is known at both ends. The
  error is measured in the frame of the face, so that it turns and grows with the face,
  and interpolated linearly.

The prediction is better for most landmarks. The tracks are better where the forward
and the backward track agree within about 1 % of the face size, so their share depends
on this distance. `benchmarks/interpolation.py` compares the estimates.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from typing import Final

import cv2
import numpy as np

from ethos_data.topology import face_box, face_size

FACE: Final = 160.0
"""Face size to which the frames are resized for tracking, in pixels."""

MARGIN: Final = 0.5
"""Part of the frame around the face boxes of both ends that is tracked, in face
sizes."""

TRACKED: Final = 0.8
"""Largest share of the tracks in the result."""

AGREEMENT: Final = 0.012
"""Distance of the forward and the backward track, in face sizes, at which the share of
the tracks is half as large."""

_WINDOW: Final = 25
"""Side of the window that is tracked, in pixels of the resized frame."""

_LEVELS: Final = 3
"""Number of levels of the pyramid besides the frame itself."""

_CRITERIA: Final = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 0.01)


@dataclasses.dataclass(frozen=True)
class Patch:
    """The part of the frames that is tracked.

    Attributes:
      left: Left edge in the frame, in whole source pixels.
      top: Upper edge.
      right: Right edge, exclusive.
      bottom: Lower edge, exclusive.
      scale: Pixels of the patch per source pixel.
    """

    left: int
    top: int
    right: int
    bottom: int
    scale: float

    @classmethod
    def around(
        cls, first: np.ndarray, last: np.ndarray, shape: tuple[int, ...]
    ) -> Patch:
        """The patch that contains both ends.

        Args:
          first: (68, 2), landmarks of the first corrected frame, in source pixels.
          last: (68, 2), landmarks of the last.
          shape: Shape of a frame: rows, columns, ...
        """
        boxes = np.stack([face_box(first), face_box(last)])
        size = float(face_size(boxes).max())
        low = np.floor(boxes[:, :2].min(axis=0) - MARGIN * size).astype(int)
        high = np.ceil(boxes[:, 2:].max(axis=0) + MARGIN * size).astype(int) + 1
        left, top = np.maximum(low, 0).tolist()
        right, bottom = np.minimum(high, (shape[1], shape[0])).tolist()
        return cls(left, top, right, bottom, FACE / max(size, 1e-6))

    def cut(self, image: np.ndarray) -> np.ndarray:
        """The grey patch of a frame uint8 (H, W, 3) RGB, uint8 (h, w)."""
        part = image[self.top : self.bottom, self.left : self.right]
        grey = cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_RGB2GRAY)
        method = cv2.INTER_AREA if self.scale < 1 else cv2.INTER_LINEAR
        return cv2.resize(
            grey, None, fx=self.scale, fy=self.scale, interpolation=method
        )

    def to_patch(self, points: np.ndarray) -> np.ndarray:
        """Converts source pixels into pixels of the patch. Pixel centres are integers
        in both."""
        return (points - (self.left, self.top) + 0.5) * self.scale - 0.5

    def to_source(self, points: np.ndarray) -> np.ndarray:
        """Converts pixels of the patch into source pixels."""
        return (points + 0.5) / self.scale - 0.5 + (self.left, self.top)


def weights(count: int) -> np.ndarray:
    """Share of the last end in each of `count` frames, from 0 to 1, float64
    (count, 1, 1)."""
    return np.linspace(0.0, 1.0, count)[:, None, None]


def linear(first: np.ndarray, last: np.ndarray, count: int) -> np.ndarray:
    """Straight lines between the ends, float64 (count, 68, 2). The baseline."""
    share = weights(count)
    return (1 - share) * first + share * last


def follow(patches: Sequence[np.ndarray], start: np.ndarray) -> np.ndarray:
    """Tracks points from the first of T patches to the last.

    Args:
      patches: T grey patches, uint8 (h, w).
      start: (68, 2), in pixels of the first patch.

    Returns:
      float64 (T, 68, 2), in pixels of the patches.
    """
    tracks = [np.asarray(start, np.float64)]
    for before, after in itertools.pairwise(patches):
        points = tracks[-1].astype(np.float32)[:, None]
        moved, status, _ = cv2.calcOpticalFlowPyrLK(
            before,
            after,
            points,
            None,  # type: ignore[call-overload]
            winSize=(_WINDOW, _WINDOW),
            maxLevel=_LEVELS,
            criteria=_CRITERIA,
        )
        found = status[:, 0] > 0
        flow = (moved - points)[:, 0].astype(np.float64)
        # A point that is lost moves with the others.
        flow[~found] = np.median(flow[found], axis=0) if found.any() else 0.0
        tracks.append(tracks[-1] + flow)
    return np.stack(tracks)


def tracked(
    patches: Sequence[np.ndarray], first: np.ndarray, last: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Tracks from both ends.

    Args:
      patches: T grey patches, those of the ends included.
      first: (68, 2), landmarks in the first patch, in its pixels.
      last: (68, 2), landmarks in the last patch.

    Returns:
      The blended tracks, float64 (T, 68, 2), and the distance between the forward and
      the backward track, float64 (T, 68), in pixels of the patches.
    """
    forward = follow(patches, first)
    backward = follow(patches[::-1], last)[::-1]
    share = weights(len(patches))
    blended = (1 - share) * forward + share * backward
    return blended, np.linalg.norm(forward - backward, axis=-1)


def similarity(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The similarity transform that maps points to others best, in least squares.

    Args:
      points: (N, 2).
      target: (N, 2).

    Returns:
      complex128 (2,): factor and offset of ``factor * z + offset``, with z = x + iy.
    """
    z, w = (np.asarray(p, np.float64) @ (1, 1j) for p in (points, target))
    z0, w0 = z.mean(), w.mean()
    factor = np.vdot(z - z0, w - w0) / max(float(np.vdot(z - z0, z - z0).real), 1e-12)
    return np.array([factor, w0 - factor * z0])


def predicted(
    predictions: np.ndarray, first: np.ndarray, last: np.ndarray
) -> np.ndarray:
    """The model's predictions plus its interpolated error.

    Args:
      predictions: (T, 68, 2), the model's landmarks in all frames, those of the ends
        included, in any unit.
      first: (68, 2), the corrected landmarks of the first frame.
      last: (68, 2), the corrected landmarks of the last frame.

    Returns:
      float64 (T, 68, 2).
    """
    predictions = np.asarray(predictions, np.float64)
    shape = predictions[0]
    turns = [similarity(shape, points)[0] for points in predictions]
    # The errors at the ends, in the pose of the first prediction.
    errors = [
        ((corrected - points) @ (1, 1j)) / turn
        for corrected, points, turn in (
            (first, predictions[0], turns[0]),
            (last, predictions[-1], turns[-1]),
        )
    ]
    share = weights(len(predictions))[..., 0]
    error = (1 - share) * errors[0] + share * errors[1]
    moved = error * np.array(turns)[:, None]
    return predictions + np.stack([moved.real, moved.imag], axis=-1)


def combine(
    tracks: np.ndarray, distances: np.ndarray, predictions: np.ndarray
) -> np.ndarray:
    """Weights both estimates of each landmark.

    Args:
      tracks: (T, 68, 2), result of `tracked`.
      distances: (T, 68), distance of the forward and the backward track, in face sizes.
      predictions: (T, 68, 2), result of `predicted`.

    Returns:
      float64 (T, 68, 2).
    """
    share = TRACKED / (1 + (distances / AGREEMENT) ** 2)
    return share[..., None] * tracks + (1 - share[..., None]) * predictions


@dataclasses.dataclass(frozen=True, eq=False)
class Tracks:
    """The tracked landmarks between two corrected frames.

    Attributes:
      points: float64 (T, 68, 2), in source pixels. The ends are included.
      distances: float64 (T, 68), distance of the forward and the backward track, in
        face sizes.
    """

    points: np.ndarray
    distances: np.ndarray

    @classmethod
    def of(
        cls, images: Iterable[np.ndarray], first: np.ndarray, last: np.ndarray
    ) -> Tracks:
        """Tracks through the frames, which are read one by one.

        Args:
          images: T frames, uint8 (H, W, 3) RGB, from the first to the last corrected
            frame. All have the same size.
          first: (68, 2), landmarks of the first frame, in source pixels.
          last: (68, 2), landmarks of the last frame.
        """
        patch: Patch | None = None
        patches = []
        for image in images:
            patch = patch or Patch.around(first, last, image.shape)
            patches.append(patch.cut(image))
        assert patch is not None
        points, distances = tracked(
            patches, patch.to_patch(first), patch.to_patch(last)
        )
        return cls(patch.to_source(points), distances / FACE)

    @property
    def boxes(self) -> np.ndarray:
        """Face boxes for the model, float64 (T, 4)."""
        return face_box(self.points)

    def with_predictions(self, predictions: np.ndarray) -> np.ndarray:
        """The landmarks of all frames.

        Args:
          predictions: (T, 68, 2), the model's landmarks in `boxes`, in source pixels.

        Returns:
          float64 (T, 68, 2), in source pixels. The ends are the corrected landmarks.
        """
        first, last = self.points[0], self.points[-1]
        moved = predicted(predictions, first, last)
        result = combine(self.points, self.distances, moved)
        result[0], result[-1] = first, last
        return result
