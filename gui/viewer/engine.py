"""The thread that sends frames to the model's process and receives their faces."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Final

from ethos_model.footage.reader import Frame
from gui.degradation import VideoDegradation
from gui.viewer import session
from gui.viewer.live_fusion import Subject
from gui.viewer.process import ModelProcess
from gui.viewer.session import Factory, Failed, Ready, Reply, Request, Setup
from gui.viewer.slot import Latest
from gui.viewer.view import View
from gui.viewer.worker import Worker

LOADING: Final = "loading"
READY: Final = "ready"
NO_MODEL: Final = "no model"

REPLY_SECONDS: Final = 60.0
LOAD_SECONDS: Final = 300.0
"""Time for the answer to a request and to a setup. A process that takes longer is
started again."""

MAX_RESTARTS: Final = 3
RESTART_WINDOW: Final = 60.0
"""The process is started again at most MAX_RESTARTS times in RESTART_WINDOW seconds.
After that the user has to choose a model, because the model is probably the cause."""


@dataclasses.dataclass(frozen=True)
class EngineSettings:
    """What to do with each frame.

    Attributes:
      degradation: Degradation of the frame before the model receives it.
      smoothing: Whether to smooth the landmarks over time.
      compare: Whether to find the faces in the clean frame too.
      subject: Whose portrait to reconstruct from many frames; None for nobody.
    """

    degradation: VideoDegradation = dataclasses.field(default_factory=VideoDegradation)
    smoothing: bool = True
    compare: bool = True
    subject: Subject | None = None


@dataclasses.dataclass(frozen=True)
class EngineState:
    """The state that the window shows.

    Attributes:
      setup: What is loaded; what is being loaded if nothing was loaded before.
      phase: LOADING, READY or NO_MODEL.
      model: Name of the model in use, or "".
      error: Text of the last failure, or "".
      failures: Number of failures so far. The window reports each failure once.
      asked: Clock time (`time.monotonic`) of the request that is not answered yet; None
        without such a request.
    """

    setup: Setup
    phase: str = LOADING
    model: str = ""
    error: str = ""
    failures: int = 0
    asked: float | None = None


@dataclasses.dataclass(frozen=True)
class _Arrival:
    """A frame that waits, and the number of the video that contains it."""

    frame: Frame
    video: int


class Engine:
    """Owns the model's process. The methods may be called from any thread.

    Attributes:
      worker: The thread.
    """

    def __init__(
        self,
        on_view: Callable[[View], None],
        setup: Setup,
        factory: Factory = session.load,
        *,
        fallback: Setup | None = None,
    ) -> None:
        """Prepares the engine; `start` starts its thread.

        Args:
          on_view: Called in the engine's thread with each processed frame.
          setup: What to load first.
          factory: Loads models, in the other process.
          fallback: What to load if `setup` cannot be loaded; None for nothing.
        """
        self.worker = Worker("ethos-engine", self._run)
        self._on_view = on_view
        self._factory = factory
        self._inbox: Latest[_Arrival] = Latest()
        self._settings = EngineSettings()
        self._state = EngineState(setup)
        self._lock = threading.Lock()  # of _to_load and _fallback
        self._to_load: Setup | None = setup
        self._fallback = fallback
        self._refresh = threading.Event()
        self._closed = threading.Event()
        self._process: ModelProcess | None = None
        self._deadline: float | None = None  # of loading, on the monotonic clock
        self._restarts: list[float] = []
        self._last: _Arrival | None = None
        self._video = 0
        self._numbering = 0
        self._finished: list[float] = []

    @property
    def state(self) -> EngineState:
        """The current state."""
        return self._state

    def start(self) -> None:
        """Starts the thread."""
        self.worker.start()

    def submit(self, frame: Frame, video: int = 0) -> None:
        """Passes a frame on. It replaces a frame that still waits.

        Args:
          frame: The frame.
          video: Number of the video. With another video, all people are forgotten.
        """
        self._inbox.put(_Arrival(frame, video))

    def set_settings(self, settings: EngineSettings) -> None:
        """Changes the settings and processes the last frame again."""
        if settings != self._settings:
            self._settings = settings
            self._refresh.set()

    def load(self, setup: Setup) -> None:
        """Loads another model.

        Frames have no faces while it is loaded. If it cannot be loaded, the previous
        model is used again.
        """
        with self._lock:
            self._to_load, self._fallback = setup, None
        self._restarts = []

    def close(self) -> None:
        """Ends the thread and the process."""
        self._closed.set()
        self._inbox.close()
        self.worker.close(timeout=10)

    def _set(self, **changes: object) -> None:
        self._state = dataclasses.replace(self._state, **changes)  # type: ignore[arg-type]

    def _fail(self, error: str, **changes: object) -> None:
        """Records a failure for the window."""
        self._set(error=error, failures=self._state.failures + 1, **changes)
        self._refresh.set()

    def _run(self) -> None:
        if self.worker.restarts:  # the window reports why this thread failed
            self._restart("The model's thread failed", report=False)
        try:
            while not self._closed.is_set():
                self._load_next()
                arrival = self._inbox.take(timeout=0.03)
                self._receive()
                if arrival is not None:
                    self._refresh.clear()
                    self._last = arrival
                    self._show(arrival)
                elif self._refresh.is_set() and self._last is not None:
                    self._refresh.clear()
                    self._show(self._last, repeated=True)
        finally:
            self._stop_process()

    def _stop_process(self) -> None:
        process, self._process = self._process, None
        self._deadline = None
        if process is not None:
            process.stop()

    def _load_next(self) -> None:
        """Sends the setup that waits to the process."""
        with self._lock:
            setup, self._to_load = self._to_load, None
        if setup is None:
            return
        if self._process is None:
            try:
                self._process = ModelProcess(self._factory)
            except OSError as error:
                reason = f"The model's process cannot be started ({error})"
                self._fail(f"{reason}. Choose a model to try again.", phase=NO_MODEL)
                return
        self._deadline = time.monotonic() + LOAD_SECONDS
        self._set(phase=LOADING)
        self._refresh.set()
        try:
            self._process.send(setup)
        except OSError:
            with self._lock:
                self._to_load = self._to_load or setup
            self._recover()

    def _receive(self) -> None:
        """Handles the answers to setups."""
        try:
            while self._process is not None and (message := self._process.receive()):
                self._handle(message)
        except (EOFError, OSError):
            self._recover()
        if self._deadline is not None and time.monotonic() > self._deadline:
            self._restart(f"The model was not loaded within {LOAD_SECONDS:.0f} s")

    def _handle(self, message: object) -> None:
        self._deadline = None
        if isinstance(message, Ready):
            self._numbering += 1
            self._set(phase=READY, model=message.model, setup=message.setup)
            self._refresh.set()
        elif isinstance(message, Failed):
            self._refuse(message.reason)

    def _refuse(self, reason: str) -> None:
        """Handles a model that cannot be loaded."""
        with self._lock:
            fallback, self._fallback = self._fallback, None
            if fallback is not None:
                self._to_load = fallback
        reason = f"Model not loaded: {reason}."
        if self._state.model:
            self._fail(f"{reason} The previous model stays in use.", phase=READY)
        elif fallback is not None:
            self._fail(f"{reason} The shipped model is used.")
        else:
            self._fail(f"{reason} Choose another model.", phase=NO_MODEL)

    def _recover(self) -> None:
        """Handles the unexpected end of the process."""
        ending = self._process.ending() if self._process is not None else ""
        self._restart(f"The model's process ended ({ending})")

    def _restart(self, cause: str, *, report: bool = True) -> None:
        """Starts the process again after a failure, a limited number of times.

        Args:
          cause: What happened, as a sentence without a full stop.
          report: Whether the window has to show `cause`.
        """
        self._stop_process()
        now = time.monotonic()
        self._restarts = [t for t in self._restarts if now - t < RESTART_WINDOW]
        if len(self._restarts) >= MAX_RESTARTS:
            advice = "Choose a model to start it again."
            self._fail(f"{cause} repeatedly. {advice}", phase=NO_MODEL, model="")
            return
        self._restarts.append(now)
        with self._lock:
            if self._to_load is None:
                self._to_load = self._state.setup
        self._set(phase=LOADING, model="")
        if report:
            self._fail(f"{cause}. It was started again.")

    def _show(self, arrival: _Arrival, *, repeated: bool = False) -> None:
        """Processes a frame and passes it on."""
        frame, settings = arrival.frame, self._settings
        if arrival.video != self._video:
            self._video = arrival.video
            self._numbering += 1
        started = time.perf_counter()
        image = settings.degradation.apply(frame.image, frame.index)
        timings = {"degrade": 1000 * (time.perf_counter() - started)}
        compared = settings.compare and not settings.degradation.is_identity
        reply = Reply()
        if self._state.phase == READY:
            request = Request(
                image=image,
                clean=frame.image if compared else None,
                timestamp=frame.timestamp,
                smoothing=settings.smoothing,
                numbering=self._numbering,
                subject=settings.subject,
            )
            reply = self._ask(request) or reply
            self._numbering += bool(reply.error)
        timings |= reply.timings
        timings["all"] = 1000 * (time.perf_counter() - started)
        self._on_view(
            View(
                frame=frame,
                image=image,
                faces=reply.faces,
                reference=reply.reference,
                compared=compared,
                phase=self._state.phase,
                timings=timings,
                fps=self._rate(counts=not repeated),
                skipped=reply.skipped,
                error=reply.error,
                numbering=self._numbering,
                renumbered=reply.renumbered,
                portrait=reply.portrait,
                video=arrival.video,
            )
        )

    def _rate(self, *, counts: bool) -> float:
        """Frames per second in the last two seconds.

        Args:
          counts: Whether a new frame is finished now.
        """
        now = time.perf_counter()
        self._finished = [t for t in self._finished if now - t < 2.0]
        if counts:
            self._finished.append(now)
        span = now - self._finished[0] if len(self._finished) > 1 else 0.0
        return (len(self._finished) - 1) / span if span else 0.0

    def _ask(self, request: Request) -> Reply | None:
        """Sends a frame and waits for its faces; None if the process failed."""
        assert self._process is not None
        asked = time.monotonic()
        self._set(asked=asked)
        try:
            self._process.send(request)
            while not self._closed.is_set():
                message = self._process.receive(timeout=0.1)
                if isinstance(message, Reply):
                    return message
                if message is not None:
                    self._handle(message)
                elif time.monotonic() - asked > REPLY_SECONDS:
                    reason = f"did not answer for {REPLY_SECONDS:.0f} s"
                    self._restart(f"The model's process {reason}")
                    return None
        except (EOFError, OSError):
            self._recover()
        finally:
            self._set(asked=None)
        return None
