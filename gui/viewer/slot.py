"""A queue that holds only the newest item."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """Passes the newest item from one thread to another. Older items are dropped."""

    def __init__(self) -> None:
        """Creates an empty queue."""
        self._changed = threading.Condition()
        self._item: T | None = None
        self._closed = False

    def put(self, item: T) -> None:
        """Stores an item in place of the previous item."""
        with self._changed:
            self._item = item
            self._changed.notify()

    def take(self, timeout: float = 0.0) -> T | None:
        """Removes the item.

        Args:
          timeout: Seconds to wait for an item.

        Returns:
          The item; None if none arrives in time or the queue is closed.
        """
        with self._changed:
            if self._item is None and not self._closed and timeout > 0:
                self._changed.wait(timeout)
            item, self._item = self._item, None
            return item

    def close(self) -> None:
        """Wakes the thread that waits in `take`."""
        with self._changed:
            self._closed = True
            self._item = None
            self._changed.notify_all()
