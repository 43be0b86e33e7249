"""Checkpoints are whole or not there."""

from __future__ import annotations

import os
import resource

import keras
import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_model.training import checkpoint

GROUPS = {
    "weights": [np.arange(6, dtype=np.float32).reshape(2, 3), np.float32(7)],
    "optimizer": [np.int64(41)],
}
META = {"step": 12, "history": [{"epoch": 1, "nme": 0.1 + 0.2}], "name": "Zoë"}


def test_what_was_written_is_read(tmp_path):
    path = str(tmp_path / "deep" / "last.npz")
    checkpoint.write(path, GROUPS, META)
    groups, meta = checkpoint.read(path)
    assert meta == META
    assert list(groups) == ["optimizer", "weights"]
    for name, values in GROUPS.items():
        for got, wanted in zip(groups[name], values, strict=True):
            assert got.dtype == wanted.dtype
            np.testing.assert_array_equal(got, wanted)


def test_more_than_ten_variables_keep_their_order(tmp_path):
    path = str(tmp_path / "last.npz")
    values = [np.float32(i) for i in range(123)]
    checkpoint.write(path, {"weights": values}, {})
    assert checkpoint.read(path)[0]["weights"] == values


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path):
    path = tmp_path / "last.npz"
    checkpoint.write(str(path), GROUPS, META)
    before = path.read_bytes()
    big = {"weights": [np.random.default_rng(0).random(100_000)]}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # as a disk that is full
    try:
        with pytest.raises(EthosError, match="the one before it is kept"):
            checkpoint.write(str(path), big, META)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["last.npz"]


def test_an_interrupted_one_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(file, **arrays):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.write(str(tmp_path / "last.npz"), GROUPS, META)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "pickle"])
def test_a_damaged_checkpoint_is_named(tmp_path, damage):
    path = tmp_path / "last.npz"
    checkpoint.write(str(path), GROUPS, META)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    elif damage == "text":
        path.write_text("hello")
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        with open(path, "wb") as file:
            np.savez(file, **{"meta.json": np.array([{"a": 1}], dtype=object)})
    with pytest.raises(
        EthosError, match=r"last\.npz: not a readable checkpoint"
    ) as error:
        checkpoint.read(str(path))
    # numpy's advice about these is to load pickles.
    if damage != "pickle":
        assert str(error.value).endswith("it is no whole npz file")


def test_a_missing_checkpoint_is_named_once(tmp_path):
    path = str(tmp_path / "last.npz")
    with pytest.raises(EthosError, match="No such file") as error:
        checkpoint.read(path)
    assert str(error.value).count(path) == 1


def test_weights_of_another_network_are_refused():
    layer = keras.layers.Dense(3)
    layer.build((None, 2))
    with pytest.raises(EthosError, match=r"shape \(5, 3\)"):
        checkpoint.assign(layer.variables, [np.zeros((5, 3)), np.zeros(3)], "x.npz")
    with pytest.raises(EthosError, match="holds 1 arrays"):
        checkpoint.assign(layer.variables, [np.zeros((2, 3))], "x.npz")
