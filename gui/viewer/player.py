"""Plays a source at its own speed, in its own thread.

Time is the frames' time stamps. Frames that come too late are skipped without being
decoded in full, so that a slow machine drops frames and keeps time. Opening a file
happens here as well: a slow disk must not hold the window.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Final

from ethos_data.errors import EthosError
from ethos_model.footage.reader import Frame, Info, Source, open_video

LATE: Final = 0.12
"""Seconds behind the clock from which frames are skipped to catch up."""

SHORT: Final = 0.9
"""A video that ends before this share of the frames that it promises was cut."""


@dataclasses.dataclass(frozen=True)
class PlayerState:
    """What the controls show. `error` and `note` are sentences, or empty."""

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


class Player(threading.Thread):
    """Decodes and paces. Its methods may be called from any thread."""

    def __init__(self, on_frame: Callable[[Frame, bool], None]) -> None:
        """Args:
        on_frame: called in this thread with each frame, and whether time jumped
          before it (another source, a seek, a loop).
        """
        super().__init__(name="ethos-player", daemon=True)
        self._on_frame = on_frame
        self._changed = threading.Condition()
        self._state = PlayerState()
        self._wanted: str | None = None
        self._play_when_open = False
        self._seek_to: int | None = None
        self._target: int | None = None  # of the seek that is asked for or under way
        self._closed = False
        self._source: Source | None = None
        self._anchor: tuple[float, float] | None = None  # wall clock, time stamp

    @property
    def state(self) -> PlayerState:
        return self._state

    def open(self, spec: str, *, play: bool = True) -> None:
        """Opens another source; the old one goes on until it is there."""
        with self._changed:
            self._wanted, self._play_when_open = spec, play
            self._set(opening=True, error="", note="")
            self._changed.notify()

    def play(self, playing: bool = True) -> None:
        """Plays or pauses; at the end it plays from the start."""
        with self._changed:
            if playing and self._state.ended:
                self._seek_to = 0
            self._anchor = None
            self._set(playing=playing and self._state.info is not None, error="")
            self._changed.notify()

    def toggle(self) -> None:
        self.play(not self._state.playing)

    def seek(self, index: int) -> None:
        """Goes to a frame; of several calls the last one counts."""
        with self._changed:
            count = self._state.frame_count
            if count is not None:
                index = min(index, count - 1)
            self._seek_to = self._target = max(0, index)
            self._set(error="")
            self._changed.notify()

    def seek_time(self, seconds: float) -> None:
        """Goes to the frame at about this time."""
        source = self._source
        if source is not None:
            self.seek(source.index_at(max(0.0, seconds)))

    def jump(self, seconds: float) -> None:
        """Goes on or back in time."""
        self.seek_time(self._state.timestamp + seconds)

    def step(self, frames: int) -> None:
        """Pauses and goes some frames on or back."""
        self.play(False)
        with self._changed:
            # From where a seek under way will end, so that no press of a key is lost.
            start = self._state.index if self._target is None else self._target
        self.seek(start + frames)

    def set_speed(self, speed: float) -> None:
        with self._changed:
            self._anchor = None
            self._set(speed=speed)
            self._changed.notify()

    def set_loop(self, loop: bool) -> None:
        with self._changed:
            self._set(loop=loop)

    def close(self) -> None:
        """Ends the thread and gives back the file."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self.is_alive():
            self.join(timeout=5)

    def _set(self, **changes: object) -> None:
        self._state = dataclasses.replace(self._state, **changes)  # type: ignore[arg-type]

    def run(self) -> None:
        source: Source | None = None
        while True:
            with self._changed:
                while not (self._closed or self._has_work(source)):
                    self._changed.wait()
                if self._closed:
                    break
                wanted, self._wanted = self._wanted, None
                seek_to, self._seek_to = self._seek_to, None
            if wanted is not None:
                source = self._open(wanted, source)
            elif source is not None and seek_to is not None:
                source.seek(seek_to)
                self._emit(source, jumped=True)
            elif source is not None:
                self._emit(source, jumped=False)
        if source is not None:
            source.close()

    def _has_work(self, source: Source | None) -> bool:
        if self._wanted is not None:
            return True
        return source is not None and (self._seek_to is not None or self._state.playing)

    def _open(self, spec: str, old: Source | None) -> Source | None:
        try:
            source = open_video(spec)
        except (EthosError, OSError) as error:
            self._set(opening=False, error=str(error))
            return old
        if old is not None:
            old.close()
        with self._changed:
            self._source = source
            self._seek_to = self._target = None
            self._anchor = None
            self._set(
                info=source.info,
                frame_count=source.info.frame_count,
                opening=False,
                ended=False,
                error="",
                note="",
                playing=self._play_when_open,
            )
        self._emit(source, jumped=True)
        return source

    def _emit(self, source: Source, *, jumped: bool) -> None:
        """Reads the next frame, waits for its time and passes it on."""
        frame = source.read()
        if frame is None:
            self._end(source)
            if not jumped or source.position == 0:
                return
            # A seek behind the end, which the header had put too late.
            source.seek(source.position - 1)
            frame = source.read()
            if frame is None:
                return
            with self._changed:
                self._set(index=frame.index, timestamp=frame.timestamp)
            self._on_frame(frame, True)
            return
        if not jumped and not source.info.live:
            late = self._wait_until_due(frame)
            if late is None:  # interrupted: the frame is shown at once, unpaced
                self._anchor = None
            while late is not None and late > LATE and source.skip():
                late -= 1 / (source.info.fps * self._state.speed)
        else:
            self._anchor = None
        with self._changed:
            if self._wanted is not None:
                return
            if self._seek_to is None:
                self._target = None
            self._set(index=frame.index, timestamp=frame.timestamp, ended=False)
        self._on_frame(frame, jumped)

    def _wait_until_due(self, frame: Frame) -> float | None:
        """Seconds that the frame is late, 0 if it waited; None if interrupted."""
        with self._changed:
            now = time.monotonic()
            if self._anchor is None:
                last = self._state.timestamp
                self._anchor = (now, min(last, frame.timestamp))
            wall, start = self._anchor
            due = wall + (frame.timestamp - start) / self._state.speed
            if now >= due:
                return now - due
            anchor = self._anchor
            self._changed.wait_for(
                lambda: (
                    self._closed
                    or self._wanted is not None
                    or self._seek_to is not None
                    or self._anchor is not anchor
                ),
                timeout=due - now,
            )
            return 0.0 if self._anchor is anchor else None

    def _end(self, source: Source) -> None:
        with self._changed:
            state = self._state
            read = source.position
            promised = state.frame_count
            note = ""
            if promised is not None and read < SHORT * promised:
                note = f"ends after {read} of {promised} frames: is the file whole?"
            self._target = None
            # Headers are hints: from here on the true length is known.
            self._set(frame_count=read, note=note or state.note)
            # A single picture is not a loop.
            if state.loop and state.playing and read > 1 and not source.info.live:
                self._seek_to = 0
            else:
                self._set(playing=False, ended=True)
