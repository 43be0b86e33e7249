"""The commands of ETHOS: the functions that the console scripts call.

Each command has a module with `parser()` and `main(argv)`. This module imports that
module only when the command runs. Before that it checks that the optional packages of
the command are installed, so that a light installation answers with one line instead of
the traceback of a failed import.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from typing import Final

from ethos_data import errors

LIGHT: Final = ()
TRAIN: Final = (
    "apache_beam",
    "google_crc32c",
    "keras",
    "numba",
    "scipy",
    "tensorflow",
    "tensorflow_datasets",
    "threadpoolctl",
)
"""Packages of the extra `train` that its commands cannot do without."""

COMMANDS: Final[dict[str, tuple[str, Sequence[str]]]] = {
    "ethos-view": ("gui.app", LIGHT),
    "ethos-label": ("gui.label", LIGHT),
    "ethos-annotate": ("gui.annotate", LIGHT),
    "ethos-synthesize": ("ethos_data.heads.synthesize", TRAIN),
    "ethos-convert": ("pipelines.convert", TRAIN),
    "ethos-inspect": ("pipelines.inspect", TRAIN),
    "ethos-export-corpus": ("pipelines.export_corpus", TRAIN),
    "ethos-train": ("ethos_model.train", TRAIN),
    "ethos-train-fusion": ("ethos_model.train_fusion", TRAIN),
    "ethos-evaluate": ("ethos_model.evaluate", TRAIN),
    "ethos-export": ("ethos_model.export", TRAIN),
    "ethos-demo": ("pipelines.demo", TRAIN),
    "ethos-refine": ("pipelines.refine", TRAIN),
}
"""For each command: its module, and the optional packages that it needs."""


def _command(name: str) -> Callable[[], int]:
    """The function that the console script `name` calls."""
    module, packages = COMMANDS[name]

    @errors.cli
    def check(argv: Sequence[str] | None = None) -> int:
        for package in packages:
            if importlib.util.find_spec(package) is None:
                raise ModuleNotFoundError(name=package)
        return 0

    def run() -> int:
        return check() or importlib.import_module(module).main()

    return run


view = _command("ethos-view")
label = _command("ethos-label")
annotate = _command("ethos-annotate")
synthesize = _command("ethos-synthesize")
convert = _command("ethos-convert")
inspect = _command("ethos-inspect")
export_corpus = _command("ethos-export-corpus")
train = _command("ethos-train")
train_fusion = _command("ethos-train-fusion")
evaluate = _command("ethos-evaluate")
export = _command("ethos-export")
demo = _command("ethos-demo")
refine = _command("ethos-refine")
