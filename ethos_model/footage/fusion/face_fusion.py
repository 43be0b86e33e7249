"""Reconstructs a face from the frames of a video: `FaceFusion`."""

from __future__ import annotations

import dataclasses
from collections import deque
from typing import Final

import cv2
import numpy as np

from ethos_data import crop, topology
from ethos_data.grey import LUMA
from ethos_model.footage.fusion import warping
from ethos_model.footage.fusion.merging import Merged, luma, moved
from ethos_model.footage.fusion.network import FusionNetwork
from ethos_model.footage.fusion.warping import FaceMap
from ethos_model.footage.noise import noise_of
from ethos_model.predict import Face

REMEMBERED: Final = 48
"""Number of frames for which `FaceFusion.result` can be called."""

TYPICAL_LUMA: Final = 0.45
"""Mean brightness of a face to which frames are multiplied before they are merged."""

DARKEST_LUMA: Final = 0.4
"""Darker faces are brightened to this mean brightness in the result."""

MAX_GAIN: Final = 60.0
"""Largest factor by which a frame is multiplied."""

TURNED: Final = 0.05
"""Root mean square of what an affine map leaves at the landmarks, in face sizes, from
which the state is moved to the geometry of the new frame."""

GROWN: Final = 1.25
"""Change of the face size from which the state is moved to the new geometry."""

DOUBTFUL_SIGMA: Final = 0.05
"""Mean standard deviation of the landmarks, in face sizes, at which the weight of a
frame is half."""

CONTRIBUTES: Final = 0.2
"""Mean weight from which a frame counts as one that contributed."""


@dataclasses.dataclass(frozen=True)
class FusedFace:
    """A face reconstructed from several frames.

    Attributes:
      image: uint8 (S, S, 3) RGB, in the pose of the frame. It covers `window`.
      sigma: float32 (S, S), standard deviation of the brightness of `image`, in grey
        levels. The model card states how many of the errors are smaller; after strong
        H.264 compression it is too small.
      window: The square of the frame that the image shows.
      frames: Number of frames that contributed.
      gain: Brightness of `image` divided by that of the frame. It is 1 unless the face
        is darker than `DARKEST_LUMA`.
    """

    image: np.ndarray
    sigma: np.ndarray
    window: crop.Window
    frames: int
    gain: float


@dataclasses.dataclass(frozen=True)
class _View:
    """A frame's face as it was added.

    Attributes:
      face: The argument of `add`.
      pixels: uint8 (N, N, 3), its window in the frame's own pixels, N <= S.
      inside: float32 (N, N), 1 inside the frame. None if the whole window is inside.
      gain: Factor that makes its brightness typical.
      points: float64 (68, 2), the landmarks in pixels of the picture of S x S.
    """

    face: Face
    pixels: np.ndarray
    inside: np.ndarray | None
    gain: float
    points: np.ndarray

    @property
    def face_size(self) -> float:
        """The face size in pixels of the picture of S x S."""
        return float(topology.face_size(topology.face_box(self.points)))


class FaceFusion:
    """Reconstructs the face of one person from the frames seen so far.

    Each frame is moved to the geometry of an earlier one with the landmarks and optical
    flow, compared with the mean of the frames, and merged. A small network combines the
    frame, the mean and the sharp mean. Time and memory per frame are constant.

    Example:
      fusion = FaceFusion()                  # one instance for each person
      for frame, face in frames_and_faces:   # in the order of time
          fusion.add(frame, face)
      fused = fusion.result(face)
      fused.image                            # uint8 (224, 224, 3)
    """

    def __init__(self, size: int = 224, *, network: FusionNetwork | None = None):
        """Starts without frames.

        Args:
          size: Width and height of the result in pixels, a multiple of 16. It must be
            that of the network; the shipped one returns 224 pixels.
          network: The network; None for the shipped one.
        """
        if size < 32 or size % 16:
            raise ValueError(
                f"size must be a multiple of 16, at least 32. Received: {size}"
            )
        self._size = size
        self._network = network
        self._flow = warping.make_flow()
        self._merged = Merged.empty(size)
        self._anchor: np.ndarray | None = None
        self._views: deque[_View] = deque(maxlen=REMEMBERED)
        self._last_map: FaceMap | None = None
        self._weights: deque[float] = deque(maxlen=REMEMBERED)

    def add(self, frame_rgb: np.ndarray, face: Face) -> float:
        """Adds a frame.

        Args:
          frame_rgb: uint8 (H, W, 3).
          face: The face in this frame. Frames must be added in the order of time.

        Returns:
          Mean weight of the frame in the face, 0 to 1. It is small for a frame that
          shows something else than the frames before.

        Raises:
          ValueError: The frame is not RGB uint8, or the landmarks are not finite.
        """
        view = self._view(frame_rgb, face)
        self._views.append(view)
        if self._anchor is None:
            self._anchor = view.points
            grey = luma(view.pixels.astype(np.float32))
            self._merged.expect(noise_of(grey) * view.gain / 255)
        mapping = self._mapping(view)
        if self._has_turned(view, mapping.affine):
            self._merged = self._merged.moved(mapping.inverse().positions())
            self._anchor = view.points
            mapping = FaceMap.identity(self._size)
        self._last_map = mapping
        image, inside = self._sampled(view, mapping.positions())
        sigma = float(np.mean(face.uncertainty)) / max(
            float(topology.face_size(topology.face_box(face.landmarks))), 1e-6
        )
        doubt = np.float32(1 / (1 + (sigma / DOUBTFUL_SIGMA) ** 2))
        weight = self._merged.agreement(image) * inside * doubt
        self._merged.add(image, weight)
        mean_weight = cv2.mean(weight, face_mask(self._anchor, self._size))[0]
        self._weights.append(mean_weight)
        return mean_weight

    def result(self, face: Face) -> FusedFace:
        """Reconstructs the face in the pose and light of a frame.

        Args:
          face: One of the last `REMEMBERED` faces that were added.

        Raises:
          ValueError: The face was not added, or too many were added since, or the
            network is made for another size.
        """
        view = self._find(face)
        network = self._network or FusionNetwork.shipped()
        self._network = network
        image, sigma = network(self.inputs(face))
        brightness = TYPICAL_LUMA / view.gain
        shown = max(brightness, DARKEST_LUMA)
        scale = 255 * shown / TYPICAL_LUMA
        return FusedFace(
            np.clip(np.rint(scale * image), 0, 255).astype(np.uint8),
            (scale * sigma).astype(np.float32),
            face.window,
            int(sum(weight > CONTRIBUTES for weight in self._weights)),
            shown / brightness,
        )

    def inputs(self, face: Face) -> np.ndarray:
        """Returns the input of the network, float32 (S, S, 12).

        The channels are the frame, the mean and the sharp mean in RGB with typical
        brightness; the number of frames at each pixel as log2(1 + n) / 5; the blurred
        difference of frame and mean; and the spread of the frames.

        Args:
          face: A face as in `result`.
        """
        view = self._find(face)
        if view is self._views[-1] and self._last_map is not None:
            mapping = self._last_map
        else:
            mapping = self._mapping(view)
        back = mapping.inverse().positions()
        frame = self._at_full_size(view)
        mean = moved(self._merged.mean, back)
        sharp = moved(self._merged.sharp(), back)
        weight = moved(self._merged.weight, back)
        spread = moved(self._merged.spread, back)
        difference = cv2.GaussianBlur(np.abs(luma(frame) - luma(mean)), (0, 0), 3)
        return cv2.merge(
            [frame, mean, sharp, np.log2(1 + weight) / 5, difference, np.sqrt(spread)]
        )

    def _find(self, face: Face) -> _View:
        for view in reversed(self._views):
            if view.face is face:
                return view
        raise ValueError(
            f"The face must be one of the last {REMEMBERED} that were added"
        )

    def _view(self, frame_rgb: np.ndarray, face: Face) -> _View:
        if frame_rgb.dtype != np.uint8 or frame_rgb.shape[2:] != (3,):
            raise ValueError(
                "The frame must be uint8 (H, W, 3). "
                f"Received: {frame_rgb.dtype} {frame_rgb.shape}"
            )
        if not np.isfinite(face.landmarks).all():
            raise ValueError("The landmarks must be finite")
        pixels = crop.cut(frame_rgb, face.window)
        inside = None
        height, width = frame_rgb.shape[:2]
        left, top, size = face.window.left, face.window.top, face.window.size
        if min(left, top) < -0.5 or left + size > width or top + size > height:
            inside = crop.cut(np.ones((height, width), np.float32), face.window)
        if pixels.shape[0] > self._size:
            pixels = crop.resize(pixels, self._size)
            if inside is not None:
                inside = cv2.resize(inside, (self._size, self._size))
        points = face.window.to_normalized(face.landmarks[:, :2]) * self._size - 0.5
        gain = self._gain(pixels, points, inside)
        return _View(face, pixels, inside, gain, points)

    def _gain(
        self, pixels: np.ndarray, points: np.ndarray, inside: np.ndarray | None
    ) -> float:
        """Returns the factor that makes the brightness of a face typical."""
        mask = face_mask(points, self._size)
        mask = cv2.resize(mask, pixels.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        if inside is not None:
            mask = mask * (inside > 0.5)
        mean = np.dot(LUMA, cv2.mean(pixels, mask if mask.any() else None)[:3]) / 255
        return float(np.clip(TYPICAL_LUMA / max(mean, 1e-6), 0.2, MAX_GAIN))

    def _has_turned(self, view: _View, affine: np.ndarray) -> bool:
        """Whether a frame, which `affine` maps to the state, needs a new geometry."""
        assert self._anchor is not None
        left = view.points - (self._anchor @ affine[:, :2].T + affine[:, 2])
        rms = float(np.sqrt((left**2).sum(1).mean())) / view.face_size
        grown = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
        return rms > TURNED or not 1 / GROWN < grown < GROWN

    def _mapping(self, view: _View) -> FaceMap:
        """Returns the map from the state's pixels to those of a frame, refined."""
        assert self._anchor is not None
        if view.points is self._anchor:
            return FaceMap.identity(self._size)
        mapping = warping.landmark_map(view.points, self._anchor, self._size)
        half = (self._size // 2, self._size // 2)
        image, _ = self._sampled(view, mapping.positions(self._size // 2))
        return warping.refine(
            self._flow,
            _levels(cv2.resize(luma(self._merged.mean), half)),
            _levels(luma(image)),
            mapping,
            view.face_size,
        )

    def _sampled(
        self, view: _View, positions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray | np.float32]:
        """Samples a frame at some positions. Returns the image and what is inside."""
        scale = view.pixels.shape[0] / self._size
        positions = (positions + np.float32(0.5)) * np.float32(scale) - np.float32(0.5)
        pixels = warping.sample(view.pixels, positions, method=cv2.INTER_CUBIC)
        image = pixels.astype(np.float32) * np.float32(view.gain / 255)
        if view.inside is None:
            return image, np.float32(1)
        beyond = cv2.BORDER_CONSTANT  # 0
        return image, warping.sample(view.inside, positions, border=beyond)

    def _at_full_size(self, view: _View) -> np.ndarray:
        shape = (self._size, self._size)
        pixels = cv2.resize(view.pixels, shape, interpolation=cv2.INTER_CUBIC)
        return pixels.astype(np.float32) * np.float32(view.gain / 255)


def face_mask(points: np.ndarray, size: int) -> np.ndarray:
    """Returns the convex hull of landmarks as uint8 (size, size), 0 or 1.

    Args:
      points: (68, 2) landmarks in pixels.
      size: Width and height of the mask.
    """
    hull = cv2.convexHull(np.rint(points).astype(np.int32))
    return cv2.fillConvexPoly(np.zeros((size, size), np.uint8), hull, 1)


def _levels(plane: np.ndarray) -> np.ndarray:
    return np.clip(255 * plane, 0, 255).astype(np.uint8)
