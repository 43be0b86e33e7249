"""Work in the background of the correction mode, in a thread with a model of its own.

| task | priority |
| --- | --- |
| The model's landmarks in a box that the user has dragged | first |
| Landmarks between two corrected frames | second |
| Analysis of the video, for suggestions | last, frame by frame |

The model runs in another process than that of the viewer, so that nothing here delays
the frames that the user looks at.
"""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

from ethos_data.corpora.corrections import CorrectedFace
from ethos_data.errors import EthosError, one_line
from ethos_model.footage.reader import Frame, Source, VideoError, open_video
from gui.correction.analysis import Analysis
from gui.correction.background_model import BackgroundModel
from gui.correction.document import Span
from gui.correction.interpolation import Tracks
from gui.viewer.session import Factory, Locate, Located, Reply, Request, Setup
from gui.viewer.worker import Worker, describe

RETRY_SECONDS: Final = 5.0
"""Pause after a failure of the model."""


@dataclasses.dataclass(frozen=True, eq=False)
class Guess:
    """The model's landmarks of a face that the user has added.

    Attributes:
      person: Number of the person.
      points: float64 (68, 2), in source pixels.
      added: The landmarks before, which identify the change of the user.
    """

    person: int
    points: np.ndarray
    added: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Filled:
    """Interpolated faces.

    Attributes:
      span: The span.
      faces: Its faces between the ends.
    """

    span: Span
    faces: Sequence[CorrectedFace]


@dataclasses.dataclass(frozen=True, eq=False)
class _Face:
    """A face to look at: the frame, the dragged box, the person, its landmarks."""

    image: np.ndarray
    box: np.ndarray
    person: int
    added: np.ndarray


class Assistant:
    """The thread. The window takes the results.

    Attributes:
      worker: The thread.
      results: What is finished: `Guess` and `Filled`.
    """

    def __init__(self, get_setup: Callable[[], Setup], factory: Factory) -> None:
        """Prepares the thread; `start` starts it. The model is loaded when needed.

        Args:
          get_setup: Returns the model that the viewer uses.
          factory: Loads models, in the other process.
        """
        self.worker = Worker("ethos-assistant", self._run)
        self.results: queue.SimpleQueue[Guess | Filled] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._closed = False
        self._path = ""
        self._face: _Face | None = None
        self._spans: list[Span] = []
        self._analysis: Analysis | None = None
        self._busy = ""
        self._error = ""
        self._pause_until = 0.0
        # Used by the thread only.
        self._model = BackgroundModel(get_setup, factory, lambda: self._closed)
        self._source: Source | None = None
        self._source_path = ""

    @property
    def busy(self) -> str:
        """What the thread does, for the status line; "" if it waits."""
        return self._busy

    @property
    def error(self) -> str:
        """The last failure in one line, or ""."""
        return self._error

    @property
    def analysis(self) -> Analysis | None:
        """The analysis of the video; None if it was not asked for."""
        return self._analysis

    def start(self) -> None:
        """Starts the thread."""
        self.worker.start()

    def close(self) -> None:
        """Ends the thread and the process."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self.worker.close(timeout=30)

    def open(self, path: str) -> None:
        """Works on another video. What waits is dropped."""
        with self._changed:
            self._path = path
            self._face, self._spans, self._analysis = None, [], None
            self._error = ""

    def guess(
        self, image: np.ndarray, box: np.ndarray, person: int, added: np.ndarray
    ) -> None:
        """Asks for the model's landmarks in a box.

        Args:
          image: uint8 (H, W, 3) RGB, the frame.
          box: Face box (4,), in source pixels.
          person: Number of the person.
          added: (68, 2), the landmarks of the face now.
        """
        with self._changed:
            self._face = _Face(image, box, person, added)
            self._changed.notify_all()

    def fill(self, spans: Sequence[Span]) -> None:
        """Interpolates spans. They replace those that wait."""
        with self._changed:
            self._spans = list(spans)
            self._changed.notify_all()

    def analyse(self, frame_count: int | None, *, unrelated: bool) -> Analysis:
        """Analyses the video, or goes on with it.

        Args:
          frame_count: Number of its frames; None if unknown.
          unrelated: Whether its frames are unrelated images.
        """
        with self._changed:
            if self._analysis is None:
                self._analysis = Analysis(frame_count, unrelated=unrelated)
            self._changed.notify_all()
            return self._analysis

    # The thread.

    def _has_work(self) -> bool:
        analysis = self._analysis
        return (
            self._face is not None
            or bool(self._spans)
            or (analysis is not None and not analysis.done)
        )

    def _run(self) -> None:
        try:
            while True:
                with self._changed:
                    self._busy = ""
                    self._changed.wait_for(lambda: self._closed or self._has_work())
                    pause = self._pause_until - time.monotonic()
                    if pause > 0 and not self._closed:
                        self._changed.wait_for(lambda: self._closed, timeout=pause)
                    if self._closed:
                        return
                    path = self._path
                    face, self._face = self._face, None
                    span = self._spans.pop(0) if face is None and self._spans else None
                    analysis = self._analysis
                self._work(path, face, span, analysis)
        finally:
            self._model.stop()
            self._close_source()

    def _work(
        self,
        path: str,
        face: _Face | None,
        span: Span | None,
        analysis: Analysis | None,
    ) -> None:
        """Does one piece of work. A failure is reported and followed by a pause."""
        try:
            if face is not None:
                self._guess(face)
            elif span is not None:
                self._busy = "Computing the frames between two corrections"
                self.results.put(Filled(span, self._fill(path, span)))
            elif analysis is not None and not analysis.done:
                self._busy = f"Analysing the video: {analysis.progress}"
                self._analyse(path, analysis)
            self._error = ""
        except (EthosError, OSError, EOFError) as error:
            self._model.stop()
            is_ours = isinstance(error, (EthosError, OSError))
            reason = one_line(error) if is_ours else describe(error)  # type: ignore[arg-type]
            self._error = f"The background work failed: {reason}"
            self._pause_until = time.monotonic() + RETRY_SECONDS

    def _guess(self, face: _Face) -> None:
        answer = self._model.ask(Locate(face.image, [face.box], passes=2))
        if isinstance(answer, Located) and answer.faces:
            points = np.asarray(answer.faces[0].landmarks, np.float64)[:, :2]
            self.results.put(Guess(face.person, points, face.added))

    def _fill(self, path: str, span: Span) -> list[CorrectedFace]:
        """The faces between the ends of a span.

        There are none if frames are missing or if an end has a landmark without a
        position, which cannot be tracked.

        The frames are read twice, because they may be too large to keep them.
        """
        first, last = span.first, span.last
        if not np.isfinite([first.points, last.points]).all():
            return []
        timestamps: list[float] = []

        def images() -> Iterator[np.ndarray]:
            for frame in _frames(path, span):
                timestamps.append(frame.timestamp)
                yield frame.image

        predictions = []
        try:
            tracks = Tracks.of(images(), first.points, last.points)
            for frame, box in zip(_frames(path, span), tracks.boxes, strict=True):
                answer = self._model.ask(Locate(frame.image, [box]))
                if not isinstance(answer, Located) or not answer.faces:
                    return []
                predictions.append(answer.faces[0].landmarks[:, :2])
        except VideoError:
            return []
        points = tracks.with_predictions(np.stack(predictions))
        return [
            CorrectedFace(
                frame=first.frame + place,
                timestamp=timestamps[place],
                face=span.person,
                points=points[place],
                visible=np.minimum(first.visible, last.visible),
                interpolated=True,
            )
            for place in range(1, len(points) - 1)
        ]

    def _analyse(self, path: str, analysis: Analysis) -> None:
        """Analyses one more frame."""
        if self._source is None or self._source_path != path:
            self._close_source()
            self._source, self._source_path = open_video(path), path
        source = self._source
        if source.position > analysis.next_frame:
            source.seek(analysis.next_frame)
        while source.position < analysis.next_frame and source.skip():
            pass
        frame = source.read()
        if frame is None:
            analysis.finish()
            self._close_source()
            return
        request = Request(
            image=frame.image,
            clean=None,
            timestamp=frame.timestamp,
            smoothing=False,
            numbering=frame.index if analysis.unrelated else 0,
        )
        answer = self._model.ask(request)
        faces = answer.faces if isinstance(answer, Reply) else []
        analysis.add(frame.index, faces)

    def _close_source(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None


def _frames(path: str, span: Span) -> Iterator[Frame]:
    """The frames of a span, its ends included.

    Raises:
      VideoError: A frame cannot be read.
    """
    with open_video(path) as source:
        source.seek(span.first.frame)
        for number in range(span.first.frame, span.last.frame + 1):
            frame = source.read()
            if frame is None or frame.index != number:
                raise VideoError(path, f"frame {number} cannot be read")
            yield frame
