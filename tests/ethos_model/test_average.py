"""The mean of checkpoints: its weights, its batch norm, its errors and its export."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_model import average
from ethos_model.exported import card
from ethos_model.training import checkpoint, inputs, losses
from ethos_model.training.config import TrainConfig
from tests.ethos_model import tiny

pytestmark = pytest.mark.usefixtures("tiny_network")


@pytest.fixture(scope="module")
def runs(data_dir, tmp_path_factory):
    """Checkpoints of two runs of a network, and their weights by name."""
    paths, weights = [], []
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        config = TrainConfig(data_dir=data_dir, workdir=f"w{seed}", **tiny.FLAGS)
        values = checkpoint.values(tiny.build(image_size=tiny.SIZE).variables)
        for name, value in values.items():
            noise = rng.normal(0, 0.1, value.shape)
            values[name] = (value + noise).astype(np.float32)
        path = str(tmp_path_factory.mktemp(f"run{seed}") / "best.npz")
        meta = {
            "config": dataclasses.asdict(config),
            "history": [],
            "step": 100 + seed,
            "data": {"fingerprint": f"of {seed}"},
        }
        checkpoint.write(path, {"average": values}, meta)
        paths.append(path)
        weights.append(values)
    return paths, weights


@pytest.mark.parametrize(("shares", "first"), [((), 0.5), ((3, 1), 0.75)])
def test_writes_the_mean_and_its_errors(runs, data_dir, tmp_path, shares, first):
    paths, (weights, other_weights) = runs
    row = average.average(paths, str(tmp_path), weights=shares)
    groups, meta = checkpoint.read(str(tmp_path / "best.npz"))
    for name, value in groups["average"].items():
        expected = first * weights[name] + (1 - first) * other_weights[name]
        if "moving" in name:  # measured again
            assert np.abs(value - expected).max() > 1e-3
        else:
            np.testing.assert_allclose(value, expected, atol=1e-6)
    assert meta["history"] == [row]
    assert (meta["step"], meta["data"]) == (100, {"fingerprint": "of 0"})
    # The same error, computed from the network and the validation faces.
    network = tiny.build(image_size=tiny.SIZE)
    checkpoint.assign(network.variables, groups["average"], "the mean")
    errors = []
    config = TrainConfig(data_dir=data_dir, **tiny.FLAGS)
    for batch in inputs.validation_batches(config):
        outputs = network(batch["image"], training=False)
        errors += losses.errors(batch, outputs)["nme"].numpy().tolist()
    assert row["val_nme"] == pytest.approx(np.mean(errors), rel=1e-4)
    assert row["val_degraded_nme"] != row["val_nme"]


def test_the_command_prints_the_next_step_and_replaces_on_request(
    runs, tmp_path, capsys
):
    paths, _ = runs
    workdir = str(tmp_path / "mean")
    arguments = ["--checkpoints", *paths, "--workdir", workdir]
    assert average.main(arguments) == 0
    assert f"ethos-export --workdir {workdir}" in capsys.readouterr().out
    _, meta = checkpoint.read(f"{workdir}/best.npz")
    row = meta["history"][0]
    factor = np.sqrt(row["val_sigma_ratio"] * row["val_degraded_sigma_ratio"])
    assert card.make("mean", meta, None)["uncertainty_factor"] == factor != 1
    assert average.main(arguments) == 1
    assert "exists; --overwrite replaces it" in capsys.readouterr().err
    assert average.main([*arguments, "--overwrite"]) == 0


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"label_shift": 1.5}, "label_shift is 1.5, but 0.0 in"),
        ({"image_size": 48}, "image_size is 48, but 32 in"),
    ],
)
def test_refuses_runs_with_other_settings(runs, tmp_path, settings, reason):
    (first, second), _ = runs
    groups, meta = checkpoint.read(second)
    meta["config"] |= settings
    other = str(tmp_path / "other.npz")
    checkpoint.write(other, groups, meta)
    with pytest.raises(EthosError, match=reason):
        average.average([first, other], str(tmp_path / "mean"))


def test_refuses_networks_with_other_variables(runs, tmp_path):
    (first, second), (weights, _) = runs
    _, meta = checkpoint.read(second)
    other = str(tmp_path / "other.npz")
    fewer = dict(list(weights.items())[:-1])
    checkpoint.write(other, {"average": fewer}, meta)
    with pytest.raises(EthosError, match="of another network than"):
        average.average([first, other], str(tmp_path / "mean"))


@pytest.mark.parametrize(
    ("count", "weights", "reason"),
    [
        (1, (), "at least two files. Received: 1"),
        (2, [1.0], "1 weights, 2 checkpoints"),
        (2, [1.0, 0.0], "greater than 0. Received: 0.0"),
        (2, [1.0, float("nan")], "finite"),
    ],
)
def test_refuses_invalid_arguments(runs, tmp_path, count, weights, reason):
    with pytest.raises(EthosError, match=reason):
        average.average(runs[0][:count], str(tmp_path), weights=weights)
    assert not list(tmp_path.iterdir())


def test_names_a_missing_data_set(runs, tmp_path):
    with pytest.raises(EthosError, match="nowhere"):
        average.average(runs[0], str(tmp_path), data_dir=str(tmp_path / "nowhere"))
    assert not (tmp_path / "best.npz").exists()


def test_refuses_the_directory_of_an_unfinished_run(runs, tmp_path):
    (tmp_path / "last.npz").write_bytes(b"checkpoint of the first epoch")
    with pytest.raises(EthosError, match="contains a run"):
        average.average(runs[0], str(tmp_path), overwrite=True)
