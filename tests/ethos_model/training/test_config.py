"""One dataclass is the configuration, its fields are the flags, a file repeats it."""

from __future__ import annotations

import argparse
import dataclasses

import pytest

from ethos_data.errors import EthosError
from ethos_model.training import config as configuration
from ethos_model.training.config import TrainConfig


def parse(*flags):
    parser = argparse.ArgumentParser()
    configuration.add_flags(parser)
    return configuration.from_flags(parser.parse_args(flags))


PLACES = ("--data_dir", "data", "--workdir", "run")


def test_defaults_are_the_seeds():
    config = parse(*PLACES)
    assert (config.batch_size, config.epochs, config.steps_per_epoch) == (16, 50, 100)
    assert config == TrainConfig(data_dir="data", workdir="run")


def test_every_field_is_a_flag():
    changed = {
        bool: lambda v: not v,
        int: lambda v: v + 2,
        float: lambda v: v / 2,
        str: lambda v: v,
    }
    for field in dataclasses.fields(TrainConfig):
        value = changed[type(field.default)](field.default)
        if field.name == "landmark_loss":
            value = "wing"
        if field.name == "mix":
            value = "motion_blur"
        if field.name in ("data_dir", "workdir"):
            continue
        flag = [f"--{field.name}", str(value)]
        if isinstance(value, bool):
            flag = [f"--{field.name}" if value else f"--no-{field.name}"]
        if field.name == "backbone_weights":
            flag, value = ["--backbone_weights", "none"], "none"
        if field.name == "initial_weights":
            flag, value = ["--initial_weights", "old.npz"], "old.npz"
        others = {}
        if field.name == "freeze_landmarks":
            flag += ["--initial_weights", "old.npz"]
            others = {"initial_weights": "old.npz"}
        config = parse(*PLACES, *flag)
        assert config == TrainConfig(
            data_dir="data", workdir="run", **{field.name: value}, **others
        )


def test_a_saved_configuration_repeats_the_run_and_flags_override_it(tmp_path):
    config = TrainConfig(data_dir="d", workdir="w", alpha=0.5, epochs=3, degrade=False)
    path = tmp_path / "run.json"
    path.write_text(config.to_json())
    assert parse("--config", str(path)) == config
    assert parse("--config", str(path), "--workdir", "again") == dataclasses.replace(
        config, workdir="again"
    )


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[]", '{"learning_speed": 1}', '{"batch_size": "16"}'),
        *('{"pictures": null}', '{"epochs": true}', '{"degrade": 1}'),
    ],
)
def test_a_damaged_configuration_is_named(tmp_path, text):
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(EthosError, match=r"run\.json"):
        parse("--config", str(path))


def test_a_whole_number_is_a_fraction_too(tmp_path):
    path = tmp_path / "run.json"
    path.write_text('{"data_dir": "d", "workdir": "w", "alpha": 1}')
    alpha = parse("--config", str(path)).alpha
    assert isinstance(alpha, float)
    assert alpha == 1


@pytest.mark.parametrize(
    "flags",
    [
        ("--batch_size", "0"),
        ("--image_size", "111"),
        ("--image_size", "16"),
        ("--learning_rate", "-1"),
        ("--ema_decay", "1"),
        ("--batch_norm_momentum", "1"),
        ("--picture_epochs", "0"),
        ("--seed", "-1"),
        ("--seed", "4294967296"),
        ("--alpha", "0"),
        ("--restored_floor", "4000"),
        ("--learning_rate", "nan"),
    ],
)
def test_impossible_values_are_refused_by_name(flags):
    with pytest.raises(EthosError, match=flags[0]):
        parse(*PLACES, *flags)


def test_data_and_place_are_asked_for():
    with pytest.raises(EthosError, match="--data_dir is missing"):
        parse("--workdir", "run")


def test_differences_name_what_changes_the_result_and_nothing_else():
    config = TrainConfig(data_dir="here", workdir="w", seed=1)
    same = dataclasses.asdict(dataclasses.replace(config, data_dir="moved", pictures=0))
    assert config.differences(same) == []
    other = dataclasses.asdict(dataclasses.replace(config, seed=2, alpha=0.5))
    assert config.differences(other) == [
        "--alpha is 1.0, was 0.5",
        "--seed is 1, was 2",
    ]
