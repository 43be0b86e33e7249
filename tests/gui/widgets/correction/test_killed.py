"""A whole correction in another process, which is killed with kill -9."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from ethos_data.corpora import corrections, formats, video_csv
from ethos_data.corpora.source import Listing
from tests.gui import fakes
from tests.gui.correction.faces import points_in
from tests.gui.widgets.correction.steps import Mode


@pytest.fixture
def killed(display, clip, tmp_path):
    """What a viewer printed and saved before it was killed in the middle of changes.

    Returns:
      The lines that it printed, and the corrections at the first line.
    """
    viewer = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.gui.widgets.correction.killed_viewer"),
            *(clip, str(tmp_path / "killed.json")),
        ],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd(), "DISPLAY": display},
    )
    lines, saved = [], []
    try:
        for line in viewer.stdout:
            lines.append(line.strip())
            saved = saved or corrections.read(corrections.sidecar_path(clip))
            if lines[-1] == "moved 7":
                break
        assert viewer.poll() is None
    finally:
        viewer.send_signal(signal.SIGKILL)
        viewer.wait(timeout=60)
        # On a busy machine the viewer went on for some changes.
        lines += viewer.stdout.read().split("\n")[:-1]
        viewer.stdout.close()
    return lines, saved


def test_a_killed_viewer_loses_at_most_the_last_change(killed, clip, start):
    lines, saved = killed
    assert lines[0] == "corrected"
    faces = corrections.read(corrections.sidecar_path(clip))
    by_frame = {face.frame: face for face in faces if not face.interpolated}
    assert sorted(by_frame) == [0, 12]
    # What was changed in the first frame.
    model = points_in(fakes.face_box_at(0))
    first = by_frame[0]
    change = first.points - model
    assert change[36, 0] > 1
    assert change[36, 1] < -1
    assert (change[48:, 1] > 1).all()
    assert first.visible[8] == 1
    # The last change may be lost, but no other. It may be saved and not printed yet.
    last = int(lines[-1].removeprefix("moved "))
    (before,) = (f for f in saved if f.frame == 12 and not f.interpolated)
    moved = by_frame[12].points[30, 0] - before.points[30, 0]
    assert round(float(moved)) in (last - 1, last, last + 1)
    # The next start shows the corrections.
    drive = start(clip, paused=True)
    drive.ready()
    drive.until(lambda: drive.viewer.painting.view.marks)
    mode = Mode(drive)
    mode.open()
    assert mode.editor.face.origin == "corrected"
    assert np.allclose(mode.editor.face.points, first.points)
    # They are labels of a corpus, with the interpolated frames between them.
    mode.drive.until(lambda: len(mode.saved()) == 13)
    folder = os.path.dirname(clip)
    (source,) = formats.find_sources(Listing(folder), "video_csv", None)
    (video,) = video_csv.read(folder, source, 1, None)
    assert video.frame_numbers.tolist() == list(range(13))
    # The killed process left no unfinished file.
    assert [name for name in os.listdir(folder) if ".tmp-" in name] == []
