"""Reads the frames of a video, once or twice, and finds their faces.

`gui.annotation` runs the generators of this module in threads.
"""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from tqdm import tqdm

from ethos_data import progress
from ethos_model.footage import reader
from ethos_model.footage.finder import Finder
from ethos_model.footage.fusion.blending import blend
from ethos_model.footage.fusion.people import FusedPeople, Portraits
from ethos_model.footage.measures.outline import ANATOMICAL, with_outline
from ethos_model.footage.reader import Frame, Source
from ethos_model.footage.tracker import FaceTracker
from ethos_model.footage.tracks import (
    FrameFaces,
    TrackedFace,
    measured,
    with_landmarks,
    with_precision,
    without_images,
)
from ethos_model.predict import Predictor
from gui.degradation import VideoDegradation
from gui.pipeline import Stage

SKIPPED: Final = 50
"""Largest number of frames that are passed over; seeking is faster for more."""


@dataclasses.dataclass(frozen=True)
class Item:
    """A frame with the results of the stages so far.

    Attributes:
      frame: The frame as the model received it.
      faces: The faces in it.
      picture: uint8 (H, W, 3) RGB, the annotated frame, if it is needed.
      is_still: Whether the picture is saved as a still.
    """

    frame: Frame
    faces: tuple[TrackedFace, ...]
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

    def selected(self, indices: Sequence[int]) -> Iterator[Frame]:
        """Yields the degraded frames with the given numbers, which increase."""
        with self.open() as source:
            for index in indices:
                if not 0 <= index - source.position < SKIPPED:
                    source.seek(index)
                while source.position < index and source.skip():
                    pass
                frame = source.read()
                if frame is not None and frame.index == index:
                    image = self._degradation.apply(frame.image, index)
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


def tracked(frames: Iterable[Frame], tracker: FaceTracker) -> Iterator[Item]:
    """Finds the faces in each frame."""
    for frame in frames:
        yield Item(frame, tuple(tracker.update(frame.image, frame.timestamp)))


def followed(
    frames: Iterable[Frame],
    tracker: FaceTracker,
    finder: Finder | None = None,
    *,
    kept: int = 0,
) -> Iterator[FrameFaces]:
    """Finds the faces in each frame.

    Args:
      frames: The frames.
      tracker: Tracks the faces.
      finder: Searches each frame in addition; None for no search.
      kept: Number of faces per frame whose depth and restored image are kept, in half
        precision.
    """
    for frame in frames:
        faces = tracker.update(frame.image, frame.timestamp)
        shown = [with_precision(face, np.float16) for face in faces[:kept]]
        detections = finder.find(frame.image) if finder is not None else ()
        yield FrameFaces(
            frame.index,
            frame.timestamp,
            (*shown, *map(without_images, faces[kept:])),
            tuple(detections),
            tracker.shot,
            dict(tracker.renumbered),
        )


def first_pass(
    read: Reading, tracker: FaceTracker, finder: Finder | None = None
) -> list[FrameFaces]:
    """Tracks the faces of a video from start to end; see `followed`."""
    with (
        read.open() as source,
        Stage(read.frames(source)) as frames,
        Stage(followed(frames, tracker, finder)) as tracks,
        read.bar(source, "frames searched") as bar,
    ):
        result = []
        for entry in tracks:
            result.append(entry)
            bar.update()
    return result


def looked_up(
    frames: Iterable[Frame],
    tracks: Iterable[FrameFaces],
    predictor: Predictor,
    shown: int | None,
) -> Iterator[Item]:
    """Adds the faces from memory to each frame.

    Args:
      frames: All frames of the video.
      tracks: The faces of the same frames, in order.
      predictor: Computes the depth and the restored images that were not kept.
      shown: Number of faces per frame that need these images; None for all.
    """
    entries = iter(tracks)
    entry = next(entries, None)
    for frame in frames:
        while entry is not None and entry.index < frame.index:
            entry = next(entries, None)
        is_known = entry is not None and entry.index == frame.index
        faces = entry.faces if entry is not None and is_known else ()
        complete = [_with_images(f, frame.image, predictor) for f in faces[:shown]]
        yield Item(frame, (*complete, *faces[len(complete) :]))


def _with_images(
    tracked: TrackedFace, image: np.ndarray, predictor: Predictor
) -> TrackedFace:
    """Adds the images of a new prediction, if none were kept."""
    if tracked.face.depth.size:
        return with_precision(tracked, np.float32)
    (predicted,) = predictor.predict(image, [tracked.box])
    face = dataclasses.replace(predicted, uncertainty=tracked.face.uncertainty)
    face = with_landmarks(face, tracked.face.landmarks)
    return dataclasses.replace(tracked, face=face)


def with_measures(items: Iterable[Item]) -> Iterator[Item]:
    """Adds the measures of the faces."""
    for item in items:
        faces = tuple(measured(item.frame.image, face) for face in item.faces)
        yield dataclasses.replace(item, faces=faces)


def with_outlines(items: Iterable[Item], outline: str) -> Iterator[Item]:
    """Yields items whose faces have one of `measures.outline.OUTLINES`."""
    for item in items:
        if outline != ANATOMICAL:
            faces = tuple(
                dataclasses.replace(face, face=with_outline(face.face, outline))
                for face in item.faces
            )
            item = dataclasses.replace(item, faces=faces)
        yield item


def with_fusion(
    items: Iterable[Item],
    people: FusedPeople,
    portraits: Portraits | None,
    *,
    restore: bool,
) -> Iterator[Item]:
    """Reconstructs the faces from the frames so far.

    Args:
      items: The frames with their faces, in order.
      people: The reconstructions.
      portraits: Receives the faces; None for no portraits.
      restore: Whether to replace the faces in the frames by their reconstructions.
    """
    for item in items:
        index, image = item.frame.index, item.frame.image
        weights = people.add(index, image, item.faces)
        if portraits is not None:
            portraits.add(index, item.faces, weights)
        if restore:
            for face in item.faces:
                if face.id in weights:
                    fused = people.result(face)
                    image = blend(image, fused, face.face, grain_seed=index)
            item = dataclasses.replace(
                item, frame=dataclasses.replace(item.frame, image=image)
            )
        yield item
