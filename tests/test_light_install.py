"""The package as a user of the viewer installs it: without the training libraries."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
MAX_MEGABYTES = 550
PACKAGES = ("ethos_data", "ethos_model", "pipelines", "gui")
COMMANDS_THAT_NEED_TRAINING_LIBRARIES = ("convert", "train", "export", "synthesize")


@pytest.fixture(scope="module")
def light(tmp_path_factory) -> pathlib.Path:
    """The `bin` directory of a fresh environment that holds only the wheel's needs."""
    base = tmp_path_factory.mktemp("light")
    # A copy, because setuptools adds files of earlier builds to the wheel.
    source = base / "source"
    for name in (*PACKAGES, "setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        source.mkdir(exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    environment = base / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    pip = [str(environment / "bin" / "python"), "-m", "pip"]
    pip += ["--disable-pip-version-check", "-q"]
    call(*pip, "wheel", "--no-deps", "--wheel-dir", str(base), str(source))
    (wheel,) = map(str, base.glob("*.whl"))
    call(*pip, "install", "-c", str(ROOT / "constraints.txt"), wheel)
    return environment / "bin"


def call(*command: str, cwd: pathlib.Path | None = None):
    """Runs a command that must not see the packages of the checkout."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr


def run(light: pathlib.Path, command: str, *args: str, cwd: pathlib.Path):
    # Only the installed package may be imported, not the checkout.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [str(light / command), *args],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        timeout=120,
        check=False,
    )


def test_the_environment_is_small(light):
    site = light.parent / "lib"
    size = sum(p.lstat().st_size for p in site.rglob("*") if p.is_file())
    assert size < MAX_MEGABYTES * 1e6
    names = {path.name for path in site.glob("*/site-packages/*")}
    heavy = {"tensorflow", "keras", "apache_beam", "tensorflow_datasets", "numba"}
    assert not names & heavy
    assert set(PACKAGES) <= names
    assert list(site.glob("*/site-packages/gui/py.typed"))


def test_annotates_the_sample_video(light, tmp_path):
    sample = next(light.parent.glob("lib/*/site-packages/gui/assets/sample.mp4"))
    done = run(
        *(light, "ethos-annotate", str(sample)),
        *("--output", "out.mp4", "--csv", "out.csv"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.mp4").stat().st_size > 10_000
    rows = (tmp_path / "out.csv").read_text().splitlines()
    assert len(rows) > 100


def test_the_python_api_predicts(light, tmp_path):
    code = (
        "import sys, numpy as np\n"
        "from ethos_model import FacePredictor\n"
        "from ethos_model.footage import FaceFinder, FaceTracker, open_video\n"
        "frame = np.zeros((120, 160, 3), np.uint8)\n"
        "(face,) = FacePredictor().predict(frame, [(40, 30, 100, 90)])\n"
        "assert face.landmarks.shape == (68, 3)\n"
        "assert FaceFinder().find(frame) == []\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    done = run(light, "python", "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", COMMANDS_THAT_NEED_TRAINING_LIBRARIES)
def test_other_commands_name_the_extra_that_they_need(light, tmp_path, command):
    flags = {
        "convert": ["--corpus_dir", ".", "--data_dir", "data"],
        "train": ["--data_dir", ".", "--workdir", "run"],
        "export": ["--workdir", ".", "--output", "model"],
        "synthesize": ["--out_dir", "heads"],
    }[command]
    done = run(light, f"ethos-{command}", *flags, cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert "pip install 'ethos-faces[train]'" in line
