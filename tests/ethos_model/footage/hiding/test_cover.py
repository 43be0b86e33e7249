import cv2
import numpy as np
import pytest

from ethos_model.footage.hiding.cover import CELLS, KINDS, Cover, hide

BOX = np.array([20.0, 30.0, 80.0, 90.0])
SIZE = 45.0


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (120, 100, 3), np.uint8)


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_area_is_changed(image, kind):
    before = image.copy()
    result = hide(image, [Cover(BOX, SIZE)], kind)
    np.testing.assert_array_equal(image, before)
    inside = np.zeros(image.shape[:2], bool)
    inside[30:91, 20:81] = True
    np.testing.assert_array_equal(result[~inside], image[~inside])
    assert (result[inside] != image[inside]).any(axis=-1).mean() > 0.9


@pytest.mark.parametrize(("cells", "expected"), [(None, 2), (6, 8)])
def test_a_pixelated_area_consists_of_few_cells(image, cells, expected):
    area = hide(image, [Cover(BOX, SIZE)], "pixelate", cells=cells)[30:91, 20:81]
    steps = np.abs(np.diff(area.astype(int), axis=1)).max(axis=(0, 2)) > 0
    # The area is 61 pixels wide, and the face 45 pixels.
    assert steps.sum() + 1 == expected


def test_at_most_two_cells_across_the_face_remain():
    assert max(CELLS.values()) <= 2


@pytest.mark.parametrize("kind", ["blur", "pixelate"])
def test_sharpening_does_not_bring_details_back(image, kind):
    """The details are stripes that are narrower than a cell."""
    stripes = np.zeros_like(image)
    stripes[:, ::8] = stripes[:, 1::8] = stripes[:, 2::8] = stripes[:, 3::8] = 255
    other = np.roll(stripes, 4, axis=1)
    results = [
        hide(i, [Cover(BOX, SIZE)], kind)[36:85, 26:75] for i in (stripes, other)
    ]
    levels = [result.astype(float).mean(axis=(0, 2)) for result in results]
    assert np.ptp(levels[0]) < 40
    spectrum = np.abs(np.fft.rfft(levels[0] - levels[0].mean()))
    assert spectrum[6] < 0.02 * 255 * 49 / 2  # six stripes fit into the area


def test_an_area_outside_the_frame_is_left_out(image):
    far = Cover(np.array([200.0, 10.0, 260.0, 70.0]), SIZE)
    np.testing.assert_array_equal(hide(image, [far], "box"), image)
    corner = Cover(np.array([-40.0, -40.0, 9.0, 19.0]), SIZE)
    result = hide(image, [corner], "box")
    assert (result[:20, :10] == 0).all()
    np.testing.assert_array_equal(result[20:], image[20:])


def test_a_tiny_area_is_hidden(image):
    result = hide(image, [Cover(np.array([5.0, 5.0, 6.0, 6.0]), 1.0)], "blur")
    assert result.shape == image.shape


def test_rejects_an_unknown_kind(image):
    with pytest.raises(ValueError, match="kind must be one of"):
        hide(image, [], "smear")


def test_the_blur_has_no_edges(image):
    smooth = cv2.GaussianBlur(image, (0, 0), 2)
    area = hide(smooth, [Cover(BOX, SIZE)], "blur")[30:91, 20:81].astype(int)
    assert np.abs(np.diff(area, axis=0)).max() <= 6
