"""Compares depth maps with surfaces whose depth is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import RBFInterpolator

from ethos_data import topology
from ethos_data.depth import METHODS, depth_map, depth_maps, zbuffer

SIZE = 64
INTERPOLATING = ("delaunay", "thin_plate")


def _centres(size: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y of the pixel centres of a map, two arrays (size, size)."""
    line = (np.arange(size) + 0.5) / size
    x, y = np.meshgrid(line, line)
    return x, y


def _scattered(seed: int = 0) -> np.ndarray:
    """Random points (68, 2) in the disc of radius 0.35 around (0.5, 0.5)."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, 68)
    radius = 0.35 * np.sqrt(rng.uniform(0, 1, 68))
    angle[:24], radius[:24] = np.arange(24) * np.pi / 12, 0.35  # the rim
    return 0.5 + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _relative(landmarks: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Shifts depth so that zero is the mean of the eye landmarks."""
    return depth - landmarks[topology.EYES, 2].mean()


def _mirrored(landmarks: np.ndarray) -> np.ndarray:
    flipped = landmarks * (-1, 1, 1) + (1, 0, 0)
    return flipped[topology.MIRROR]


@pytest.mark.parametrize("method", INTERPOLATING)
def test_landmarks_on_a_plane_give_the_plane(method):
    xy = _scattered()
    landmarks = np.c_[xy, 0.3 * xy[:, 0] - 0.7 * xy[:, 1] + 0.2]
    x, y = _centres(SIZE)
    expected = _relative(landmarks, 0.3 * x - 0.7 * y + 0.2)

    depth = depth_map(landmarks, SIZE, method=method)

    inside = np.isfinite(depth)
    np.testing.assert_allclose(depth[inside], expected[inside], atol=1e-6)
    radius = np.hypot(x - 0.5, y - 0.5)
    # The hull has 24 edges, whose distance from the centre is 0.35 * cos(7.5 degrees).
    assert inside[radius < 0.35 * np.cos(np.pi / 24) - 1e-6].all()
    assert not inside[radius > 0.35 + 1e-6].any()


@pytest.mark.parametrize(
    ("method", "tolerance"), [("delaunay", 0.04), ("thin_plate", 0.01)]
)
def test_landmarks_on_a_sphere_give_the_sphere(method, tolerance):
    xy = _scattered(1)
    landmarks = np.c_[xy, np.sqrt(0.5**2 - ((xy - 0.5) ** 2).sum(axis=1))]
    x, y = _centres(SIZE)
    sphere = np.sqrt(0.5**2 - np.minimum((x - 0.5) ** 2 + (y - 0.5) ** 2, 0.2))

    depth = depth_map(landmarks, SIZE, method=method)

    error = np.abs(depth - _relative(landmarks, sphere))
    assert 0 < np.nanmax(error) < tolerance


def test_thin_plate_equals_scipy():
    rng = np.random.default_rng(2)
    landmarks = np.c_[_scattered(2), rng.normal(0, 0.1, 68)]
    depth = depth_map(landmarks, SIZE, method="thin_plate")
    x, y = _centres(SIZE)
    inside = np.isfinite(depth)
    spline = RBFInterpolator(landmarks[:, :2], landmarks[:, 2])
    expected = _relative(landmarks, spline(np.c_[x[inside], y[inside]]))
    np.testing.assert_allclose(depth[inside], expected, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
class TestAllMethods:
    def test_is_float32_and_nan_outside(self, method):
        depth = depth_map(_a_face(), SIZE, method=method)
        assert depth.dtype == np.float32
        assert depth.shape == (SIZE, SIZE)
        assert np.isnan(depth[0]).all()
        assert np.isnan(depth[:, 0]).all()
        assert np.isfinite(depth[SIZE // 2, SIZE // 2])

    def test_ignores_the_origin_of_z(self, method):
        face = _a_face()
        np.testing.assert_allclose(
            depth_map(face + np.array([0, 0, 3]), SIZE, method=method),
            depth_map(face, SIZE, method=method),
            atol=1e-5,
        )

    def test_a_shifted_face_has_a_shifted_map(self, method):
        face = _a_face()
        moved = depth_map(face + np.array([5, -3, 0]) / SIZE, SIZE, method=method)
        expected = np.roll(depth_map(face, SIZE, method=method), (-3, 5), axis=(0, 1))
        _assert_same_map(moved, expected)

    def test_a_face_of_half_the_size_has_half_the_depth(self, method):
        face = _a_face()
        # Twice the pixels on half the window have the same pixel centres.
        small = depth_map(face / 2, 2 * SIZE, method=method)[:SIZE, :SIZE]
        _assert_same_map(small, depth_map(face, SIZE, method=method) / 2)

    def test_a_mirrored_face_has_a_mirrored_map(self, method):
        face = _a_face()
        mirrored = depth_map(_mirrored(face), SIZE, method=method)
        expected = depth_map(face, SIZE, method=method)[:, ::-1]
        _assert_same_map(mirrored, expected)

    def test_a_batch_equals_single_faces(self, method):
        line = np.repeat(np.linspace(0.2, 0.8, 68)[:, None], 3, axis=1)
        faces = np.stack([_a_face(), _mirrored(_a_face()), line, _a_face() / 2])
        maps = depth_maps(faces, SIZE, method=method)
        alone = [depth_map(face, SIZE, method=method) for face in faces]
        np.testing.assert_array_equal(maps, alone)
        assert depth_maps(faces[:0], SIZE, method=method).shape == (0, SIZE, SIZE)

    def test_landmarks_on_a_line_give_nan(self, method):
        line = np.repeat(np.linspace(0.2, 0.8, 68)[:, None], 3, axis=1)
        assert np.isnan(depth_map(line, SIZE, method=method)).all()


def test_the_nearer_triangle_is_visible():
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
    points = np.r_[np.c_[square, np.full(4, -1)], np.c_[square / 2, np.full(4, 2)]]
    quads = [[0, 1, 2], [0, 2, 3]]
    triangles = np.array(quads + [[4 + i for i in t] for t in quads])
    for order in (triangles, triangles[::-1]):
        depth = zbuffer.rasterize(points, order, 8)
        assert (depth[:4, :4] == 2).all()
        assert (depth[4:] == -1).all()
        assert (depth[:, 4:] == -1).all()


@pytest.mark.parametrize(
    ("landmarks", "method", "message"),
    [
        (np.zeros((67, 3)), "delaunay", "67"),
        (np.full((68, 3), np.nan), "delaunay", "finite"),
        (np.zeros((68, 3)), "spline", "spline"),
    ],
)
def test_rejects_invalid_input(landmarks, method, message):
    with pytest.raises(ValueError, match=message):
        depth_map(landmarks, SIZE, method=method)


def _a_face() -> np.ndarray:
    """Landmarks (68, 3) of a schematic face with a yaw of 0.35 radians."""
    points = np.zeros((68, 3))
    jaw = np.linspace(0, np.pi, 17)
    points[:17, :2] = np.c_[-np.cos(jaw), 1.15 * np.sin(jaw)]
    for start, sign in ((17, -1), (22, 1)):
        t = np.linspace(-1, 1, 5)
        points[start : start + 5, :2] = np.c_[sign * 0.5 + 0.32 * t, -0.42 + 0.1 * t**2]
    points[27:31, :2] = np.c_[np.zeros(4), np.linspace(-0.2, 0.25, 4)]
    points[31:36, :2] = np.c_[np.linspace(-0.2, 0.2, 5), [0.36, 0.38, 0.4, 0.38, 0.36]]
    ring = np.array([180, 240, 300, 0, 60, 120]) * np.pi / 180
    for start, sign in ((36, -1), (42, 1)):
        eye = np.c_[0.19 * np.cos(ring), 0.08 * np.sin(ring)]
        points[start : start + 6, :2] = eye + np.array([sign * 0.47, -0.15])
    ring = np.arange(12) * np.pi / 6 + np.pi
    points[48:60, :2] = np.c_[0.38 * np.cos(ring), 0.68 + 0.15 * np.sin(ring)]
    ring = np.arange(8) * np.pi / 4 + np.pi
    points[60:68, :2] = np.c_[0.28 * np.cos(ring), 0.68 + 0.04 * np.sin(ring)]
    # An ellipsoid with a nose.
    x, y = points[:, 0], points[:, 1]
    points[:, 2] = np.sqrt(np.maximum(1.1 - 0.8 * x**2 - 0.3 * y**2, 0))
    points[27:31, 2] += [0.05, 0.15, 0.25, 0.35]
    points[31:36, 2] += [0.05, 0.1, 0.15, 0.1, 0.05]
    yaw = 0.35
    turn = np.array(
        [[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]]
    )
    return points @ turn.T * 0.26 + (0.5, 0.48, 0)


def _assert_same_map(got: np.ndarray, expected: np.ndarray) -> None:
    """Compares maps, except for up to two pixels at the rim."""
    assert (np.isfinite(got) != np.isfinite(expected)).sum() <= 2
    np.testing.assert_allclose(
        got[np.isfinite(got) & np.isfinite(expected)],
        expected[np.isfinite(got) & np.isfinite(expected)],
        atol=1e-5,
    )
