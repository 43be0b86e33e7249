"""Annotates one video: reads it, tracks its faces, draws and writes the result.

Reading, tracking, drawing and writing run in separate threads. Each of them processes
the frames in order, so the outputs do not depend on the timing of the threads.

With a `refine` function the video is processed in two passes. The first pass tracks the
faces of all frames and keeps them in memory. The function then improves them with
knowledge of the whole video. The second pass reads the video again, draws and writes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
from tqdm import tqdm

from ethos_data import progress
from ethos_data.options import option
from ethos_model.footage import reader
from ethos_model.footage.reader import Damage, Frame, Source
from ethos_model.footage.tracker import FaceTracker, Predictor, TrackedFace
from ethos_model.footage.tracks import FrameFaces, Refine, without_images
from ethos_model.predict import Face
from gui.degradation import VideoDegradation
from gui.drawing import compose
from gui.drawing.overlay import DRAWN, UNCERTAINTY, OverlayOptions
from gui.jobs import AnnotationJob
from gui.outputs import Outputs
from gui.pipeline import Stage

SMALLEST_HEIGHT: Final = 480
"""Smaller videos are enlarged to about this height, in pixels. The drawn landmarks
would cover the face otherwise."""


@dataclasses.dataclass(frozen=True)
class AnnotateOptions:
    """What to draw and how to save it. Each field is a flag."""

    draw: tuple[str, ...] = option(
        DRAWN,
        "What to draw over the video; without a value, nothing",
        group="drawing",
        choices=DRAWN,
    )
    uncertainty: str = option(
        "color",
        "How to draw the uncertainty of the landmarks: as their colour, as the size of "
        "circles, or not",
        group="drawing",
        choices=UNCERTAINTY,
    )
    beside: tuple[str, ...] = option(
        ("restored", "depth"),
        "Reconstructions of the first face beside the video; without a value, none",
        group="drawing",
        choices=compose.RECONSTRUCTIONS,
    )
    scale: float | None = option(
        None,
        "Pixels of the annotated video per pixel of the video (default: 1, and more "
        f"for videos with fewer than {SMALLEST_HEIGHT} lines)",
        group="drawing",
        above=0,
        maximum=16,
    )
    stills_every: float = option(
        1.0, "Time between two stills, in seconds", group="output", minimum=0
    )
    mesh_format: str = option(
        "ply", "File format of meshes", group="output", choices=("ply", "obj")
    )

    @property
    def overlay(self) -> OverlayOptions:
        """What to draw over the video."""
        drawn = {name: name in self.draw for name in DRAWN}
        return OverlayOptions(**drawn, uncertainty=self.uncertainty)


@dataclasses.dataclass(frozen=True)
class AnnotateResult:
    """What a video contained.

    Attributes:
      frames: Number of frames that were read.
      with_face: Number of frames with at least one face.
      seconds: Time that the annotation took, in seconds.
      damage: What could not be read of the video; None if everything was read.
    """

    frames: int
    with_face: int
    seconds: float
    damage: Damage | None = None


@dataclasses.dataclass(frozen=True)
class _Annotated:
    """A frame with the results of the stages so far."""

    frame: Frame
    faces: tuple[TrackedFace, ...]
    picture: np.ndarray | None = None
    is_still: bool = False


def annotate(
    job: AnnotationJob,
    tracker: FaceTracker,
    options: AnnotateOptions | None = None,
    *,
    degradation: VideoDegradation | None = None,
    fields: bool = False,
    refine: Refine | None = None,
    predictor: Predictor | None = None,
    model: str = "",
    show_progress: bool = True,
) -> AnnotateResult:
    """Annotates one video.

    A camera or network stream is recorded until its end or until Ctrl-C. It is always
    processed in one pass.

    Args:
      job: The video and the files to write.
      tracker: Tracker for the faces. It is reset first.
      options: What to draw and how to save it.
      degradation: Degradation that is applied to each frame before it is tracked.
      fields: Process both fields of each frame of interlaced video.
      refine: Improves the tracked faces between two passes; None for one pass.
      predictor: Computes the reconstructions in the second pass. `refine` requires it.
      model: Name of the model, for the tables.
      show_progress: Whether to show a progress bar on stderr.

    Raises:
      EthosError: The video cannot be read, or an output cannot be written.
    """
    options = options or AnnotateOptions()
    read = _Reading(job.video, degradation or VideoDegradation(), fields, show_progress)
    started = time.monotonic()
    tracker.reset()
    count = with_face = 0
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(read.open())
        outputs = stack.enter_context(
            Outputs(job, source.info, model=model, mesh_format=options.mesh_format)
        )
        stack.enter_context(read.stopped_by_ctrl_c(source))
        tracks = None
        if refine is not None and not source.info.live:
            tracks = refine(_first_pass(read, tracker))
        frames = stack.enter_context(Stage(read.frames(source)))
        if tracks is None:
            annotated = _tracked(frames, tracker)
        else:
            # Stills show all faces, the column beside the video only the first.
            shown = None if outputs.has_stills else int(bool(options.beside))
            annotated = _looked_up(frames, tracks, predictor, shown)
        items = stack.enter_context(Stage(annotated))
        pictures = stack.enter_context(Stage(_drawn(items, options, source, outputs)))
        with read.bar(source, "frames") as bar:
            for item in pictures:
                outputs.write(
                    item.frame, item.faces, item.picture, is_still=item.is_still
                )
                count += 1
                with_face += bool(item.faces)
                bar.set_postfix_str(f"{with_face} with a face", refresh=False)
                bar.update()
        outputs.finish(source.damage)
    return AnnotateResult(count, with_face, time.monotonic() - started, source.damage)


class _Reading:
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


def _first_pass(read: _Reading, tracker: FaceTracker) -> list[FrameFaces]:
    """Tracks the faces of a video from start to end."""
    tracks = []
    with (
        read.open() as source,
        Stage(read.frames(source)) as frames,
        Stage(_tracked(frames, tracker)) as items,
        read.bar(source, "frames searched") as bar,
    ):
        for item in items:
            faces = tuple(map(without_images, item.faces))
            tracks.append(FrameFaces(item.frame.index, item.frame.timestamp, faces))
            bar.update()
    return tracks


def _tracked(frames: Iterable[Frame], tracker: FaceTracker) -> Iterator[_Annotated]:
    """Finds the faces in each frame."""
    for frame in frames:
        yield _Annotated(frame, tuple(tracker.update(frame.image, frame.timestamp)))


def _looked_up(
    frames: Iterable[Frame],
    tracks: Iterable[FrameFaces],
    predictor: Predictor | None,
    shown: int | None,
) -> Iterator[_Annotated]:
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
        yield _Annotated(frame, faces)


def _with_images(tracked: TrackedFace, predicted: Face) -> TrackedFace:
    """Takes the landmarks from memory and the images from a new prediction."""
    face = dataclasses.replace(
        predicted,
        landmarks=tracked.face.landmarks,
        uncertainty=tracked.face.uncertainty,
    )
    return dataclasses.replace(tracked, face=face)


def _drawn(
    items: Iterable[_Annotated],
    options: AnnotateOptions,
    source: Source,
    outputs: Outputs,
) -> Iterator[_Annotated]:
    """Adds the picture of each frame whose picture is saved."""
    scale = options.scale or max(1.0, SMALLEST_HEIGHT / source.info.size[1])
    next_still = 0.0
    for item in items:
        is_still = outputs.has_stills and item.frame.timestamp >= next_still
        picture = None
        if outputs.has_video or is_still:
            picture = compose.annotated_frame(
                item.frame.image,
                item.faces,
                scale=scale,
                options=options.overlay,
                kinds=options.beside,
            )
        if is_still:
            next_still = item.frame.timestamp + options.stills_every
        yield dataclasses.replace(item, picture=picture, is_still=is_still)
