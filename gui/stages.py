"""Reads the frames of a video and finds their faces, in one pass or in two.

`gui.annotation` runs the generators of this module in threads.
"""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import sys
import threading
from collections.abc import Iterable, Iterator

import numpy as np
from tqdm import tqdm

from ethos_data import progress
from ethos_model.footage import reader
from ethos_model.footage.finder import Detection, Finder
from ethos_model.footage.reader import Frame, Source
from ethos_model.footage.tracker import FaceTracker
from ethos_model.footage.tracks import FrameFaces, TrackedFace, measured, without_images
from ethos_model.predict import Face, Predictor
from gui.degradation import VideoDegradation
from gui.pipeline import Stage


@dataclasses.dataclass(frozen=True)
class Item:
    """A frame with the results of the stages so far.

    Attributes:
      frame: The frame as the model received it.
      faces: The faces in it.
      detections: Detections in the whole frame, if it was searched in order to hide
        all faces.
      picture: uint8 (H, W, 3) RGB, the annotated frame, if it is needed.
      is_still: Whether the picture is saved as a still.
    """

    frame: Frame
    faces: tuple[TrackedFace, ...]
    detections: tuple[Detection, ...] = ()
    picture: np.ndarray | None = None
    is_still: bool = False


class Reading:
    """Reads the frames of one video, once or twice."""

    def __init__(
        self,
        video: str,
        degradation: VideoDegradation,
        fields: bool,
        show_progress: bool,
    ) -> None:
        self._video, self._degradation = video, degradation
        self._fields, self._show_progress = fields, show_progress
        self._stopped = threading.Event()

    def open(self) -> Source:
        return reader.open_video(self._video, fields=self._fields)

    def frames(self, source: Source) -> Iterator[Frame]:
        """Yields the degraded frames until the end of the video or Ctrl-C."""
        while not self._stopped.is_set() and (frame := source.read()) is not None:
            image = self._degradation.apply(frame.image, frame.index)
            yield dataclasses.replace(frame, image=image)

    def bar(self, source: Source, unit: str) -> tqdm:
        """A progress bar for all frames of a source."""
        return progress.bar(
            source.info.frame_count,
            unit,
            description=source.info.name,
            disable=not self._show_progress,
        )

    @contextlib.contextmanager
    def stopped_by_ctrl_c(self, source: Source) -> Iterator[None]:
        """Makes Ctrl-C end a recording and keep it.

        For video files, Ctrl-C interrupts the annotation and leaves no outputs.
        """
        in_main_thread = threading.current_thread() is threading.main_thread()
        if not (source.info.live and in_main_thread):
            yield
            return

        def stop(*_: object) -> None:
            if self._stopped.is_set():  # at the second Ctrl-C, do not wait
                raise KeyboardInterrupt
            self._stopped.set()

        before = signal.signal(signal.SIGINT, stop)
        print(f"{source.info.name}: Ctrl-C ends the recording", file=sys.stderr)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def first_pass(
    read: Reading, tracker: FaceTracker, finder: Finder | None = None
) -> list[FrameFaces]:
    """Tracks the faces of a video from start to end.

    Args:
      read: Reads the video.
      tracker: Tracks the faces.
      finder: Searches each frame in addition; None for no search.
    """
    tracks = []
    with (
        read.open() as source,
        Stage(read.frames(source)) as frames,
        Stage(tracked(frames, tracker, finder)) as items,
        read.bar(source, "frames searched") as bar,
    ):
        for item in items:
            faces = tuple(map(without_images, item.faces))
            frame = item.frame
            tracks.append(
                FrameFaces(frame.index, frame.timestamp, faces, item.detections)
            )
            bar.update()
    return tracks


def tracked(
    frames: Iterable[Frame], tracker: FaceTracker, finder: Finder | None = None
) -> Iterator[Item]:
    """Finds the faces in each frame; see `first_pass`."""
    for frame in frames:
        faces = tuple(tracker.update(frame.image, frame.timestamp))
        detections = tuple(finder.find(frame.image)) if finder is not None else ()
        yield Item(frame, faces, detections)


def looked_up(
    frames: Iterable[Frame],
    tracks: Iterable[FrameFaces],
    predictor: Predictor | None,
    shown: int | None,
) -> Iterator[Item]:
    """Adds the faces from memory to each frame.

    Args:
      frames: All frames of the video.
      tracks: The faces of the same frames.
      predictor: Computes the depth and the restored images.
      shown: Number of faces per frame that need these images; None for all.
    """
    faces_by_index = {entry.index: entry.faces for entry in tracks}
    for frame in frames:
        faces = faces_by_index.get(frame.index, ())
        if faces[:shown]:
            assert predictor is not None, "`refine` requires a predictor"
            boxes = [face.box for face in faces[:shown]]
            predicted = predictor.predict(frame.image, boxes)
            complete = map(_with_images, faces, predicted)
            faces = (*complete, *faces[len(boxes) :])
        yield Item(frame, faces)


def _with_images(tracked: TrackedFace, predicted: Face) -> TrackedFace:
    """Takes the landmarks from memory and the images from a new prediction."""
    face = dataclasses.replace(
        predicted,
        landmarks=tracked.face.landmarks,
        uncertainty=tracked.face.uncertainty,
    )
    return dataclasses.replace(tracked, face=face)


def with_measures(items: Iterable[Item]) -> Iterator[Item]:
    """Adds the measures of the faces."""
    for item in items:
        faces = tuple(measured(item.frame.image, face) for face in item.faces)
        yield dataclasses.replace(item, faces=faces)
