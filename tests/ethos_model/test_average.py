"""The mean of checkpoints: of their weights, judged, and exported like any run."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_model import average, export
from ethos_model.training import checkpoint, inputs, losses
from ethos_model.training.config import TrainConfig
from tests.ethos_model import tiny

pytestmark = pytest.mark.usefixtures("tiny_network")


@pytest.fixture(scope="module")
def runs(data_dir, tmp_path_factory):
    """Checkpoints of two runs of a network, and their weights."""
    paths, weights = [], []
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        config = TrainConfig(data_dir=data_dir, workdir=f"w{seed}", **tiny.FLAGS)
        values = [
            v.numpy() + rng.normal(0, 0.1, v.shape).astype(np.float32)
            for v in tiny.build(image_size=tiny.SIZE).variables
        ]
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


def changed(path: str, folder, **settings) -> str:
    """A copy of a checkpoint whose run had other settings."""
    groups, meta = checkpoint.read(path)
    meta["config"] |= settings
    copy = str(folder / "changed.npz")
    checkpoint.write(copy, groups, meta)
    return copy


@pytest.mark.parametrize(("shares", "first"), [(None, 0.5), ((3, 1), 0.75)])
def test_the_mean_is_written_and_judged(runs, data_dir, tmp_path, shares, first):
    paths, (one, other) = runs
    row = average.average(paths, str(tmp_path), weights=shares)
    groups, meta = checkpoint.read(str(tmp_path / "best.npz"))
    for got, a, b in zip(groups["average"], one, other, strict=True):
        np.testing.assert_allclose(got, first * a + (1 - first) * b, atol=1e-6)
    assert meta["history"] == [row]
    assert (meta["step"], meta["data"]) == (100, {"fingerprint": "of 0"})
    # The same error, by the network and the validation faces themselves.
    network = tiny.build(image_size=tiny.SIZE)
    checkpoint.assign(network.variables, groups["average"], "the mean")
    errors = []
    config = TrainConfig(data_dir=data_dir, **tiny.FLAGS)
    for batch in inputs.validation_batches(config):
        outputs = network(batch["image"], training=False)
        errors += losses.errors(batch, outputs)["nme"].numpy().tolist()
    assert row["val_nme"] == pytest.approx(np.mean(errors), rel=1e-4)
    assert row["val_degraded_nme"] != row["val_nme"]


def test_the_mean_is_exported_with_its_own_uncertainty(runs, tmp_path, capsys):
    paths, _ = runs
    workdir = str(tmp_path / "mean")
    arguments = ["--checkpoints", *paths, "--workdir", workdir]
    assert average.main(arguments) == 0
    assert f"ethos-export --workdir {workdir}" in capsys.readouterr().out
    row = checkpoint.read(f"{workdir}/best.npz")[1]["history"][0]
    factor = np.sqrt(row["val_sigma_ratio"] * row["val_degraded_sigma_ratio"])
    _, meta = checkpoint.read(f"{workdir}/best.npz")
    assert export._card("mean", meta, None)["uncertainty_factor"] == factor != 1
    assert average.main(arguments) == 1
    assert "exists; --overwrite replaces it" in capsys.readouterr().err
    assert average.main([*arguments, "--overwrite"]) == 0


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"label_shift": 1.5}, "--label_shift is 1.5, 0.0 in"),
        ({"image_size": 48}, "--image_size is 48, 32 in"),
    ],
)
def test_networks_that_mean_other_things_have_no_mean(runs, tmp_path, settings, reason):
    (first, second), _ = runs
    other = changed(second, tmp_path, **settings)
    with pytest.raises(EthosError, match=reason):
        average.average([first, other], str(tmp_path / "mean"))


def test_networks_of_other_shapes_have_no_mean(runs, tmp_path):
    (first, second), (values, _) = runs
    _, meta = checkpoint.read(second)
    odd = str(tmp_path / "odd.npz")
    checkpoint.write(odd, {"average": values[:-1]}, meta)
    with pytest.raises(EthosError, match="another network than"):
        average.average([first, odd], str(tmp_path / "mean"))


@pytest.mark.parametrize(
    ("count", "weights", "reason"),
    [
        (1, None, "at least two, not 1"),
        (2, [1.0], "1 for 2 checkpoints"),
        (2, [1.0, 0.0], "must be positive: 1.0, 0.0"),
        (2, [1.0, float("nan")], "must be positive"),
    ],
)
def test_nonsense_is_refused(runs, tmp_path, count, weights, reason):
    with pytest.raises(EthosError, match=reason):
        average.average(runs[0][:count], str(tmp_path), weights=weights)
    assert not list(tmp_path.iterdir())


def test_a_data_set_that_is_gone_is_said(runs, tmp_path):
    with pytest.raises(EthosError, match="nowhere"):
        average.average(runs[0], str(tmp_path), data_dir=str(tmp_path / "nowhere"))
    assert not (tmp_path / "best.npz").exists()


def test_a_run_that_goes_on_there_is_no_place_for_a_mean(runs, tmp_path):
    (tmp_path / "last.npz").write_bytes(b"of a run's first epoch")
    with pytest.raises(EthosError, match="holds a run"):
        average.average(runs[0], str(tmp_path), overwrite=True)
