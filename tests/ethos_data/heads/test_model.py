"""The head model: the built-in head, its shapes and its random coefficients."""

from __future__ import annotations

import numpy as np
import pytest

from ethos_data.heads import raster
from ethos_data.heads.model import MAX_SIGMA, HeadModel
from ethos_data.heads.parts import EYE, FACE, HEAD
from ethos_data.topology import EYES, GROUPS, MIRROR, face_box


@pytest.fixture(scope="module")
def model() -> HeadModel:
    return HeadModel.builtin()


def expression(model: HeadModel, **coefficients: float) -> np.ndarray:
    """Expression coefficients (E,), given by names without "_L" and "_R"."""
    stems = [name.partition("_")[0] for name in model.expression_names]
    assert coefficients.keys() <= set(stems)
    return np.float32([coefficients.get(stem, 0) for stem in stems])


def landmarks(model: HeadModel, **coefficients: float) -> np.ndarray:
    """Landmarks (68, 3) of the mean person with an expression, in cm."""
    vertices = model.vertices(np.zeros(0), expression(model, **coefficients))
    return vertices[model.landmarks68]


def test_builtin_landmarks_are_symmetric(model: HeadModel) -> None:
    neutral = landmarks(model)
    np.testing.assert_allclose(neutral[MIRROR] * (-1, 1, 1), neutral, atol=2e-3)
    assert len(set(model.landmarks68.tolist())) == 68


def test_builtin_head_has_the_proportions_of_an_adult(model: HeadModel) -> None:
    neutral = landmarks(model)
    width, height = np.ptp(neutral[:, 0]), np.ptp(neutral[:, 1])
    assert 12 < width < 16
    assert 12 < height < 16
    right, left = (
        neutral[list(GROUPS[name]), 0].mean() for name in ("right_eye", "left_eye")
    )
    assert 5.6 < left - right < 7.0
    # The tip of the nose is in front, the ends of the jaw are behind.
    assert neutral[:, 2].argmax() == 30
    assert set(np.argsort(neutral[:, 2])[:2]) == {0, 16}


def test_builtin_skin_is_closed_except_at_lids_and_lips(model: HeadModel) -> None:
    is_skin = (model.parts == FACE) | (model.parts == HEAD)
    faces = model.triangles[is_skin[model.triangles].all(axis=1)]
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    _, counts = np.unique(edges, axis=0, return_counts=True)
    assert counts.max() == 2
    assert (counts == 1).sum() < 0.01 * len(counts)


def test_builtin_triangles_face_outwards(model: HeadModel) -> None:
    is_scalp = model.neutral[:, 1] > 8
    corners = model.neutral[model.triangles[is_scalp[model.triangles].all(axis=1)]]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outward = corners.mean(axis=1) - (0, 4, 0)
    assert ((normals * outward).sum(axis=1) > 0).all()


def test_builtin_expressions_do_what_their_names_say(model: HeadModel) -> None:
    neutral = landmarks(model)
    jaw_open = landmarks(model, jawOpen=1.0)
    assert jaw_open[8, 1] < neutral[8, 1] - 2
    gap = jaw_open[[61, 62, 63], 1] - jaw_open[[67, 66, 65], 1]
    assert (gap > 1.5).all()
    np.testing.assert_allclose(jaw_open[27:36], neutral[27:36], atol=0.05)
    smile = landmarks(model, mouthSmile=1.0)
    assert smile[54, 0] > neutral[54, 0] + 0.3
    assert smile[54, 1] > neutral[54, 1] + 0.3
    blink = landmarks(model, eyeBlink=1.0)
    opening = (blink[[37, 38, 43, 44], 1] - blink[[41, 40, 47, 46], 1]).mean()
    assert abs(opening) < 0.1 * (neutral[[37, 38], 1] - neutral[[41, 40], 1]).mean()
    brows_up = landmarks(model, browInnerUp=1.0, browOuterUp=1.0)
    assert (brows_up[17:27, 1] > neutral[17:27, 1] + 0.3).all()
    pucker = landmarks(model, mouthPucker=1.0)
    assert np.ptp(pucker[[48, 54], 0]) < 0.8 * np.ptp(neutral[[48, 54], 0])


def test_expressions_of_a_side_move_that_side(model: HeadModel) -> None:
    for name, shape in zip(model.expression_names, model.expression, strict=True):
        motion = np.abs(shape).sum(axis=1)
        left = motion[model.neutral[:, 0] > 0].sum()
        right = motion[model.neutral[:, 0] < 0].sum()
        if name.endswith("_L"):
            assert left > 3 * right, name
        elif name.endswith("_R"):
            assert right > 3 * left, name


def test_builtin_people_are_plausible_and_differ(model: HeadModel) -> None:
    assert model.num_identity >= 10
    rng = np.random.default_rng(1)
    neutral_expression = np.zeros(model.num_expression)
    people = [
        model.vertices(model.sample_identity(rng), neutral_expression) for _ in range(6)
    ]
    boxes = [face_box(person[model.landmarks68]) for person in people]
    sizes = np.array([(x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes])
    assert (sizes > 10).all()
    assert (sizes < 20).all()
    assert np.ptp(sizes[:, 0] / sizes[:, 1]) > 0.05
    faces = model.triangles[(model.parts == FACE)[model.triangles].all(axis=1)]

    def normals(vertices: np.ndarray) -> np.ndarray:
        a, b, c = (vertices[faces[:, k]].astype(float) for k in range(3))
        return np.cross(b - a, c - a)

    neutral = normals(model.neutral)
    for person in people:
        is_flipped = (normals(person) * neutral).sum(axis=1) < 0
        assert is_flipped.mean() < 0.002


def test_random_coefficients_are_in_range_and_repeatable(model: HeadModel) -> None:
    for seed in range(20):
        first, second = (np.random.default_rng(seed) for _ in range(2))
        identity = model.sample_identity(first)
        np.testing.assert_array_equal(identity, model.sample_identity(second))
        values = model.sample_expression(first)
        np.testing.assert_array_equal(values, model.sample_expression(second))
        assert np.abs(identity).max() <= MAX_SIGMA
        assert values.min() >= 0
        assert values.max() <= 1


def test_both_eyes_look_the_same_way(model: HeadModel) -> None:
    names = model.expression_names
    for seed in range(20):
        values = model.sample_expression(np.random.default_rng(seed))
        gaze = dict(zip(names, values, strict=True))
        # If the left eye looks outwards, to the person's left, the right eye looks
        # inwards.
        assert gaze["eyeLookOut_L"] == pytest.approx(gaze["eyeLookIn_R"])
        assert gaze["eyeLookIn_L"] == pytest.approx(gaze["eyeLookOut_R"])
        assert gaze["eyeLookUp_L"] == 0 or gaze["eyeLookDown_L"] == 0


def test_eyeballs_turn_without_changing_size(model: HeadModel) -> None:
    is_left_eye = (model.parts == EYE) & (model.neutral[:, 0] > 0)
    before = model.neutral[is_left_eye]
    vertices = model.vertices(np.zeros(0), expression(model, eyeLookUp=1.0))
    after = vertices[is_left_eye]
    front = before[:, 2].argmax()
    assert after[front, 1] > before[front, 1] + 0.2
    np.testing.assert_allclose(
        np.linalg.norm(after - after.mean(axis=0), axis=1),
        np.linalg.norm(before - before.mean(axis=0), axis=1),
        atol=0.1,
    )
    assert np.isfinite(landmarks(model)[EYES]).all()


def test_closed_lids_hide_the_eyes_of_all_builtin_people(model: HeadModel) -> None:
    blink = expression(model, eyeBlink=1.0)
    camera = raster.Camera(160, 240, 16.0, (120.0, 120.0))
    for seed in range(8):
        identity = model.sample_identity(np.random.default_rng(seed))
        hits = raster.trace(model.vertices(identity, blink), model.triangles, camera)
        parts = model.parts[model.triangles[hits.triangle, 0]]
        eye_pixels = ((hits.triangle >= 0) & (parts == EYE)).sum()
        # Open eyes have 560 to 930 pixels in this image.
        assert eye_pixels < 80
