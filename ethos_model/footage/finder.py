"""Face detectors behind one small interface, all speaking of ETHOS' face box.

Every detector frames a face in its own way: with or without forehead, square or not.
Its box is mapped here, once, to the tight box of the 68 landmarks, so that tracker,
evaluation and predictor need to know of one box only.

    detector = make_detector("mtcnn")               # PyPI mtcnn: brings its weights
    detector = make_detector("face_detection_yunet_2023mar.onnx")  # OpenCV's YuNet
    for face in detector.detect(frame_rgb): print(face.box, face.score)
"""

from __future__ import annotations

import dataclasses
import os
from typing import Final, Protocol

import cv2
import numpy as np

from ethos_data.errors import EthosError
from ethos_data.quiet import import_tensorflow

MAX_SIDE: Final = 640
"""Longer side, pixels, of the picture that detectors search. Larger frames are shrunk
to it. With MTCNN's smallest face of 20 px, faces from 1/32 of the frame's width are
found. At 640 x 360 a search costs 78 ms with MTCNN, 5 ms with YuNet."""


@dataclasses.dataclass(frozen=True)
class Detection:
    """One face that a detector found.

    Attributes:
      box: float64 (4,), the face box (tight box of the 68 landmarks): x0, y0, x1, y1 in
        source pixels. May reach over the frame's edge.
      score: the detector's own confidence, 0 to 1.
    """

    box: np.ndarray
    score: float


class Detector(Protocol):
    """What the tracker asks of a detector."""

    name: str

    def detect(self, frame_rgb: np.ndarray) -> list[Detection]:
        """Finds faces in uint8 (H, W, 3) RGB; surest first; [] when there are none."""
        ...


@dataclasses.dataclass(frozen=True)
class BoxMap:
    """From a detector's box to the face box, in units of the detector's box.

    Attributes:
      dx: shift of the centre over the width of the detector's box.
      dy: shift of the centre over its height.
      width: face box width over the width of the detector's box.
      height: the same of the heights.
    """

    dx: float = 0.0
    dy: float = 0.0
    width: float = 1.0
    height: float = 1.0

    def to_face_box(self, raw: np.ndarray) -> np.ndarray:
        """Maps (..., 4) x0, y0, x1, y1 of a detector to face boxes, float64."""
        raw = np.asarray(raw, np.float64)
        extent = raw[..., 2:] - raw[..., :2]
        center = (raw[..., 2:] + raw[..., :2]) / 2 + extent * (self.dx, self.dy)
        half = extent * (self.width, self.height) / 2
        return np.concatenate([center - half, center + half], axis=-1)


# Least squares over 1,925 real frames of 289 people, half of them to fit and half to
# judge: benchmarks/detect_calibration.py. Median IoU with the landmarks' box of people
# not fitted on: MTCNN 0.66 before, 0.87 after; YuNet 0.68 before, 0.88 after.
MTCNN_BOX_MAP: Final = BoxMap(dx=0.028, dy=0.145, width=1.111, height=0.795)
YUNET_BOX_MAP: Final = BoxMap(dx=0.007, dy=0.134, width=1.080, height=0.766)


def shrunk(frame_rgb: np.ndarray, max_side: int) -> tuple[np.ndarray, float]:
    """The frame at a longer side of at most max_side; source pixels per its pixel."""
    height, width = frame_rgb.shape[:2]
    scale = max(height, width) / max_side
    if scale <= 1:
        return np.ascontiguousarray(frame_rgb), 1.0
    size = (max(1, round(width / scale)), max(1, round(height / scale)))
    return cv2.resize(frame_rgb, size, interpolation=cv2.INTER_AREA), scale


def to_source(boxes: np.ndarray, scale: float) -> np.ndarray:
    """Boxes (N, 4) of a shrunk frame in source pixels (pixel centres at integers)."""
    return (np.asarray(boxes, np.float64) + 0.5) * scale - 0.5


class MtcnnDetector:
    """MTCNN (Zhang et al., 2016), the PyPI package `mtcnn`, which carries its weights.

    Imports TensorFlow when it is made: about three seconds.
    """

    name = "MTCNN"

    def __init__(self, *, max_side: int = MAX_SIDE, min_score: float = 0.6) -> None:
        # Low, because the tracker asks the landmark network as well: heavily coded
        # faces score 0.5 to 0.9 here, and of 95 faceless frames one scored 0.7.
        import_tensorflow()
        from mtcnn import MTCNN

        self._network = MTCNN()
        self._max_side = max_side
        self._min_score = min_score

    def raw(self, frame_rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """MTCNN's own boxes (N, 4) in source pixels and scores (N,)."""
        small, scale = shrunk(frame_rgb, self._max_side)
        found = self._network.detect_faces(
            small,
            box_format="xyxy",
            output_type="numpy",
            fit_to_image=False,
            threshold_onet=self._min_score,
        )
        # Columns: image, x0, y0, x1, y1, score, then five points.
        return to_source(found[:, 1:5], scale), found[:, 5]

    def detect(self, frame_rgb: np.ndarray) -> list[Detection]:
        return _detections(*self.raw(frame_rgb), MTCNN_BOX_MAP)


class YunetDetector:
    """YuNet (Wu et al., 2023) as `cv2.FaceDetectorYN`, from a model file of the user's.

    Fifteen times faster than MTCNN and without TensorFlow, but OpenCV ships no file:
    `face_detection_yunet_2023mar.onnx` of OpenCV's model zoo is the usual one.
    """

    name = "YuNet"

    def __init__(
        self, path: str, *, max_side: int = MAX_SIDE, min_score: float = 0.7
    ) -> None:
        if not os.path.isfile(path):
            raise EthosError(f"{path}: there is no such YuNet model file")
        try:
            self._network = cv2.FaceDetectorYN.create(path, "", (320, 320), min_score)
            self._network.detect(np.zeros((320, 320, 3), np.uint8))
        except cv2.error as error:
            reason = str(error).strip().splitlines()[0]
            raise EthosError(f"{path}: not a YuNet model ({reason})") from None
        self._max_side = max_side

    def raw(self, frame_rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """YuNet's own boxes (N, 4) in source pixels and scores (N,)."""
        found, scale = self._search(frame_rgb)
        boxes = np.concatenate([found[:, :2], found[:, :2] + found[:, 2:4]], axis=1)
        return to_source(boxes, scale), found[:, -1]

    def points(self, frame_rgb: np.ndarray) -> np.ndarray:
        """Eyes, tip of the nose and corners of the mouth, the person's right first:
        float (N, 5, 2), x and y in source pixels."""
        found, scale = self._search(frame_rgb)
        return to_source(found[:, 4:14], scale).reshape(-1, 5, 2)

    def _search(self, frame_rgb: np.ndarray) -> tuple[np.ndarray, float]:
        """(N, 15) x, y, width, height, five points, score, and how much was shrunk."""
        small, scale = shrunk(frame_rgb, self._max_side)
        self._network.setInputSize((small.shape[1], small.shape[0]))
        _, found = self._network.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        return np.zeros((0, 15)) if found is None else found, scale

    def detect(self, frame_rgb: np.ndarray) -> list[Detection]:
        return _detections(*self.raw(frame_rgb), YUNET_BOX_MAP)


def _detections(
    raw: np.ndarray, scores: np.ndarray, box_map: BoxMap
) -> list[Detection]:
    boxes = box_map.to_face_box(raw)
    found = [
        Detection(box, float(score))
        for box, score in zip(boxes, scores, strict=True)
        if np.isfinite(box).all() and (box[2:] > box[:2]).all()
    ]
    return sorted(found, key=lambda face: -face.score)


def make_detector(spec: str = "mtcnn", *, max_side: int = MAX_SIDE) -> Detector:
    """A detector by name.

    Args:
      spec: "mtcnn", or the path of a YuNet .onnx file.
      max_side: longer side, pixels, of the picture that is searched.

    Raises:
      EthosError: no such file, or not a face detector.
    """
    if spec == "mtcnn":
        return MtcnnDetector(max_side=max_side)
    if spec.endswith(".onnx"):
        return YunetDetector(spec, max_side=max_side)
    raise EthosError(f'A detector is "mtcnn" or a YuNet .onnx file. Received: {spec}')
