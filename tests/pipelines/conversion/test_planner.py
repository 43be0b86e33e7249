"""Plans: they depend on little, are even, keep people together and stay stable."""

import dataclasses
import json
import random

import pytest

from ethos_data import depth
from ethos_data.errors import EthosError
from pipelines.conversion import splits
from pipelines.conversion.options import DEFAULT_SPLITS, ConversionOptions
from pipelines.conversion.plan import Plan, Source
from pipelines.conversion.planner import estimated_bytes, make_plan

DEFAULTS = ConversionOptions()


def make_sources(people=60, videos=3, seed=0):
    rng = random.Random(seed)
    return [
        Source(
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


def shard_by_path(plan):
    return {m.source.path: shard for shard in plan.shards for m in shard.members}


def test_plan_does_not_depend_on_the_order_of_the_files():
    sources = make_sources()
    shuffled = random.Random(1).sample(sources, len(sources))
    assert make_plan(sources, DEFAULTS) == make_plan(shuffled, DEFAULTS)


def test_each_file_is_in_one_shard_and_each_person_in_one_split():
    sources = make_sources()
    plan = make_plan(sources, DEFAULTS)
    placed = [m.source for shard in plan.shards for m in shard.members]
    assert sorted(placed, key=lambda s: s.path) == sorted(sources, key=lambda s: s.path)
    splits_of_person = {}
    for shard in plan.shards:
        for member in shard.members:
            person_id = member.source.person_id
            splits_of_person.setdefault(person_id, set()).add(shard.split)
    assert all(len(names) == 1 for names in splits_of_person.values())
    assert {p: names.pop() for p, names in splits_of_person.items()} == plan.people


@pytest.mark.parametrize("people", [3, 4, 7, 12, 60, 500])
def test_splits_are_near_their_shares_and_not_empty(people):
    for seed in range(5):
        plan = make_plan(make_sources(people, 1), ConversionOptions(seed=seed))
        count = {name: 0 for name, _ in DEFAULT_SPLITS}
        for split in plan.people.values():
            count[split] += 1
        for name, share in DEFAULT_SPLITS:
            assert count[name] >= max(1, int(people * share / 2))
            # Four standard deviations of a binomial distribution, and the people who
            # were moved to other splits.
            tolerance = 4 * (people * share * (1 - share)) ** 0.5 + 2
            assert abs(count[name] - people * share) <= tolerance


def test_a_person_is_assigned_even_if_there_are_fewer_people_than_splits():
    plan = make_plan(make_sources(1, 2), DEFAULTS)
    assert sum(len(shard.members) for shard in plan.shards) == 2


def test_shards_are_even_contain_many_people_and_keep_the_size_limit():
    options = ConversionOptions(max_shard_size_mb=40)
    plan = make_plan(make_sources(200), options)
    train = [shard for shard in plan.shards if shard.split == "train"]
    sizes = [sum(estimated_bytes(m, options) for m in s.members) for s in train]
    largest_file = max(estimated_bytes(m, options) for s in train for m in s.members)
    assert len(train) >= 8
    assert max(sizes) <= 40 * 2**20
    assert max(sizes) - min(sizes) <= largest_file
    assert min(len({m.source.person_id for m in s.members}) for s in train) >= 4
    assert [shard.name for shard in train][:2] == [
        f"ethos_faces-train.tfrecord-0000{i}-of-{len(train):05d}" for i in range(2)
    ]


def test_num_shards_applies_to_each_split_without_empty_shards():
    plan = make_plan(make_sources(60, 1), ConversionOptions(num_shards=7))
    by_split = {}
    for shard in plan.shards:
        assert shard.members
        by_split.setdefault(shard.split, []).append(shard)
    assert len(by_split["train"]) == 7
    assert all(len(shards) <= 7 for shards in by_split.values())


def test_limits_on_the_number_of_frames():
    options = ConversionOptions(max_examples_per_split=500, frame_stride=2)
    sources = make_sources()
    plan = make_plan(sources, options)
    for name, _ in options.splits:
        shards = [shard for shard in plan.shards if shard.split == name]
        assert sum(m.frames(2) for shard in shards for m in shard.members) == 500
    assert len(shard_by_path(plan)) + len(plan.left_out) == len(sources)
    limited = make_plan(sources, ConversionOptions(max_frames_per_video=5))
    assert limited.frames == 5 * len(sources)


def test_a_video_id_in_two_directories_is_converted_once():
    twin = Source("a/Person_000_0.npz", 5, 5.0, frames=3)
    sources = [*make_sources(), twin]
    plan = make_plan(sources, DEFAULTS)
    assert plan.duplicates == {"part_0/Person_000_0.npz": "a/Person_000_0.npz"}
    assert len(shard_by_path(plan)) == len(sources) - 1


def test_two_sources_of_the_same_name_are_refused():
    twin = Source("faces.json#7", 5, 5.0, frames=1, video="a-7")
    other = dataclasses.replace(twin, video="b-7")
    with pytest.raises(EthosError, match=r"^faces\.json#7: two sources of the corpus"):
        make_plan([*make_sources(), twin, other], DEFAULTS)


def test_the_file_of_the_earlier_plan_has_precedence_over_its_duplicate():
    twin = Source("a/Person_000_0.npz", 5, 5.0, frames=3)
    previous = make_plan(make_sources(), DEFAULTS)
    plan = make_plan([*make_sources(), twin], DEFAULTS, previous)
    assert plan.duplicates == {"a/Person_000_0.npz": "part_0/Person_000_0.npz"}


def test_options_change_the_keys_of_the_shards():
    sources = make_sources()
    keys = {shard.key for shard in make_plan(sources, DEFAULTS).shards}
    for options in (
        ConversionOptions(image_size=128),
        ConversionOptions(jpeg_quality=80),
        ConversionOptions(frame_stride=2),
        ConversionOptions(seed=1),
    ):
        assert not keys & {shard.key for shard in make_plan(sources, options).shards}


def test_a_new_version_of_the_depth_method_changes_the_keys(monkeypatch):
    sources = make_sources()
    delaunay = ConversionOptions(depth_method="delaunay")
    keys = [{s.key for s in make_plan(sources, o).shards} for o in (DEFAULTS, delaunay)]

    monkeypatch.setitem(depth.METHOD_VERSIONS, "prior", 999)

    assert not keys[0] & {shard.key for shard in make_plan(sources, DEFAULTS).shards}
    assert keys[1] == {shard.key for shard in make_plan(sources, delaunay).shards}


def test_new_files_leave_people_and_finished_shards_unchanged():
    sources = make_sources(40)
    previous = make_plan(sources, DEFAULTS)
    extra = Source("more/Person_003_9.npz", 10**6, 1.6e9, 80, 200, 240)
    more_sources = [*sources, *make_sources(55)[len(sources) :], extra]
    plan = make_plan(more_sources, DEFAULTS, previous)
    assert previous.people.items() <= plan.people.items()
    extra_shard = shard_by_path(plan)["more/Person_003_9.npz"]
    assert extra_shard.split == previous.people["Person_003"]
    assert {s.key for s in previous.shards} <= {s.key for s in plan.shards}


def test_almost_all_people_keep_their_split_without_the_earlier_plan():
    first = make_plan(make_sources(40), DEFAULTS)
    second = make_plan(make_sources(55), DEFAULTS)
    moved = [p for p in first.people if second.people[p] != first.people[p]]
    assert len(moved) <= 2


def test_only_shards_of_changed_and_removed_files_are_planned_again():
    sources = make_sources()
    previous = make_plan(sources, DEFAULTS)
    changed = [dataclasses.replace(sources[0], size=7), *sources[2:]]
    affected = {shard_by_path(previous)[sources[i].path].key for i in (0, 1)}
    plan = make_plan(changed, DEFAULTS, previous)
    assert {s.key for s in previous.shards} - {s.key for s in plan.shards} == affected
    assert {s.name for s in plan.shards} == {s.name for s in previous.shards}
    assert make_plan(sources, DEFAULTS, previous) == previous


def test_shards_keep_their_names_while_their_number_stays_the_same():
    options = ConversionOptions(num_shards=4)
    sources = make_sources(30, 1)
    previous = make_plan(sources, options)
    removed = {m.source.path for m in previous.shards[1].members}
    new = Source("New_Person_0.npz", 10**6, 1.6e9, 80, 200, 240)
    people = {**previous.people, "New_Person": previous.shards[1].split}
    remaining = [s for s in sources if s.path not in removed]
    plan = make_plan(
        [*remaining, new], options, dataclasses.replace(previous, people=people)
    )
    names = {shard.key: shard.name for shard in previous.shards}
    assert all(names.get(s.key, s.name) == s.name for s in plan.shards)


def test_people_who_were_removed_do_not_fill_a_split():
    names = ("train", "validation", "test")
    known = {"a": "train", "b": "validation", "c": "test"}
    people = ["a", "c", *"defghi"]  # without b
    assigned = splits.assign(people, [(name, 1 / 3) for name in names], 0, known)
    assert assigned["b"] == "validation"  # in case that b returns
    assert {assigned[person] for person in people} == set(names)


def test_a_plan_survives_json():
    plan = make_plan(make_sources(), ConversionOptions(max_examples_per_split=99))
    stored = json.loads(json.dumps([plan.to_json(), list(plan.lines())]))
    assert Plan.from_json(*stored) == plan


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
        {"depth_method": "guess"},
        {"splits": (("train", 1.0), ("train", 1.0))},
        {"splits": (("train", 0.0),)},
        {"splits": (("a/b", 1.0),)},
        {"splits": ()},
    ],
)
def test_rejects_invalid_options(options):
    with pytest.raises(EthosError, match=f"--{next(iter(options))}"):
        ConversionOptions(**options)
