"""Killed and started again, grown, spoilt: the result is that of an undisturbed run."""

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
from pipelines import convert, plan
from tests.ethos_data import videos
from tests.pipelines.test_convert import tree

OPTIONS = plan.Options(num_shards=3, depth_method="delaunay")


def run(corpus_dir, data_dir, **more):
    return convert.convert(
        corpus_dir=str(corpus_dir),
        data_dir=str(data_dir),
        **({"options": OPTIONS} | more),
    )


@pytest.fixture(scope="module")
def corpus_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("restart") / "corpus"
    return videos.write_corpus(folder, people=9, videos=2, frames=4)


@pytest.fixture(scope="module")
def undisturbed(corpus_dir, tmp_path_factory):
    return tree(run(corpus_dir, tmp_path_factory.mktemp("undisturbed")).data_dir)


def finished(data_dir):
    """Name to identity of each file whose shard has a receipt."""
    folder = pathlib.Path(data_dir) / records.NAME / records.VERSION
    plan_file = folder / ".ethos" / "plan.json"
    if not plan_file.exists():
        return {}
    made = plan.Plan.from_json(json.loads(plan_file.read_text())["plan"])
    return {
        s.name: (folder / s.name).stat().st_ino
        for s in made.shards
        if (folder / ".ethos" / f"{s.key}.json").exists()
    }


def test_kill_9_at_ten_random_moments(corpus_dir, undisturbed, tmp_path):
    # Processes that have imported everything, so that a kill hits the work.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(
        ["pipelines.worker", "apache_beam.runners.portability.fn_api_runner"]
    )

    def start(data_dir):
        process = processes.Process(target=run, args=(corpus_dir, data_dir))
        process.start()
        return process

    rng = random.Random(0)
    killed_at = []
    for number in range(10):
        data_dir = tmp_path / str(number)
        process = start(data_dir)
        # A random amount of work and a random while, however fast the machine is.
        wanted = rng.randrange(9)
        while len(finished(data_dir)) < wanted and process.is_alive():
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        process.join()
        before = finished(data_dir)
        killed_at.append(len(before))
        result = run(corpus_dir, data_dir)
        assert tree(data_dir) == undisturbed
        after = finished(data_dir)
        assert before.items() <= after.items()  # the same files, not made again
        assert result.shards_reused == len(before)
    assert len(set(killed_at)) > 3  # not all before or after the work


class Dead(BaseException):
    """Nothing that is made to handle errors handles this one."""


def dying_at(call):
    """`os.replace` that dies instead of doing its work the n-th time, from 1."""
    calls = itertools.count(1)
    replace = os.replace

    def dying(source, target):
        if next(calls) == call:
            raise Dead("Dead")
        replace(source, target)

    return dying


@pytest.mark.parametrize("write", [1, 2, 3, 8, 14, 15, 16])
def test_a_job_that_dies_at_any_write_goes_on_from_there(
    write, corpus_dir, undisturbed, tmp_path, monkeypatch
):
    """Dies right before the n-th file gets its name, temporary file left behind."""

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", dying_at(write))
        patched.setattr(os, "unlink", lambda path: None)
        with pytest.raises((Dead, RuntimeError), match="Dead"):
            run(corpus_dir, tmp_path)
    assert list(tmp_path.rglob(f"*{files.TEMPORARY}*"))
    run(corpus_dir, tmp_path)
    assert tree(tmp_path) == undisturbed


def test_nothing_is_done_twice(corpus_dir, undisturbed, tmp_path):
    first = run(corpus_dir, tmp_path)
    before = finished(tmp_path)
    again = run(corpus_dir, tmp_path)
    assert (again.shards_reused, again.frames) == (first.shards, first.frames)
    assert finished(tmp_path) == before
    assert tree(tmp_path) == undisturbed


def test_a_lost_or_short_shard_is_made_again(corpus_dir, undisturbed, tmp_path):
    result = run(corpus_dir, tmp_path)
    shards = sorted(pathlib.Path(result.version_dir).glob("*.tfrecord-*"))
    shards[0].unlink()
    shards[1].write_bytes(shards[1].read_bytes()[:-1])
    receipt = next(iter((pathlib.Path(result.version_dir) / ".ethos").glob("?" * 37)))
    receipt.write_text("{")
    again = run(corpus_dir, tmp_path)
    assert again.shards - again.shards_reused in (2, 3)
    assert tree(tmp_path) == undisturbed


def splits_of(result):
    manifest = json.loads(
        (pathlib.Path(result.version_dir) / "manifest.json").read_text()
    )
    return {v["person_id"]: v["split"] for v in manifest["inputs"]}


def test_new_files_get_new_shards_and_nobody_changes_split(corpus_dir, tmp_path):
    grown = tmp_path / "corpus"
    shutil.copytree(corpus_dir, grown)
    options = plan.Options(depth_method="delaunay")
    first = run(grown, tmp_path / "data", options=options)
    people = splits_of(first)
    shards = sorted(p.read_bytes() for p in _shards(first))
    videos.write_video(grown / "more" / "Person_03_7.npz", 1)
    for number in range(5):
        videos.write_video(grown / "more" / f"New_{number}_0.npz", number)
    second = run(grown, tmp_path / "data", options=options)
    assert second.found == first.found + 6
    assert second.frames == first.frames + 6 * 4
    assert second.shards_reused == first.shards
    assert people.items() <= splits_of(second).items()
    assert len(splits_of(second)) == len(people) + 5
    # Under new names ("-of-00004", once "-of-00003") the finished bytes are there.
    kept = [p.read_bytes() for p in _shards(second)]
    assert all(shard in kept for shard in shards)
    assert len(_shards(second)) == second.shards
    # What was added goes again: all is as before.
    shutil.rmtree(grown / "more")
    third = run(grown, tmp_path / "data", options=options)
    assert sorted(p.read_bytes() for p in _shards(third)) == shards


def _shards(result):
    return list(pathlib.Path(result.version_dir).glob("*.tfrecord-*"))


def test_a_mended_file_is_taken_in(tmp_path):
    folder = videos.write_corpus(tmp_path / "corpus", people=4, videos=1)
    good = videos.write_video(tmp_path / "good_1.npz", 3).read_bytes()
    broken = folder / "Broken_0.npz"
    broken.write_bytes(good[:500])
    link = folder / "Linked_0.npz"
    link.symlink_to(tmp_path / "not_yet.npz")
    first = run(folder, tmp_path / "data")
    assert {path for path, _ in first.rejected} == {"Broken_0.npz", "Linked_0.npz"}
    broken.write_bytes(good)
    (tmp_path / "not_yet.npz").write_bytes(good)
    second = run(folder, tmp_path / "data")
    assert second.rejected == ()
    assert second.frames == first.frames + 8


def test_a_killed_growth_is_taken_up(corpus_dir, tmp_path, monkeypatch):
    """Dies while finished shards get the names of the new plan."""
    grown = tmp_path / "corpus"
    shutil.copytree(corpus_dir, grown)
    run(grown, tmp_path / "data")
    shutil.copytree(tmp_path / "data", tmp_path / "expected")
    for number in range(6):
        videos.write_video(grown / f"New_{number}_0.npz", number, frames=9)
    run(grown, tmp_path / "expected")
    for step in range(1, 20, 3):
        data = tmp_path / f"data_{step}"
        shutil.copytree(tmp_path / "data", data)
        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", dying_at(step))
            with pytest.raises((Dead, RuntimeError), match="Dead"):
                run(grown, data)
        run(grown, data)
        assert tree(data) == tree(tmp_path / "expected")
