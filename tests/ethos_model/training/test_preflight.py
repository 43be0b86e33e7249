"""Everything that a run needs is checked before TensorFlow is imported."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import pytest

from ethos_data.errors import EthosError
from ethos_model import train
from ethos_model.training import checkpoint, preflight
from ethos_model.training.cluster import Cluster
from ethos_model.training.config import TrainConfig
from tests.ethos_model import tiny

ALONE = Cluster((), 0)


@pytest.fixture
def config(data_dir, tmp_path):
    return TrainConfig(data_dir=data_dir, workdir=str(tmp_path / "run"), **tiny.FLAGS)


def check(config, workers=ALONE, **changes):
    return preflight.check(dataclasses.replace(config, **changes), workers)


def test_describes_the_data_and_creates_the_directory(config):
    data, meta = check(config, extra_data_dir=config.data_dir, extra_share=0.5)
    assert data["examples"] == {"train": 24, "validation": 6}
    assert data["extra"]["fingerprint"] == data["fingerprint"]
    assert meta is None
    assert os.path.isdir(config.workdir)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"data_dir": "/nowhere"}, "/nowhere: no such directory"),
        ({"extra_data_dir": "/nowhere", "extra_share": 0.5}, "/nowhere: no such dir"),
        ({"workdir": "/dev/null/run"}, "/dev/null/run: cannot be created"),
        ({"cache_dir": "/dev/null/x"}, "/dev/null/x: cannot be created"),
        ({"backbone_weights": "/n/w.h5"}, "/n/w.h5: no such file .--backbone_weights"),
        ({"backbone_weights": "imagenet", "alpha": 0.4}, "--alpha must be one of 0.35"),
        ({"initial_weights": "/n/b.npz"}, "/n/b.npz: no such file .--initial_weights"),
        ({"initial_weights": "pretrained"}, "weights of a network with --image_size"),
        ({"batch_size": 0}, "--batch_size must be at least 1"),
    ],
)
def test_names_the_setting_or_the_path(config, changes, problem):
    with pytest.raises(EthosError, match=problem) as error:
        check(config, **changes)
    assert "\n" not in str(error.value)


def test_names_an_exported_model_without_trainable_weights(config, exported, tmp_path):
    model = shutil.copytree(exported, tmp_path / "model")
    network = {"image_size": 48, "alpha": 0.35, "initial_weights": str(model)}
    assert check(config, **network)[1] is None
    (model / "model.weights.h5").unlink()
    with pytest.raises(EthosError, match=r"model\.weights\.h5: no such file"):
        check(config, **network)
    (model / "ethos_model.json").unlink()
    with pytest.raises(EthosError, match="not an exported model"):
        check(config, **network)


def test_names_a_checkpoint_with_another_width(config, workdir):
    start = str(workdir / "best.npz")
    with pytest.raises(EthosError, match=r"--alpha 0\.35. Received: --alpha 1\.0"):
        check(config, image_size=48, initial_weights=start)


def test_a_directory_that_is_not_writable_is_named(config, monkeypatch):
    monkeypatch.setattr(preflight.os, "access", lambda path, mode: False)
    with pytest.raises(EthosError, match=f"{config.workdir}: not writable"):
        check(config)


def test_tensorboard_is_an_optional_package(config, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # as if not installed
    with pytest.raises(EthosError, match=r"pip install 'ethos-faces\[tensorboard\]'"):
        check(config, tensorboard=True)


@pytest.mark.parametrize(("split", "count"), [("train", 0), ("validation", 0)])
def test_names_a_split_without_images(config, tmp_path, split, count):
    counts = {"train": 8, "validation": 4} | {split: count}
    data_dir = tiny.write_data(str(tmp_path / "few"), **counts)
    with pytest.raises(EthosError, match=f"{data_dir}: the {split}.* has no images"):
        check(config, data_dir=data_dir)
    if split == "validation":
        assert check(config, data_dir=data_dir, validation_images=0)


def test_the_batch_must_be_divisible_by_the_workers(config):
    with pytest.raises(EthosError, match=r"multiple of the 3 workers .* Received: 4"):
        check(config, Cluster(("a:1", "b:1", "c:1"), 0))


def write_last(config, **meta):
    meta = {"config": dataclasses.asdict(config), "history": []} | meta
    checkpoint.write(os.path.join(config.workdir, "last.npz"), {}, meta)


def test_returns_the_checkpoint_that_the_run_continues_from(config):
    data, _ = check(config)
    write_last(config, data=data, step=3)
    assert check(config, epochs=9, pictures=4)[1]["step"] == 3


def test_refuses_to_resume_with_another_configuration_or_other_data(config, tmp_path):
    data, _ = check(config)
    write_last(config, data=data)
    problem = r"last\.npz: .* --learning_rate is 0\.5, was 0\.001"
    with pytest.raises(EthosError, match=problem):
        check(config, learning_rate=0.5)
    other = tiny.write_data(str(tmp_path / "other"), train=10)
    with pytest.raises(EthosError, match=f"{other} contains other data"):
        check(config, data_dir=other)
    write_last(config, data=data | {"extra": data})
    with pytest.raises(EthosError, match="--extra_data_dir contains other data"):
        check(config)


def test_the_command_answers_without_importing_tensorflow(data_dir, tmp_path):
    code = (
        "import sys; from ethos_model import train; status = train.main(sys.argv[1:]); "
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules; "
        "sys.exit(status)"
    )
    workdir = ["--workdir", str(tmp_path / "run"), "--backbone_weights", "none"]
    tf_config = {"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}
    for flags, environment, problem in (
        (["--data_dir", str(tmp_path / "wrong")], {}, "wrong: no such directory"),
        (["--data_dir", data_dir, "--seed", "-1"], {}, "--seed must be at least 0"),
        (["--data_dir", data_dir], {"TF_CONFIG": json.dumps(tf_config)}, "TF_CONFIG: "),
    ):
        process = subprocess.run(
            [sys.executable, "-c", code, *flags, *workdir],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 1, process.stderr
        assert process.stderr.startswith("error: ")
        assert problem in process.stderr
        assert process.stderr.count("\n") == 1


def test_a_wrong_path_is_one_line(tmp_path, capsys):
    flags = ["--data_dir", str(tmp_path), "--workdir", str(tmp_path / "run")]
    assert train.main([*flags, "--backbone_weights", "none"]) == 1
    assert capsys.readouterr().err == (
        f"error: {tmp_path}: contains no data set; ethos-convert writes one\n"
    )
