import dataclasses

import cv2
import numpy as np
import pytest

from ethos_model.footage.tracker import FaceTracker
from ethos_model.footage.tracks import measured
from gui.drawing import overlay, palette
from tests.gui import fakes


@pytest.fixture
def face():
    image = np.full((160, 240, 3), (40, 60, 90), np.uint8)
    fakes.draw_face(image, (80, 30, 150, 120))
    tracker = FaceTracker(fakes.FakePredictor(), fakes.FakeFinder())
    return tracker.update(image, 0.0)[0]


def changed(tracked, **fields):
    """The tracked face with other fields of its prediction."""
    return dataclasses.replace(
        tracked, face=dataclasses.replace(tracked.face, **fields)
    )


def draw(face, scale=1.0, size=(160, 240), **options):
    """Draws one face with the given options on black."""
    options = dict.fromkeys(overlay.DRAWN, False) | options
    canvas = np.zeros((round(size[0] * scale), round(size[1] * scale), 3), np.uint8)
    overlay.draw_faces(canvas, [face], overlay.OverlayOptions(**options), scale=scale)
    return canvas


@pytest.mark.parametrize("scale", [3.0, 7.5])
def test_points_are_drawn_on_the_landmarks(face, scale):
    single = changed(
        face,
        landmarks=np.tile([[100.3, 50.8, 0.0]], (68, 1)).astype(np.float32)
        + np.linspace(0, 1e-3, 68, dtype=np.float32)[:, None],
    )
    canvas = draw(single, scale, points=True).astype(float).sum(axis=-1)
    y, x = np.mgrid[: canvas.shape[0], : canvas.shape[1]]
    center = np.array([(canvas * x).sum(), (canvas * y).sum()]) / canvas.sum()
    # Pixel centres: source x = 100.3 is at (100.3 + 0.5) * 3 - 0.5 on the canvas.
    expected = (np.array([100.3, 50.8]) + 0.5) * scale - 0.5
    np.testing.assert_allclose(center, expected, atol=0.35)


def test_colours_run_from_blue_through_yellow_to_vermillion():
    colors = overlay.uncertainty_colors(np.array([0.001, 0.02, 0.04, 0.08, 1, np.nan]))
    for row, expected in (
        (0, palette.SKY_BLUE),
        (1, palette.SKY_BLUE),
        (2, palette.YELLOW),  # the geometric mean of 0.02 and 0.08
        (3, palette.VERMILLION),
        (4, palette.VERMILLION),
        (5, palette.VERMILLION),
    ):
        np.testing.assert_array_equal(colors[row], expected)


def test_each_option_draws_its_own_part(face):
    assert not draw(face, uncertainty="none").any()
    for option in ({"points": True}, {"edges": True}, {"boxes": True}):
        assert draw(face, uncertainty="none", **option).any()
    sigma = face.face.uncertainty
    small = draw(changed(face, uncertainty=sigma * 0.5), uncertainty="size")
    large = draw(changed(face, uncertainty=sigma * 4), uncertainty="size")
    assert (large > 0).sum() > 3 * (small > 0).sum()


def test_measures_are_drawn_only_on_measured_faces(face):
    image = np.full((160, 240, 3), (40, 60, 90), np.uint8)
    known = measured(image, face)
    for option in ({"pose": True}, {"eyes": True}):
        assert not draw(face, uncertainty="none", **option).any()
        assert draw(known, uncertainty="none", **option).any()


def test_the_box_has_the_colour_of_the_person(face):
    def has(color, **fields):
        canvas = draw(dataclasses.replace(face, **fields), boxes=True)
        distance = np.abs(canvas.astype(int) - color).sum(axis=-1)
        return (distance < 90).sum() > 20  # the lines have smooth edges

    assert has(palette.ORANGE, id=2)
    assert not has(palette.SKY_BLUE, id=2)
    assert has(palette.VERMILLION, id=2, unsure=True)


@pytest.mark.parametrize("shift", [1e4, 1e9, np.nan])
def test_a_face_outside_the_frame_draws_nothing(face, shift):
    far = changed(face, landmarks=face.face.landmarks + np.float32(shift))
    assert not draw(far, points=True, edges=True, uncertainty="size").any()
    draw(far, boxes=True)  # the number stays at the border of the picture


@pytest.mark.parametrize("mark", ["corrected", "interpolated"])
def test_corrected_landmarks_have_a_colour_of_their_own(face, mark):
    canvas = np.zeros((320, 480, 3), np.uint8)
    options = overlay.OverlayOptions(edges=False, boxes=False)
    overlay.draw_faces(canvas, [face], options, scale=2.0, marks={face.id: mark})
    x, y = np.rint((face.face.landmarks[30, :2] + 0.5) * 2 - 0.5).astype(int)
    assert tuple(canvas[y, x].tolist()) == overlay.MARKS[mark]
    assert len(set(overlay.MARKS.values()) | {palette.SKY_BLUE}) == 3


@pytest.mark.parametrize("scale", [0.21, 0.25, 0.4375, 0.5, 0.8])
def test_a_reduced_frame_looks_like_the_mean_of_its_pixels(scale):
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (17, 30, 3), dtype=np.uint8)
    image = cv2.resize(coarse, (240, 136), interpolation=cv2.INTER_CUBIC)
    small = overlay.resized(image, scale)
    size = (round(240 * scale), round(136 * scale))
    expected = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    assert small.shape == expected.shape
    error = np.sqrt(np.mean((small.astype(float) - expected) ** 2))
    assert error < 0.1 * image.std()
