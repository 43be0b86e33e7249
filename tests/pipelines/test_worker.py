"""What Beam gets to see."""

from __future__ import annotations

from pipelines import plan, worker


def task(name: str, *sizes: int) -> worker.Task:
    members = tuple(
        plan.Member(plan.Source(f"{name}_{i}.npz", size, 0.0, 9, 90, 90), None)
        for i, size in enumerate(sizes)
    )
    shard = plan.Shard("train", 0, 1, members, name)
    return worker.Task(shard, "corpus", "data", plan.Options())


def test_two_workers_that_take_turns_get_even_shares():
    # As a plan lists them: small splits before and between the large shards.
    sizes = [(5,), (300, 10), (6,), (290,), (7,), (305,), (4, 3), (310,)]
    tasks = [task(f"shard_{i}", *each) for i, each in enumerate(sizes)]
    ordered = worker.largest_first(tasks)
    assert sorted(t.shard.key for t in ordered) == [t.shard.key for t in tasks]
    bytes_of = [sum(m.source.size for m in t.shard.members) for t in ordered]
    shares = sum(bytes_of[::2]), sum(bytes_of[1::2])
    assert abs(shares[0] - shares[1]) < 0.05 * sum(shares)
    unsorted = [sum(each) for each in sizes]
    assert sum(unsorted[1::2]) > 20 * sum(unsorted[::2])
