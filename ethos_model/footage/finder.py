"""Finds faces in a frame, also in a dark, blurred, noisy or heavily compressed one.

Three measures help where a plain detector fails. The contrast of each searched image is
stretched. Each frame is searched at several sizes. The landmark network judges weak
detections: its uncertainty separates faces from other things better than the detector's
score does.

    finder = FaceFinder()
    for detection in finder.find(frame_rgb):
        print(detection.box, detection.score)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np

from ethos_data.topology import face_box, iou
from ethos_model.footage.detectors import YUNET, Detector, make_detector
from ethos_model.footage.preprocessing import searched_image
from ethos_model.footage.regions import Region, everything, overview
from ethos_model.predict import FacePredictor, Predictor
from ethos_model.upright import quarter_turns

SEARCHES: Final = ("fast", "thorough")
"""How a frame is searched: at a reduced size only, or at its full size too."""

SURE_SCORE: Final = 0.8
"""Detector's score from which a detection is accepted without a second opinion. Of
1,947 such detections in 2,080 real frames, 4 were not the labelled face (all 4 were
other people)."""

WEAK_SCORE: Final = 0.2
"""Detector's score below which a detection is dropped without a second opinion."""

MAX_JUDGED: Final = 12
"""Maximum number of detections per call that get a second opinion. Each costs 7 ms. In
noise, which has many weak detections, the strongest ones count."""

MAX_TURNED: Final = 4
"""The same for faces that are not upright, which are rarer."""

SAME: Final = 0.3
"""Overlap from which an upright and a turned detection are probably the same face,
relative to the smaller box. Detectors see a face in both, in different boxes."""

_MIN_IMAGE_SIDE: Final = 8


@dataclasses.dataclass(frozen=True)
class Detection:
    """One detected face.

    Attributes:
      box: float64 (4,), the face box (tight box of the 68 landmarks): x0, y0, x1, y1 in
        source pixels. It may extend beyond the frame.
      score: Confidence of the detector, 0 to 1.
      turns: Number of quarter turns to the left that make the face upright, 0 to 3.
    """

    box: np.ndarray
    score: float
    turns: int = 0


class Finder(Protocol):
    """The part of `FaceFinder` that the tracker uses."""

    def find(
        self, frame_rgb: np.ndarray, regions: Sequence[Region] | None = None
    ) -> list[Detection]: ...


class FaceFinder:
    """Finds the faces of a frame.

    Example:
      finder = FaceFinder()
      boxes = [detection.box for detection in finder.find(frame_rgb)]
      faces = FacePredictor().predict(frame_rgb, boxes)
    """

    def __init__(
        self,
        detector: str | Detector = YUNET,
        *,
        search: str = "thorough",
        predictor: Predictor | None = None,
        second_opinion: bool = True,
    ) -> None:
        """Loads the detector.

        Args:
          detector: "yunet", the path of a YuNet .onnx file, or an object with the
            methods of `Detector`.
          search: "thorough" searches large frames at full size too, which takes 0.2 s
            at 1920 x 1080. "fast" reduces the frame to 640 pixels.
          predictor: Landmark network for the second opinion. None loads the one that
            is included in the package when it is first needed.
          second_opinion: Whether the landmark network judges weak detections. Without
            it, the detector's score alone decides.

        Raises:
          EthosError: The detector does not exist or cannot be loaded.
          ValueError: `search` is unknown.
        """
        if search not in SEARCHES:
            raise ValueError(f"search must be one of {SEARCHES}. Received: {search!r}")
        self.detector = (
            make_detector(detector) if isinstance(detector, str) else detector
        )
        self._search = search
        self._predictor = predictor
        self._second_opinion = second_opinion

    def find(
        self, frame_rgb: np.ndarray, regions: Sequence[Region] | None = None
    ) -> list[Detection]:
        """Finds faces.

        Args:
          frame_rgb: uint8 (H, W, 3) RGB. Any size is allowed, also an empty frame.
          regions: Parts of the frame to search. None searches the whole frame.

        Returns:
          Detections, the one with the highest score first.

        Raises:
          ValueError: The frame is not uint8 (H, W, 3).
        """
        if frame_rgb.dtype != np.uint8 or frame_rgb.shape[2:] != (3,):
            raise ValueError(
                "The frame must be uint8 (H, W, 3). "
                f"Received: {frame_rgb.dtype} {frame_rgb.shape}"
            )
        height, width = frame_rgb.shape[:2]
        if not height or not width:
            return []
        if regions is None:
            plan = everything if self._search == "thorough" else overview
            regions = plan(height, width)
        candidates = [
            detection
            for region in regions
            for detection in self._search_region(frame_rgb, region)
        ]
        upright = _without_duplicates([d for d in candidates if not d.turns])
        turned = [
            detection
            for detection in _without_duplicates([d for d in candidates if d.turns])
            if not any(_is_clearer(other, detection) for other in upright)
        ]
        if not self._second_opinion:
            least = self.detector.min_score
            every = _without_duplicates(upright + turned)
            return [d for d in every if d.score >= least]
        faces = _without_duplicates(self._judged(frame_rgb, upright + turned))
        # The network has confirmed how a turned face is turned.
        confirmed = [face.box for face in faces if face.turns]
        return [
            face
            for face in faces
            if face.turns or all(_overlap(face.box, box) <= SAME for box in confirmed)
        ]

    def _search_region(self, frame_rgb: np.ndarray, region: Region) -> list[Detection]:
        """Returns all detections in a region, weak ones included."""
        image = searched_image(frame_rgb, region)
        if min(image.shape[:2]) < _MIN_IMAGE_SIDE:
            return []
        turned = np.rot90(image, region.turns) if region.turns else image
        boxes, scores = self.detector.detect(turned)
        seen = turned_back(boxes, region.turns, image.shape)
        complete = ~_is_cut(seen, image.shape, region, frame_rgb.shape)
        # The map to the face box holds for upright faces.
        boxes = self.detector.box_map.to_face_box(boxes)
        boxes = turned_back(boxes, region.turns, image.shape)
        # Pixel centres are at integers in the image and in the frame.
        corner = np.array([region.left, region.top] * 2, np.float64)
        boxes = (boxes + 0.5) / region.scale - 0.5 + corner
        return [
            Detection(box, float(score), region.turns)
            for box, score in zip(boxes[complete], scores[complete], strict=True)
            if score >= WEAK_SCORE
            and np.isfinite(box).all()
            and (box[2:] > box[:2]).all()
        ]

    def _judged(
        self, frame_rgb: np.ndarray, candidates: Sequence[Detection]
    ) -> list[Detection]:
        """Drops weak detections that the landmark network does not take for a face.

        Detectors see upright faces in a turned image too. A face that is not upright is
        therefore always judged: its landmarks must be turned in the same way.

        The box of an accepted detection is replaced by the box of the network's
        landmarks, which is more accurate.
        """
        sure = [d for d in candidates if d.score >= SURE_SCORE and not d.turns]
        weak = [d for d in candidates if d.score < SURE_SCORE and not d.turns]
        turned = [d for d in candidates if d.turns]
        weak = weak[:MAX_JUDGED] + turned[:MAX_TURNED]
        if not weak:
            return sure
        if self._predictor is None:
            self._predictor = FacePredictor()
        faces = self._predictor.predict(frame_rgb, [face.box for face in weak])
        for detection, face in zip(weak, faces, strict=True):
            box = np.asarray(face_box(face.landmarks), np.float64)
            if (
                face.relative_uncertainty < max_uncertainty(detection.score)
                and _is_near(box, detection)
                and (not detection.turns or _is_turned(face.landmarks, detection))
            ):
                sure.append(Detection(box, detection.score, detection.turns))
        return sure


def max_uncertainty(score: float) -> float:
    """Returns the uncertainty below which a detection of a given score is a face.

    98 % of the faces of 24 pixels with JPEG quality 12 have at most 0.058, and 98 % of
    squares without a face at least 0.145 (`python -m benchmarks.certainty`).

    Args:
      score: Score of the detector, 0 to 1.

    Returns:
      Median uncertainty of the landmarks, divided by the face size.
    """
    return 0.05 + 0.08 * score


def turned_back(boxes: np.ndarray, turns: int, shape: tuple[int, ...]) -> np.ndarray:
    """Converts boxes in a turned image to the image.

    Args:
      boxes: float64 (N, 4), x0, y0, x1, y1 in pixels of the turned image.
      turns: Number of quarter turns to the left that were applied to the image, as in
        `np.rot90`.
      shape: Shape of the image before it was turned.

    Returns:
      float64 (N, 4), x0, y0, x1, y1 in pixels of the image.
    """
    x0, y0, x1, y1 = boxes.T
    bottom, right = shape[0] - 1, shape[1] - 1
    sides = (
        (x0, y0, x1, y1),
        (right - y1, x0, right - y0, x1),
        (right - x1, bottom - y1, right - x0, bottom - y0),
        (y0, bottom - x1, y1, bottom - x0),
    )[turns]
    return np.stack(sides, axis=1)


def _is_cut(
    boxes: np.ndarray,
    image_shape: tuple[int, ...],
    region: Region,
    frame_shape: tuple[int, ...],
) -> np.ndarray:
    """Returns bool (N,): whether the region's border inside the frame cuts each box.

    Such a face is complete in a neighbouring region or in the overview.
    """
    height, width = image_shape[:2]
    margin = 2.0  # pixels of the image
    return (
        ((boxes[:, 0] < margin) & (region.left > 0))
        | ((boxes[:, 1] < margin) & (region.top > 0))
        | (
            (boxes[:, 2] > width - margin)
            & (region.left + region.width < frame_shape[1])
        )
        | (
            (boxes[:, 3] > height - margin)
            & (region.top + region.height < frame_shape[0])
        )
    )


def _is_near(box: np.ndarray, detection: Detection) -> bool:
    """Returns whether the landmarks' box is about where the detector saw the face."""
    return bool(np.isfinite(box).all() and iou(box, detection.box) > 0.3)


def _is_clearer(upright: Detection, turned: Detection) -> bool:
    """Returns whether a turned detection is probably the same, upright face."""
    return upright.score >= turned.score and _overlap(upright.box, turned.box) > SAME


def _is_turned(landmarks: np.ndarray, detection: Detection) -> bool:
    """Returns whether a face is turned as the image in which it was detected."""
    return bool(
        np.isfinite(landmarks).all() and quarter_turns(landmarks) == detection.turns
    )


def _without_duplicates(detections: Sequence[Detection]) -> list[Detection]:
    """Keeps the strongest of overlapping detections; the highest score comes first."""
    accepted: list[Detection] = []
    for detection in sorted(detections, key=lambda face: -face.score):
        if not any(_overlap(detection.box, other.box) > 0.6 for other in accepted):
            accepted.append(detection)
    return accepted


def _overlap(box: np.ndarray, other: np.ndarray) -> float:
    """Returns the intersection of two boxes divided by the area of the smaller one."""
    sides = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
    smaller = min((box[2:] - box[:2]).prod(), (other[2:] - other[:2]).prod())
    return float(np.clip(sides, 0, None).prod() / max(smaller, 1e-9))
