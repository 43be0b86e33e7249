"""The printed commands reach a program with the arguments that were meant."""

import os
import subprocess

import pytest

from ethos_data import next_step


def arguments(line, tmp_path):
    """Pastes a line into a shell and returns the arguments that the command gets."""
    program = tmp_path / "bin" / "ethos-train"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nfor word; do printf "%s\\0" "$word"; done\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    command = line.removeprefix(next_step.PREFIX)
    assert command != line
    output = subprocess.run(
        ["bash", "-c", command],
        env=os.environ | {"PATH": path},
        check=True,
        capture_output=True,
    ).stdout
    return [os.fsdecode(word) for word in output.split(b"\0")[:-1]]


@pytest.fixture(params=["utf-8", "ascii"])
def encoding(request, monkeypatch):
    """Sets the encoding of stdout. The commands are not installed."""

    class Stream:
        encoding = request.param

    monkeypatch.setattr("sys.stdout", Stream())
    monkeypatch.setattr("sys.executable", "/nowhere/python")


@pytest.mark.parametrize(
    "path",
    [
        "data",
        "my data",
        'it\'s $HOME `id` "x" \\n !',
        "ümlaut 日本",
        "tab\tand\nnewline",
        "~/data",
        os.fsdecode(b"not-utf8-\xff"),
    ],
)
def test_any_path_survives_the_shell(path, encoding, tmp_path):
    line = next_step.line("ethos-train", path, data_dir=path, overwrite=True)
    assert arguments(line, tmp_path) == [path, "--data_dir", path, "--overwrite"]


def test_simple_values_are_not_quoted():
    line = next_step.line("ethos-train", data_dir="runs/a.b", splits="train:1")
    assert line.endswith("ethos-train --data_dir runs/a.b --splits train:1")


def test_a_value_that_looks_like_a_flag_is_joined_to_its_flag():
    assert next_step.line("ethos-train", data_dir="-x").endswith(" --data_dir=-x")


def test_a_command_that_is_not_on_the_path_is_named_by_its_path(monkeypatch, tmp_path):
    (tmp_path / "ethos-train").touch(mode=0o755)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", "")
    assert next_step.line("ethos-train") == f"next: {tmp_path}/ethos-train"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert next_step.line("ethos-train") == "next: ethos-train"


def test_an_unused_path_is_next_to_the_input(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    near = str(tmp_path / "data")
    assert next_step.unused_path("run", near) == str(tmp_path / "run")
    (tmp_path / "run").mkdir()
    assert next_step.unused_path("run", near) == str(tmp_path / "run_2")
    assert next_step.unused_path("run") == "run_2"
    (tmp_path / "clip.mp4").touch()
    assert next_step.unused_path("clip.mp4", "s3://bucket/data") == "clip_2.mp4"


def test_an_unused_path_is_in_the_current_directory_if_the_other_is_read_only(
    monkeypatch,
):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert next_step.unused_path("not_there", "/data/corpus") == "not_there"
