"""What is saved and drawn from the history."""

import cv2
import numpy as np
import pandas as pd
import pytest

from ethos_data.errors import EthosError
from gui.drawing import palette
from gui.viewer import plotter, summary
from gui.viewer.history import NAMES, History
from tests.gui.driver import wait_until

OPTIONS = plotter.PlotOptions(size=(400, 90), left=40, width=250, last=99)


@pytest.fixture
def target(add, seen):
    """Two people in 100 frames."""
    history = History()
    for index in range(100):
        others = [seen(2, yaw=-20.0)] if index >= 50 else []
        add(history, index, seen(1, yaw=20.0, quality=0.9), *others)
    return history


def test_the_values_are_read_back_with_pandas(target, tmp_path):
    path = str(tmp_path / "values.csv")
    summary.save_values(path, target)
    table = pd.read_csv(path)
    assert list(table.columns) == ["frame", "time_s", "face", *NAMES]
    assert len(table) == 150
    assert (table[table.face == 1].yaw == 20).all()
    assert (table[table.face == 2].frame >= 50).all()
    assert table.frame.is_monotonic_increasing


def test_the_figure_shows_each_person(target, tmp_path):
    path = str(tmp_path / "figure.png")
    summary.save_figure(path, target, "clip.mp4")
    picture = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
    for number in (1, 2):
        assert (picture == palette.person(number)).all(axis=-1).sum() > 1000


def test_the_contact_sheet_names_each_person(target, tmp_path):
    first, second = summary.portraits(target.people())
    assert first.title == "person 1"
    assert list(first.lines) == [
        "4.0 s on screen",
        "best frame at 0:00.00",
        "quality 0.90",
    ]
    assert second.lines[0] == "2.0 s on screen"
    path = str(tmp_path / "people.png")
    summary.save_people(path, target)
    assert cv2.imread(path).shape[1] > 2 * 180


@pytest.mark.parametrize(
    "save",
    [
        summary.save_people,
        summary.save_values,
        lambda path, history: summary.save_figure(path, history, ""),
    ],
)
def test_without_people_there_is_nothing_to_save(save, tmp_path):
    with pytest.raises(EthosError, match="Nobody was seen"):
        save(str(tmp_path / "file.png"), History())
    assert list(tmp_path.iterdir()) == []


def curve_columns(picture, number):
    color = palette.person(number)
    columns = np.nonzero((picture[:, :290] == color).all(axis=-1))[1]
    return columns.min(), columns.max()


def test_the_plot_is_below_the_slider(target):
    picture = plotter.draw(target, OPTIONS)
    assert picture.shape == (90, 400, 3)
    first, last = curve_columns(picture, 1)
    assert abs(first - 40) <= 1
    assert abs(last - 289) <= 1
    first, _ = curve_columns(picture, 2)
    assert abs(first - (40 + 50 / 99 * 249)) <= 2


def test_a_live_plot_shows_the_last_minute(target):
    options = plotter.PlotOptions(size=(400, 90), left=40, width=250, first=50, last=99)
    picture = plotter.draw(target, options)
    assert curve_columns(picture, 1)[0] >= 39


def test_draws_again_when_the_history_or_the_options_change(target, add, seen):
    drawer = plotter.Plotter(target)
    pictures = []

    def drawn():
        picture = drawer.pictures.take()
        pictures.extend([] if picture is None else [picture])
        return picture is not None

    drawer.start()
    drawer.set_options(OPTIONS)
    wait_until(drawn)
    add(target, 20, seen(1, yaw=80.0))
    wait_until(drawn)
    assert (pictures[0] != pictures[1]).any()
    drawer.set_options(plotter.PlotOptions())  # the plot is hidden
    drawer.close()
    assert not drawer.worker.is_alive()
