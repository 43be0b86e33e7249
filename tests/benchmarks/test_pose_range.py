"""The computations of the benchmark of the range of poses."""

import numpy as np
import pytest

from benchmarks import pose_range
from ethos_data.heads.render import render_sample


def test_area_under_the_roc_curve_counts_the_pairs_in_order():
    rng = np.random.default_rng(2)
    positive = rng.random(60) < 0.3
    score = rng.integers(0, 8, 60) + 2 * positive
    pairs = [
        (high > low) + 0.5 * (high == low)
        for high in score[positive]
        for low in score[~positive]
    ]
    area = pose_range.area_under_roc(positive, score)
    assert area == pytest.approx(np.mean(pairs))
    assert np.isnan(pose_range.area_under_roc(np.ones(5, bool), np.arange(5)))


@pytest.mark.parametrize("degrees", [90, -90, 180])
def test_a_turned_frame_is_that_of_numpy(degrees):
    frame = render_sample(1, 64)
    turned = pose_range.turned(frame, degrees)
    margin = (len(turned.image) - 64) / 2
    assert margin == 13.5  # the square with the diagonal is 91 pixels wide
    inside = turned.image[14:77, 14:77].astype(float)
    # np.rot90 turns to the left; the margin is not a whole number of pixels.
    expected = np.rot90(frame.image, -degrees // 90).astype(float)
    blurred = (expected[1:, 1:] + expected[:-1, :-1]) / 4
    blurred += (expected[1:, :-1] + expected[:-1, 1:]) / 4
    assert np.abs(inside - blurred).mean() < 1
    x, y = frame.landmarks[:, :2].T
    wanted = {90: (63 - y, x), -90: (y, 63 - x), 180: (63 - x, 63 - y)}[degrees]
    np.testing.assert_allclose(
        turned.landmarks[:, :2], np.stack(wanted, -1) + margin, atol=1e-3
    )
