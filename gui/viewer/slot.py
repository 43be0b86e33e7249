"""A queue of one: what came last is all that matters."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """Hands the newest item from one thread to another; older ones are lost."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: T | None = None
        self._closed = False
        self.replaced = 0
        """How many items nobody took."""

    def put(self, item: T) -> None:
        """Leaves an item; the one that lay there is forgotten."""
        with self._changed:
            self.replaced += self._item is not None
            self._item = item
            self._changed.notify()

    def take(self, timeout: float = 0.0) -> T | None:
        """The item, or None if none comes within `timeout` seconds or after close."""
        with self._changed:
            if self._item is None and not self._closed and timeout > 0:
                self._changed.wait(timeout)
            item, self._item = self._item, None
            return item

    def close(self) -> None:
        """Wakes whoever waits; nothing more will come."""
        with self._changed:
            self._closed = True
            self._item = None
            self._changed.notify_all()
