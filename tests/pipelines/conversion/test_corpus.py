"""The headers of a corpus are read in batches, once."""

import os

import numpy as np
import pytest

from pipelines.beam import runners
from pipelines.conversion import corpus
from pipelines.conversion.options import ConversionOptions
from pipelines.conversion.planner import make_plan
from tests.ethos_data import videos

OPTIONS = ConversionOptions()


@pytest.fixture
def corpus_dir(tmp_path):
    directory = videos.write_corpus(tmp_path / "corpus", people=3, videos=2, frames=2)
    frames = np.load(next(directory.rglob("*.npz")))["colorImages"].shape
    assert frames[-1] == 2
    return directory


def read_all(listed, previous, state_dir):
    """The sources, and the numbers of files in the tasks."""
    tasks = listed.header_tasks(previous, str(state_dir))
    runners.read_headers(tasks, runners.DEFAULT_RUNNER, [])
    sources = list(listed.read_sources(previous, tasks))
    return sources, [len(task.paths) for task in tasks]


def test_batches_give_the_same_sources_as_one_batch(corpus_dir, tmp_path, monkeypatch):
    listed = corpus.find(str(corpus_dir), OPTIONS)
    sources, lengths = read_all(listed, None, tmp_path / "one")
    assert lengths == [6]
    assert {source.frames for source in sources} == {2}
    monkeypatch.setattr(corpus, "BATCH", 4)
    assert read_all(listed, None, tmp_path / "two") == (sources, [4, 2])


def test_only_new_changed_and_damaged_files_are_read_again(corpus_dir, tmp_path):
    damaged, changed, *_ = sorted(corpus_dir.rglob("*.npz"))
    damaged.write_bytes(b"damaged")
    listed = corpus.find(str(corpus_dir), OPTIONS)
    sources, _ = read_all(listed, None, tmp_path / "state")
    assert [source.frames for source in sources] == [0, 2, 2, 2, 2, 2]
    plan = make_plan(sources, listed.options)
    os.utime(changed, (1, 1))
    (corpus_dir / "New_One_1.npz").write_bytes(changed.read_bytes())
    listed = corpus.find(str(corpus_dir), OPTIONS)
    (task,) = listed.header_tasks(plan, str(tmp_path / "state"))
    expected = {damaged, changed, corpus_dir / "New_One_1.npz"}
    assert {corpus_dir / path for path in task.paths} == expected
    again, _ = read_all(listed, plan, tmp_path / "state")
    assert len(again) == 7
    assert {s.path: s.frames for s in again if s.frames == 0} == {
        str(damaged.relative_to(corpus_dir)): 0
    }


def test_an_interrupted_reading_continues(corpus_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "BATCH", 4)
    listed = corpus.find(str(corpus_dir), OPTIONS)
    first, _ = listed.header_tasks(None, str(tmp_path))
    corpus.read_headers(first)
    read = []

    def read_size(path):
        read.append(path)
        return 5, 6, 7

    monkeypatch.setattr(corpus, "read_size", read_size)
    sources, _ = read_all(listed, None, tmp_path)
    assert len(read) == 2
    assert [source.frames for source in sources] == [2, 2, 2, 2, 5, 5]
