"""The order in which workers get the shards."""

from __future__ import annotations

from pipelines.beam import worker
from pipelines.conversion.options import ConversionOptions
from pipelines.conversion.plan import Member, Shard, Source
from pipelines.conversion.shard_writer import ShardTask


def make_task(name: str, *sizes: int) -> ShardTask:
    members = tuple(
        Member(Source(f"{name}_{i}.npz", size, 0.0, 9, 90, 90), None)
        for i, size in enumerate(sizes)
    )
    shard = Shard("train", 0, 1, members, name)
    return ShardTask(shard, "corpus", "data", ConversionOptions())


def test_two_workers_that_take_turns_read_about_the_same_number_of_bytes():
    # As in a plan: small splits before and between the large shards.
    sizes = [(5,), (300, 10), (6,), (290,), (7,), (305,), (4, 3), (310,)]
    tasks = [make_task(f"shard_{i}", *files) for i, files in enumerate(sizes)]
    ordered = worker.largest_first(tasks)
    assert sorted(t.shard.key for t in ordered) == [t.shard.key for t in tasks]
    bytes_to_read = [sum(m.source.size for m in t.shard.members) for t in ordered]
    first, second = sum(bytes_to_read[::2]), sum(bytes_to_read[1::2])
    assert abs(first - second) < 0.05 * (first + second)
    unsorted = [sum(files) for files in sizes]
    assert sum(unsorted[1::2]) > 20 * sum(unsorted[::2])
