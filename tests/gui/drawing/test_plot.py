import dataclasses

import numpy as np
import pytest

from gui.drawing import figure, palette, plot

INK = palette.Ink()
AXES = plot.Axes(left=40, top=10, width=301, height=101, first=0, last=300)


def curve(x, y, number=1, sigma=None):
    x, y = np.asarray(x, float), np.asarray(y, float)
    return plot.Curve(number, x, y, sigma)


def draw(curves, lane="quality", axes=AXES):
    canvas = np.empty((130, 400, 3), np.uint8)
    canvas[:] = INK.background
    plot.draw_lane(canvas, axes, plot.LANES[lane], curves, INK)
    return canvas


def pixels(canvas, color):
    """Rows and columns of the pixels with this colour."""
    return np.nonzero((canvas == color).all(axis=-1))


def test_a_curve_goes_through_its_points():
    canvas = draw([curve([0, 150, 300], [0.0, 1.0, 0.5])])
    color = np.array(palette.person(1))
    for x, y in ((0, 0.0), (75, 0.5), (150, 1.0), (225, 0.75), (300, 0.5)):
        column, row = 40 + x, round(10 + (1 - y) * 100)
        near = canvas[row - 2 : row + 3, column - 1 : column + 2].reshape(-1, 3)
        assert (near == color).all(axis=-1).any(), (x, y)


def test_a_curve_is_interrupted_where_the_person_is_absent():
    x = [*range(100), *range(200, 300)]
    axes = dataclasses.replace(AXES, gap=15)
    canvas = draw([curve(x, [0.5] * 200)], axes=axes)
    _, columns = pixels(canvas, palette.person(1))
    assert not set(range(40 + 105, 40 + 195)) & set(columns.tolist())
    assert {60, 300} <= set(columns.tolist())
    joined = draw([curve(x, [0.5] * 200)])
    assert 40 + 150 in pixels(joined, palette.person(1))[1]


def test_the_range_grows_with_the_values():
    small = draw([curve([0, 300], [10, 10])], "yaw")
    large = draw([curve([0, 300], [10, 80])], "yaw")
    row = pixels(small, palette.person(1))[0]
    # 10 of 15 degrees, then 10 of 90 degrees at the left edge.
    assert abs(row.mean() - (10 + 50 - 50 * 10 / 15)) < 1.5
    rows, columns = pixels(large, palette.person(1))
    assert abs(rows[columns < 50].mean() - (10 + 50 - 50 * 12 / 90)) < 3


def test_the_band_has_the_width_of_two_sigmas():
    sigma = np.full(2, 0.2)
    canvas = draw([curve([0, 300], [0.5, 0.5], sigma=sigma)])
    column = canvas[:, 200]
    changed = np.flatnonzero((column != INK.background).any(axis=-1))
    inside = changed[(changed > 12) & (changed < 108)]
    assert abs(inside.max() - inside.min() - 40) <= 2


def test_a_long_curve_keeps_its_extremes():
    x = np.arange(100_000)
    y = np.full(100_000, 0.5)
    y[40_000], y[70_000] = 0.0, 1.0  # single frames
    axes = dataclasses.replace(AXES, last=100_000)
    rows, _ = pixels(draw([curve(x, y)], axes=axes), palette.person(1))
    assert rows.min() <= 12
    assert rows.max() >= 108


def test_one_frame_is_a_dot():
    rows, columns = pixels(draw([curve([150], [0.5])]), palette.person(1))
    assert len(rows) > 0
    assert abs(columns.mean() - 190) <= 1


def test_the_eyes_are_averaged():
    lane = plot.LANES["eyes"]
    values = {
        "right_eye_open": np.array([0.2, 0.4]),
        "left_eye_open": np.array([0.4, 0.8]),
        "right_eye_open_sigma": np.array([0.3, 0.0]),
        "left_eye_open_sigma": np.array([0.4, 0.2]),
    }
    result = plot.Curve.of(2, np.array([0, 1]), values, lane)
    np.testing.assert_allclose(result.y, [0.3, 0.6])
    np.testing.assert_allclose(result.sigma, [0.25, 0.1])


def test_the_value_at_a_frame():
    sigma = np.array([1.0, 2.0, 3.0])
    line = curve([0, 10, 20], [5, 6, 7], sigma=sigma)
    assert line.at(14, reach=5) == (6.0, 2.0)
    assert line.at(16, reach=5) is None
    assert line.at(-1, reach=5) is None
    assert list(line.since(10).x) == [10, 20]


def test_values_as_text():
    assert plot.LANES["yaw"].text(12.3, 2.2) == "+12° ± 2°"
    assert plot.LANES["eyes"].text(0.741, 0.1) == "0.74 ± 0.10"
    assert plot.LANES["quality"].text(0.5, None) == "0.50"


@pytest.mark.parametrize("count", [3, 30])
def test_the_legend_shows_as_many_people_as_fit(count):
    canvas = np.zeros((100, 200, 3), np.uint8)
    entries = [(number, "+1°") for number in range(1, count + 1)]
    plot.draw_legend(canvas, (10, 0, 90), entries, palette.Ink(background=(0, 0, 0)))
    swatches = canvas[:, 12:20].any(axis=(1, 2))
    assert np.count_nonzero(np.diff(swatches.astype(int)) == 1) == min(count, 4)


def test_the_figure_has_a_lane_for_each_measure():
    curves = {name: [curve([0, 9.5], [0.2, 0.4], 2)] for name in plot.LANES}
    picture = figure.draw_figure(curves, seconds=(0, 9.5), gap=np.inf, title="a")
    assert picture.shape[1] == figure.WIDTH
    rows, _ = pixels(picture, palette.person(2))
    lanes = np.count_nonzero(np.diff(np.unique(rows)) > 20) + 1
    assert lanes == len(plot.LANES) + 1  # and the legend


@pytest.mark.parametrize(
    ("last", "step", "count"), [(9.5, 1, 10), (150, 20, 8), (0.04, 0.005, 9)]
)
def test_times_on_the_axis_are_round(last, step, count):
    times = figure.round_times(0, last)
    assert len(times) == count
    np.testing.assert_allclose(np.diff(times), step)
