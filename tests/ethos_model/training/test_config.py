"""One dataclass is the configuration. Flags and files fill it."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import pytest

import ethos_model
from ethos_data import options
from ethos_data.errors import EthosError
from ethos_model import train
from ethos_model.training import flags
from ethos_model.training.config import TrainConfig

PLACES = ("--data_dir", "data", "--workdir", "run")
DIRECTORY = pathlib.Path(ethos_model.__file__).parent / "configs"


def parse(*arguments):
    return flags.from_flags(train.parser().parse_args(arguments))


def test_the_defaults_are_those_of_the_documentation():
    config = parse(*PLACES)
    assert (config.batch_size, config.epochs, config.steps_per_epoch) == (16, 50, 100)
    assert (config.learning_rate, config.image_size) == (1e-3, 112)
    assert config == TrainConfig(data_dir="data", workdir="run")


def test_help_shows_at_most_25_flags_in_four_groups():
    parser = train.parser()
    actions = [a for a in parser._actions if a.dest != "help"]
    assert len(actions) <= 25
    groups = {g.title: g._group_actions for g in parser._action_groups[2:]}
    assert list(groups) == ["data", "model", "optimisation", "output"]
    assert all(groups.values())


def test_each_flag_sets_its_field():
    changed = {
        bool: lambda value: not value,
        int: lambda value: value + 2,
        float: lambda value: value / 2,
        str: lambda value: value or "other",
    }
    special = {"landmark_loss": "wing", "backbone_weights": "none"}
    for name, (field, details, _) in options.describe(TrainConfig).items():
        if not details.flag or name in ("data_dir", "workdir"):
            continue
        value = special.get(name, changed[type(field.default)](field.default))
        flag = [f"--{name}", str(value)]
        if isinstance(value, bool):
            flag = [f"--{name}" if value else f"--no-{name}"]
        config = parse(*PLACES, *flag)
        assert config == TrainConfig(data_dir="data", workdir="run", **{name: value})


def test_a_saved_configuration_repeats_the_run_and_flags_override_it(tmp_path):
    config = TrainConfig(
        data_dir="d", workdir="w", alpha=0.5, degrade=False, label_shift=1.5
    )
    path = tmp_path / "run.json"
    path.write_text(options.to_json(config))
    assert parse("--config", str(path)) == config
    assert parse("--config", str(path), "--workdir", "again") == dataclasses.replace(
        config, workdir="again"
    )


def test_each_configuration_of_the_package_is_valid_and_changes_something():
    paths = sorted(DIRECTORY.glob("*.json"))
    assert [path.stem for path in paths] == sorted(flags.CONFIGS)
    for path in paths:
        config = parse(*PLACES, "--config", path.stem)
        for name, value in json.loads(path.read_text()).items():
            assert getattr(config, name) == value != getattr(TrainConfig(), name)
        assert flags.CONFIGS[path.stem] in train.parser().format_help()


def test_finetune_starts_from_the_shipped_model():
    config = parse(*PLACES, "--config", "finetune")
    assert (config.initial_weights, config.learning_rate) == ("pretrained", 3e-4)


def test_names_the_configurations_if_there_is_none_of_that_name():
    with pytest.raises(EthosError, match=r"fast: no such file, .*finetune, shipped"):
        parse(*PLACES, "--config", "fast")


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[]", '{"learning_speed": 1}', '{"batch_size": "16"}'),
        *('{"pictures": null}', '{"epochs": true}', '{"degrade": 1}'),
    ],
)
def test_names_an_invalid_configuration_file(tmp_path, text):
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(EthosError, match=r"run\.json"):
        parse("--config", str(path))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("batch_size", 0), ("image_size", 111), ("image_size", 16), ("epochs", 0)),
        *(("learning_rate", -1.0), ("ema_decay", 1.0), ("batch_norm_momentum", 1.0)),
        *(("picture_epochs", 0), ("seed", -1), ("seed", 2**32), ("alpha", 0.0)),
        *(("visible_weight", -1.0), ("learning_rate", float("nan"))),
        *(("validation_images", -1), ("connect_timeout", 0.0), ("landmark_loss", "l1")),
    ],
)
def test_names_an_invalid_value(name, value):
    config = TrainConfig(**{"data_dir": "data", "workdir": "run", name: value})
    with pytest.raises(EthosError, match=f"--{name} must be .* Received: "):
        config.check()


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_refuses_a_share_that_takes_no_image_or_all(share):
    flags = ("--extra_data_dir", "x", "--batch_size", "4", "--extra_share", str(share))
    with pytest.raises(EthosError, match=f"--extra_share .* 4 .* Received: {share}"):
        parse(*PLACES, *flags)


@pytest.mark.parametrize("name", ["data_dir", "workdir"])
def test_asks_for_the_data_set_and_the_directory(name):
    given = {"data_dir": "data", "workdir": "run"} | {name: ""}
    with pytest.raises(EthosError, match=f"--{name} is missing"):
        TrainConfig(**given).check()


def test_differences_name_the_settings_that_must_not_change():
    config = TrainConfig(data_dir="here", workdir="w", seed=1)
    changed = dataclasses.replace(config, data_dir="moved", pictures=0, epochs=99)
    assert config.differences(dataclasses.asdict(changed)) == []
    changed = dataclasses.replace(config, seed=2, alpha=0.5)
    assert set(config.differences(dataclasses.asdict(changed))) == {
        "--alpha is 1.0, was 0.5",
        "--seed is 1, was 2",
    }


def test_help_lists_the_settings_of_files_and_of_resumed_runs():
    text = " ".join(train.parser().format_help().split())
    assert "only a configuration file can set: label_shift, depth_weight" in text
    assert "only these settings may change: data_dir, extra_data_dir" in text
    assert " epochs, " in text[text.index("only these settings") :]
