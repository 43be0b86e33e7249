import numpy as np

from ethos_model.footage.regions import Region
from ethos_model.footage.schedule import (
    SearchSchedule,
    blocks_inside,
    has_changed,
    person_area,
)

FACE = np.array([300.0, 150, 340, 190])


def frames(height, width, count, *, moving=False):
    """Frames with blocks, which change completely if `moving`."""
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 255, (height // 40 + 1, width // 40 + 1, 3))
    for _ in range(count):
        if moving:
            blocks = rng.integers(0, 255, blocks.shape)
        image = np.kron(blocks, np.ones((40, 40, 1)))[:height, :width]
        yield image.astype(np.uint8)


def searched_pixels(regions):
    return sum(region.width * region.height * region.scale**2 for region in regions)


def test_an_overview_is_due_at_once_and_then_at_intervals():
    schedule = SearchSchedule()
    due = [
        bool(schedule.due(frame, index / 25, followed=[FACE]))
        for index, frame in enumerate(frames(360, 640, 51))
    ]
    assert [index for index, value in enumerate(due) if value] == [0, 25, 50]


def test_frames_without_faces_are_searched_more_often():
    schedule = SearchSchedule()
    due = [
        bool(schedule.due(frame, index / 25))
        for index, frame in enumerate(frames(360, 640, 50))
    ]
    assert 15 <= sum(due) <= 20


def test_after_a_loss_each_small_frame_without_faces_is_searched():
    schedule = SearchSchedule()
    for index, frame in enumerate(frames(360, 640, 5)):
        assert schedule.due(frame, index / 25, urgent=True)


def test_all_tiles_are_searched_in_the_first_second():
    schedule = SearchSchedule()
    count = np.zeros((1080, 1920), int)
    for index, frame in enumerate(frames(1080, 1920, 25)):
        regions = schedule.due(frame, index / 25)
        tiles = [region for region in regions if region.scale == 1]
        assert len(tiles) <= 1
        for tile in tiles:
            rows = slice(tile.top, tile.top + tile.height)
            count[rows, tile.left : tile.left + tile.width] += 1
    assert count.min() == 1


def test_a_tile_that_stays_the_same_is_skipped():
    def cost(moving):
        schedule = SearchSchedule()
        regions = []
        for index, frame in enumerate(frames(1080, 1920, 100, moving=moving)):
            if index == 25:
                regions.clear()
            regions += schedule.due(frame, index / 25)
        return searched_pixels(regions) / 3  # per second

    assert cost(moving=False) < 1.2e6
    # 0.37 of a core at 110 ns per pixel.
    assert cost(moving=True) < 3.4e6


def test_faces_that_are_not_upright_are_searched_in_one_direction_after_the_other():
    schedule = SearchSchedule()
    frame = np.zeros((160, 320, 3), np.uint8)
    due = [schedule.due(frame, index / 25) for index in range(101)]
    turned = {
        index: [region.turns for region in regions if region.turns]
        for index, regions in enumerate(due)
        if any(region.turns for region in regions)
    }
    # All directions in the first frame of a shot, then one at a time.
    assert list(turned.values())[:5] == [[1, 2, 3], [1], [2], [3], [1]]
    assert np.diff(list(turned)).min() >= 12  # half a second
    schedule.reset(turns=3)
    assert [region.turns for region in schedule.due(frame, 9.0)] == [0, 0, 3, 1, 2]


def test_a_small_change_is_seen_in_a_dark_tile():
    rng = np.random.default_rng(0)
    before = rng.integers(2, 12, (30, 30, 3)).astype(np.int16)
    after = before.copy()
    assert not has_changed(before, after + rng.integers(-1, 2, after.shape))
    after[10, 10] += 4
    assert has_changed(before, after)


def searches_after_the_first_second(moving, followed):
    """Number of tiles of a still frame that are searched while one part of it moves.

    `moving` contains the rows and the columns of that part.
    """
    schedule = SearchSchedule()
    (still,) = frames(1080, 1920, 1)
    rng = np.random.default_rng(1)
    count = 0
    for index in range(75):
        frame = still.copy()
        frame[moving] = rng.integers(0, 255, (1, 1, 3))
        regions = schedule.due(frame, index / 25, followed=followed)
        if index >= 25:
            count += sum(region.scale == 1 for region in regions)
    return count


def test_movements_of_a_followed_person_do_not_cause_a_search():
    face = np.array([500.0, 300, 600, 400])
    body = np.s_[300:800, 400:700]
    beside = np.s_[300:400, 1200:1300]
    assert searches_after_the_first_second(body, [face]) == 0
    assert searches_after_the_first_second(body, []) >= 2
    assert searches_after_the_first_second(beside, [face]) >= 2


def test_movements_near_a_small_face_cause_a_search():
    # Its neighbours are too small for the overview.
    face = np.array([500.0, 300, 525, 325])
    assert searches_after_the_first_second(np.s_[330:400, 490:540], [face]) >= 2


def test_the_area_of_a_person_is_a_multiple_of_the_face():
    area = person_area(np.array([100.0, 100, 140, 190]))
    assert np.allclose(area, [0, 73, 240, 415])  # the face size is 60
    tile = Region(64, 32, 160, 80, 1.0)
    inside = blocks_inside(tile, (5, 10), [np.array([95.0, 50, 120, 75])])
    expected = np.zeros((5, 10), bool)
    expected[1:3, 2:4] = True  # centres at x = 103.5 and 119.5, y = 55.5 and 71.5
    assert np.array_equal(inside, expected)


def test_all_tiles_of_a_large_frame_are_searched_while_the_camera_moves():
    schedule = SearchSchedule()
    count = np.zeros((2160, 3840), int)
    for index, frame in enumerate(frames(2160, 3840, 50, moving=True)):
        for region in schedule.due(frame, index / 25):
            if index >= 25 and region.scale == 2 / 3:
                rows = slice(region.top, region.top + region.height)
                count[rows, region.left : region.left + region.width] += 1
    assert count.min() == 1


def test_a_slow_video_gets_all_tiles_of_a_second_at_once():
    schedule = SearchSchedule()
    tiles = 0
    for index, frame in enumerate(frames(1080, 1920, 3, moving=True)):
        tiles = sum(r.scale == 1 for r in schedule.due(frame, float(index)))
    assert tiles == 8


def test_an_empty_frame_is_not_searched():
    assert SearchSchedule().due(np.zeros((0, 0, 3), np.uint8), 0.0) == []
