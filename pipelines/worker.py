"""A shard as an element of a Beam pipeline: all that Beam ever gets to see.

Not in `convert.py`, which is `__main__` when it is run: workers could not import it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import apache_beam as beam
import cv2

from ethos_data.storage import files
from pipelines import plan
from pipelines import shard as shard_lib


@dataclasses.dataclass(frozen=True)
class Task:
    """What a worker is told: a shard, and where its files come from and go to."""

    shard: plan.Shard
    corpus_dir: str
    version_dir: str
    options: plan.Options


class WriteShard(beam.DoFn):
    """Writes the shards of `Task`s and emits how many records each has.

    Args:
      beam_args: flags of the job; some runners do not tell Beam's file systems in a
        worker about them.
    """

    def __init__(self, beam_args: list[str]):
        self._beam_args = beam_args

    def setup(self) -> None:
        files.set_options(self._beam_args)
        # Beam's workers are the parallelism; more threads only fight over the cores.
        self._threads = cv2.getNumThreads()
        cv2.setNumThreads(1)

    def teardown(self) -> None:
        cv2.setNumThreads(self._threads)

    def process(self, task: Task) -> Iterator[int]:
        receipt = shard_lib.process(
            task.shard, task.corpus_dir, task.version_dir, task.options
        )
        yield receipt["records"]


def largest_first(tasks: Sequence[Task]) -> list[Task]:
    """The order in which workers should get them, by the bytes that are to be read.

    A local runner deals elements out to its workers in turn, so that neighbours should
    be of a size: as they came, one of two workers got 8 of 12 large shards and the
    other waited for a third of the time. Runners that hand out what is next end with
    the small ones.
    """
    return sorted(
        tasks, key=lambda task: -sum(one.source.size for one in task.shard.members)
    )


def build(
    pipeline: beam.Pipeline, tasks: Sequence[Task], beam_args: list[str]
) -> beam.PCollection[int]:
    """Adds the conversion to a pipeline."""
    return (
        pipeline
        # Create's own shuffle would deal them out a first time, for nothing.
        | "Shards" >> beam.Create(largest_first(tasks), reshuffle=False)
        # Breaks the fusion with Create, so that workers share the shards.
        | "Share" >> beam.Reshuffle()
        | "Write" >> beam.ParDo(WriteShard(beam_args))
    )
