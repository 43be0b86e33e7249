import numpy as np
import pytest

from gui.drawing import palette
from gui.drawing.contact_sheet import Portrait, arrange, draw_contact_sheet


def portrait(level, shape=(50, 50), **fields):
    picture = np.full((*shape, 3), level, np.uint8)
    return Portrait(picture, "person 1", ("2.0 s on screen", "quality 0.9"), **fields)


def test_each_picture_is_at_its_place():
    portraits = [portrait(40 * number + 20) for number in range(5)]
    grid = arrange(portraits, width=500, cell=100)
    assert grid.columns == 4
    sheet = draw_contact_sheet(portraits, grid)
    assert (sheet.shape[1], sheet.shape[0]) == grid.size(5)
    for number, entry in enumerate(portraits):
        left, top = grid.corner(number)
        cell = sheet[top : top + 100, left : left + 100]
        assert (cell == entry.picture[0, 0]).all()
        assert grid.at(left + 50, top + 50, 5) == number
    assert grid.at(2, 2, 5) is None
    left, top = grid.corner(5)
    assert grid.at(left + 5, top + 5, 5) is None


def test_a_picture_keeps_its_proportions():
    ink = palette.Ink(background=(1, 2, 3))
    entry = portrait(200, shape=(80, 40))
    grid = arrange([entry], cell=100)
    left, top = grid.corner(0)
    cell = draw_contact_sheet([entry], grid, ink=ink)[
        top : top + 100, left : left + 100
    ]
    assert (cell[:, 25:75] == 200).all()
    assert (cell[:, :25] == (1, 2, 3)).all()


def test_the_text_and_the_colour_are_below_the_picture():
    entry = portrait(0, color=palette.ORANGE)
    sheet = draw_contact_sheet([entry])
    assert (sheet == palette.ORANGE).all(axis=-1).any()
    without = Portrait(entry.picture, "", ())
    assert draw_contact_sheet([without]).shape[0] < sheet.shape[0]
    ink = palette.Ink()
    bright = (sheet[-80:] == ink.text).all(axis=-1) | (sheet[-80:] == ink.muted).all(
        axis=-1
    )
    assert bright.sum() > 50


def test_a_sheet_without_people_is_empty():
    sheet = draw_contact_sheet([])
    assert (sheet == palette.Ink().background).all()


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (4, 2), (12, 4), (100, 12)])
def test_the_sheet_is_about_as_wide_as_high(count, columns):
    assert arrange([portrait(0)] * count).columns == columns
