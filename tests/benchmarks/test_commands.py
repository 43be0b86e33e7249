"""Every benchmark has a parser, whose help explains all flags."""

import importlib
import pathlib

import pytest

from benchmarks import measure

# Modules that are not commands.
HELPERS = {
    *("__init__", "clip_depth", "corpora", "corrected_people", "degraded_faces"),
    *("fusion_scores", "labelled_frames", "measure", "pictures", "process"),
    *("rendered_clips", "rendered_faces", "writers"),
}

COMMANDS = sorted(
    path.stem
    for path in pathlib.Path(measure.__file__).parent.glob("*.py")
    if path.stem not in HELPERS
)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_the_command_and_explains_every_flag(name):
    parser = importlib.import_module(f"benchmarks.{name}").parser()
    assert parser.prog == f"python -m benchmarks.{name}"
    assert f"python -m benchmarks.{name}" in parser.description
    assert all(action.help for action in parser._actions)
