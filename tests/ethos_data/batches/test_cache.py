"""The cache returns the same examples, is written once, and is never incomplete."""

from __future__ import annotations

import dataclasses
import shutil
import threading
import time

import numpy as np
import pytest

from ethos_data import records
from ethos_data.batches import cache, examples
from ethos_data.errors import EthosError

SIDE = records.DEPTH_SIZE


def part(seed: int, count: int) -> examples.Examples:
    """Returns random examples."""
    rng = np.random.default_rng(seed)
    sides = rng.integers(3, 9, count)
    return examples.Examples(
        pixels=rng.integers(0, 256, int(3 * (sides**2).sum()), dtype=np.uint8),
        sides=sides,
        depth=rng.integers(0, 65536, (count, SIDE, SIDE), dtype=np.uint16),
        landmarks=rng.random((count, 68, 3), np.float32),
        windows=rng.random((count, 3), np.float32),
        face_size=rng.random(count, np.float32),
        visible=rng.integers(0, 3, (count, 68), dtype=np.uint8),
        has_z=rng.integers(0, 2, count) > 0,
    )


PARTS = [part(0, 3), part(1, 5), part(2, 1)]
FIELDS = [field.name for field in dataclasses.fields(examples.Examples)]


def assert_complete(actual: examples.Examples) -> None:
    expected = examples.concatenate(PARTS)
    for name in FIELDS:
        assert getattr(actual, name).dtype == getattr(expected, name).dtype
        np.testing.assert_array_equal(getattr(actual, name), getattr(expected, name))


def must_not_be_read():
    raise AssertionError("the examples were decoded again")
    yield


def test_an_existing_directory_is_read_and_not_written_again(tmp_path, capfd):
    directory = str(tmp_path / "new" / "train")
    assert_complete(cache.load_or_create(directory, PARTS, 1000))
    assert f"decoding all examples once into {directory}" in capfd.readouterr().err
    assert_complete(cache.load_or_create(directory, must_not_be_read(), 1000))
    assert not capfd.readouterr().err
    assert {p.name for p in (tmp_path / "new").iterdir()} == {"train", "train.lock"}


def test_changing_the_arrays_does_not_change_the_files(tmp_path):
    directory = str(tmp_path / "train")
    cache.load_or_create(directory, PARTS, 1000).pixels[:] = 0
    assert_complete(cache.load_or_create(directory, must_not_be_read(), 1000))


def test_the_leftovers_of_a_killed_process_are_removed(tmp_path):
    directory = tmp_path / "train"
    killed = tmp_path / "train.tmp-0123456789ab"
    killed.mkdir()
    (killed / "pixels").write_bytes(b"incomplete")
    (killed / "something_else").write_bytes(b"old")
    assert_complete(cache.load_or_create(str(directory), PARTS, 1000))
    assert not killed.exists()
    assert not (directory / "something_else").exists()


def test_a_failure_leaves_no_files(tmp_path):
    def broken():
        yield PARTS[0]
        raise OSError(28, "No space left on device")

    with pytest.raises(
        EthosError, match=r"train: .*stored \(No space left on device\)"
    ):
        cache.load_or_create(str(tmp_path / "train"), broken(), 1000)
    assert [p.name for p in tmp_path.iterdir()] == ["train.lock"]
    assert_complete(cache.load_or_create(str(tmp_path / "train"), PARTS, 1000))


def test_other_threads_wait_for_the_one_that_writes(tmp_path):
    directory = str(tmp_path / "train")
    started = threading.Event()

    def slowly():
        started.set()
        time.sleep(0.3)
        yield from PARTS

    first = threading.Thread(
        target=cache.load_or_create, args=(directory, slowly(), 1000)
    )
    first.start()
    started.wait()
    assert_complete(cache.load_or_create(directory, must_not_be_read(), 1000))
    first.join()


def test_checks_the_free_space_before_decoding(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=5 * 10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    directory = str(tmp_path / "train")
    message = r"train: decoded examples need about 70.0 GB, but only 5.0 GB are free"
    with pytest.raises(EthosError, match=message):
        cache.load_or_create(directory, must_not_be_read(), 70 * 10**9)


def test_names_a_directory_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EthosError, match=r"file/train: .*cannot be stored"):
        cache.load_or_create(str(tmp_path / "file" / "train"), PARTS, 1000)
