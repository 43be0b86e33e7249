"""The reader of morphable head files."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_data.heads.model import HeadModel
from ethos_data.heads.parts import FACE, NO_PART


def tiny_arrays() -> dict[str, np.ndarray]:
    """The arrays of a file with 70 vertices, of which the last is not drawn."""
    rng = np.random.default_rng(0)
    return {
        "neutral": rng.normal(size=(70, 3)).astype(np.float32),
        "identity": rng.normal(size=(2, 70, 3)).astype(np.float16),
        "expression": rng.normal(size=(3, 70, 3)).astype(np.float16),
        "expression_names": np.array(["jawOpen", "eyeBlink_L", "eyeBlink_R"]),
        "tri": np.int32([[0, 1, 2], [67, 68, 69]]),
        "landmarks68": np.arange(68, dtype=np.int32),
        "parts": np.where(np.arange(70) < 69, FACE, NO_PART).astype(np.uint8),
    }


def test_vertices_are_the_sum_of_the_weighted_shapes(tmp_path: pathlib.Path) -> None:
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
    # Missing identity coefficients are 0.
    np.testing.assert_allclose(
        model.vertices(identity[:1], values),
        expected + arrays["identity"][1, :69].astype(float),
        atol=1e-5,
    )


def test_drops_vertices_that_are_not_drawn(tmp_path: pathlib.Path) -> None:
    np.savez(tmp_path / "tiny.npz", **tiny_arrays())
    model = HeadModel.load(tmp_path / "tiny.npz")
    assert len(model.neutral) == 69
    np.testing.assert_array_equal(model.triangles, [[0, 1, 2]])


def test_reads_a_saved_model(tmp_path: pathlib.Path) -> None:
    model = HeadModel.builtin()
    model.save(tmp_path / "head.npz")
    loaded = HeadModel.load(tmp_path / "head.npz")
    for name in ("neutral", "identity", "expression", "triangles", "landmarks68"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(model, name))
    assert loaded.expression_names == model.expression_names


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tri": None}, "no array tri"),
        ({"parts": None}, "no array parts.* Received: 70 vertices"),
        ({"tri": np.int32([[0, 1, 70]])}, "tri must contain vertex numbers below 70"),
        ({"tri": np.int32([0, 1, 2])}, r"tri must have the shape \(F, 3\)"),
        ({"tri": np.zeros((0, 3), np.int32)}, "tri must contain vertex numbers"),
        ({"identity": np.zeros((2, 69, 3))}, r"identity .* shape \(K, 70, 3\)"),
        ({"landmarks68": np.arange(67)}, r"landmarks68 .* shape \(68,\)"),
        ({"parts": np.full(70, NO_PART, np.uint8)}, "a vertex that is not drawn"),
        ({"parts": np.zeros(69, np.uint8)}, r"parts must have the shape \(70,\)"),
        ({"neutral": np.full((70, 3), np.nan)}, "finite"),
    ],
)
def test_rejects_a_file_with_wrong_arrays(
    tmp_path: pathlib.Path, change: dict[str, np.ndarray | None], reason: str
) -> None:
    arrays = {**tiny_arrays(), **change}
    path = tmp_path / "wrong.npz"
    np.savez(path, **{name: a for name, a in arrays.items() if a is not None})
    with pytest.raises(EthosError, match=reason) as caught:
        HeadModel.load(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_rejects_a_file_that_is_not_npz_or_missing(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "text.npz"
    path.write_text("not a zip file")
    with pytest.raises(EthosError, match=r"text\.npz"):
        HeadModel.load(path)
    with pytest.raises(EthosError, match=r"missing\.npz"):
        HeadModel.load(tmp_path / "missing.npz")
