"""The demo writes all results, and checks its flags before it starts."""

import cv2
import numpy as np
import pytest

from pipelines import demo, showcase
from tests.ethos_data import videos


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """Output of the smallest demo: a nearly untrained network, three people."""
    directory = tmp_path_factory.mktemp("demo") / "output"
    flags = ["--output_dir", str(directory), "--num_people", "3", "--image_size", "64"]
    flags += ["--epochs", "1", "--steps_per_epoch", "2", "--batch_size", "4"]
    assert demo.main(flags) == 0
    return directory


@pytest.mark.parametrize(
    "name",
    [
        "run/history.csv",
        "model/saved_model.pb",
        "model/ethos_model.json",
        "report/report.html",
        "landmarks.csv",
    ],
)
def test_each_step_writes_its_result(output, name):
    assert (output / name).stat().st_size > 0


def test_each_frame_of_the_video_is_annotated(output):
    counts = []
    for name in ("video.mp4", "annotated.mp4"):
        video = cv2.VideoCapture(str(output / name))
        counts.append(0)
        while video.read()[0]:
            counts[-1] += 1
    assert counts[0] == counts[1] == 100


def test_the_picture_shows_four_conditions(output):
    picture = cv2.imread(str(output / "results.png"))
    block_width = 3 * showcase.TILE + showcase.GAP
    assert picture.shape[1] == len(showcase.CONDITIONS) * block_width
    top, bottom = showcase.HEADER_HEIGHT, showcase.HEADER_HEIGHT + showcase.TILE
    starts = np.arange(4) * block_width
    tiles = [picture[top:bottom, x : x + showcase.TILE] for x in starts]
    # The third frame is a fifth as bright as the first. The landmarks are drawn in full
    # brightness, so the darker pixels are compared.
    brightness = [np.percentile(tile, 25) for tile in tiles]
    assert brightness[2] < 0.5 * brightness[0]


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ("--corpus_dir missing", "missing: no such directory"),
        ("--corpus_dir empty", "empty: contains no .npz file"),
        ("--video missing.mp4", "missing.mp4: "),
        ("--video text.mp4", "text.mp4: "),
        ("--backbone_weights weights.h5", "weights.h5: no such file"),
        ("--backbone_weights imagenet --alpha 0.4", "--alpha must be one of"),
        ("--num_people 2", "--num_people must be at least 3"),
        ("--image_size 97", "--image_size must be even"),
        ("--epochs 0", "--epochs must be at least 1"),
        ("--seed -1", "--seed must be at least 0"),
        ("--output_dir text.mp4/demo", "text.mp4 is not a directory"),
    ],
)
def test_a_wrong_flag_is_reported_before_anything_is_written(
    flags, reason, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.mp4").write_text("This is not a video.")
    assert demo.main(flags.split()) == 1
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith("error: ")
    assert reason in line
    assert captured.out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "text.mp4"]


def test_other_settings_in_the_same_directory_are_refused(output, capsys):
    assert demo.main(["--output_dir", str(output), "--num_people", "7"]) == 1
    assert "belongs to a demo with num_people 3 instead of 7" in capsys.readouterr().err


def test_a_corpus_of_two_people_is_refused_before_training(tmp_path, capsys):
    corpus_dir = videos.write_corpus(tmp_path / "corpus", people=2, videos=1)
    flags = ["--corpus_dir", str(corpus_dir), "--output_dir", str(tmp_path / "out")]
    assert demo.main(flags) == 1
    last_line = capsys.readouterr().err.splitlines()[-1]
    assert "the demo needs usable videos of at least 3 people" in last_line
    assert not (tmp_path / "out" / "run").exists()
