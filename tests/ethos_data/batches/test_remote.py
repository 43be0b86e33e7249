"""Local copies of remote data sets. test_s3 tests them with a real S3 server."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from concurrent import futures

import pytest

from ethos_data.batches import remote
from ethos_data.errors import EthosError
from ethos_data.storage import files


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A local directory in the place of every s3:// directory, and the opened paths."""
    directory = tmp_path / "store"
    directory.mkdir()
    for name in ("ethos_faces-train.tfrecord-00000-of-00001", "dataset_info.json"):
        (directory / name).write_text(name)
    opened_paths = []
    walk = files.walk

    def walk_store(path, **options):
        remote_path = path.startswith("s3://")
        yield from walk(str(directory) if remote_path else path, **options)

    @contextlib.contextmanager
    def opened(path):
        opened_paths.append(path)
        with open(directory / os.path.basename(path), "rb") as file:
            time.sleep(0.1)  # a store is slow
            yield file

    monkeypatch.setattr(files, "walk", walk_store)
    monkeypatch.setattr(files, "opened", opened)
    monkeypatch.setenv("ETHOS_CACHE", str(tmp_path / "cache"))
    return directory, opened_paths


def test_simultaneous_calls_copy_each_file_once(store):
    directory, opened_paths = store
    with futures.ThreadPoolExecutor(3) as pool:
        calls = []
        for _ in range(3):
            calls.append(pool.submit(remote.local_copy, "s3://bucket/data"))
            time.sleep(0.05)
        (copy,) = {call.result() for call in calls}
    assert sorted(os.listdir(copy)) == sorted(os.listdir(directory))
    assert len(opened_paths) == 2
    shutil.rmtree(copy)
    assert remote.local_copy("s3://bucket/data") == copy


def test_a_changed_file_is_copied_again_and_a_deleted_file_is_removed(store):
    directory, opened_paths = store
    (directory / "ethos_faces-test.tfrecord-00000-of-00001").write_text("test")
    copy = remote.local_copy("s3://bucket/data")
    assert len(os.listdir(copy)) == 3
    opened_paths.clear()
    next(directory.glob("*test*")).unlink()
    (directory / "dataset_info.json").write_text("changed")
    assert remote.local_copy("s3://bucket/data/") == copy
    assert opened_paths == ["s3://bucket/data/dataset_info.json"]
    assert sorted(os.listdir(copy)) == sorted(os.listdir(directory))


def test_names_a_directory_without_a_data_set(store):
    directory, _ = store
    (directory / "dataset_info.json").unlink()
    with pytest.raises(EthosError, match="s3://bucket/data: contains no data set"):
        remote.local_copy("s3://bucket/data")


def test_returns_local_directories_unchanged():
    assert remote.local_copy("some/data") == "some/data"
    assert remote.local_copy("file:///some/da%20ta") == "/some/da ta"


def test_names_a_cache_directory_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ETHOS_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(EthosError, match=r"file/cache: cannot be created \("):
        remote.local_copy("s3://bucket/data")
