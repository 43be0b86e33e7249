"""The thread that feeds the model's process and collects what it saw."""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Final

import numpy as np

from ethos_model.footage.reader import Frame
from ethos_model.footage.tracker import TrackedFace
from gui.degradation import VideoDegradation
from gui.viewer.session import (
    Factory,
    Failed,
    Ready,
    Reply,
    Request,
    Setup,
    load,
    serve,
)
from gui.viewer.slot import Latest

LOADING: Final = "loading model"
READY: Final = "ready"
NO_MODEL: Final = "no model"


@dataclasses.dataclass(frozen=True)
class EngineSettings:
    """How frames are treated before and after the model."""

    degradation: VideoDegradation = dataclasses.field(default_factory=VideoDegradation)
    smoothing: bool = True
    compare: bool = True


@dataclasses.dataclass(frozen=True)
class View:
    """One frame and all that is known of it.

    Attributes:
      frame: as decoded.
      image: uint8 (H, W, 3) RGB, as the model saw it: degraded, if that is on.
      faces: found in `image`.
      reference: found in the clean frame, when it is degraded and compared.
      compared: whether `reference` was looked for.
      state: LOADING, READY or NO_MODEL.
      timings: ms by stage.
      fps: frames per second that came through lately.
    """

    frame: Frame
    image: np.ndarray
    faces: list[TrackedFace]
    reference: list[TrackedFace]
    compared: bool
    state: str
    timings: dict[str, float]
    fps: float


class Engine(threading.Thread):
    """Owns the model's process. Its methods may be called from any thread."""

    def __init__(
        self,
        on_view: Callable[[View], None],
        setup: Setup,
        factory: Factory = load,
    ) -> None:
        super().__init__(name="ethos-engine", daemon=True)
        self._on_view = on_view
        self._factory = factory
        self._inbox: Latest[tuple[Frame, bool]] = Latest()
        self._settings = EngineSettings()
        self._setup: Setup | None = setup
        self._refresh = threading.Event()
        self._closed = threading.Event()
        self._connection: Connection | None = None
        self._process: multiprocessing.process.BaseProcess | None = None
        self._jumped = False
        self._last: Frame | None = None
        self._finished: list[float] = []
        self.state, self.model, self.error = LOADING, "", ""
        self.loaded = setup
        """What works now, or is the first to be loaded."""

    def submit(self, frame: Frame, jumped: bool = False) -> None:
        """Gives the newest frame; one that waits still is dropped."""
        self._jumped |= jumped
        self._inbox.put((frame, jumped))

    def set_settings(self, settings: EngineSettings) -> None:
        """Changes settings; the last frame is looked at again with them."""
        if settings != self._settings:
            self._settings = settings
            self._refresh.set()

    def load(self, setup: Setup) -> None:
        """Loads another model; the old one works until it is there."""
        self.error = ""
        self._setup = setup

    def close(self) -> None:
        """Ends thread and process."""
        self._closed.set()
        self._inbox.close()
        if self.is_alive():
            self.join(timeout=10)

    def run(self) -> None:
        try:
            while not self._closed.is_set():
                self._start_loading()
                item = self._inbox.take(timeout=0.03)
                self._hear()
                if item is not None:
                    jumped, self._jumped = self._jumped, False
                    self._refresh.clear()
                    self._last = item[0]
                    self._look(item[0], jumped=jumped, still=False)
                elif self._refresh.is_set() and self._last is not None:
                    self._refresh.clear()
                    self._look(self._last, jumped=False, still=True)
        finally:
            self._stop_process()

    def _start_loading(self) -> None:
        setup, self._setup = self._setup, None
        if setup is None:
            return
        if self._process is None or not self._process.is_alive():
            self._stop_process()
            # "spawn": a copy of a process with a window and threads is not sound.
            context = multiprocessing.get_context("spawn")
            ours, theirs = context.Pipe()
            self._process = context.Process(
                target=serve,
                args=(theirs, self._factory),
                name="ethos-model",
                daemon=True,
            )
            self._process.start()
            theirs.close()
            self._connection = ours
        assert self._connection is not None
        self.state = LOADING
        self._connection.send(setup)
        self._refresh.set()

    def _stop_process(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.send(None)
            self._connection.close()
            self._connection = None
        if self._process is not None:
            self._process.join(timeout=1)
            if self._process.is_alive():
                self._process.kill()
                self._process.join(timeout=5)
            self._process.close()
            self._process = None

    def _hear(self) -> None:
        """Takes what the process says of its own accord: that a model is there."""
        try:
            while self._connection is not None and self._connection.poll():
                self._take(self._connection.recv())
        except (EOFError, OSError):
            self._lost()

    def _take(self, message: object) -> None:
        if isinstance(message, Ready):
            self.state, self.error = READY, ""
            self.model = message.model
            self.loaded = message.setup
        elif isinstance(message, Failed):
            self.error = message.reason
            self.state = READY if self.model else NO_MODEL
        self._refresh.set()

    def _lost(self) -> None:
        self._stop_process()
        self.state, self.model = NO_MODEL, ""
        self.error = "the model's process ended; choose a model to start it again"
        self._refresh.set()

    def _look(self, frame: Frame, *, jumped: bool, still: bool) -> None:
        settings = self._settings
        started = time.perf_counter()
        image = settings.degradation.apply(frame.image, frame.index)
        degraded = 1000 * (time.perf_counter() - started)
        compared = settings.compare and not settings.degradation.is_identity
        reply = Reply([], [], {})
        if self.state == READY:
            request = Request(
                image=image,
                clean=frame.image if compared else None,
                timestamp=frame.timestamp,
                smoothing=settings.smoothing,
                jumped=jumped,
                still=still,
            )
            answer = self._ask(request)
            reply = reply if answer is None else answer
        timings = {"degrade": degraded, **reply.timings}
        timings["all"] = 1000 * (time.perf_counter() - started)
        now = time.perf_counter()
        self._finished = [t for t in self._finished if now - t < 2.0]
        if not still:
            self._finished.append(now)
        span = now - self._finished[0] if len(self._finished) > 1 else 0.0
        self._on_view(
            View(
                frame=frame,
                image=image,
                faces=reply.faces,
                reference=reply.reference,
                compared=compared,
                state=self.state,
                timings=timings,
                fps=(len(self._finished) - 1) / span if span else 0.0,
            )
        )

    def _ask(self, request: Request) -> Reply | None:
        """Sends a frame and waits for its faces; None if the process is gone."""
        try:
            assert self._connection is not None
            self._connection.send(request)
            while not self._closed.is_set():
                if self._connection.poll(0.1):
                    message = self._connection.recv()
                    if isinstance(message, Reply):
                        return message
                    self._take(message)
        except (EOFError, OSError):
            self._lost()
        return None
