"""Windows consist of whole pixels, and both frames of reference agree."""

import numpy as np
import pytest

from ethos_data import crop


def random_landmarks(seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-20, 60, (68, 3)).astype(np.float32)


def test_to_source_inverts_to_normalized():
    points = random_landmarks()
    window = crop.Window(-7.5, 3.5, 41)
    normalized = window.to_normalized(points)
    eyes = slice(36, 48)
    np.testing.assert_allclose(normalized[eyes, 2].mean(), 0, atol=1e-12)
    back = window.to_source(normalized)
    np.testing.assert_allclose(back[:, :2], points[:, :2], atol=1e-5)
    np.testing.assert_allclose(
        back[:, 2], points[:, 2] - points[eyes, 2].mean(), atol=1e-5
    )


def test_many_frames_are_normalised_like_single_frames():
    points = np.stack([random_landmarks(seed) for seed in range(5)]).astype(np.float64)
    windows = [crop.Window(3.5 * i, 9.5 - i, 20 + i) for i in range(5)]
    each = [w.to_normalized(p) for w, p in zip(windows, points, strict=True)]
    np.testing.assert_allclose(crop.to_normalized_each(points, windows), each)
    assert crop.to_normalized_each(points[:0], []).shape == (0, 68, 3)


def test_a_crop_is_not_a_view_of_the_frame():
    frame = np.zeros((9, 9, 3), np.uint8)
    image = crop.cut(frame, crop.Window(1.5, 1.5, 4))
    frame[:] = 255
    assert image.flags.c_contiguous
    assert (image == 0).all()


def test_a_pixel_has_the_same_position_in_frame_and_crop():
    frame = np.zeros((50, 60, 3), np.uint8)
    frame[20, 31] = 255
    window = crop.window_around(np.array([20.0, 10.0, 44.0, 40.0]), 1.5)
    image = crop.cut(frame, window)
    row, column = np.argwhere(image[..., 0])[0]
    u, v = window.to_normalized(np.array([[31.0, 20.0]]))[0]
    assert (u * window.size - 0.5, v * window.size - 0.5) == (column, row)


@pytest.mark.parametrize("size", [23, 64, 151])
def test_resizing_does_not_move_the_content(size):
    # The centroid of a smooth spot has the same normalised position at any size.
    centre, side = (40.3, 55.1), 100
    y, x = np.mgrid[:side, :side]
    spot = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * 6.0**2))
    small = crop.resize(spot.astype(np.float32), size)
    y, x = np.mgrid[:size, :size]
    centroid = np.array([(x * small).sum(), (y * small).sum()]) / small.sum()
    np.testing.assert_allclose(
        (centroid + 0.5) / size, (np.array(centre) + 0.5) / side, atol=2e-4
    )


def test_fills_the_part_outside_the_frame():
    frame = np.full((10, 10), 7, np.uint8)
    image = crop.cut(frame, crop.Window(-3.5, 4.5, 8), fill=1)
    expected = np.ones((8, 8), np.uint8)
    expected[:5, 3:] = 7
    np.testing.assert_array_equal(image, expected)
    assert (crop.cut(frame, crop.Window(99.5, 99.5, 4)) == 0).all()


def test_the_size_of_the_window_is_a_multiple_of_the_longer_side():
    window = crop.window_around(np.array([10.0, 10.0, 40.0, 50.0]), 2.0)
    assert window.size == 80
    assert abs(window.left + window.size / 2 - 25) <= 0.5
    assert abs(window.top + window.size / 2 - 30) <= 0.5


def test_windows_of_many_boxes_equal_the_formula_in_plain_python():
    rng = np.random.default_rng(0)
    corner = rng.uniform(-20, 200, (500, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(1.1, 150, (500, 2))], axis=1)
    boxes[::2] = np.ceil(boxes[::2])  # integers, so that centres are between two pixels
    for box, window in zip(boxes, crop.windows_around(boxes, 1.3), strict=True):
        x0, y0, x1, y1 = (round(edge, 3) for edge in box.tolist())
        size = max(1, round(max(x1 - x0, y1 - y0) * 1.3))
        left, top = ((low + high - size) / 2 for low, high in ((x0, x1), (y0, y1)))
        assert window.tolist() == [
            round(left + 0.5) - 0.5,
            round(top + 0.5) - 0.5,
            size,
        ]


@pytest.mark.parametrize("box", [(0, 0, 0, 0), (0, 0, np.nan, 9), (5, 5, 1, 1)])
def test_rejects_boxes_that_are_empty_or_not_finite(box):
    with pytest.raises(ValueError, match="Received: boxes="):
        crop.window_around(np.array(box, float), 1.3)


def test_rejects_a_window_between_pixels():
    with pytest.raises(ValueError, match="whole pixels"):
        crop.cut(np.zeros((9, 9)), crop.Window(0.0, 0.5, 4))
