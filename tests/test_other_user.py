"""The whole workflow as a user without a home directory, rights or a UTF-8 locale.

This is the situation in a container that runs as another user: the package cannot be
written, HOME does not exist, and the output can encode ASCII only. Each command runs in
a process of its own, on the result of the command before it.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).parent.parent
NOBODY = 65534

SMALL_NETWORK = ["--image_size", "32", "--alpha", "0.35", "--backbone_weights", "none"]
ONE_STEP = ["--epochs", "1", "--steps_per_epoch", "1", "--batch_size", "2"]
ONE_STEP += ["--no-degrade", "--validation_images", "0"]

COMMANDS = {
    "synthesize": (
        "ethos_data.heads.synthesize",
        *("--out_dir", "corpus", "--num_people", "3", "--size", "48"),
        *("--videos_per_person", "1", "--frames_per_video", "2"),
    ),
    "convert": ("pipelines.convert", "--corpus_dir", "corpus", "--data_dir", "\u00fc"),
    "inspect": (
        "pipelines.inspect",
        *("\u00fc", "--verify", "--contact_sheet", "\u00fc.png"),
    ),
    "train": (
        "ethos_model.train",
        *("--data_dir", "\u00fc", "--workdir", "run"),
        *(*SMALL_NETWORK, *ONE_STEP),
    ),
    "export": (
        "ethos_model.export",
        # An untrained network fails the comparison of LiteRT with the SavedModel.
        *("--workdir", "run", "--output", "model", "--no-litert"),
    ),
    "evaluate": (
        "ethos_model.evaluate",
        *("--model", "model", "--data_dir", "\u00fc", "--output_dir", "report"),
        *("--conditions", "source", "--limit", "2"),
    ),
    "annotate": (
        "gui.annotate",
        *("clip.mp4", "--model", "model"),
        *("--output", "annotated.mp4", "--csv", "landmarks.csv"),
    ),
}
"""The module and the arguments of each command, in the order of the workflow."""

RESULTS = {
    "synthesize": "corpus",
    "convert": "\u00fc/ethos_faces",
    "inspect": "\u00fc.png",
    "train": "run/best.npz",
    "export": "model/ethos_model.json",
    "evaluate": "report/report.html",
    "annotate": "landmarks.csv",
}
"""A file or directory that each command writes."""


@dataclasses.dataclass(frozen=True)
class OtherUser:
    """Runs Python as the user "nobody".

    Attributes:
      prefix: Words in front of the command that change the user.
      directory: The current directory, which this user may write.
      earlier_files: The user's files before the first command, for example those of a
        test run that was killed.
    """

    prefix: tuple[str, ...]
    directory: pathlib.Path
    earlier_files: frozenset[pathlib.Path]

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "HOME": "/nonexistent",
            "LANG": "C",
            "LC_ALL": "C",
            "PATH": os.environ["PATH"],
            "PYTHONIOENCODING": "ascii",
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(self.directory),
        }
        return subprocess.run(
            [*self.prefix, sys.executable, *argv],
            env=environment,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )


def prefixes() -> Iterator[tuple[str, ...]]:
    """Ways to change the user.

    The second lets the user read everything, because Python itself is often installed
    in a home directory. It does not let the user write anything.
    """
    user = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    yield user
    read_all = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    yield (*user, *read_all)


def files_of_nobody() -> frozenset[pathlib.Path]:
    """The user's files and directories in the system's temporary directory."""
    paths = pathlib.Path(tempfile.gettempdir()).iterdir()
    return frozenset(path for path in paths if path.lstat().st_uid == NOBODY)


@pytest.fixture(scope="module")
def nobody() -> Iterator[OtherUser]:
    if os.name != "posix" or os.getuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can run a process as another user")
    # Not `tmp_path`: other users may not enter pytest's directories.
    earlier_files = files_of_nobody()
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        os.chown(directory, NOBODY, NOBODY)
        for prefix in prefixes():
            user = OtherUser(prefix, directory, earlier_files)
            # Without the right to read its own library, Python uses that of the system.
            done = user.run("-c", "import numpy, ethos_data, os; print(os.__file__)")
            if done.stdout.strip() == os.__file__:
                yield user
                return
        pytest.skip("another user cannot run this Python")


@pytest.fixture(scope="module")
def finished(nobody) -> dict[str, subprocess.CompletedProcess[str]]:
    """The finished process of each command. Stops at the first that fails."""
    sample = ROOT / "gui" / "assets" / "sample.mp4"
    write_first_frames(sample, nobody.directory / "clip.mp4", count=3)
    processes = {}
    for name, (module, *argv) in COMMANDS.items():
        processes[name] = nobody.run("-m", module, *argv)
        if processes[name].returncode:
            break
    return processes


def write_first_frames(source: pathlib.Path, target: pathlib.Path, count: int) -> None:
    from ethos_model.footage import reader, writer

    with (
        reader.open_video(str(source)) as video,
        writer.VideoRecorder(str(target), video.info.fps) as recorder,
    ):
        for _ in range(count):
            frame = video.read()
            recorder.write(frame.image, frame.timestamp)


def test_this_user_can_write_neither_the_package_nor_home(nobody):
    code = f"""
import os
assert os.getuid() == {NOBODY}
assert not os.access({str(ROOT / "ethos_data")!r}, os.W_OK)
assert not os.path.exists(os.path.expanduser("~"))
open("file", "w").close()
"""
    done = nobody.run("-c", code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_works(command, finished, nobody):
    if command not in finished:
        pytest.fail("an earlier command failed")
    process = finished[command]
    assert process.returncode == 0, process.stderr[-3000:]
    assert (nobody.directory / RESULTS[command]).exists()
    assert process.stdout.isascii()
    assert "Traceback" not in process.stderr
    assert "arning" not in process.stderr


def test_the_printed_path_can_be_pasted(finished, nobody):
    """A terminal that shows ASCII only gets the path in the form $'\\xc3\\xbc'."""
    line = finished["convert"].stdout.splitlines()[-1]
    arguments = line.partition("ethos-train")[2]
    echo = ["bash", "-c", f"printf %s {arguments}"]
    done = subprocess.run(echo, capture_output=True, check=True, text=True)
    assert f"--data_dir{nobody.directory}/\u00fc--workdir" in done.stdout


def test_nothing_is_written_outside_of_the_working_directory(finished, nobody):
    assert finished
    assert not os.path.exists("/nonexistent")
    assert files_of_nobody() - nobody.earlier_files == {nobody.directory}
