"""Face detectors: from an image to raw boxes and scores.

Each detector has its own idea of a face's box: with or without the forehead, square or
not. A `BoxMap` converts it to the face box, the tight box of the 68 landmarks, so that
the rest of the project knows only that box.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from typing import Final, Protocol

import cv2
import numpy as np

from ethos_data.errors import EthosError
from ethos_model import runner

YUNET: Final = "yunet"
"""Name of the detector that is part of ETHOS."""

MODEL: Final = pathlib.Path(__file__).with_name("assets") / "yunet.tflite"
"""Its file, which `tools/convert_detector.py` writes."""

STRIDES: Final = (8, 16, 32)
"""Sides of the cells for which YuNet returns a box each, in pixels."""

LEAST_SCORE: Final = 0.2
"""Score below which YuNet's boxes are dropped."""

MAX_OVERLAP: Final = 0.3
"""IoU with a better box from which a box is dropped, as in libfacedetection."""


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
# landmarks for the people that were not used to fit: 0.68 before and 0.87 after, with
# OpenCV's file 0.68 before and 0.88 after.
BOX_MAP: Final = BoxMap(dx=0.016, dy=0.144, width=1.077, height=0.784)
OPENCV_BOX_MAP: Final = BoxMap(dx=0.007, dy=0.134, width=1.080, height=0.766)


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


class YunetDetector:
    """YuNet (Wu et al., 2023) with the weights that are part of ETHOS.

    LiteRT runs it. An image of 640 x 360 takes 6 ms of one core. Instances may be used
    by several threads.
    """

    name = YUNET
    box_map = BOX_MAP
    min_score = 0.5

    def __init__(self) -> None:
        self._run = runner.litert(str(MODEL), "serving_default")

    def detect(self, image_rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        height, width = image_rgb.shape[:2]
        step = STRIDES[-1]
        # The first layer needs a row and a column of zeros at the top and left.
        shape = (1, -(-height // step) * step + 1, -(-width // step) * step + 1, 3)
        padded = np.zeros(shape, np.float32)
        padded[0, 1 : height + 1, 1 : width + 1] = image_rgb
        outputs = self._run(image=padded)
        levels = [
            decoded(
                outputs[f"score{stride}"][0, ..., 0], outputs[f"box{stride}"][0], stride
            )
            for stride in STRIDES
        ]
        boxes, scores = (np.concatenate(parts) for parts in zip(*levels, strict=True))
        sizes = boxes[:, 2:] - boxes[:, :2]
        kept = cv2.dnn.NMSBoxes(
            np.concatenate([boxes[:, :2], sizes], axis=1).tolist(),
            scores.tolist(),
            LEAST_SCORE,
            MAX_OVERLAP,
        )
        order = np.asarray(kept, int).reshape(-1)
        return boxes[order], scores[order]


def decoded(
    scores: np.ndarray, boxes: np.ndarray, stride: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the boxes of the cells of one stride with at least `LEAST_SCORE`.

    Args:
      scores: float32 (H, W), scores of the cells.
      boxes: float32 (H, W, 4), offset of the centre from the corner of the cell, and
        logarithm of width and height, all in strides.
      stride: Side of a cell in pixels.

    Returns:
      float64 (N, 4), x0, y0, x1, y1 in pixels, and float64 (N,), their scores.
    """
    rows, columns = np.nonzero(scores >= LEAST_SCORE)
    chosen = boxes[rows, columns].astype(np.float64)
    center = stride * (chosen[:, :2] + np.stack([columns, rows], axis=1))
    half = stride * np.exp(chosen[:, 2:]) / 2
    edges = np.concatenate([center - half, center + half], axis=1)
    return edges, scores[rows, columns].astype(np.float64)


class OpenCVDetector:
    """A YuNet through `cv2.FaceDetectorYN`, from a user's model file.

    OpenCV contains no such file. `face_detection_yunet_2023mar.onnx` from OpenCV's
    model zoo is the usual one.
    """

    name = "YuNet"
    box_map = OPENCV_BOX_MAP
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


def make_detector(spec: str = YUNET) -> Detector:
    """Creates a detector by name.

    Args:
      spec: "yunet", or the path of a YuNet .onnx file.

    Raises:
      EthosError: `spec` is neither, or the file does not exist or is no YuNet model.
    """
    if spec == YUNET:
        return YunetDetector()
    if spec.endswith(".onnx"):
        return OpenCVDetector(spec)
    raise EthosError(
        f'A detector is "{YUNET}" or the path of a YuNet .onnx file. Received: {spec}'
    )
