"""Plans: pure, even, by person, and stable when the corpus grows."""

import dataclasses
import json
import random

import pytest

from ethos_data.errors import EthosError
from pipelines import plan, splits


def make_sources(people=60, videos=3, seed=0):
    rng = random.Random(seed)
    return [
        plan.Source(
            f"part_{person % 3}/Person_{person:03d}_{number}.npz",
            size=rng.randrange(10**5, 10**7),
            modified=1.5e9 + person,
            frames=rng.randrange(40, 240),
            height=200,
            width=240,
        )
        for person in range(people)
        for number in range(videos)
    ]


def members(made):
    return {m.source.path: s for s in made.shards for m in s.members}


def test_a_plan_does_not_depend_on_the_order_of_the_listing():
    sources = make_sources()
    shuffled = random.Random(1).sample(sources, len(sources))
    assert plan.make(sources, plan.Options()) == plan.make(shuffled, plan.Options())


def test_every_file_is_in_one_shard_and_nobody_in_two_splits():
    sources = make_sources()
    made = plan.make(sources, plan.Options())
    placed = [m.source for s in made.shards for m in s.members]
    assert sorted(placed, key=lambda s: s.path) == sorted(sources, key=lambda s: s.path)
    splits = {}
    for shard in made.shards:
        for member in shard.members:
            splits.setdefault(member.source.person_id, set()).add(shard.split)
    assert all(len(s) == 1 for s in splits.values())
    assert {p: s.pop() for p, s in splits.items()} == made.people


@pytest.mark.parametrize("people", [3, 4, 7, 12, 60, 500])
def test_splits_are_near_their_shares_and_never_empty(people):
    for seed in range(5):
        made = plan.make(make_sources(people, 1), plan.Options(seed=seed))
        count = {name: 0 for name, _ in plan.DEFAULT_SPLITS}
        for split in made.people.values():
            count[split] += 1
        for name, share in plan.DEFAULT_SPLITS:
            assert count[name] >= max(1, int(people * share / 2))
            # Four standard deviations of a binomial, and the people given to others.
            spread = 4 * (people * share * (1 - share)) ** 0.5 + 2
            assert abs(count[name] - people * share) <= spread


def test_with_fewer_people_than_splits_some_split_has_somebody():
    made = plan.make(make_sources(1, 2), plan.Options())
    assert sum(len(s.members) for s in made.shards) == 2


def test_shards_are_even_hold_many_people_and_stay_below_their_size():
    options = plan.Options(max_shard_size_mb=40)
    made = plan.make(make_sources(200), options)
    train = [s for s in made.shards if s.split == "train"]
    sizes = [sum(plan.estimated_bytes(m, options) for m in s.members) for s in train]
    assert len(train) >= 8
    assert max(sizes) <= 40 * 2**20
    assert max(sizes) - min(sizes) <= max(
        plan.estimated_bytes(m, options) for s in train for m in s.members
    )
    assert min(len({m.source.person_id for m in s.members}) for s in train) >= 4
    assert [s.name for s in train][:2] == [
        f"ethos_faces-train.tfrecord-0000{i}-of-{len(train):05d}" for i in range(2)
    ]


def test_num_shards_holds_for_each_split_but_none_is_empty():
    made = plan.make(make_sources(60, 1), plan.Options(num_shards=7))
    by_split = {}
    for shard in made.shards:
        assert shard.members
        by_split.setdefault(shard.split, []).append(shard)
    assert len(by_split["train"]) == 7
    assert all(len(shards) <= 7 for shards in by_split.values())


def test_limits_count_frames():
    options = plan.Options(max_examples_per_split=500, frame_stride=2)
    sources = make_sources()
    made = plan.make(sources, options)
    for name, _ in options.splits:
        shards = [s for s in made.shards if s.split == name]
        assert sum(m.frames(2) for s in shards for m in s.members) == 500
    assert len(members(made)) + len(made.left_out) == len(sources)
    few = plan.make(sources, plan.Options(max_frames_per_video=5))
    assert few.frames == 5 * len(sources)


def test_one_video_id_in_two_folders_is_read_once():
    twin = plan.Source("a/Person_000_0.npz", 5, 5.0, frames=3)
    sources = [*make_sources(), twin]
    made = plan.make(sources, plan.Options())
    assert made.duplicates == {"part_0/Person_000_0.npz": "a/Person_000_0.npz"}
    assert len(members(made)) == len(sources) - 1
    # The one in use stays in use, whichever name comes first.
    before = plan.make(make_sources(), plan.Options())
    grown = plan.make(sources, plan.Options(), before)
    assert grown.duplicates == {"a/Person_000_0.npz": "part_0/Person_000_0.npz"}


def test_seeds_and_options_change_the_keys():
    sources = make_sources()
    keys = {s.key for s in plan.make(sources, plan.Options()).shards}
    for other in (
        plan.Options(image_size=128),
        plan.Options(jpeg_quality=80),
        plan.Options(frame_stride=2),
        plan.Options(seed=1),
    ):
        assert not keys & {s.key for s in plan.make(sources, other).shards}


def test_new_files_move_nobody_and_leave_finished_shards_alone():
    old = make_sources(40)
    before = plan.make(old, plan.Options())
    extra = plan.Source("more/Person_003_9.npz", 10**6, 1.6e9, 80, 200, 240)
    grown = [*old, *make_sources(55)[len(old) :], extra]
    after = plan.make(grown, plan.Options(), before)
    assert before.people.items() <= after.people.items()
    assert members(after)["more/Person_003_9.npz"].split == before.people["Person_003"]
    assert {s.key for s in before.shards} <= {s.key for s in after.shards}
    # Without the earlier plan, hashes alone keep almost everybody in place.
    fresh = plan.make(grown, plan.Options())
    moved = [p for p in before.people if fresh.people[p] != before.people[p]]
    assert len(moved) <= 2


def test_only_shards_of_changed_and_vanished_files_are_made_again():
    sources = make_sources()
    before = plan.make(sources, plan.Options())
    changed = [dataclasses.replace(sources[0], size=7), *sources[2:]]
    touched = {members(before)[sources[i].path].key for i in (0, 1)}
    after = plan.make(changed, plan.Options(), before)
    assert {s.key for s in before.shards} - {s.key for s in after.shards} == touched
    assert {s.name for s in after.shards} == {s.name for s in before.shards}
    assert plan.make(sources, plan.Options(), before) == before


def test_while_the_number_of_shards_stays_no_file_takes_anothers_name():
    sources = make_sources(30, 1)
    before = plan.make(sources, plan.Options(num_shards=4))
    gone = {m.source.path for m in before.shards[1].members}
    new = plan.Source("New_Person_0.npz", 10**6, 1.6e9, 80, 200, 240)
    people = {**before.people, "New_Person": before.shards[1].split}
    earlier = dataclasses.replace(before, people=people)
    kept = [s for s in sources if s.path not in gone]
    after = plan.make([*kept, new], plan.Options(num_shards=4), earlier)
    names = {s.key: s.name for s in before.shards}
    assert all(names.get(s.key, s.name) == s.name for s in after.shards)


def test_people_who_have_left_fill_no_split():
    names = dict.fromkeys(("train", "validation", "test"), 1 / 3)
    splits_of = tuple(names.items())
    known = {"a": "train", "b": "validation", "c": "test"}
    people = ["a", "c", *"defghi"]  # b has left
    assigned = splits.assign(people, splits_of, 0, known)
    assert assigned["b"] == "validation"  # should b come back
    assert {assigned[person] for person in people} == set(names)


def test_a_plan_survives_json():
    made = plan.make(make_sources(), plan.Options(max_examples_per_split=99))
    assert plan.Plan.from_json(json.loads(json.dumps(made.to_json()))) == made


@pytest.mark.parametrize(
    "options",
    [
        {"frame_stride": 0},
        {"num_shards": -1},
        {"image_size": 3},
        {"max_shard_size_mb": 1e-7},
        {"max_shard_size_mb": float("nan")},
        {"splits": (("train", float("nan")), ("test", 1.0))},
        {"jpeg_quality": 101},
        {"splits": (("train", 1.0), ("train", 1.0))},
        {"splits": (("train", 0.0),)},
        {"splits": (("a/b", 1.0),)},
        {"splits": ()},
    ],
)
def test_impossible_options_are_refused(options):
    with pytest.raises(EthosError):
        plan.Options(**options)
