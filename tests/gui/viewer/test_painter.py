import dataclasses

import numpy as np
import pytest

from ethos_model.footage.reader import Frame
from ethos_model.footage.tracker import FaceTracker
from gui.drawing.overlay import OverlayOptions
from gui.viewer.engine import READY
from gui.viewer.live_fusion import LivePortrait
from gui.viewer.painter import FUSED, Painter, PaintOptions, paint
from gui.viewer.view import View
from tests.gui import fakes
from tests.waiting import wait_until

PLAIN = OverlayOptions(points=False, edges=False, uncertainty="none", boxes=False)
BACKGROUND = (1, 2, 3)


@pytest.fixture
def image():
    image = np.full((160, 240, 3), (40, 60, 90), np.uint8)
    fakes.draw_face(image, (20, 40, 60, 100))
    fakes.draw_face(image, (120, 30, 190, 120))
    return image


@pytest.fixture
def view(image):
    faces = FaceTracker(fakes.FakePredictor(), fakes.FakeFinder()).update(image, 0)
    return View(Frame(image, 0, 0.0), image, faces, [], False, READY, {}, 0.0)


def options(**fields):
    return PaintOptions(overlay=PLAIN, background=BACKGROUND, **fields)


def test_the_frame_fills_the_panel_and_keeps_its_proportions(view):
    painting = paint(view, options(source_size=(480, 400)))
    assert painting.source.shape == (400, 480, 3)
    assert painting.scale == 2.0
    assert painting.offset == (0, 40)
    assert (painting.source[:40] == BACKGROUND).all()
    assert (painting.source[360:] == BACKGROUND).all()
    np.testing.assert_array_equal(painting.source[45, 5], view.image[0, 0])


@pytest.mark.parametrize(
    ("size", "offset"), [((964, 320), (484, 0)), ((480, 644), (0, 324))]
)
def test_two_frames_are_placed_where_they_are_larger(view, size, offset):
    compared = dataclasses.replace(view, compared=True)
    painting = paint(compared, options(source_size=size))
    assert painting.scale == 2.0
    assert painting.offset == offset  # the degraded frame is the second


def test_draws_the_selected_reconstructions_in_their_size(view):
    painting = paint(view, options(kinds=("depth", "shaded"), tile_size=90))
    assert set(painting.tiles) == {"depth", "shaded"}
    assert {tile.shape for tile in painting.tiles.values()} == {(90, 90, 3)}
    assert paint(view, options(tile_size=0)).tiles == {}
    without = dataclasses.replace(view, faces=[])
    assert paint(without, options()).tiles == {}


def test_the_face_from_many_frames_is_that_of_the_chosen_person(view):
    large, small = sorted(view.faces, key=lambda face: face.box[0] - face.box[2])
    fusion = fakes.fake_fusion()
    fusion.add(view.image, large.face)
    portrait = LivePortrait(large.id, fusion.result(large.face))
    shown = dataclasses.replace(view, portrait=portrait)
    drawn = options(kinds=("restored", FUSED), tile_size=80, divider=0)
    painting = paint(shown, drawn)
    assert painting.fused is portrait.fused
    assert painting.tiles[FUSED].shape == (80, 80, 3)
    # The drawn face is as in the frame, because the frame is the only one.
    np.testing.assert_allclose(painting.tiles[FUSED][40, 40], fakes.SKIN, atol=3)
    other = paint(shown, dataclasses.replace(drawn, chosen=small.id))
    assert other.fused is None
    assert set(other.tiles) == {"restored"}
    failed = dataclasses.replace(view, portrait=LivePortrait(large.id, None, "broken"))
    assert set(paint(failed, drawn).tiles) == {"restored"}


def test_a_panel_of_one_pixel_is_drawn(view):
    painting = paint(view, options(source_size=(1, 1)))
    assert painting.source.size > 0


def test_draws_again_when_the_view_or_the_options_change(view):
    painter = Painter()
    painter.start()
    paintings = []

    def drawn():
        painting = painter.paintings.take()
        paintings.extend([] if painting is None else [painting])
        return painting is not None

    painter.show(view)
    wait_until(drawn)
    painter.set_options(options(source_size=(300, 200)))
    wait_until(drawn)
    assert paintings[-1].source.shape == (200, 300, 3)
    painter.close()
    assert not painter.worker.is_alive()
