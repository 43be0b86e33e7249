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


@pytest.mark.parametrize("scale", [0.95, 0.61, 0.5, 0.33, 0.07])
@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_a_reduced_picture_has_the_places_of_the_handles(scale, shift):
    """Compares the centres of drawn rectangles with `to_screen`."""
    image = np.zeros((1201, 1803, 3), np.uint8)
    corners = [(850, 560), (1000, 700), (1099, 503)]
    for x, y in corners:
        image[y : y + 41, x : x + 41] = 255
    zoom = Zoom(scale, 983.3 + shift / scale, 621.7, 203, 157)
    picture = zoom.picture(image, (0, 0, 0))[..., 0].astype(float)
    for x, y in corners:
        place = zoom.to_screen(np.array([x + 20.0, y + 20.0]))
        radius = 20.5 * scale + 2
        low = np.floor(place - radius).astype(int)
        high = np.ceil(place + radius).astype(int) + 1
        if (low < 0).any() or (high > (203, 157)).any():
            continue  # outside of the panel
        part = picture[low[1] : high[1], low[0] : high[0]]
        rows, columns = np.mgrid[low[1] : high[1], low[0] : high[0]]
        centre = np.array([(columns * part).sum(), (rows * part).sum()]) / part.sum()
        assert np.abs(centre - place).max() < 0.03
        assert part.sum() / 255 == pytest.approx((41 * scale) ** 2, rel=0.02)


@pytest.mark.parametrize("scale", [0.7, 0.4, 0.11])
def test_details_smaller_than_a_pixel_are_averaged(scale):
    rows, columns = np.indices((900, 1200))
    image = np.where((rows + columns) % 2, 255, 0).astype(np.uint8)
    image = np.repeat(image[..., None], 3, axis=2)
    picture = Zoom(scale, 600.0, 450.0, 64, 48).picture(image, (0, 0, 0))
    # The mean of a chequered pattern. Without an average it has stripes.
    assert np.abs(picture.astype(int) - 127).max() < 40


def test_a_reduced_frame_beside_the_panel_is_not_shown():
    image = np.full((90, 120, 3), 255, np.uint8)
    for x, y in ((-900.0, 50.0), (900.0, 50.0), (60.0, -900.0), (60.0, 900.0)):
        picture = Zoom(0.3, x, y, 40, 30).picture(image, (7, 8, 9))
        assert (picture == (7, 8, 9)).all()
