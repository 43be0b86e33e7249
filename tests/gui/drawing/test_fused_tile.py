import numpy as np
import pytest

from ethos_data.crop import Window
from ethos_model.footage.fusion.face_fusion import FusedFace
from gui.drawing import palette
from gui.drawing.fused_tile import STRONGEST_SIGMA, fused_tile, with_sigma

SIDE = 60
FRAME_COLOR, FUSED_COLOR = (10, 60, 110), (200, 150, 100)


@pytest.fixture
def frame():
    """A frame that has another colour outside the window of the face."""
    image = np.zeros((80, 120, 3), np.uint8)
    image[20:60, 50:90] = FRAME_COLOR
    return image


@pytest.fixture
def fused():
    image = np.full((SIDE, SIDE, 3), FUSED_COLOR, np.uint8)
    sigma = np.zeros((SIDE, SIDE), np.float32)
    return FusedFace(image, sigma, Window(49.5, 19.5, 40), 5, 1.0)


@pytest.mark.parametrize("size", [SIDE, 90])
def test_the_line_divides_the_frame_and_the_fused_face(frame, fused, size):
    picture = fused_tile(frame, fused, size, divider=1 / 3)
    assert picture.shape == (size, size, 3)
    line = size // 3
    assert (picture[:, : line - 2] == FRAME_COLOR).all()
    assert (picture[:, line] == palette.WHITE).all()
    assert (picture[:, line + 3 :] == FUSED_COLOR).all()
    assert (fused.image == FUSED_COLOR).all()  # it is not drawn on


def test_at_the_ends_there_is_no_line(frame, fused):
    assert (fused_tile(frame, fused, 90, divider=0.0) == FUSED_COLOR).all()
    assert (fused_tile(frame, fused, 90, divider=1.0) == FRAME_COLOR).all()


def test_uncertain_parts_have_the_colour_of_uncertainty(frame, fused):
    fused.sigma[:, 20:40] = STRONGEST_SIGMA / 2
    fused.sigma[:, 40:] = 2 * STRONGEST_SIGMA
    picture = with_sigma(fused)
    assert (picture[:, :20] == FUSED_COLOR).all()
    distances = [
        np.abs(picture[0, column].astype(int) - palette.UNSURE).sum()
        for column in (0, 30, 50)
    ]
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < 0.25 * distances[0]
    np.testing.assert_array_equal(fused_tile(frame, fused, SIDE, sigma=True), picture)
    assert (fused_tile(frame, fused, SIDE) == FUSED_COLOR).all()
