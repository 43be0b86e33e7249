"""Runs the stages of a computation in threads and keeps the order of the results."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Final, Generic, TypeVar

T = TypeVar("T")

DEPTH: Final = 3
"""Number of results that may wait between two stages."""

_POLL_SECONDS: Final = 0.1
"""Interval at which a waiting stage checks whether it must end, in seconds."""


class _End:
    """The end of a stage, with the exception that ended it, if any."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Stage(Generic[T]):
    """Computes the items of an iterable in a thread of its own.

    The items have the same order as without the thread. An exception of the iterable is
    raised in place of its next item.

    Example:
      with Stage(read_frames()) as frames, Stage(map(find, frames)) as results:
          for result in results:
              ...
    """

    def __init__(self, items: Iterable[T], *, depth: int = DEPTH) -> None:
        """Starts the thread.

        Args:
          items: Iterable that computes the items. Only the thread uses it.
          depth: Number of items that are computed in advance.
        """
        self._queue: queue.Queue[T | _End] = queue.Queue(depth)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(items,), daemon=True)
        self._thread.start()

    def _run(self, items: Iterable[T]) -> None:
        error: BaseException | None = None
        try:
            for item in items:
                if not self._put(item):
                    return
        except BaseException as raised:
            error = raised
        self._put(_End(error))

    def _put(self, item: T | _End) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=_POLL_SECONDS)
                return True
            except queue.Full:
                continue
        return False

    def __iter__(self) -> Iterator[T]:
        while not self._stopped.is_set():
            try:
                item = self._queue.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item

    def stop(self) -> None:
        """Ends the thread after its current item, and the iteration."""
        self._stopped.set()

    def __enter__(self) -> Stage[T]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._thread.join()
