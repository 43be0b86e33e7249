"""Plays a source of frames at its own speed, in a thread.

Time is measured by the frames' timestamps. Frames that are late are skipped without
full decoding: a slow machine drops frames and stays on time. Files are opened in this
thread too, because a slow disk must not block the window.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Final

from ethos_data.errors import EthosError, one_line
from ethos_model.footage.reader import Frame, Info, Source, open_video
from gui.viewer.settings import MAX_SPEED, MIN_SPEED
from gui.viewer.worker import Worker

LATE: Final = 0.12
"""Seconds. A frame that is later than this is shown, and the frames after it are
skipped until the player is on time."""

COMPLETE: Final = 0.9
"""A video with a smaller share of its announced frames is reported as incomplete."""


@dataclasses.dataclass(frozen=True)
class PlayerState:
    """The state that the window shows.

    Attributes:
      info: Description of the source; None before the first source.
      index: Number of the current frame, from 0.
      timestamp: Time of the current frame, in seconds.
      frame_count: Number of frames; None if unknown.
      playing: Whether the source is played.
      opening: Whether a source is being opened.
      ended: Whether the last frame was read.
      speed: Playback speed; 1 is the recorded speed.
      loop: Whether the source starts again at its end.
      error: Why the source cannot be opened or read, or "".
      note: Remark on the source, or "".
      video: Number of the source, which is different for each source.
    """

    info: Info | None = None
    index: int = 0
    timestamp: float = 0.0
    frame_count: int | None = None
    playing: bool = False
    opening: bool = False
    ended: bool = False
    speed: float = 1.0
    loop: bool = False
    error: str = ""
    note: str = ""
    video: int = 0


class Player:
    """Decodes frames and passes them on when they are due.

    The methods may be called from any thread.

    Attributes:
      worker: The thread.
    """

    def __init__(self, on_frame: Callable[[Frame, int], None]) -> None:
        """Prepares the player; `start` starts its thread.

        Args:
          on_frame: Called in the player's thread as `on_frame(frame, video)`. `video`
            is the number of the source, which is different for each source.
        """
        self.worker = Worker("ethos-player", self._run)
        self._on_frame = on_frame
        self._changed = threading.Condition()
        self._state = PlayerState()
        self._spec: str | None = None  # source to open
        self._play_when_open = False
        self._seek_to: int | None = None  # frame
        self._seek_time: float | None = None  # seconds
        self._target: int | None = None  # frame of the seek that is not finished
        self._closed = False
        self._source: Source | None = None
        self._video = 0  # number of the source
        self._anchor: tuple[float, float] | None = None  # clock and timestamp, seconds

    @property
    def state(self) -> PlayerState:
        """The current state."""
        return self._state

    def start(self) -> None:
        """Starts the thread."""
        self.worker.start()

    def open(self, spec: str, *, play: bool = True) -> None:
        """Opens another source. The current source is used until then.

        Args:
          spec: Path of a video, an image or a directory of images, or "camera:0".
          play: Whether to play it at once.
        """
        with self._changed:
            self._spec, self._play_when_open = spec, play
            self._set(opening=True, error="", note="")
            self._changed.notify()

    def play(self, playing: bool = True) -> None:
        """Plays or pauses. At the end of the source it plays from the start."""
        with self._changed:
            if playing and self._state.ended:
                self._seek_to, self._seek_time = 0, None
            self._anchor = None
            self._set(playing=playing and self._state.info is not None, error="")
            self._changed.notify()

    def toggle(self) -> None:
        """Pauses if the source is played; plays otherwise."""
        self.play(not self._state.playing)

    def seek(self, index: int) -> None:
        """Goes to a frame. A later call replaces a seek that is not finished."""
        with self._changed:
            count = self._state.frame_count
            if count is not None:
                index = min(index, count - 1)
            self._seek_to = self._target = max(0, index)
            self._seek_time = None
            self._set(error="")
            self._changed.notify()

    def seek_time(self, seconds: float) -> None:
        """Goes to the frame nearest to a time, in seconds."""
        with self._changed:
            self._seek_to = self._target = None
            self._seek_time = max(0.0, seconds)
            self._set(error="")
            self._changed.notify()

    def jump(self, seconds: float) -> None:
        """Goes forward (positive) or back (negative) by a time, in seconds."""
        self.seek_time(self._state.timestamp + seconds)

    def step(self, frames: int) -> None:
        """Pauses and goes forward (positive) or back (negative) by some frames."""
        self.play(False)
        with self._changed:
            # Counts from the end of an unfinished seek, so that no key press is lost.
            start = self._state.index if self._target is None else self._target
        self.seek(start + frames)

    def set_speed(self, speed: float) -> None:
        """Sets the playback speed, from MIN_SPEED to MAX_SPEED."""
        if not MIN_SPEED <= speed <= MAX_SPEED:
            raise ValueError(
                f"speed must be from {MIN_SPEED} to {MAX_SPEED}. Received: {speed=}"
            )
        with self._changed:
            self._anchor = None
            self._set(speed=speed)
            self._changed.notify()

    def set_loop(self, loop: bool) -> None:
        """Sets whether the source starts again at its end."""
        with self._changed:
            self._set(loop=loop)

    def close(self) -> None:
        """Ends the thread and closes the source."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self.worker.close()

    def _set(self, **changes: object) -> None:
        self._state = dataclasses.replace(self._state, **changes)  # type: ignore[arg-type]

    def _run(self) -> None:
        # After a failure the player waits for the user, so that it does not fail again
        # at the same frame.
        with self._changed:
            self._anchor = None
            self._set(playing=False, opening=self._spec is not None)
        while True:
            with self._changed:
                while not (self._closed or self._has_work()):
                    self._changed.wait()
                if self._closed:
                    break
                spec, self._spec = self._spec, None
                seek_to, self._seek_to = self._seek_to, None
                seconds, self._seek_time = self._seek_time, None
            try:
                if spec is not None:
                    self._open(spec)
                elif self._source is not None:
                    self._advance(self._source, seek_to, seconds)
            except (EthosError, OSError) as error:
                self._fail(error)
        if self._source is not None:
            self._source.close()

    def _has_work(self) -> bool:
        if self._spec is not None:
            return True
        return self._source is not None and (
            self._state.playing
            or self._seek_to is not None
            or self._seek_time is not None
        )

    def _advance(
        self, source: Source, seek_to: int | None, seconds: float | None
    ) -> None:
        """Goes to a frame or a time, if the user asked for it, and reads a frame."""
        if seconds is not None:
            seek_to = source.index_at(seconds)
        if seek_to is not None:
            source.seek(seek_to)
        self._emit(source, jumped=seek_to is not None)

    def _fail(self, error: EthosError | OSError) -> None:
        """Pauses and shows an error of the source."""
        with self._changed:
            self._target = None
            # A source that cannot be opened leaves the current source playing.
            playing = self._state.playing and self._state.opening
            self._set(error=one_line(error), opening=False, playing=playing)

    def _open(self, spec: str) -> None:
        source = open_video(spec)
        previous, self._source = self._source, source
        self._video += 1
        if previous is not None:
            previous.close()
        with self._changed:
            self._seek_to = self._seek_time = self._target = None
            self._anchor = None
            self._set(
                info=source.info,
                frame_count=source.info.frame_count,
                opening=False,
                ended=False,
                error="",
                note="",
                playing=self._play_when_open,
                video=self._video,
            )
        self._emit(source, jumped=True)

    def _emit(self, source: Source, *, jumped: bool) -> None:
        """Reads the next frame, waits until it is due and passes it on."""
        frame = source.read()
        if frame is None:
            self._end(source)
            if not jumped or source.position == 0:
                return
            # The seek went past the end: the header announced too many frames.
            source.seek(source.position - 1)
            frame = source.read()
            if frame is None:
                return
            with self._changed:
                self._set(index=frame.index, timestamp=frame.timestamp)
            self._on_frame(frame, self._video)
            return
        if not jumped and not source.info.live:
            late = self._wait_until_due(frame)
            if late is None:  # interrupted: the frame is shown at once
                self._anchor = None
            while late is not None and late > LATE and source.skip():
                late -= 1 / (source.info.fps * self._state.speed)
        else:
            self._anchor = None
        with self._changed:
            if self._spec is not None:
                return
            if self._seek_to is None:
                self._target = None
            self._set(index=frame.index, timestamp=frame.timestamp, ended=False)
        self._on_frame(frame, self._video)

    def _wait_until_due(self, frame: Frame) -> float | None:
        """Waits until a frame is due.

        Returns:
          By how many seconds the frame is late, 0 if it is on time; None if the user
          did something else meanwhile.
        """
        with self._changed:
            now = time.monotonic()
            if self._anchor is None:
                last = self._state.timestamp
                self._anchor = (now, min(last, frame.timestamp))
            clock, start = self._anchor
            due = clock + (frame.timestamp - start) / self._state.speed
            if now >= due:
                return now - due
            anchor = self._anchor
            self._changed.wait_for(
                lambda: (
                    self._closed
                    or self._spec is not None
                    or self._seek_to is not None
                    or self._seek_time is not None
                    or self._anchor is not anchor
                ),
                timeout=due - now,
            )
            return 0.0 if self._anchor is anchor else None

    def _end(self, source: Source) -> None:
        """Loops or stops at the end of the source."""
        with self._changed:
            state = self._state
            count = source.position
            announced = state.frame_count
            note = ""
            if source.info.live:
                note = "The live source stopped. Open it again to continue."
            elif source.damage is not None:
                note = str(source.damage)
            elif announced is not None and count < COMPLETE * announced:
                note = f"Incomplete file: {count} of {announced} frames"
            self._target = None
            # The number in the header is an estimate. Now the number is known.
            self._set(frame_count=count, note=note or state.note)
            # A single image is not repeated.
            if state.loop and state.playing and count > 1 and not source.info.live:
                self._seek_to = 0
            else:
                self._set(playing=False, ended=True)
