"""Measures the progress of a conversion by the receipts of its workers.

The receipts are stored next to the shards. So this works with any runner and with any
number of machines, without messages between the workers and this process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

from ethos_data.storage import files
from pipelines.conversion import shard_writer
from pipelines.conversion.plan import Shard

_LOCAL_SECONDS: Final = 0.5
_REMOTE_SECONDS: Final = 5.0
"""Interval between two listings of the receipts. Listing a bucket costs money."""


class Monitor:
    """Reports the number of finished frames while its `with` block runs.

    Args:
      shards: The shards that this run writes.
      stride: One frame in `stride` of each video is converted.
      version_dir: Directory of the shards.
      progress: Called with the number of finished frames and the total, from a thread
        and once at the end of the block. None for no reports.
    """

    def __init__(
        self,
        shards: Sequence[Shard],
        stride: int,
        version_dir: str,
        progress: Callable[[int, int], None] | None,
    ):
        self._frames = {
            shard.key: sum(member.frames(stride) for member in shard.members)
            for shard in shards
        }
        self._state_dir = files.join(version_dir, shard_writer.STATE)
        local = files.is_local(version_dir)
        self._interval = _LOCAL_SECONDS if local else _REMOTE_SECONDS
        self._progress = progress
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
        while not self._stop.wait(self._interval) and not self._report():
            pass

    def _report(self) -> bool:
        """Reports the progress. Returns whether all shards are finished."""
        names = {entry.path for entry in files.walk(self._state_dir)}
        finished = [key for key in self._frames if f"{key}.json" in names]
        assert self._progress is not None
        self._progress(
            sum(self._frames[key] for key in finished), sum(self._frames.values())
        )
        return len(finished) == len(self._frames)
