"""The Beam transforms that read headers and write shards.

They are not in `convert.py`, because workers could not import them from there: that
module is `__main__` when the command runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import apache_beam as beam
import cv2

from ethos_data.storage import files
from pipelines.conversion import corpus
from pipelines.conversion.corpus import HeaderTask
from pipelines.conversion.shard_writer import ShardTask, write_shard


class _Step(beam.DoFn):
    """What both steps of a conversion need in a worker.

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


class ReadHeaders(_Step):
    """Reads the headers of each `HeaderTask` and emits the number of files."""

    def process(self, task: HeaderTask) -> Iterator[int]:
        corpus.read_headers(task)
        yield len(task.paths)


class WriteShard(_Step):
    """Writes the shard of each `ShardTask` and emits its number of records."""

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


def build_headers(
    pipeline: beam.Pipeline, tasks: Sequence[HeaderTask], beam_args: list[str]
) -> beam.PCollection[int]:
    """Adds the reading of headers to a pipeline.

    Returns:
      The number of files of each task.
    """
    return (
        pipeline
        | "Batches" >> beam.Create(tasks, reshuffle=False)
        | "Share" >> beam.Reshuffle()
        | "Read" >> beam.ParDo(ReadHeaders(beam_args))
    )
