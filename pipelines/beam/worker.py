"""The Beam transform that writes shards.

It is not in `convert.py`, because workers could not import it from there: that module
is `__main__` when the command runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import apache_beam as beam
import cv2

from ethos_data.storage import files
from pipelines.conversion.shard_writer import ShardTask, write_shard


class WriteShard(beam.DoFn):
    """Writes the shard of each `ShardTask` and emits its number of records.

    Args:
      beam_args: Flags for Beam. Some runners do not pass them to the file systems of a
        worker, so the worker does it.
    """

    def __init__(self, beam_args: list[str]):
        self._beam_args = beam_args

    def setup(self) -> None:
        files.set_options(self._beam_args)
        # Beam runs one worker per core. Threads of OpenCV would only slow them down.
        self._threads = cv2.getNumThreads()
        cv2.setNumThreads(1)

    def teardown(self) -> None:
        cv2.setNumThreads(self._threads)

    def process(self, task: ShardTask) -> Iterator[int]:
        yield write_shard(task)["records"]


def largest_first(tasks: Sequence[ShardTask]) -> list[ShardTask]:
    """Sorts tasks by the number of bytes to read, in decreasing order.

    A local runner gives elements to its workers in turn. In the order of the plan, one
    of two workers got 8 of the 12 large shards, and the other was idle for a third of
    the time. Other runners give the next element to the next free worker. They end with
    the small shards, so that all workers finish at about the same time.
    """
    return sorted(
        tasks,
        key=lambda task: -sum(member.source.size for member in task.shard.members),
    )


def build(
    pipeline: beam.Pipeline, tasks: Sequence[ShardTask], beam_args: list[str]
) -> beam.PCollection[int]:
    """Adds the conversion to a pipeline.

    Returns:
      The number of records of each shard.
    """
    return (
        pipeline
        # The shuffle of Create itself would change the order for no benefit.
        | "Shards" >> beam.Create(largest_first(tasks), reshuffle=False)
        # Without this step, Beam fuses Create and Write, and one worker does all.
        | "Share" >> beam.Reshuffle()
        | "Write" >> beam.ParDo(WriteShard(beam_args))
    )
