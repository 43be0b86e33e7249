"""Tests the arithmetic of the depth benchmark on surfaces with known errors."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import depth_error
from ethos_data import topology
from ethos_data.heads.model import HeadModel

SIZE = 80


def _centres() -> tuple[np.ndarray, np.ndarray]:
    line = (np.arange(SIZE) + 0.5) / SIZE
    x, y = np.meshgrid(line, line)
    return x, y


def _flat_truth() -> depth_error.Scene:
    """A plane facing the camera, seen everywhere, with a face box of 0.6 x 0.6."""
    angle = np.linspace(0, 2 * np.pi, 69)[:-1]
    landmarks = np.c_[0.5 + 0.3 * np.cos(angle), 0.5 + 0.3 * np.sin(angle), 0 * angle]
    return depth_error.Scene(landmarks, np.zeros((SIZE, SIZE), np.float32), 0.6, 0.0)


def test_normals_of_a_sphere_point_away_from_its_centre():
    x, y = _centres()
    x, y = x - 0.5, y - 0.5
    inside = np.hypot(x, y) < 0.3
    z = np.sqrt(np.maximum(0.45**2 - x**2 - y**2, 0.01))
    expected = np.stack([x, y, z], axis=-1)[inside] / 0.45
    got = depth_error.normals(z)[inside]
    np.testing.assert_allclose(got, expected, atol=0.002)


def test_an_offset_changes_the_depth_error_only():
    score = depth_error.compare(_flat_truth(), np.full((SIZE, SIZE), 0.03, np.float32))
    assert score.depth == pytest.approx(5)  # % of 0.6
    assert score.centred == pytest.approx(0, abs=1e-4)
    assert score.normal == pytest.approx(0, abs=1e-4)
    assert score.coverage == pytest.approx(100)


def test_a_slope_gives_its_angle():
    x, _ = _centres()
    slope = np.tan(np.deg2rad(20)) * (x - 0.5)
    score = depth_error.compare(_flat_truth(), slope.astype(np.float32))
    assert score.normal == pytest.approx(20, abs=0.01)
    # Mean |x| over a disc of radius r is 4 r / (3 pi).
    expected = np.tan(np.deg2rad(20)) * 4 * 0.3 / (3 * np.pi) / 0.6
    assert score.depth == pytest.approx(100 * expected, rel=0.03)


def test_coverage_is_a_fraction_of_the_face():
    x, _ = _centres()
    half = np.where(x < 0.5, 0.0, np.nan).astype(np.float32)
    score = depth_error.compare(_flat_truth(), half)
    assert score.coverage == pytest.approx(50, abs=1)
    assert score.depth == 0


def test_landmarks_of_a_scene_are_on_its_surface():
    shown = depth_error.scene(HeadModel.builtin(), 0, SIZE, 0)
    assert abs(shown.landmarks[topology.EYES, 2].mean()) < 1e-9
    nose = shown.landmarks[30]
    column, row = (nose[:2] * SIZE).astype(int)
    assert shown.depth[row, column] == pytest.approx(nose[2], abs=1.5 / SIZE)
    again = depth_error.scene(HeadModel.builtin(), 0, SIZE, 0)
    np.testing.assert_array_equal(again.depth, shown.depth)
