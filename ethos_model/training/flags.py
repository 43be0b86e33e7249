"""The flags of ethos-train, and the configuration files that ETHOS contains."""

from __future__ import annotations

import argparse
import os
import pathlib
import textwrap
from typing import Final

from ethos_data import options
from ethos_data.errors import EthosError
from ethos_model.training.config import TrainConfig

GROUPS: Final = ("data", "model", "optimisation", "output")
"""Groups of the flags in --help."""

CONFIGS: Final = {
    "finetune": "starts from the shipped model, with a lower learning rate",
    "shipped": "settings of the shipped model, for a second data set of rendered heads",
}
"""Names of the configurations that ETHOS contains, and what they do."""

_DIRECTORY: Final = pathlib.Path(__file__).parent.parent / "configs"
"""Directory of their files."""


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """The parser of ethos-train: --config, and each setting that is a flag.

    Args:
      description: Text above the flags.
    """
    parser = options.make_parser("ethos-train", description, _epilog())
    parser.add_argument(
        "--config",
        metavar="NAME|FILE",
        help="Configuration file, for example run.json of another run, or the name of "
        f"a configuration of ETHOS ({', '.join(CONFIGS)}); flags override it",
    )
    options.add_flags(parser, TrainConfig, groups=dict.fromkeys(GROUPS, ""))
    return parser


def _epilog() -> str:
    """Text below the flags: the configurations, and the rules for settings."""
    described = {
        name: details for name, (_, details, _) in options.describe(TrainConfig).items()
    }
    without = ", ".join(name for name, d in described.items() if not d.flag)
    resumable = ", ".join(name for name, d in described.items() if d.resumable)
    paragraphs = [
        "Configurations of ETHOS:",
        *(f"    {name:10} {text}" for name, text in CONFIGS.items()),
        "",
        textwrap.fill(f"Settings that only a configuration file can set: {without}."),
        "",
        textwrap.fill(
            f"When a run is resumed, only these settings may change: {resumable}."
        ),
    ]
    return "\n".join(paragraphs)


def from_flags(namespace: argparse.Namespace) -> TrainConfig:
    """The checked configuration that parsed flags give.

    Args:
      namespace: Result of the parser of `make_parser`.

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
    shipped = _DIRECTORY / f"{name}.json"
    if os.path.basename(name) == name and shipped.exists():
        return str(shipped)
    raise EthosError(
        f"{name}: no such file, and no configuration of ETHOS ({', '.join(CONFIGS)})"
    )
