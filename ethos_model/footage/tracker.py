"""Follows faces through a video: find, crop, predict, judge, recognise, smooth.

A face is followed from the box of its last landmarks. The finder searches the first
frame, after a cut, after a loss, and at intervals; large frames are searched part by
part. A face is lost when its landmarks are not plausible or far from where they were
expected, when the network is as uncertain as it is without a face, or when it is
uncertain and the finder does not see the face either. A person who is found again gets
the same number. The network decides if the two disagree: in heavily compressed video a
detector misses faces for seconds while the landmarks are right.

    tracker = FaceTracker(FacePredictor(), FaceFinder())
    for frame in open_video("clip.mp4"):
        for face in tracker.update(frame.image, frame.timestamp):
            print(face.id, face.box, face.unsure)
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Final

import numpy as np

from ethos_data.topology import face_box, face_size, iou
from ethos_model.footage.finder import SEARCHES, Detection, Finder
from ethos_model.footage.people import CONTACT, People
from ethos_model.footage.regions import Region, around, everything, is_searched
from ethos_model.footage.schedule import SearchSchedule
from ethos_model.footage.smoothing.live import LandmarkFilter
from ethos_model.footage.track_state import CutDetector, Track, assign
from ethos_model.footage.tracks import TrackedFace, with_landmarks
from ethos_model.predict import Face, Predictor

SAME_FACE: Final = 0.3
"""IoU from which a detection and a track are taken to be the same face."""


@dataclasses.dataclass(frozen=True)
class TrackerOptions:
    """When to search, and when to believe the network or the finder.

    Attributes:
      search: "fast" searches large frames part by part. "thorough" searches whole
        frames at full size, twice per second.
      check_interval: Time between two searches for a face that is followed, in seconds.
      recheck_interval: The same for a face that is doubtful, lost or near another face.
      misses: Number of searches in a row without a face after which a doubtful face is
        lost, and a face of which the network is certain is reported as unsure.
      patience: Time without a confirmation after which any face is lost, in seconds.
      max_faces: Maximum number of faces that are followed, the largest first.
      min_size: Smallest face size that is followed, in source pixels.
      lost_uncertainty: Median uncertainty over face size above which a face is lost. No
        square without a face is below it, and 98 % of the faces of 24 pixels with JPEG
        quality 12 are (`python -m benchmarks.certainty`).
      unsure_uncertainty: The same above which a face is reported as unsure. 98 % of
        clear faces are below 0.022, and 98 % of faces of 24 pixels with JPEG quality 12
        below 0.058 (`python -m benchmarks.certainty`).
      min_overlap: Smallest IoU of the box of new landmarks with the expected box.
      smoothing: Whether the landmarks are smoothed over time.
    """

    search: str = "fast"
    check_interval: float = 1.0
    recheck_interval: float = 0.2
    misses: int = 3
    patience: float = 10.0
    max_faces: int = 8
    min_size: float = 14.0
    lost_uncertainty: float = 0.11
    unsure_uncertainty: float = 0.055
    min_overlap: float = 0.3
    smoothing: bool = True

    def __post_init__(self) -> None:
        if self.search not in SEARCHES:
            raise ValueError(
                f"search must be one of {SEARCHES}. Received: search={self.search!r}"
            )


class FaceTracker:
    """Follows the faces of a video.

    Attributes:
      options: The options.
      predictor: Finds landmarks in face boxes.
      shot: Number of the current shot, from 0.
      timings: Milliseconds of the stages of the last update: "detect", "predict" and
        "smooth".
    """

    def __init__(
        self,
        predictor: Predictor,
        finder: Finder,
        options: TrackerOptions | None = None,
    ) -> None:
        self.predictor = predictor
        self._finder = finder
        self.options = options or TrackerOptions()
        self._schedule = SearchSchedule()
        self._cuts = CutDetector()
        self.reset()

    def reset(self) -> None:
        """Forgets all people, for another video or after a seek."""
        self._people = People()
        self.shot = 0
        self._skipped: list[tuple[float, np.ndarray]] = []
        self._searched_at = -np.inf
        self._schedule.reset()
        self._cuts.reset()
        self._face_seen_at = -np.inf
        self.timings: dict[str, float] = {}

    @property
    def skipped_faces(self) -> int:
        """Number of faces that were found lately but exceed `max_faces`."""
        return len(self._skipped)

    @property
    def renumbered(self) -> dict[int, int]:
        """Numbers that are no longer used, because the person was recognised some
        frames later, and the numbers that replaced them."""
        return self._people.renumbered

    def set_smoothing(self, smoothing: bool) -> None:
        """Switches the smoothing of all faces on or off from the next frame on."""
        if smoothing != self.options.smoothing:
            self.options = dataclasses.replace(self.options, smoothing=smoothing)
            for track in self._people.followed:
                track.filter = LandmarkFilter() if smoothing else None

    def update(self, frame_rgb: np.ndarray, timestamp: float) -> list[TrackedFace]:
        """Follows the faces to the next frame.

        Args:
          frame_rgb: uint8 (H, W, 3) RGB.
          timestamp: Time of the frame, in seconds. After a step back, or of more than
            a second, faces are searched as after a cut.

        Returns:
          Faces, the one that has been followed longest first.
        """
        self.timings = {"detect": 0.0, "predict": 0.0, "smooth": 0.0}
        if min(frame_rgb.shape[:2]) == 0:
            return []
        if self._cuts.is_cut(frame_rgb, timestamp):
            self.shot += 1
            # A video that was filmed upside down stays so after a cut.
            turns = max((track.turns for track in self._people.followed), default=0)
            self._people.begin_shot()
            self._skipped = []
            self._searched_at = -np.inf
            self._schedule.reset(turns)
            self._face_seen_at = -np.inf
        doubted = self._follow(frame_rgb, timestamp)
        self._people.separate(frame_rgb, timestamp)
        if self._people.followed or self._face_seen_at == -np.inf:
            self._face_seen_at = timestamp
        regions = self._regions(frame_rgb, timestamp, doubted)
        if regions or doubted:
            self._search(frame_rgb, timestamp, regions, doubted)
        limit = self.options.unsure_uncertainty
        self._people.describe(frame_rgb, timestamp, limit)
        started = time.perf_counter()
        faces = [self._report(track, timestamp) for track in self._people.followed]
        self.timings["smooth"] += 1000 * (time.perf_counter() - started)
        return faces

    def _follow(self, frame_rgb: np.ndarray, timestamp: float) -> list[Track]:
        """Moves tracks along with their landmarks; returns those that look lost."""
        boxes = [track.next_box(timestamp) for track in self._people.followed]
        faces = self._predict(frame_rgb, boxes)
        doubted = []
        for track, box, face in zip(self._people.followed, boxes, faces, strict=True):
            if self._is_plausible(face, box, frame_rgb.shape):
                is_alone = not self._people.near(track, CONTACT)
                track.accept(face, timestamp, is_alone=is_alone)
            else:
                doubted.append(track)
        return doubted

    def _predict(
        self, frame_rgb: np.ndarray, boxes: Sequence[np.ndarray]
    ) -> Sequence[Face]:
        if not boxes:
            return []
        started = time.perf_counter()
        faces = self.predictor.predict(frame_rgb, boxes)
        self.timings["predict"] += 1000 * (time.perf_counter() - started)
        return faces

    def _is_plausible(
        self, face: Face, box: np.ndarray, shape: tuple[int, ...]
    ) -> bool:
        """Returns whether landmarks can be the face that was expected in `box`."""
        found = np.asarray(face_box(face.landmarks), np.float64)
        width, height = found[2:] - found[:2]
        if not np.isfinite(found).all() or min(width, height) <= 0:
            return False
        size = float(np.sqrt(width * height))
        inside = np.minimum(found[2:], (shape[1], shape[0])) - np.maximum(found[:2], 0)
        visible = np.clip(inside, 0, None).prod() / (width * height)
        return bool(
            size >= self.options.min_size
            and 0.4 < width / height < 2.0
            and visible > 0.5
            and iou(found, box) > self.options.min_overlap
            and face.relative_uncertainty < self.options.lost_uncertainty
        )

    def _regions(
        self, frame_rgb: np.ndarray, timestamp: float, doubted: Sequence[Track]
    ) -> list[Region]:
        """Returns what is searched in this frame."""
        height, width = frame_rgb.shape[:2]
        options = self.options
        missing = [
            track
            for track in self._people.lost
            if track.is_placed and timestamp - track.seen <= 1.0
        ]
        if options.search == "thorough":
            if timestamp - self._searched_at < 0.5 and not doubted:
                return []
            self._searched_at = timestamp
            return everything(height, width)
        lately = timestamp - self._face_seen_at <= 1.0
        regions = self._schedule.due(
            frame_rgb,
            timestamp,
            urgent=bool(missing or doubted) or (not self._people.followed and lately),
            followed=[track.box for track in self._people.followed],
        )
        for track in (*self._people.followed, *missing):
            if track in doubted:
                wait = 0.0
            elif track in missing or self._is_doubtful(track):
                wait = options.recheck_interval
            else:
                wait = options.check_interval
            if timestamp - track.looked < wait - 5e-4:
                continue
            box = track.expected_box(timestamp) if track in missing else track.box
            if is_searched(regions, box, track.turns, frame_rgb.shape):
                continue
            context = 5.0 if track in missing or track in doubted else 3.0
            region = around(box, height, width, context, track.turns)
            if region is not None:
                regions.append(region)
            track.looked = timestamp
        return regions

    def _is_doubtful(self, track: Track) -> bool:
        """Returns whether a followed face should be searched more often."""
        return bool(track.missed or track.partners) and (
            track.uncertainty > self.options.unsure_uncertainty or bool(track.partners)
        )

    def _search(
        self,
        frame_rgb: np.ndarray,
        timestamp: float,
        regions: list[Region],
        doubted: list[Track],
    ) -> None:
        """Confirms, corrects, loses and adds faces."""
        started = time.perf_counter()
        detections = self._finder.find(frame_rgb, regions)
        self.timings["detect"] += 1000 * (time.perf_counter() - started)
        detections = [
            detection
            for detection in detections
            if face_size(detection.box) >= self.options.min_size
        ]
        overlaps = np.zeros((len(self._people.followed), len(detections)))
        for row, track in enumerate(self._people.followed):
            for column, detection in enumerate(detections):
                overlaps[row, column] = iou(track.box, detection.box)
        partner = dict(assign(overlaps, SAME_FACE))
        kept: list[Track] = []
        lost: list[Track] = []
        for row, track in enumerate(self._people.followed):
            is_kept = self._confirm(
                frame_rgb,
                timestamp,
                track,
                detections[partner[row]] if row in partner else None,
                regions,
                track in doubted,
            )
            (kept if is_kept else lost).append(track)
        self._people.lose(lost)
        # Detections of a face that is followed already are no new faces.
        free = [
            detection
            for column, detection in enumerate(detections)
            if column not in partner.values()
            and all(iou(detection.box, track.box) < SAME_FACE for track in kept)
        ]
        self._add(frame_rgb, timestamp, free)

    def _confirm(
        self,
        frame_rgb: np.ndarray,
        timestamp: float,
        track: Track,
        detection: Detection | None,
        regions: Sequence[Region],
        is_doubted: bool,
    ) -> bool:
        """Updates a track after a search; returns whether it is still followed."""
        options = self.options
        if detection is not None:
            track.missed, track.score = 0, detection.score
            track.confirmed = track.looked = timestamp
            if not is_doubted:
                return True
            face = self._start_face(frame_rgb, detection)
            if face is not None:
                track.accept(face, timestamp, is_alone=False)
            return face is not None
        if is_doubted:
            return False
        if not is_searched(regions, track.box, track.turns, frame_rgb.shape):
            return True
        track.missed += 1
        track.looked = timestamp
        if track.uncertainty <= options.unsure_uncertainty:
            return timestamp - track.confirmed < options.patience
        return track.missed < options.misses

    def _start_face(self, frame_rgb: np.ndarray, detection: Detection) -> Face | None:
        """Predicts a detected face. None if the network does not see a face."""
        (face,) = self._predict(frame_rgb, [detection.box])
        if not self._is_plausible(face, detection.box, frame_rgb.shape):
            return None
        # A detector's box is off by 10 %. The network was trained on the box of the
        # landmarks.
        (again,) = self._predict(frame_rgb, [face_box(face.landmarks)])
        if self._is_plausible(again, detection.box, frame_rgb.shape):
            return again
        return face

    def _add(
        self, frame_rgb: np.ndarray, timestamp: float, free: list[Detection]
    ) -> None:
        """Follows new faces, the largest first."""
        self._skipped = [
            (when, box) for when, box in self._skipped if timestamp - when < 1.2
        ]
        found: list[tuple[Detection, Face]] = []
        for detection in sorted(free, key=lambda face: -float(face_size(face.box))):
            if len(self._people.followed) + len(found) >= self.options.max_faces:
                self._skip(timestamp, detection.box)
                continue
            face = self._start_face(frame_rgb, detection)
            if face is not None:
                found.append((detection, face))
        if found:
            smoothing = self.options.smoothing
            self._people.add(frame_rgb, timestamp, found, smoothing)

    def _skip(self, timestamp: float, box: np.ndarray) -> None:
        """Remembers a face that is not followed, once."""
        self._skipped = [
            (when, other)
            for when, other in self._skipped
            if iou(other, box) < SAME_FACE
        ]
        self._skipped.append((timestamp, box))

    def _report(self, track: Track, timestamp: float) -> TrackedFace:
        face = track.face
        if track.filter is not None:
            smoothed = track.filter(face.landmarks, face.uncertainty, timestamp)
            face = with_landmarks(face, smoothed)
        return TrackedFace(
            id=track.id,
            face=face,
            unsure=track.uncertainty > self.options.unsure_uncertainty
            or track.missed >= self.options.misses
            or bool(track.partners),
            score=track.score,
        )
