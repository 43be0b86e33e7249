"""The model's side of the viewer, which runs in a process of its own.

A model can occupy Python's lock for a third of a second while it is loaded, and a
window in the same process would not react meanwhile. Nothing here knows about windows:
requests arrive through a pipe and replies leave through it.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

import numpy as np

from ethos_data.errors import EthosError
from ethos_data.quiet import quiet_libraries
from ethos_data.topology import face_box
from ethos_model.footage.detectors import YUNET
from ethos_model.footage.finder import FaceFinder, Finder
from ethos_model.footage.fusion.face_fusion import FaceFusion
from ethos_model.footage.tracker import FaceTracker
from ethos_model.footage.tracks import TrackedFace, measured
from ethos_model.predict import Face, Predictor
from gui.viewer.live_fusion import LiveFusion, LivePortrait, Subject
from gui.viewer.worker import describe

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Setup:
    """The model and the detector to load.

    Attributes:
      model_dir: Directory of an exported model; None for the shipped model.
      detector: Name of the detector; see `ethos_model.footage.detectors.make_detector`.
      search: Effort of the search for faces; see `FaceFinder`.
      backend: File of the model to run; see `FacePredictor`.
    """

    model_dir: str | None = None
    detector: str = YUNET
    search: str = "fast"
    backend: str = "auto"


@dataclasses.dataclass(frozen=True)
class Request:
    """A frame in which faces are to be found.

    Attributes:
      image: uint8 (H, W, 3) RGB, the frame as the model receives it.
      clean: uint8 (H, W, 3) RGB, the frame before degradation, whose faces are the
        reference; None for no reference.
      timestamp: Time of the frame, in seconds.
      smoothing: Whether to smooth the landmarks over time.
      numbering: Changes with another video. The tracker then forgets all people.
      subject: Whose portrait to reconstruct from many frames; None for nobody.
    """

    image: np.ndarray
    clean: np.ndarray | None
    timestamp: float
    smoothing: bool = True
    numbering: int = 0
    subject: Subject | None = None


@dataclasses.dataclass(frozen=True)
class Locate:
    """An image in which the landmarks of known faces are to be predicted.

    Attributes:
      image: uint8 (H, W, 3) RGB.
      boxes: Face boxes (4,), in source pixels.
      passes: Number of predictions. Each further one starts from the box of the
        landmarks before it, which helps if the boxes are inexact.
    """

    image: np.ndarray
    boxes: Sequence[np.ndarray]
    passes: int = 1


@dataclasses.dataclass(frozen=True)
class Located:
    """The answer to `Locate`.

    Attributes:
      faces: The face of each box; () after an error.
      error: Why the model failed, or "".
    """

    faces: Sequence[Face] = ()
    error: str = ""


@dataclasses.dataclass(frozen=True)
class Reply:
    """The faces of a frame.

    Attributes:
      faces: Faces in the frame, with their measures.
      reference: Faces in the clean frame, with their measures.
      timings: Duration of each stage, in milliseconds.
      skipped: Number of faces that were found but not tracked.
      renumbered: Numbers of people that are no longer used, and those that replaced
        them; see `FaceTracker.renumbered`.
      error: Why the model failed on this frame, or "".
      portrait: The subject, reconstructed from many frames; None without a subject or
        a face.
    """

    faces: list[TrackedFace] = dataclasses.field(default_factory=list)
    reference: list[TrackedFace] = dataclasses.field(default_factory=list)
    timings: dict[str, float] = dataclasses.field(default_factory=dict)
    skipped: int = 0
    renumbered: dict[int, int] = dataclasses.field(default_factory=dict)
    error: str = ""
    portrait: LivePortrait | None = None


@dataclasses.dataclass(frozen=True)
class Ready:
    """The message that a model is loaded.

    Attributes:
      setup: What was loaded.
      model: Name of the model, for the user.
    """

    setup: Setup
    model: str


@dataclasses.dataclass(frozen=True)
class Failed:
    """The message that a model could not be loaded. The previous model stays in use.

    Attributes:
      setup: What should have been loaded.
      reason: The error, in one line.
    """

    setup: Setup
    reason: str


@dataclasses.dataclass(frozen=True)
class Loaded:
    """The result of a factory.

    Attributes:
      predictor: Finds landmarks in face boxes.
      finder: Finds face boxes in a frame.
      model: Name of the model, for the user.
      make_fusion: Starts the reconstruction of a person from many frames.
    """

    predictor: Predictor
    finder: Finder
    model: str
    make_fusion: Callable[[], FaceFusion] = FaceFusion


Factory = Callable[[Setup], Loaded]
"""Loads a model and a detector. It must be a function at module level, because it is
passed to another process."""


def load(setup: Setup) -> Loaded:
    """Loads the model and the detector and runs each once.

    Raises:
      EthosError: The model or the detector is missing or damaged.
    """
    with quiet_libraries():
        from ethos_model.predict import FacePredictor

        predictor = FacePredictor(setup.model_dir, backend=setup.backend)
        # The first call is slow. It should not delay the first frames.
        blank = np.zeros((64, 64, 3), np.uint8)
        predictor.predict(blank, [np.array([16.0, 16.0, 48.0, 48.0])])
        finder = FaceFinder(setup.detector, search=setup.search, predictor=predictor)
        finder.find(blank)
    name = str(predictor.card.get("name", "model"))
    if setup.model_dir:
        name += f" ({os.path.basename(os.path.normpath(setup.model_dir))})"
    return Loaded(predictor, finder, name)


class Session:
    """A model with two trackers: for the degraded frames and for the clean frames.

    Portraits show the degraded frames.
    """

    def __init__(self, loaded: Loaded) -> None:
        self._tracker, self._reference_tracker = (
            FaceTracker(loaded.predictor, loaded.finder) for _ in range(2)
        )
        self._predictor = loaded.predictor
        self._fusion = LiveFusion(loaded.make_fusion)
        self._numbering: int | None = None
        self._logged = ""

    def process(self, request: Request) -> Reply:
        """Finds the faces of a frame. An error concerns this frame only."""
        try:
            return self._find(request)
        except Exception as error:
            reason = describe(error)
            if reason != self._logged:  # not once for each frame
                self._logged = reason
                _logger.exception("the model failed on a frame")
            self._forget()
            return Reply(error=reason)

    def locate(self, request: Locate) -> Located:
        """Predicts the landmarks of faces whose boxes are known."""
        try:
            boxes, faces = list(request.boxes), list[Face]()
            for _ in range(request.passes):
                faces = list(self._predictor.predict(request.image, boxes))
                boxes = [face_box(face.landmarks) for face in faces]
            return Located(faces)
        except Exception as error:
            _logger.exception("the model failed on a face")
            return Located(error=describe(error))

    def _forget(self) -> None:
        self._tracker.reset()
        self._reference_tracker.reset()
        self._fusion.forget()

    def _find(self, request: Request) -> Reply:
        if request.numbering != self._numbering:
            self._numbering = request.numbering
            self._forget()
        faces, timings = _track(self._tracker, request.image, request)
        reference: list[TrackedFace] = []
        if request.clean is not None:
            reference, _ = _track(self._reference_tracker, request.clean, request)
        else:
            self._reference_tracker.reset()
        started = time.perf_counter()
        portrait = self._portrait(faces, request)
        timings["fuse"] = 1000 * (time.perf_counter() - started)
        return Reply(
            faces,
            reference,
            timings,
            skipped=self._tracker.skipped_faces,
            renumbered=dict(self._tracker.renumbered),
            portrait=portrait,
        )

    def _portrait(
        self, faces: Sequence[TrackedFace], request: Request
    ) -> LivePortrait | None:
        self._fusion.renumber(self._tracker.renumbered)
        if request.subject is None:
            return None
        return self._fusion.update(
            request.image, request.timestamp, faces, request.subject
        )


def _track(
    tracker: FaceTracker, image: np.ndarray, request: Request
) -> tuple[list[TrackedFace], dict[str, float]]:
    """Measured faces of an image, and the duration of each stage in milliseconds."""
    tracker.set_smoothing(request.smoothing)
    started = time.perf_counter()
    faces = tracker.update(image, request.timestamp)
    timings = dict(tracker.timings)
    total = 1000 * (time.perf_counter() - started)
    timings["track"] = total - sum(timings.values())
    started = time.perf_counter()
    faces = [measured(image, face) for face in faces]
    timings["measure"] = 1000 * (time.perf_counter() - started)
    return faces, timings


def serve(connection: Connection, factory: Factory) -> None:
    """Answers messages until the connection is closed. The process runs this function.

    The answer to a `Setup` is `Ready` or `Failed`, the answer to a `Request` is a
    `Reply`, the answer to `Locate` is `Located`. None ends the process.
    """
    # Ctrl-C in a terminal reaches this process too. The window ends it when it closes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    session: Session | None = None
    while True:
        try:
            message = connection.recv()
            if message is None:
                return
            if isinstance(message, Setup):
                answer, session = _load(message, factory, session)
                connection.send(answer)
            elif isinstance(message, Locate):
                connection.send(session.locate(message) if session else Located())
            else:
                connection.send(session.process(message) if session else Reply())
        except (EOFError, OSError):  # the window is closed
            return


def _load(
    setup: Setup, factory: Factory, current: Session | None
) -> tuple[Ready | Failed, Session | None]:
    """The answer to a setup, and the session to use from now on."""
    try:
        loaded = factory(setup)
    except EthosError as error:
        return Failed(setup, str(error)), current
    except Exception as error:
        _logger.exception("the model could not be loaded")
        return Failed(setup, describe(error)), current
    return Ready(setup, loaded.model), Session(loaded)
