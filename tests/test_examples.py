"""Runs the examples as a user would, in a process of their own."""

import csv
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
from PIL import Image

from gui import annotate
from gui.sample import SAMPLE
from pipelines import convert
from tests.ethos_data import videos

ROOT = pathlib.Path(__file__).parent.parent


def run(name: str, *args: object) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / name), *map(str, args)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_listed_and_tested():
    listing = (ROOT / "examples" / "README.md").read_text()
    tests = pathlib.Path(__file__).read_text()
    for path in (ROOT / "examples").glob("*.py"):
        assert f"`{path.name}`" in listing
        assert f'"{path.name}"' in tests


def test_clips_to_csv(tmp_path):
    shutil.copy(SAMPLE, tmp_path / "sample.mp4")
    run("clips_to_csv.py", tmp_path, tmp_path / "out.csv")
    with open(tmp_path / "out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 100
    assert {row["clip"] for row in rows} == {"sample.mp4"}
    nose = np.array([[float(row[f"{axis}30"]) for axis in "xy"] for row in rows])
    assert ((nose > 0) & (nose < 320)).all()


def test_degrade_in_tf_data(tmp_path):
    run("degrade_in_tf_data.py", tmp_path / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png")).astype(float)
    assert sheet.shape == (3 * 96, 8 * 96, 3)
    clean, degraded = np.split(sheet, 2, axis=1)
    change = np.abs(clean - degraded).reshape(3, 96, 4, 96, 3).mean(axis=(1, 3, 4))
    assert (change > 1).any()
    assert len(np.unique(change.round(3))) > 4  # each image has its own draw


def test_plot_recording(tmp_path):
    table, image = str(tmp_path / "t.csv"), str(tmp_path / "plot.png")
    assert annotate.main([SAMPLE, "--csv", table]) == 0
    output = run("plot_recording.py", table, image)
    assert output.count("frames: 50") == 3  # three people of 50 frames each
    plot = np.asarray(Image.open(image).convert("RGB")).astype(int)
    assert plot.shape == (700, 900, 3)
    # The colours of the style "tableau-colorblind10", one per person. A person is
    # visible for a third of the recording, about 245 columns.
    colors = np.array([(0, 107, 164), (255, 128, 14), (171, 171, 171)])
    distance = np.abs(plot[:, 90:] - colors[:, None, None]).max(axis=-1)
    for panel in np.split(distance < 25, (217, 438), axis=1):
        assert (panel.any(axis=1).sum(axis=1) > 220).all()


def test_read_with_tfds(tmp_path):
    corpus, data = tmp_path / "corpus", tmp_path / "data"
    videos.write_corpus(corpus, people=8)
    convert.convert(corpus_dir=str(corpus), data_dir=str(data))
    output = run("read_with_tfds.py", data / "ethos_faces" / "1.0.0")
    assert "train: " in output
    assert "tip of the nose" in output
