"""The flags of ethos-train, and the configuration files that ETHOS contains."""

from __future__ import annotations

import argparse
import os
import pathlib
from typing import Final

from ethos_data import options
from ethos_data.errors import EthosError
from ethos_model.training.config import TrainConfig

GROUPS: Final = ("data", "model", "optimisation", "output")
"""Groups of the flags in --help."""

_CONFIGS: Final = pathlib.Path(__file__).parent.parent / "configs"
"""Directory of the configuration files."""


def resumable() -> list[str]:
    """Names of the settings that may change when a run is resumed."""
    described = options.describe(TrainConfig)
    return [name for name, (_, details, _) in described.items() if details.resumable]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds --config and one flag for each setting that is a flag."""
    parser.add_argument(
        "--config",
        metavar="NAME|FILE",
        help=f"Configuration file, for example run.json of another run, or the name of "
        f"a configuration of ETHOS ({_names()}); flags override it",
    )
    options.add_flags(parser, TrainConfig, groups=dict.fromkeys(GROUPS, ""))


def from_flags(namespace: argparse.Namespace) -> TrainConfig:
    """The checked configuration that parsed flags give.

    Args:
      namespace: Result of a parser with the flags of `add_flags`.

    Raises:
      EthosError: A value is invalid, or data_dir or workdir is missing.
    """
    path = find(namespace.config) if namespace.config else None
    config = options.from_flags(TrainConfig, namespace, path)
    config.check()
    return config


def find(name: str) -> str:
    """Path of a configuration file.

    Args:
      name: Name of a configuration of ETHOS, for example "finetune", or a path.

    Raises:
      EthosError: Neither a configuration nor a file has this name.
    """
    path = os.path.expanduser(name)
    if os.path.exists(path):
        return path
    shipped = _CONFIGS / f"{name}.json"
    if os.path.basename(name) == name and shipped.exists():
        return str(shipped)
    raise EthosError(
        f"{name}: no such file, and no configuration of ETHOS ({_names()})"
    )


def _names() -> str:
    return ", ".join(sorted(path.stem for path in _CONFIGS.glob("*.json")))
