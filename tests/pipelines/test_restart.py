"""After interruptions and changes, the result equals that of one undisturbed run."""

import itertools
import json
import multiprocessing
import os
import pathlib
import random
import shutil
import time

import pytest

from ethos_data import records
from ethos_data.storage import files
from pipelines import convert
from pipelines.conversion import parts
from pipelines.conversion.options import ConversionOptions
from pipelines.conversion.plan import Plan
from tests.ethos_data import videos
from tests.pipelines.test_convert import read_manifest, read_tree

OPTIONS = ConversionOptions(num_shards=3, depth_method="delaunay")


def run(corpus_dir, data_dir, **arguments):
    return convert.convert(
        corpus_dir=str(corpus_dir),
        data_dir=str(data_dir),
        **({"options": OPTIONS} | arguments),
    )


@pytest.fixture(scope="module")
def corpus_dir(tmp_path_factory):
    directory = tmp_path_factory.mktemp("restart") / "corpus"
    return videos.write_corpus(directory, people=9, videos=2, frames=4)


@pytest.fixture(scope="module")
def undisturbed(corpus_dir, tmp_path_factory):
    """The files of an undisturbed run."""
    result = run(corpus_dir, tmp_path_factory.mktemp("undisturbed"))
    return read_tree(result.data_dir)


def finished(data_dir):
    """The inode of each shard that has a receipt, by its name."""
    directory = pathlib.Path(data_dir) / records.NAME / records.VERSION
    state_dir = directory / ".ethos"
    if not (state_dir / "plan.json").exists():
        return {}
    saved = json.loads((state_dir / "plan.json").read_text())
    lines = parts.read(str(state_dir), saved["parts"])
    plan = Plan.from_json(saved["plan"], lines)
    return {
        shard.name: (directory / shard.name).stat().st_ino
        for shard in plan.shards
        if (directory / ".ethos" / f"{shard.key}.json").exists()
    }


def shard_paths(result):
    return sorted(pathlib.Path(result.version_dir).glob("*.tfrecord-*"))


def test_continues_after_kill_9_at_ten_random_times(corpus_dir, undisturbed, tmp_path):
    # The processes import everything in advance, so that a kill hits the conversion.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(
        ["pipelines.beam.worker", "apache_beam.runners.portability.fn_api_runner"]
    )
    rng = random.Random(0)
    finished_at_kill = []
    for number in range(10):
        data_dir = tmp_path / str(number)
        process = processes.Process(target=run, args=(corpus_dir, data_dir))
        process.start()
        # Wait for a random number of shards and a random time, so that the test does
        # not depend on the speed of the machine.
        num_shards = rng.randrange(9)
        while len(finished(data_dir)) < num_shards and process.is_alive():
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        process.join()
        before = finished(data_dir)
        finished_at_kill.append(len(before))
        result = run(corpus_dir, data_dir)
        assert read_tree(data_dir) == undisturbed
        # Finished shards are the same files, not written again.
        assert before.items() <= finished(data_dir).items()
        assert result.shards_reused == len(before)
    assert len(set(finished_at_kill)) > 3  # the kills hit different phases


class KilledError(BaseException):
    """Not an Exception, so that no code handles it."""


def failing_replace(call):
    """`os.replace` that raises `KilledError` instead of the n-th call, from 1."""
    calls = itertools.count(1)
    replace = os.replace

    def fail(source, target):
        if next(calls) == call:
            raise KilledError("Killed")
        replace(source, target)

    return fail


@pytest.mark.parametrize("write", [1, 2, 3, 4, 8, 14, 17, 18, 19])
def test_continues_after_a_kill_at_any_write(
    write, corpus_dir, undisturbed, tmp_path, monkeypatch
):
    """The kill comes just before the n-th file is renamed. A temporary file is left."""
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", failing_replace(write))
        patched.setattr(os, "unlink", lambda path: None)
        with pytest.raises((KilledError, RuntimeError), match="Killed"):
            run(corpus_dir, tmp_path)
    assert list(tmp_path.rglob(f"*{files.TEMPORARY}*"))
    run(corpus_dir, tmp_path)
    assert read_tree(tmp_path) == undisturbed


def test_a_finished_conversion_writes_no_shard_again(corpus_dir, undisturbed, tmp_path):
    first = run(corpus_dir, tmp_path)
    before = finished(tmp_path)
    second = run(corpus_dir, tmp_path)
    assert (second.shards_reused, second.frames) == (first.shards, first.frames)
    assert finished(tmp_path) == before
    assert read_tree(tmp_path) == undisturbed


def test_missing_and_truncated_shards_are_written_again(
    corpus_dir, undisturbed, tmp_path
):
    first = run(corpus_dir, tmp_path)
    shards = shard_paths(first)
    shards[0].unlink()
    shards[1].write_bytes(shards[1].read_bytes()[:-1])
    receipt = next(iter((pathlib.Path(first.version_dir) / ".ethos").glob("?" * 37)))
    receipt.write_text("{")
    second = run(corpus_dir, tmp_path)
    assert second.shards - second.shards_reused in (2, 3)
    assert read_tree(tmp_path) == undisturbed


def splits_of_people(result):
    inputs = read_manifest(result)["inputs"]
    return {video["person_id"]: video["split"] for video in inputs}


def test_new_files_form_new_shards_and_people_keep_their_split(corpus_dir, tmp_path):
    growing = tmp_path / "corpus"
    shutil.copytree(corpus_dir, growing)
    options = ConversionOptions(depth_method="delaunay")
    first = run(growing, tmp_path / "data", options=options)
    people = splits_of_people(first)
    first_shards = sorted(path.read_bytes() for path in shard_paths(first))
    videos.write_video(growing / "more" / "Person_03_7.npz", 1)
    for number in range(5):
        videos.write_video(growing / "more" / f"New_{number}_0.npz", number)
    second = run(growing, tmp_path / "data", options=options)
    assert second.found == first.found + 6
    assert second.frames == first.frames + 6 * 4
    assert second.shards_reused == first.shards
    assert people.items() <= splits_of_people(second).items()
    assert len(splits_of_people(second)) == len(people) + 5
    # The finished shards have new names ("-of-00004" instead of "-of-00003").
    second_shards = [path.read_bytes() for path in shard_paths(second)]
    assert all(shard in second_shards for shard in first_shards)
    assert len(second_shards) == second.shards
    # Without the new files, the result is as before.
    shutil.rmtree(growing / "more")
    third = run(growing, tmp_path / "data", options=options)
    assert sorted(path.read_bytes() for path in shard_paths(third)) == first_shards


def test_a_repaired_file_is_converted(tmp_path):
    corpus_dir = videos.write_corpus(tmp_path / "corpus", people=4, videos=1)
    good = videos.write_video(tmp_path / "good_1.npz", 3).read_bytes()
    broken = corpus_dir / "Broken_0.npz"
    broken.write_bytes(good[:500])
    link = corpus_dir / "Linked_0.npz"
    link.symlink_to(tmp_path / "not_yet.npz")
    first = run(corpus_dir, tmp_path / "data")
    assert {path for path, _ in first.rejected} == {"Broken_0.npz", "Linked_0.npz"}
    broken.write_bytes(good)
    (tmp_path / "not_yet.npz").write_bytes(good)
    second = run(corpus_dir, tmp_path / "data")
    assert second.rejected == ()
    assert second.frames == first.frames + 8


def test_continues_after_a_kill_while_shards_are_renamed(
    corpus_dir, tmp_path, monkeypatch
):
    growing = tmp_path / "corpus"
    shutil.copytree(corpus_dir, growing)
    run(growing, tmp_path / "data")
    shutil.copytree(tmp_path / "data", tmp_path / "expected")
    for number in range(6):
        videos.write_video(growing / f"New_{number}_0.npz", number, frames=9)
    run(growing, tmp_path / "expected")
    for write in range(1, 20, 3):
        data_dir = tmp_path / f"data_{write}"
        shutil.copytree(tmp_path / "data", data_dir)
        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", failing_replace(write))
            with pytest.raises((KilledError, RuntimeError), match="Killed"):
                run(growing, data_dir)
        run(growing, data_dir)
        assert read_tree(data_dir) == read_tree(tmp_path / "expected")
