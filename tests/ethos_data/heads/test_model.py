"""The head model: the built-in head and the reader of a morphable head's file."""

from __future__ import annotations

import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_data.heads.model import MAX_SIGMA, HeadModel
from ethos_data.heads.parts import EYE, FACE, HEAD
from ethos_data.topology import EYES, GROUPS, MIRROR, face_box


@pytest.fixture(scope="module")
def model() -> HeadModel:
    return HeadModel.builtin()


def expression(model: HeadModel, **coefficients: float) -> np.ndarray:
    """Coefficients of expressions by the stem of their names, both sides alike."""
    stems = [name.partition("_")[0] for name in model.expression_names]
    assert coefficients.keys() <= set(stems)
    return np.float32([coefficients.get(stem, 0) for stem in stems])


def points(model: HeadModel, **coefficients: float) -> np.ndarray:
    vertices = model.vertices(np.zeros(0), expression(model, **coefficients))
    return vertices[model.landmarks68]


def tiny_arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "neutral": rng.normal(size=(70, 3)).astype(np.float32),
        "identity": rng.normal(size=(2, 70, 3)).astype(np.float16),
        "expression": rng.normal(size=(3, 70, 3)).astype(np.float16),
        "expression_names": np.array(["jawOpen", "eyeBlink_L", "eyeBlink_R"]),
        "tri": np.int32([[0, 1, 2], [67, 68, 69]]),
        "landmarks68": np.arange(68, dtype=np.int32),
        "parts": np.where(np.arange(70) < 69, FACE, 255).astype(np.uint8),
    }


def test_builtin_is_symmetric_under_the_landmarks_mirror(model: HeadModel) -> None:
    marks = model.neutral[model.landmarks68]
    np.testing.assert_allclose(marks[MIRROR] * (-1, 1, 1), marks, atol=2e-3)
    assert len(set(model.landmarks68.tolist())) == 68


def test_builtin_has_the_proportions_of_an_adult(model: HeadModel) -> None:
    marks = model.neutral[model.landmarks68]
    width, height = np.ptp(marks[:, 0]), np.ptp(marks[:, 1])
    assert 12 < width < 16
    assert 12 < height < 16
    pupils = [
        marks[list(GROUPS[f"{side}_eye"]), 0].mean() for side in ("right", "left")
    ]
    assert 5.6 < pupils[1] - pupils[0] < 7.0
    # The tip of the nose is foremost, the jaw's ends farthest back.
    assert marks[:, 2].argmax() == 30
    assert set(np.argsort(marks[:, 2])[:2]) == {0, 16}


def test_builtin_is_closed_but_for_the_edges_that_must_open(model: HeadModel) -> None:
    skin = (model.parts == FACE) | (model.parts == HEAD)
    faces = model.triangles[skin[model.triangles].all(axis=1)]
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    _, counts = np.unique(edges, axis=0, return_counts=True)
    assert counts.max() == 2
    # Only the lids' and the lips' edges have skin on one side alone.
    assert (counts == 1).sum() < 0.01 * len(counts)


def test_builtin_triangles_face_outwards(model: HeadModel) -> None:
    scalp = model.neutral[:, 1] > 8
    corners = model.neutral[model.triangles[scalp[model.triangles].all(axis=1)]]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outward = corners.mean(axis=1) - (0, 4, 0)
    assert ((normals * outward).sum(axis=1) > 0).all()


def test_builtin_moves_as_its_expressions_are_named(model: HeadModel) -> None:
    neutral = points(model)
    opened = points(model, jawOpen=1.0)
    assert opened[8, 1] < neutral[8, 1] - 2
    gap = opened[[61, 62, 63], 1] - opened[[67, 66, 65], 1]
    assert (gap > 1.5).all()
    np.testing.assert_allclose(opened[27:36], neutral[27:36], atol=0.05)
    smiling = points(model, mouthSmile=1.0)
    assert smiling[54, 0] > neutral[54, 0] + 0.3
    assert smiling[54, 1] > neutral[54, 1] + 0.3
    asleep = points(model, eyeBlink=1.0)
    lids = (asleep[[37, 38, 43, 44], 1] - asleep[[41, 40, 47, 46], 1]).mean()
    assert abs(lids) < 0.1 * (neutral[[37, 38], 1] - neutral[[41, 40], 1]).mean()
    surprised = points(model, browInnerUp=1.0, browOuterUp=1.0)
    assert (surprised[17:27, 1] > neutral[17:27, 1] + 0.3).all()
    kissing = points(model, mouthPucker=1.0)
    assert np.ptp(kissing[[48, 54], 0]) < 0.8 * np.ptp(neutral[[48, 54], 0])


def test_left_expressions_move_the_left_side(model: HeadModel) -> None:
    for name, shape in zip(model.expression_names, model.expression, strict=True):
        moved = np.abs(shape).sum(axis=1)
        left = moved[model.neutral[:, 0] > 0].sum()
        right = moved[model.neutral[:, 0] < 0].sum()
        if name.endswith("_L"):
            assert left > 3 * right, name
        elif name.endswith("_R"):
            assert right > 3 * left, name


def test_builtin_identities_stay_smooth_and_differ(model: HeadModel) -> None:
    assert model.num_identity >= 10
    rng = np.random.default_rng(1)
    none = np.zeros(model.num_expression)
    people = [model.vertices(model.sample_identity(rng), none) for _ in range(6)]
    boxes = [face_box(person[model.landmarks68]) for person in people]
    extents = np.array([(x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes])
    assert (extents > 10).all()
    assert (extents < 20).all()
    assert np.ptp(extents[:, 0] / extents[:, 1]) > 0.05
    # No triangle of a person turns over.
    faces = model.triangles[(model.parts == FACE)[model.triangles].all(axis=1)]

    def normals(vertices: np.ndarray) -> np.ndarray:
        a, b, c = (vertices[faces[:, k]].astype(float) for k in range(3))
        return np.cross(b - a, c - a)

    neutral = normals(model.neutral)
    for person in people:
        turned = (normals(person) * neutral).sum(axis=1) < 0
        assert turned.mean() < 0.002


def test_sampled_coefficients_are_in_range_and_repeatable(model: HeadModel) -> None:
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
        look = dict(zip(names, values, strict=True))
        # Out with the left eye is to the person's left, so in with the right eye.
        assert look["eyeLookOut_L"] == pytest.approx(look["eyeLookIn_R"])
        assert look["eyeLookIn_L"] == pytest.approx(look["eyeLookOut_R"])
        assert look["eyeLookUp_L"] == 0 or look["eyeLookDown_L"] == 0


def test_eyes_turn_without_changing_size(model: HeadModel) -> None:
    left = (model.parts == EYE) & (model.neutral[:, 0] > 0)
    moved = model.vertices(np.zeros(0), expression(model, eyeLookUp=1.0))
    center = model.neutral[left].mean(axis=0)
    front = model.neutral[left][:, 2].argmax()
    assert moved[left][front, 1] > model.neutral[left][front, 1] + 0.2
    before = np.linalg.norm(model.neutral[left] - center, axis=1)
    after = np.linalg.norm(moved[left] - moved[left].mean(axis=0), axis=1)
    np.testing.assert_allclose(after, before, atol=0.1)
    assert np.isfinite(points(model)[EYES]).all()


def test_vertices_are_the_linear_model(tmp_path) -> None:
    arrays = tiny_arrays()
    np.savez(tmp_path / "tiny.npz", **arrays)
    model = HeadModel.load(tmp_path / "tiny.npz")
    identity, values = np.float32([0.5, -1]), np.float32([0, 0.25, 1])
    expected = arrays["neutral"][:69].astype(float)
    for weight, shape in zip(identity, arrays["identity"], strict=True):
        expected = expected + weight * shape[:69].astype(float)
    for weight, shape in zip(values, arrays["expression"], strict=True):
        expected = expected + weight * shape[:69].astype(float)
    np.testing.assert_allclose(model.vertices(identity, values), expected, atol=1e-5)
    shorter = model.vertices(identity[:1], values)
    np.testing.assert_allclose(
        shorter, expected + arrays["identity"][1, :69].astype(float), atol=1e-5
    )


def test_vertices_of_no_part_are_dropped_with_their_triangles(tmp_path) -> None:
    np.savez(tmp_path / "tiny.npz", **tiny_arrays())
    model = HeadModel.load(tmp_path / "tiny.npz")
    assert len(model.neutral) == 69
    np.testing.assert_array_equal(model.triangles, [[0, 1, 2]])


def test_a_saved_model_loads_as_it_was(tmp_path, model: HeadModel) -> None:
    model.save(tmp_path / "head.npz")
    loaded = HeadModel.load(tmp_path / "head.npz")
    for name in ("neutral", "identity", "expression", "triangles", "landmarks68"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(model, name))
    assert loaded.expression_names == model.expression_names


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tri": None}, "no array tri"),
        ({"parts": None}, "70 vertices without parts"),
        ({"tri": np.int32([[0, 1, 70]])}, "below 70"),
        ({"identity": np.zeros((2, 69, 3))}, "identity must be"),
        ({"landmarks68": np.arange(67)}, r"landmarks68 \(68,\)"),
        ({"parts": np.full(70, 255, np.uint8)}, "not drawn"),
        ({"neutral": np.full((70, 3), np.nan)}, "finite"),
    ],
)
def test_a_strange_file_is_named_with_its_reason(tmp_path, change, reason) -> None:
    arrays = {**tiny_arrays(), **change}
    path = tmp_path / "strange.npz"
    np.savez(path, **{name: a for name, a in arrays.items() if a is not None})
    with pytest.raises(EthosError, match=reason) as caught:
        HeadModel.load(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_no_npz_is_an_expected_failure(tmp_path) -> None:
    path = tmp_path / "text.npz"
    path.write_text("not a zip file")
    for missing in (path, tmp_path / "absent.npz"):
        with pytest.raises(EthosError, match=missing.name):
            HeadModel.load(missing)


def test_closed_lids_hide_every_builtin_persons_eyes(model: HeadModel) -> None:
    from ethos_data.heads import raster

    asleep = expression(model, eyeBlink=1.0)
    camera = raster.Camera(160, 240, 16.0, (120.0, 120.0))
    for seed in range(8):
        person = model.vertices(
            model.sample_identity(np.random.default_rng(seed)), asleep
        )
        hits = raster.trace(person, model.triangles, camera)
        parts = model.parts[model.triangles[hits.triangle, 0]]
        eyes = ((hits.triangle >= 0) & (parts == EYE)).sum()
        # Open, they have 560 to 930 pixels here.
        assert eyes < 80
