import cv2
import numpy as np
import pytest

from pipelines import demo, showcase


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """A demo as small as it gets: an untrained network over six rendered people."""
    folder = tmp_path_factory.mktemp("demo") / "output"
    flags = ["--output_dir", str(folder), "--num_people", "6", "--image_size", "64"]
    flags += ["--epochs", "1", "--steps_per_epoch", "2", "--batch_size", "4"]
    assert demo.main(flags) == 0
    return folder


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
def test_every_stage_leaves_its_result(output, name):
    assert (output / name).stat().st_size > 0


def test_the_video_is_annotated_frame_by_frame(output):
    counts = []
    for name in ("video.mp4", "annotated.mp4"):
        video = cv2.VideoCapture(str(output / name))
        counts.append(0)
        while video.read()[0]:
            counts[-1] += 1
    assert counts[0] == counts[1] == 100


def test_the_picture_shows_four_conditions(output):
    picture = cv2.imread(str(output / "results.png"))
    width = len(showcase.CONDITIONS) * (3 * showcase.TILE + 12)
    assert picture.shape[1] == width
    # The first tiles of the blocks: the third is a fifth as bright as the first.
    starts = np.arange(4) * (3 * showcase.TILE + 12)
    tiles = [picture[36 : 36 + showcase.TILE, x : x + showcase.TILE] for x in starts]
    # Landmarks are drawn over it in full brightness: compare the darker half.
    brightness = [np.percentile(tile, 25) for tile in tiles]
    assert brightness[2] < 0.5 * brightness[0]


def test_a_missing_corpus_is_one_line(tmp_path, capsys):
    missing = tmp_path / "nothing"
    assert demo.main(["--corpus_dir", str(missing)]) == 1
    assert capsys.readouterr().err == f"error: {missing}: no such folder\n"
