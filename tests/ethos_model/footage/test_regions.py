import numpy as np
import pytest

from ethos_model.footage import regions


def covered(plan, height, width):
    """How many regions contain each pixel, int (height, width)."""
    count = np.zeros((height, width), int)
    for region in plan:
        rows = slice(region.top, region.top + region.height)
        count[rows, region.left : region.left + region.width] += 1
    return count


@pytest.mark.parametrize(
    ("height", "width", "scale"),
    [(1080, 1920, 1.0), (2160, 3840, 0.5), (700, 513, 1.0), (90, 4000, 1.0)],
)
def test_tiles_cover_the_frame_and_stay_small(height, width, scale):
    plan = regions.tiles(height, width, scale)
    assert covered(plan, height, width).min() == 1
    for region in plan:
        longer = max(region.width, region.height) * region.scale
        assert longer <= regions.TILE_SIDE + 2
        assert region.left + region.width <= width
        assert region.top + region.height <= height


def test_a_face_on_a_border_is_complete_in_one_tile():
    plan = regions.tiles(1080, 1920, 1.0)
    rng = np.random.default_rng(0)
    size = regions.OVERLAP - 2
    for corner in rng.uniform((0, 0), (1920 - size, 1080 - size), (500, 2)):
        box = np.concatenate([corner, corner + size])
        assert any(region.contains(box) for region in plan)


def test_a_small_frame_is_searched_at_two_sizes_and_in_four_directions():
    plan = regions.everything(360, 640)
    assert [region.scale for region in plan] == [1.0, 0.5, 1.0, 1.0, 1.0]
    assert [region.turns for region in plan] == [0, 0, 1, 2, 3]
    assert all((r.width, r.height) == (640, 360) for r in plan)


def test_a_large_frame_is_searched_as_a_whole_and_in_tiles():
    plan = regions.everything(1080, 1920)
    assert [region.scale for region in plan[:2]] == [1 / 3, 1 / 6]
    tiles, turned = plan[2:-3], plan[-3:]
    assert covered(tiles, 1080, 1920).min() == 1
    assert all(region.scale == 1 and not region.turns for region in tiles)
    assert [(r.scale, r.turns) for r in turned] == [(1 / 3, k) for k in (1, 2, 3)]


def test_huge_frames_are_reduced_before_they_are_divided():
    plan = regions.everything(9000, 16000)
    searched = sum(r.width * r.height * r.scale**2 for r in plan)
    assert searched < 1.4 * 3840 * 2160
