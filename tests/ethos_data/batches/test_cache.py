"""Decoded examples on disk: the same ones, made once, whole or not at all."""

from __future__ import annotations

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
    """Examples of any content."""
    rng = np.random.default_rng(seed)
    sides = rng.integers(3, 9, count)
    return examples.Examples(
        pixels=rng.integers(0, 256, int(3 * (sides**2).sum()), dtype=np.uint8),
        sides=sides,
        depth=rng.integers(0, 65536, (count, SIDE, SIDE), dtype=np.uint16),
        landmarks=rng.random((count, 68, 3), np.float32),
        windows=rng.random((count, 3), np.float32),
        face_size=rng.random(count, np.float32),
    )


PARTS = [part(0, 3), part(1, 5), part(2, 1)]
FIELDS = ("pixels", "sides", "depth", "landmarks", "windows", "face_size", "starts")


def check(found: examples.Examples) -> None:
    wanted = examples.concatenate(PARTS)
    for name in FIELDS:
        got, value = getattr(found, name), getattr(wanted, name)
        assert got.dtype == value.dtype
        np.testing.assert_array_equal(got, value)


def never():
    raise AssertionError("decoded again")
    yield


def test_examples_come_back_and_are_not_made_again(tmp_path, capfd):
    folder = str(tmp_path / "new" / "train")
    check(cache.load_or_create(folder, PARTS, 1000))
    assert f"decoding all examples once into {folder}" in capfd.readouterr().err
    check(cache.load_or_create(folder, never(), 1000))
    assert not capfd.readouterr().err
    assert {p.name for p in (tmp_path / "new").iterdir()} == {"train", "train.lock"}


def test_what_is_written_in_memory_stays_there(tmp_path):
    folder = str(tmp_path / "train")
    cache.load_or_create(folder, PARTS, 1000).pixels[:] = 0
    check(cache.load_or_create(folder, never(), 1000))


def test_half_of_it_does_not_count_and_goes(tmp_path):
    folder = tmp_path / "train"
    killed = tmp_path / "train.tmp-0123456789ab"
    killed.mkdir()
    (killed / "pixels").write_bytes(b"half")
    (killed / "something_else").write_bytes(b"old")
    check(cache.load_or_create(str(folder), PARTS, 1000))
    assert not killed.exists()
    assert not (folder / "something_else").exists()


def test_an_error_on_the_way_leaves_nothing(tmp_path):
    def broken():
        yield PARTS[0]
        raise OSError(28, "No space left on device")

    with pytest.raises(
        EthosError, match=r"train: .*stored \(No space left on device\)"
    ):
        cache.load_or_create(str(tmp_path / "train"), broken(), 1000)
    assert [p.name for p in tmp_path.iterdir()] == ["train.lock"]
    check(cache.load_or_create(str(tmp_path / "train"), PARTS, 1000))


def test_others_wait_for_the_one_that_makes_it(tmp_path):
    folder = str(tmp_path / "train")
    started = threading.Event()

    def slowly():
        started.set()
        time.sleep(0.3)
        yield from PARTS

    first = threading.Thread(target=cache.load_or_create, args=(folder, slowly(), 1000))
    first.start()
    started.wait()
    check(cache.load_or_create(folder, never(), 1000))
    first.join()


def test_a_disk_that_is_too_small_is_told_before(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=5 * 10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    folder = str(tmp_path / "train")
    message = r"train: decoded examples need about 70.0 GB, but only 5.0 GB are free"
    with pytest.raises(EthosError, match=message):
        cache.load_or_create(folder, never(), 70 * 10**9)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EthosError, match=r"file/train: .*cannot be stored"):
        cache.load_or_create(str(tmp_path / "file" / "train"), PARTS, 1000)
