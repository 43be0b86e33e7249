import numpy as np
import pytest

from gui.drawing.text import put_text, text_width


def drawn(text="H", origin=(40, 60), size=(100, 200), **options):
    """Rows and columns of the pixels that change on black."""
    canvas = np.zeros((*size, 3), np.uint8)
    put_text(canvas, text, origin, (255, 255, 255), outline=False, **options)
    return np.nonzero(canvas[..., 0] > 127)


@pytest.mark.parametrize("height", [9, 20, 40])
def test_a_capital_has_the_wanted_height_above_the_baseline(height):
    rows, columns = drawn(height=height)
    assert abs(rows.max() - rows.min() + 1 - height) <= 1
    assert abs(rows.max() - 60) <= 1
    assert 40 <= columns.min() <= 40 + height / 3


def test_the_anchor_is_the_right_end_or_the_middle():
    rows, columns = drawn("12°", (150, 50), height=12, anchor="rm")
    assert 144 <= columns.max() <= 150
    assert abs((rows.max() + rows.min()) / 2 - 50) <= 1.5
    _, columns = drawn("HH", (100, 50), height=12, anchor="ms")
    assert abs((columns.max() + columns.min()) / 2 - 100) <= 1.5


@pytest.mark.parametrize("origin", [(-500, -500), (500, 500)])
def test_text_stays_inside_the_canvas(origin):
    rows, _ = drawn("person 12", origin, height=10)
    assert len(rows) > 50


def test_a_text_that_is_too_long_is_cut():
    rows, columns = drawn("long " * 50, (0, 20), size=(30, 60), height=10)
    assert columns.max() <= 59
    assert len(rows) > 50


def test_the_outline_makes_text_legible_on_white():
    canvas = np.full((40, 80, 3), 255, np.uint8)
    put_text(canvas, "abc", (10, 30), (255, 255, 255), height=12)
    assert canvas.min() < 60
    assert canvas.max() == 255


def test_the_width_is_that_of_the_drawing():
    _, columns = drawn("person", (20, 60), height=14)
    assert columns.max() - columns.min() <= text_width("person", 14)
    assert text_width("personperson", 14) > 1.8 * text_width("person", 14)
