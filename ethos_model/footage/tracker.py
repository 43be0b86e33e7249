"""Follows faces through a video: detect, crop, predict, judge, smooth.

The detector speaks at the start, when a face is lost, after a cut and at intervals; in
between a face is followed from the box of its last landmarks, which costs nothing. A
face is lost when its landmarks make no plausible box or run away from where they were
looked for, when the network is as unsure as it is of things that are no faces, or when
it is somewhat unsure and the detector, asked again, sees no face there. A network that
is sure outvotes the detector: on heavily coded video MTCNN sees nothing for a second at
a time where the landmarks sit well.
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
    """When to ask the detector and whom to believe.

    Attributes:
      check_interval: seconds between looks of the detector at a face that is followed.
      recheck_interval: seconds until it looks again at a face that is in doubt.
      search_interval: seconds between looks where there has been no face for a second;
        before that, every frame is searched.
      misses: looks without a face in a row before a face in doubt is given up, and a
        face that the network is sure of counts as unsure.
      patience: seconds without the detector's word before any face is given up.
      max_faces: at most so many are followed, largest first.
      min_size: sqrt(w * h) of the smallest face, source pixels.
      lost_uncertainty: median one-sigma over face size above which a face is lost. On
        1,100 random squares of faceless video a trained network says 0.07 at least,
        0.085 to 0.11 at the first percentile, 0.13 in the median.
      unsure_uncertainty: the same, above which it is shown as unsure. On faces the same
        network says 0.02 to 0.03, on the worst coded video 0.03 to 0.052.
      min_overlap: IoU that new landmarks' box must have with the box they came from.
      cut_difference: mean grey difference (of 255) of 32 x 18 thumbnails that is a cut.
      smoothing: None for none.
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
    cut_difference: float = 30.0
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
    """What is remembered of a face between frames."""

    id: int
    box: np.ndarray  # of the last raw landmarks
    score: float
    filter: OneEuroFilter | None
    velocity: np.ndarray  # source pixels a second, of the box's centre
    seen: float  # timestamp of the last prediction
    checked: float  # timestamp of the detector's last look
    missed: int = 0
    face: Face | None = None

    @property
    def doubt(self) -> float:
        """Median one-sigma of the last prediction over face size."""
        assert self.face is not None
        size = max(float(face_size(self.box)), 1e-6)
        return float(np.median(self.face.uncertainty)) / size

    def expected_box(self, timestamp: float) -> np.ndarray:
        """Where the face should be by now. Half of the speed: heads turn back."""
        shift = 0.5 * self.velocity * (timestamp - self.seen)
        limit = 0.25 * float(face_size(self.box))
        return self.box + np.tile(np.clip(shift, -limit, limit), 2)


SAME_FACE: Final = 0.3
"""IoU from which a detection and a track are taken to be the same face."""

DUPLICATE: Final = 0.55
"""IoU from which two tracks have fallen onto one face."""


class FaceTracker:
    """Faces of a video, frame after frame.

    Attributes:
      timings: milliseconds of the last update's stages, "detect", "predict", "smooth".
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
        """Forgets all faces, for another video or after a seek."""
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
        """Finds the faces of the next frame.

        Args:
          frame_rgb: uint8 (H, W, 3) RGB.
          timestamp: seconds. A step back, or of more than a second, starts anew.

        Returns:
          Faces, those followed longest first.
        """
        self.timings = {"detect": 0.0, "predict": 0.0, "smooth": 0.0}
        if self._is_cut(frame_rgb, timestamp):
            self._tracks = []
            self._detected_at = -np.inf
            self._seen_at = timestamp
        if self._time is None:
            self._seen_at = timestamp
        self._time = timestamp
        doubted = self._follow(frame_rgb, timestamp)
        if self._tracks:
            self._seen_at = timestamp
        if doubted or self._is_check_due(timestamp):
            self._look(frame_rgb, timestamp, doubted)
        self._drop_duplicates()
        started = time.perf_counter()
        faces = [self._report(track, timestamp) for track in self._tracks]
        self.timings["smooth"] += 1000 * (time.perf_counter() - started)
        return faces

    def _is_cut(self, frame_rgb: np.ndarray, timestamp: float) -> bool:
        small = cv2.resize(frame_rgb, (32, 18), interpolation=cv2.INTER_AREA)
        thumbnail = small.mean(axis=-1)
        last, self._thumbnail = self._thumbnail, thumbnail
        if last is None or self._time is None:
            return False
        if not 0 <= timestamp - self._time <= 1.0:
            return True
        # Less the change of the mean, so that a light switched on is not a cut.
        change = thumbnail - last
        return np.abs(change - change.mean()).mean() > self.options.cut_difference

    def _is_check_due(self, timestamp: float) -> bool:
        """Time for the detector to look for new faces and doubt the known ones."""
        crossing = any(
            iou(a.box, b.box) > 0.1
            for i, a in enumerate(self._tracks)
            for b in self._tracks[:i]
        )
        options = self.options
        waited = timestamp - self._detected_at
        if not self._tracks:
            searched_in_vain = timestamp - self._seen_at > 1.0
            return not searched_in_vain or waited >= options.search_interval
        doubtful = any(
            track.missed and track.doubt > options.unsure_uncertainty
            for track in self._tracks
        )
        hurry = crossing or doubtful
        wait = options.recheck_interval if hurry else options.check_interval
        return waited >= wait

    def _follow(self, frame_rgb: np.ndarray, timestamp: float) -> list[_Track]:
        """Moves tracks along with their landmarks; returns those that look lost."""
        boxes = [track.expected_box(timestamp) for track in self._tracks]
        doubted = []
        for track, box, face in zip(
            self._tracks, boxes, self._predict(frame_rgb, boxes), strict=True
        ):
            if self._is_plausible(face, box, frame_rgb.shape):
                self._accept(track, face, timestamp)
            else:
                doubted.append(track)
        return doubted

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
        """Whether landmarks could be a face that was looked for in `box`."""
        found = np.asarray(face_box(face.landmarks), np.float64)
        width, height = found[2:] - found[:2]
        if not np.isfinite(found).all() or min(width, height) <= 0:
            return False
        size = float(np.sqrt(width * height))
        inside = np.minimum(found[2:], (shape[1], shape[0])) - np.maximum(found[:2], 0)
        visible = np.clip(inside, 0, None).prod() / (width * height)
        return (
            size >= self.options.min_size
            and 0.4 < width / height < 2.0
            and visible > 0.5
            and bool(iou(found, box) > self.options.min_overlap)
            and np.median(face.uncertainty) / size < self.options.lost_uncertainty
        )

    def _accept(self, track: _Track, face: Face, timestamp: float) -> None:
        box = np.asarray(face_box(face.landmarks), np.float64)
        seconds = timestamp - track.seen
        if track.face is not None and seconds > 0:
            moved = (box[:2] + box[2:] - track.box[:2] - track.box[2:]) / 2
            track.velocity = 0.5 * track.velocity + 0.5 * moved / seconds
        track.box, track.face, track.seen = box, face, timestamp

    def _look(
        self, frame_rgb: np.ndarray, timestamp: float, doubted: list[_Track]
    ) -> None:
        """Asks the detector; confirms, mends, drops and adds tracks."""
        started = time.perf_counter()
        detections = self._finder.find(frame_rgb)
        self.timings["detect"] += 1000 * (time.perf_counter() - started)
        self._detected_at = timestamp
        # The largest first: only so many are followed.
        free = sorted(
            detections, key=lambda found: -np.prod(found.box[2:] - found.box[:2])
        )
        kept = []
        for track in self._tracks:
            overlaps = [iou(track.box, found.box) for found in free]
            best = int(np.argmax(overlaps)) if overlaps else -1
            if best >= 0 and overlaps[best] > SAME_FACE:
                found = free.pop(best)
                track.missed, track.score = 0, found.score
                track.checked = timestamp
                ok = track not in doubted or self._start(
                    track, found, frame_rgb, timestamp
                )
            else:
                track.missed += 1
                options = self.options
                sure = track.doubt <= options.unsure_uncertainty
                waited = timestamp - track.checked
                ok = track not in doubted and (
                    waited < options.patience if sure else track.missed < options.misses
                )
            if ok:
                kept.append(track)
        self._tracks = kept
        for found in free:
            if len(self._tracks) >= self.options.max_faces:
                break
            smoothing = self.options.smoothing
            track = _Track(
                id=self._next_id,
                box=found.box,
                score=found.score,
                filter=OneEuroFilter(smoothing) if smoothing else None,
                velocity=np.zeros(2),
                seen=timestamp,
                checked=timestamp,
            )
            if self._start(track, found, frame_rgb, timestamp):
                self._tracks.append(track)
                self._next_id += 1

    def _start(
        self, track: _Track, found: Detection, frame_rgb: np.ndarray, timestamp: float
    ) -> bool:
        """Puts a track onto a detection. False if the network sees no face there."""
        track.face = None
        face = self._predict(frame_rgb, [found.box])[0]
        if not self._is_plausible(face, found.box, frame_rgb.shape):
            return False
        # A detector's box is 10 % off; the landmarks' own box frames the face as the
        # network was trained to see it.
        again = self._predict(frame_rgb, [face_box(face.landmarks)])[0]
        if self._is_plausible(again, found.box, frame_rgb.shape):
            face = again
        self._accept(track, face, timestamp)
        return True

    def _drop_duplicates(self) -> None:
        """Of two tracks on one face the one followed longer stays."""
        kept: list[_Track] = []
        for track in self._tracks:
            if all(iou(track.box, other.box) < DUPLICATE for other in kept):
                kept.append(track)
        self._tracks = kept

    def _report(self, track: _Track, timestamp: float) -> TrackedFace:
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
