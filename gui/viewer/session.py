"""The model's side of the viewer: runs in a process of its own.

TensorFlow holds Python's lock for a third of a second at a time while it loads (335 ms
from a warm disk), and while it traces; a window in the same process would stand still.
Here nothing knows of windows: requests come in through a pipe, replies go out.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np

from ethos_data.errors import EthosError
from ethos_data.quiet import quiet_libraries
from ethos_model.footage.finder import Detector, make_detector
from ethos_model.footage.smoother import OneEuroOptions
from ethos_model.footage.tracker import FaceTracker, Predictor, TrackedFace


@dataclasses.dataclass(frozen=True)
class Setup:
    """Which model and detector to load; `model_dir` None = the model that ships."""

    model_dir: str | None = None
    detector: str = "mtcnn"


@dataclasses.dataclass(frozen=True)
class Request:
    """A frame to look at.

    Attributes:
      image: uint8 (H, W, 3) RGB, as the model shall see it.
      clean: the same before degradation, to compare with, or None.
      timestamp: seconds.
      smoothing: whether landmarks are smoothed.
      jumped: time jumped before this frame; faces are looked for anew.
      still: the same moment as the last request with other settings.
    """

    image: np.ndarray
    clean: np.ndarray | None
    timestamp: float
    smoothing: bool = True
    jumped: bool = False
    still: bool = False


@dataclasses.dataclass(frozen=True)
class Reply:
    """Faces of a frame; `reference` are those of the clean frame. Times in ms."""

    faces: list[TrackedFace]
    reference: list[TrackedFace]
    timings: dict[str, float]


@dataclasses.dataclass(frozen=True)
class Ready:
    """A model is loaded."""

    setup: Setup
    model: str


@dataclasses.dataclass(frozen=True)
class Failed:
    """A model could not be loaded; the one before, if any, still works."""

    setup: Setup
    reason: str


@dataclasses.dataclass(frozen=True)
class Loaded:
    """What a factory returns."""

    predictor: Predictor
    detector: Detector
    model: str


Factory = Callable[[Setup], Loaded]


def load(setup: Setup) -> Loaded:
    """Loads TensorFlow, the model and the detector."""
    with quiet_libraries():
        from ethos_model.predict import FacePredictor

        predictor = FacePredictor(setup.model_dir)
        # Compiles what it needs now and not in the middle of the first frames.
        blank = np.zeros((64, 64, 3), np.uint8)
        predictor.predict(blank, [np.array([16.0, 16.0, 48.0, 48.0])])
        detector = make_detector(setup.detector)
        detector.detect(blank)
    name = str(predictor.card.get("name", "model"))
    if setup.model_dir:
        name += f" ({os.path.basename(os.path.normpath(setup.model_dir))})"
    return Loaded(predictor, detector, name)


class Session:
    """Two trackers on one model: one for what is shown, one for the clean frame."""

    def __init__(self, loaded: Loaded) -> None:
        self._shown, self._clean = (
            FaceTracker(loaded.predictor, loaded.detector) for _ in range(2)
        )

    def process(self, request: Request) -> Reply:
        """Finds the faces of a frame."""
        smoothing = OneEuroOptions() if request.smoothing else None
        faces, timings = self._track(self._shown, request.image, request, smoothing)
        reference: list[TrackedFace] = []
        if request.clean is not None:
            reference, _ = self._track(self._clean, request.clean, request, smoothing)
        else:
            self._clean.reset()
        return Reply(faces, reference, timings)

    @staticmethod
    def _track(
        tracker: FaceTracker,
        image: np.ndarray,
        request: Request,
        smoothing: OneEuroOptions | None,
    ) -> tuple[list[TrackedFace], dict[str, float]]:
        tracker.set_smoothing(smoothing)
        if request.jumped:
            tracker.reset()
        started = time.perf_counter()
        faces = tracker.update(image, request.timestamp)
        timings = dict(tracker.timings)
        timings["track"] = 1000 * (time.perf_counter() - started) - sum(
            timings.values()
        )
        return faces, timings


def serve(connection: Connection, factory: Factory) -> None:
    """Answers requests until the other end hangs up. The process's main function."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the window decides when to end
    session: Session | None = None
    while True:
        try:
            message = connection.recv()
        except (EOFError, OSError):
            return
        if message is None:
            return
        try:
            if isinstance(message, Setup):
                try:
                    loaded = factory(message)
                except EthosError as error:
                    connection.send(Failed(message, str(error)))
                    continue
                except Exception as error:
                    reason = f"{type(error).__name__}: {error}".splitlines()[0]
                    connection.send(Failed(message, reason))
                    continue
                session = Session(loaded)
                connection.send(Ready(message, loaded.model))
            elif session is not None:
                connection.send(session.process(message))
            else:
                connection.send(Reply([], [], {}))
        except (BrokenPipeError, OSError):
            return
