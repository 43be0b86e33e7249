"""Checkpoints are complete or do not exist, and are read by variable name."""

from __future__ import annotations

import os
import resource

import keras
import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_model.training import checkpoint

GROUPS = {
    "weights": {
        "conv/kernel": np.arange(6, dtype=np.float32).reshape(2, 3),
        "conv/bias": np.float32(7),
    },
    "optimizer": {"adamw/iteration": np.int64(41)},
}
META = {"step": 12, "history": [{"epoch": 1, "nme": 0.1 + 0.2}], "name": "Zoë"}


def test_reads_the_groups_and_the_meta_data_that_were_written(tmp_path):
    path = str(tmp_path / "deep" / "last.npz")
    checkpoint.write(path, GROUPS, META)
    groups, meta = checkpoint.read(path)
    assert meta == checkpoint.read_meta(path) == META
    assert set(groups) == {"optimizer", "weights"}
    for group, values in GROUPS.items():
        assert set(groups[group]) == set(values)
        for name, expected in values.items():
            assert groups[group][name].dtype == expected.dtype
            np.testing.assert_array_equal(groups[group][name], expected)


def test_a_full_disk_leaves_the_previous_checkpoint_unchanged(tmp_path):
    path = tmp_path / "last.npz"
    checkpoint.write(str(path), GROUPS, META)
    before = path.read_bytes()
    big = {"weights": {"kernel": np.random.default_rng(0).random(100_000)}}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A limit on the file size fails like a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(EthosError, match="previous checkpoint is unchanged"):
            checkpoint.write(str(path), big, META)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["last.npz"]


def test_an_interrupted_write_leaves_no_file(tmp_path, monkeypatch):
    def interrupted(file, **arrays):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.write(str(tmp_path / "last.npz"), GROUPS, META)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("damage", ["truncated", "text", "empty", "pickle"])
def test_names_a_damaged_checkpoint(tmp_path, damage):
    path = tmp_path / "last.npz"
    checkpoint.write(str(path), GROUPS, META)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-200])
    elif damage == "text":
        path.write_text("hello")
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        with open(path, "wb") as file:
            np.savez(file, **{"meta.json": np.array([{"a": 1}], dtype=object)})
    for read in (checkpoint.read, checkpoint.read_meta):
        with pytest.raises(
            EthosError, match=r"last\.npz: not a readable checkpoint"
        ) as error:
            read(str(path))
        # numpy's own message advises to load pickles.
        if damage != "pickle":
            assert str(error.value).endswith("it is not a complete npz file")


def test_names_a_missing_checkpoint_once(tmp_path):
    path = str(tmp_path / "last.npz")
    with pytest.raises(EthosError, match="No such file") as error:
        checkpoint.read(path)
    assert str(error.value).count(path) == 1


@pytest.fixture
def layer():
    layer = keras.layers.Dense(3, name="dense")
    layer.build((None, 2))
    return layer


def test_assigns_variables_by_name_in_any_order(layer):
    values = {"dense/bias": np.arange(3), "dense/kernel": np.ones((2, 3))}
    checkpoint.assign(layer.variables, values, "x.npz")
    np.testing.assert_array_equal(layer.bias, [0, 1, 2])
    saved = checkpoint.values(layer.variables)
    assert list(saved) == ["dense/kernel", "dense/bias"]
    np.testing.assert_array_equal(saved["dense/kernel"], np.ones((2, 3)))


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (
            {"dense/kernel": np.ones((5, 3)), "dense/bias": np.ones(3)},
            r"the shape of dense/kernel is \(5, 3\), not \(2, 3\)",
        ),
        ({"dense/kernel": np.ones((2, 3))}, "dense/bias is missing"),
        (
            {
                "dense/kernel": np.ones((2, 3)),
                "dense/bias": np.ones(3),
                "conv/bias": np.ones(3),
            },
            "this network has no conv/bias",
        ),
    ],
)
def test_refuses_the_checkpoint_of_another_network(layer, values, problem):
    with pytest.raises(EthosError, match=f"x.npz: checkpoint of another .*{problem}"):
        checkpoint.assign(layer.variables, values, "x.npz")
    np.testing.assert_array_equal(layer.bias, [0, 0, 0])  # nothing has changed


def test_refuses_variables_of_the_same_name(layer):
    with pytest.raises(ValueError, match="names"):
        checkpoint.values([*layer.variables, layer.bias])
