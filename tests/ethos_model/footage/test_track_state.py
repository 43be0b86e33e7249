import itertools

import numpy as np
import pytest

from ethos_model.footage.track_state import CutDetector, Track, assign
from tests.ethos_model.footage.world import box_at, face_of


def best_by_trying(scores, least):
    """The largest sum of scores above `least`, found by trying all pairings."""
    rows, columns = scores.shape
    gains = np.maximum(scores - least, 0)
    if rows > columns:
        gains = gains.T
    return max(
        sum(gains[row, column] for row, column in enumerate(order))
        for order in itertools.permutations(range(gains.shape[1]), gains.shape[0])
    )


def test_assignment_has_the_largest_sum():
    rng = np.random.default_rng(0)
    for _ in range(200):
        scores = rng.random(rng.integers(1, 5, 2))
        if rng.random() < 0.3:
            scores = np.round(scores * 2) / 2  # ties
        pairs = assign(scores, 0.3)
        assert sum(scores[pair] - 0.3 for pair in pairs) == pytest.approx(
            best_by_trying(scores, 0.3)
        )
        rows, columns = zip(*pairs, strict=True) if pairs else ((), ())
        assert len(set(rows)) == len(rows)
        assert len(set(columns)) == len(columns)
        assert all(scores[pair] >= 0.3 for pair in pairs)


def test_nobody_is_assigned_to_nobody():
    assert assign(np.zeros((0, 3)), 0.1) == []
    assert assign(np.zeros((3, 0)), 0.1) == []


def scene(seed, light=1.0, noise=0.0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (6, 8, 3))
    image = light * np.kron(coarse, np.ones((30, 40, 1)))
    image = image + rng.normal(0, noise, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("light", [1.0, 0.05])
def test_another_shot_is_a_cut_in_any_light(light):
    cuts = CutDetector()
    assert not cuts.is_cut(scene(1, light, noise=1.2), 0.0)
    assert not cuts.is_cut(scene(1, light, noise=1.2), 0.04)
    assert cuts.is_cut(scene(2, light, noise=1.2), 0.08)


def test_a_light_that_is_switched_on_is_not_a_cut():
    cuts = CutDetector()
    cuts.is_cut(scene(1, 0.5), 0.0)
    assert not cuts.is_cut(scene(1, 0.5) + np.uint8(60), 0.04)
    assert not cuts.is_cut(scene(1, 0.7), 0.08)


def test_noise_alone_is_not_a_cut():
    cuts = CutDetector()
    rng = np.random.default_rng(0)
    for index in range(20):
        black = np.clip(rng.normal(1, 1.5, (180, 320, 3)), 0, 255).astype(np.uint8)
        assert not cuts.is_cut(black, index / 25)


def test_a_jump_in_time_is_a_cut():
    cuts = CutDetector()
    cuts.is_cut(scene(1), 1.0)
    assert cuts.is_cut(scene(1), 0.5)
    assert not cuts.is_cut(scene(1), 1.4)
    assert cuts.is_cut(scene(1), 2.5)


def track_at(box, time=0.0):
    return Track(1, box, face_of(1, box, 0.02), 0.9, seen=time, started=time)


def test_a_hidden_face_is_expected_along_its_path():
    track = track_at(box_at(0))
    for index in range(1, 26):
        face = face_of(1, box_at(4.0 * index), 0.02)
        track.accept(face, index / 25, is_alone=True)
    expected = track.expected_box(1.5)
    # 100 pixels per second for half a second.
    np.testing.assert_allclose(expected, box_at(150), atol=3)


def test_the_motion_is_not_learned_near_another_face():
    track = track_at(box_at(0))
    track.accept(face_of(1, box_at(0), 0.02), 0.04, is_alone=True)
    track.accept(face_of(2, box_at(30), 0.02), 0.08, is_alone=False)
    np.testing.assert_allclose(track.expected_box(0.5), box_at(0), atol=0.1)
