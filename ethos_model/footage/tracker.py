"""Tracks the faces of a video.

The finder searches at the start, after a cut, when a face is lost, and at intervals.
Between searches, the box of the last landmarks is the box for the next frame.

A face is lost in three cases: its landmarks form no plausible box or are far from where
they were expected; the network is as unsure as it is for images without a face; or the
network is somewhat unsure and the finder does not find the face again. If the network
is sure, a face stays although the finder does not find it: in heavily compressed video
the finder can miss a face for a second while its landmarks are correct.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from ethos_data.topology import face_box, face_size, iou
from ethos_model.footage.finder import Detection, Finder
from ethos_model.footage.measures import FaceMeasures
from ethos_model.footage.smoother import OneEuroFilter, OneEuroOptions
from ethos_model.predict import Face, Predictor


@dataclasses.dataclass(frozen=True)
class TrackerOptions:
    """When to search, and when to give up a face.

    Attributes:
      check_interval: Seconds between searches while all faces are tracked.
      recheck_interval: Seconds between searches while a face is in doubt.
      search_interval: Seconds between searches if no face was visible for a second.
        Before that, every frame is searched.
      misses: Number of searches in a row that do not find a face before a doubtful face
        is given up and a sure face is reported as unsure.
      patience: Seconds without detection after which any face is given up.
      max_faces: Maximum number of tracked faces. The largest faces are preferred.
      min_size: Size of the smallest face, sqrt(width * height) of its box, in source
        pixels.
      lost_uncertainty: Median uncertainty relative to the face size above which a face
        is lost. On 1,100 random squares of video without faces, a trained network had
        at least 0.07, 0.085 to 0.11 at the first percentile and 0.13 in the median.
      unsure_uncertainty: The same value above which a face is unsure. On faces, the
        network had 0.02 to 0.03, and 0.03 to 0.052 in the most compressed video.
      min_overlap: Smallest IoU of a face's new box with the box that was expected.
      cut_change: Change of a 32 x 18 thumbnail relative to its contrast that is a cut.
        Cuts had 1.5 to 2.0 and other frames at most 0.5, also at 0.05 of the light.
      smoothing: Options of the smoothing of landmarks; None for no smoothing.
    """

    check_interval: float = 1.0
    recheck_interval: float = 0.2
    search_interval: float = 0.1
    misses: int = 3
    patience: float = 10.0
    max_faces: int = 8
    min_size: float = 14.0
    lost_uncertainty: float = 0.085
    unsure_uncertainty: float = 0.055
    min_overlap: float = 0.3
    cut_change: float = 0.75
    smoothing: OneEuroOptions | None = dataclasses.field(default_factory=OneEuroOptions)


@dataclasses.dataclass(frozen=True)
class TrackedFace:
    """One face in one frame.

    Attributes:
      id: Number of the person. It stays the same while the face is followed.
      face: Prediction of the network. Its landmarks are smoothed if smoothing is on.
      unsure: True if the network or the detector doubts that this is a face.
      score: Last confidence of the detector, 0 to 1.
      measures: Pose, openness and quality of the face; None if it was not measured. See
        `ethos_model.footage.tracks.measured`.
    """

    id: int
    face: Face
    unsure: bool
    score: float
    measures: FaceMeasures | None = None

    @property
    def box(self) -> np.ndarray:
        """Face box, float32 (4,): x0, y0, x1, y1 in source pixels."""
        return face_box(self.face.landmarks)


@dataclasses.dataclass
class _Track:
    """The state of a tracked face between two frames."""

    id: int
    box: np.ndarray  # face box of the last landmarks before smoothing
    score: float
    filter: OneEuroFilter | None
    velocity: np.ndarray  # of the centre of the box, source pixels per second
    seen: float  # timestamp of the last prediction
    checked: float  # timestamp of the last detection
    missed: int = 0
    face: Face | None = None

    @property
    def doubt(self) -> float:
        """Median uncertainty of the last prediction, relative to the face size."""
        assert self.face is not None
        size = max(float(face_size(self.box)), 1e-6)
        return float(np.median(self.face.uncertainty)) / size

    def expected_box(self, timestamp: float) -> np.ndarray:
        """The box in which the face is expected.

        Half of the last velocity is used, because heads often reverse their motion.
        """
        shift = 0.5 * self.velocity * (timestamp - self.seen)
        limit = 0.25 * float(face_size(self.box))
        return self.box + np.tile(np.clip(shift, -limit, limit), 2)


SAME_FACE: Final = 0.3
"""Smallest IoU of a detection and a track that are the same face."""

DUPLICATE: Final = 0.55
"""Smallest IoU of two tracks that are on the same face."""

_MIN_CONTRAST: Final = 0.2
"""Contrast below which a thumbnail is treated as uniform, in grey levels."""


class FaceTracker:
    """Tracks the faces of a video, frame by frame.

    Example:
      tracker = FaceTracker(FacePredictor(), FaceFinder())
      people = tracker.update(frame_rgb, timestamp)

    Attributes:
      timings: Milliseconds of the stages of the last update: "detect", "predict" and
        "smooth".
      skipped_faces: Number of faces that the last search found but that are not
        tracked because of `max_faces`.
    """

    def __init__(
        self,
        predictor: Predictor,
        finder: Finder,
        options: TrackerOptions | None = None,
    ) -> None:
        self._predictor = predictor
        self._finder = finder
        self.options = options or TrackerOptions()
        self.reset()

    def reset(self) -> None:
        """Forgets all faces. Call it for a new video and after a seek."""
        self.skipped_faces = 0
        self._next_id = 1
        self._tracks: list[_Track] = []
        self._thumbnail: np.ndarray | None = None
        self._time: float | None = None
        self._detected_at = -np.inf
        self._seen_at = np.inf
        self.timings: dict[str, float] = {}

    def set_smoothing(self, smoothing: OneEuroOptions | None) -> None:
        """Changes the smoothing of all faces from the next frame on."""
        if smoothing != self.options.smoothing:
            self.options = dataclasses.replace(self.options, smoothing=smoothing)
            for track in self._tracks:
                track.filter = OneEuroFilter(smoothing) if smoothing else None

    def update(self, frame_rgb: np.ndarray, timestamp: float) -> list[TrackedFace]:
        """Tracks the faces of the next frame.

        Args:
          frame_rgb: uint8 (H, W, 3) RGB.
          timestamp: Time of the frame in seconds. A step back, or of more than a
            second, is treated as a cut.

        Returns:
          The faces, the one that is tracked longest first.
        """
        self.timings = {"detect": 0.0, "predict": 0.0, "smooth": 0.0}
        if self._is_cut(frame_rgb, timestamp):
            self._tracks = []
            self._detected_at = -np.inf
            self._seen_at = timestamp
        if self._time is None:
            self._seen_at = timestamp
        self._time = timestamp
        lost = self._follow(frame_rgb, timestamp)
        if self._tracks:
            self._seen_at = timestamp
        if lost or self._is_check_due(timestamp):
            self._search(frame_rgb, timestamp, lost)
        self._drop_duplicates()
        started = time.perf_counter()
        faces = [self._report(track, timestamp) for track in self._tracks]
        self.timings["smooth"] += 1000 * (time.perf_counter() - started)
        return faces

    def _is_cut(self, frame_rgb: np.ndarray, timestamp: float) -> bool:
        """Whether another scene begins with this frame."""
        small = cv2.resize(frame_rgb, (32, 18), interpolation=cv2.INTER_AREA)
        thumbnail = small.mean(axis=-1)
        last, self._thumbnail = self._thumbnail, thumbnail
        if last is None or self._time is None:
            return False
        if not 0 <= timestamp - self._time <= 1.0:
            return True
        # The change is relative to the contrast, so that cuts are also detected in dark
        # video. Without the change of the mean: a light that is switched on is no cut.
        contrast = (_contrast(thumbnail) + _contrast(last)) / 2
        change = _contrast(thumbnail - last) / max(contrast, _MIN_CONTRAST)
        return change > self.options.cut_change

    def _is_check_due(self, timestamp: float) -> bool:
        """Whether it is time for a search."""
        crossing = any(
            iou(a.box, b.box) > 0.1
            for i, a in enumerate(self._tracks)
            for b in self._tracks[:i]
        )
        options = self.options
        waited = timestamp - self._detected_at
        if not self._tracks:
            is_empty = timestamp - self._seen_at > 1.0
            return not is_empty or waited >= options.search_interval
        doubtful = any(
            track.missed and track.doubt > options.unsure_uncertainty
            for track in self._tracks
        )
        urgent = crossing or doubtful
        interval = options.recheck_interval if urgent else options.check_interval
        return waited >= interval

    def _follow(self, frame_rgb: np.ndarray, timestamp: float) -> list[_Track]:
        """Predicts all tracks in the frame and returns those that seem to be lost."""
        boxes = [track.expected_box(timestamp) for track in self._tracks]
        lost = []
        for track, box, face in zip(
            self._tracks, boxes, self._predict(frame_rgb, boxes), strict=True
        ):
            if self._is_plausible(face, box, frame_rgb.shape):
                self._accept(track, face, timestamp)
            else:
                lost.append(track)
        return lost

    def _predict(
        self, frame_rgb: np.ndarray, boxes: Sequence[np.ndarray]
    ) -> Sequence[Face]:
        if not boxes:
            return []
        started = time.perf_counter()
        faces = self._predictor.predict(frame_rgb, boxes)
        self.timings["predict"] += 1000 * (time.perf_counter() - started)
        return faces

    def _is_plausible(
        self, face: Face, box: np.ndarray, shape: tuple[int, ...]
    ) -> bool:
        """Whether the landmarks can be those of a face that was expected in `box`."""
        actual = np.asarray(face_box(face.landmarks), np.float64)
        width, height = actual[2:] - actual[:2]
        if not np.isfinite(actual).all() or min(width, height) <= 0:
            return False
        size = float(np.sqrt(width * height))
        end = np.minimum(actual[2:], (shape[1], shape[0]))
        inside = end - np.maximum(actual[:2], 0)
        visible = np.clip(inside, 0, None).prod() / (width * height)
        return (
            size >= self.options.min_size
            and 0.4 < width / height < 2.0
            and visible > 0.5
            and bool(iou(actual, box) > self.options.min_overlap)
            and np.median(face.uncertainty) / size < self.options.lost_uncertainty
        )

    def _accept(self, track: _Track, face: Face, timestamp: float) -> None:
        """Updates a track with a new prediction."""
        box = np.asarray(face_box(face.landmarks), np.float64)
        seconds = timestamp - track.seen
        if track.face is not None and seconds > 0:
            moved = (box[:2] + box[2:] - track.box[:2] - track.box[2:]) / 2
            track.velocity = 0.5 * track.velocity + 0.5 * moved / seconds
        track.box, track.face, track.seen = box, face, timestamp

    def _search(
        self, frame_rgb: np.ndarray, timestamp: float, lost: list[_Track]
    ) -> None:
        """Searches the frame. Confirms, corrects, drops and adds tracks."""
        started = time.perf_counter()
        detections = self._finder.find(frame_rgb)
        self.timings["detect"] += 1000 * (time.perf_counter() - started)
        self._detected_at = timestamp
        # The largest faces come first, because the number of tracks is limited.
        free = sorted(
            detections, key=lambda face: -np.prod(face.box[2:] - face.box[:2])
        )
        remaining = []
        for track in self._tracks:
            overlaps = [iou(track.box, detection.box) for detection in free]
            best = int(np.argmax(overlaps)) if overlaps else -1
            if best >= 0 and overlaps[best] > SAME_FACE:
                detection = free.pop(best)
                track.missed, track.score = 0, detection.score
                track.checked = timestamp
                stays = track not in lost or self._start(
                    track, detection, frame_rgb, timestamp
                )
            else:
                track.missed += 1
                options = self.options
                sure = track.doubt <= options.unsure_uncertainty
                waited = timestamp - track.checked
                stays = track not in lost and (
                    waited < options.patience if sure else track.missed < options.misses
                )
            if stays:
                remaining.append(track)
        self._tracks = remaining
        self.skipped_faces = 0
        for detection in free:
            if len(self._tracks) >= self.options.max_faces:
                self.skipped_faces += 1
                continue
            smoothing = self.options.smoothing
            track = _Track(
                id=self._next_id,
                box=detection.box,
                score=detection.score,
                filter=OneEuroFilter(smoothing) if smoothing else None,
                velocity=np.zeros(2),
                seen=timestamp,
                checked=timestamp,
            )
            if self._start(track, detection, frame_rgb, timestamp):
                self._tracks.append(track)
                self._next_id += 1

    def _start(
        self,
        track: _Track,
        detection: Detection,
        frame_rgb: np.ndarray,
        timestamp: float,
    ) -> bool:
        """Starts a track at a detection. False if the network finds no face there."""
        track.face = None
        face = self._predict(frame_rgb, [detection.box])[0]
        if not self._is_plausible(face, detection.box, frame_rgb.shape):
            return False
        # The box of a detection has an error of about 10 %. The network was trained on
        # boxes of landmarks, so it is applied again to the box of its own landmarks.
        refined = self._predict(frame_rgb, [face_box(face.landmarks)])[0]
        if self._is_plausible(refined, detection.box, frame_rgb.shape):
            face = refined
        self._accept(track, face, timestamp)
        return True

    def _drop_duplicates(self) -> None:
        """Drops the newer of two tracks that are on the same face."""
        distinct: list[_Track] = []
        for track in self._tracks:
            if all(iou(track.box, other.box) < DUPLICATE for other in distinct):
                distinct.append(track)
        self._tracks = distinct

    def _report(self, track: _Track, timestamp: float) -> TrackedFace:
        """The result for a track, with smoothed landmarks."""
        face = track.face
        assert face is not None
        if track.filter is not None:
            size = float(face_size(track.box))
            smoothed = track.filter(face.landmarks, timestamp, size)
            face = dataclasses.replace(face, landmarks=smoothed.astype(np.float32))
        return TrackedFace(
            id=track.id,
            face=face,
            unsure=track.doubt > self.options.unsure_uncertainty
            or track.missed >= self.options.misses,
            score=track.score,
        )


def _contrast(thumbnail: np.ndarray) -> float:
    """Mean absolute deviation from the mean, in grey levels."""
    return float(np.abs(thumbnail - thumbnail.mean()).mean())
