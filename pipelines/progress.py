"""How far a conversion is, read off the receipts that its workers leave.

The receipts lie where the shards lie, so this works with any runner, on any number of
machines, without a word between the workers and the process that started them.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Collection
from typing import Final, TextIO

from ethos_data.storage import files
from pipelines import plan
from pipelines import shard as shard_lib

_LOCAL_SECONDS: Final = 0.5
_REMOTE_SECONDS: Final = 5.0
"""Between two looks; listing a bucket costs money."""

_LINE_SECONDS: Final = 10.0
"""Between two lines where a line cannot be overwritten."""


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where a conversion stands.

    Attributes:
      frames: read and dealt with so far, without those found finished.
      frames_total: to be dealt with in this run.
      shards: finished in this run.
      shards_total: to be made in this run.
      seconds: since the first shard was begun.
    """

    frames: int
    frames_total: int
    shards: int
    shards_total: int
    seconds: float

    @property
    def frames_per_second(self) -> float:
        return self.frames / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """An estimate; None before the first shard is finished."""
        if not self.frames:
            return None
        return self.seconds * (self.frames_total - self.frames) / self.frames

    def __str__(self) -> str:
        text = (
            f"{self.frames}/{self.frames_total} frames, "
            f"{self.shards}/{self.shards_total} shards"
        )
        if self.seconds_left is None:
            return text
        minutes, seconds = divmod(round(self.seconds_left), 60)
        rate = f"{self.frames_per_second:.0f} frames/s"
        return f"{text}, {rate}, {minutes}:{seconds:02} left"


class Monitor:
    """Looks for receipts while a block runs.

    Args:
      made: the plan.
      todo: keys of the shards that this run makes.
      version_dir: where they go.
      progress: called with every new state from a thread of the monitor's, and once at
        the end of the block; None watches nothing.
    """

    def __init__(
        self,
        made: plan.Plan,
        todo: Collection[str],
        version_dir: str,
        progress: Callable[[Progress], None] | None,
    ):
        stride = made.options.frame_stride
        self._frames = {
            s.key: sum(m.frames(stride) for m in s.members)
            for s in made.shards
            if s.key in todo
        }
        self._state_dir = files.join(version_dir, shard_lib.STATE)
        self._every = _LOCAL_SECONDS if files.is_local(version_dir) else _REMOTE_SECONDS
        self._progress = progress
        self._begun = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Monitor:
        if self._progress and self._frames:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._stop.set()
            self._thread.join()
            self._report()

    def _watch(self) -> None:
        while not self._stop.wait(self._every) and not self._report():
            pass

    def _report(self) -> bool:
        """Reports, and says whether everything is finished."""
        names = {entry.path for entry in files.walk(self._state_dir)}
        done = [key for key in self._frames if f"{key}.json" in names]
        assert self._progress is not None
        self._progress(
            Progress(
                frames=sum(self._frames[key] for key in done),
                frames_total=sum(self._frames.values()),
                shards=len(done),
                shards_total=len(self._frames),
                seconds=time.monotonic() - self._begun,
            )
        )
        return len(done) == len(self._frames)


def printer(stream: TextIO) -> Callable[[Progress], None]:
    """Shows progress on a stream: in place on a terminal, else a line now and then."""
    terminal = stream.isatty()
    last = time.monotonic()

    def show(progress: Progress) -> None:
        nonlocal last
        finished = progress.shards == progress.shards_total
        if terminal:
            print(f"\r\x1b[K{progress}", end="\n" if finished else "", file=stream)
        elif finished or time.monotonic() - last >= _LINE_SECONDS:
            last = time.monotonic()
            print(progress, file=stream)
        stream.flush()

    return show
