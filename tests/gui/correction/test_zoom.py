import numpy as np
import pytest

from gui.correction.zoom import CONTEXT, MAX_SCALE, Zoom
from tests.gui import fakes


@pytest.fixture
def zoom():
    return Zoom(width=400, height=300).fit(np.array([50.0, 40.0, 90.0, 100.0]))


def test_fit_shows_the_box_in_the_middle(zoom):
    assert zoom.scale == pytest.approx(300 / (CONTEXT * 60))
    assert np.allclose(zoom.to_screen(np.array([70.0, 70.0])), (200, 150))


def test_there_and_back(zoom):
    points = np.random.default_rng(0).uniform(0, 100, (9, 2))
    assert np.allclose(zoom.to_source(zoom.to_screen(points)), points)


def test_the_place_under_the_mouse_stays(zoom):
    place = (31.0, 200.0)
    before = zoom.to_source(np.array(place))
    nearer = zoom.at(place, 1.7)
    assert nearer.scale == pytest.approx(1.7 * zoom.scale)
    assert np.allclose(nearer.to_source(np.array(place)), before)


def test_the_enlargement_has_a_limit(zoom):
    assert zoom.at((0, 0), 1e6).scale == MAX_SCALE


def test_moved_shifts_the_picture_by_screen_pixels(zoom):
    moved = zoom.moved(12, -7)
    point = np.array([55.0, 66.0])
    assert np.allclose(moved.to_screen(point) - zoom.to_screen(point), (12, -7))


def test_the_picture_agrees_with_the_handles(zoom):
    image = np.zeros((160, 240, 3), np.uint8)
    fakes.draw_face(image, (60, 50, 80, 90))
    picture = zoom.picture(image, (1, 2, 3))
    assert picture.shape == (300, 400, 3)
    rows, columns = np.nonzero(picture[..., 0] > 115)
    # The centre of the drawn rectangle is at the centre of its pixels.
    centre = zoom.to_screen(np.array([70.0, 70.0]))
    middle = ((columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2)
    assert np.abs(np.array(middle) - centre).max() <= 0.6
    # Outside of the frame is the background.
    far = zoom.moved(350, 0).picture(image, (1, 2, 3))
    assert far[0, 0].tolist() == [1, 2, 3]
