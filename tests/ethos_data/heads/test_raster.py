"""The z-buffer, compared with spheres, planes and shadows computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ethos_data.heads import raster
from ethos_data.heads.raster import Camera
from tests.ethos_data.heads.meshes import sphere


def test_depth_and_normals_of_a_sphere() -> None:
    vertices, triangles = sphere(5.0)
    camera = Camera(101, 121, 8.0, (60.0, 50.0))
    hits = raster.trace(vertices, triangles, camera)
    y, x = np.mgrid[:101, :121].astype(float)
    squared_z = 40**2 - (x - 60) ** 2 - (y - 50) ** 2
    is_inner = squared_z > 0.05 * 40**2
    expected = np.sqrt(np.maximum(squared_z, 0))
    np.testing.assert_allclose(hits.depth[is_inner], expected[is_inner], atol=0.08)
    assert np.isnan(hits.depth[squared_z < 0]).all()

    vertex_normals = raster.vertex_normals(vertices, triangles)
    corners = vertex_normals[triangles[hits.triangle[is_inner]]]
    normals = (corners * hits.weights[is_inner][..., None]).sum(axis=1)
    exact = np.stack([x - 60, 50 - y, expected], axis=-1)[is_inner] / 40
    cosines = (normals * exact).sum(axis=1) / np.linalg.norm(normals, axis=1)
    assert np.degrees(np.arccos(np.clip(cosines, -1, 1))).max() < 1.5


def test_depth_of_a_sphere_in_perspective() -> None:
    vertices, triangles = sphere(5.0)
    camera = Camera(121, 121, 8.0, (60.0, 60.0), distance=20.0)
    depth = raster.trace(vertices, triangles, camera).depth
    # The ray of a pixel starts at (0, 0, 20) and passes through (X, Y, 0).
    y, x = np.mgrid[:121, :121].astype(float)
    ray = np.stack([(x - 60) / 8, (60 - y) / 8, np.full_like(x, -20.0)], axis=-1)
    a, b, c = (ray**2).sum(-1), 20 * ray[..., 2], 400 - 25
    discriminant = b * b - a * c
    t = (-b - np.sqrt(np.maximum(discriminant, 0))) / a
    is_inner = discriminant > 0.08 * (b * b)
    expected = 8 * (20 + t * ray[..., 2])
    np.testing.assert_allclose(depth[is_inner], expected[is_inner], atol=0.08)
    # The outline is wider than in parallel projection.
    assert np.isfinite(depth[60]).sum() == pytest.approx(2 * 8 * 20 / 15**0.5, abs=2)


@pytest.mark.parametrize("distance", [float("inf"), 30.0])
def test_depth_of_a_tilted_plane_is_exact(distance: float) -> None:
    corners = np.float32([(-6, -6, -3), (6, -6, 3), (6, 6, 5), (-6, 6, -1)])
    triangles = np.int32([[0, 1, 2], [0, 2, 3]])
    camera = Camera(64, 64, 4.0, (31.0, 33.0), distance)
    depth = raster.trace(corners, triangles, camera).depth
    y, x = np.mgrid[:64, :64].astype(float)
    # The plane is z = X / 2 + Y / 6 + 1. The ray of a pixel is
    # (X, Y, z) = (u, v, 0) + t (-u, -v, distance).
    u, v = (x - 31) / 4, (33 - y) / 4
    if np.isinf(distance):
        z = u / 2 + v / 6 + 1
    else:
        t = (u / 2 + v / 6 + 1) / (distance + u / 2 + v / 6)
        z = distance * t
        assert (t < 1).all()
    is_plane = np.isfinite(depth)
    assert is_plane.sum() > 1000
    np.testing.assert_allclose(depth[is_plane], 4 * z[is_plane], atol=1e-3)


def test_pixels_on_shared_edges_are_covered() -> None:
    corners = np.float32([(-5, -5, 0), (0, -5, 0), (0, 5, 0), (-5, 5, 0), (5, -5, 0)])
    corners = np.concatenate([corners, np.float32([(5, 5, 0)])])
    triangles = np.int32([[0, 1, 2], [0, 2, 3], [1, 4, 5], [1, 5, 2]])
    hits = raster.trace(corners, triangles, Camera(81, 81, 7.0, (40.0, 40.0)))
    assert (hits.triangle[6:75, 6:75] >= 0).all()


def test_culls_the_backs_of_triangles_on_request() -> None:
    corners = np.float32([(-5, -5, 0), (5, -5, 0), (0, 5, 0)])
    camera = Camera(32, 32, 3.0, (16.0, 16.0))
    back = np.int32([[0, 2, 1]])
    assert (raster.trace(corners, back, camera).triangle < 0).all()
    unculled = raster.trace(corners, back, camera, cull=False)
    front = raster.trace(corners, back[:, ::-1].copy(), camera)
    np.testing.assert_array_equal(unculled.triangle, front.triangle)


def test_supersampled_camera_shows_the_same_view() -> None:
    camera = Camera(40, 50, 3.0, (20.0, 17.5), 60.0)
    points = np.random.default_rng(0).normal(0, 4, (50, 3))
    fine, coarse = camera.supersampled(2).project(points), camera.project(points)
    # Pixel k contains the samples 2k and 2k + 1, whose middle is 2k + 0.5.
    np.testing.assert_allclose(fine[:, :2], 2 * coarse[:, :2] + 0.5)
    np.testing.assert_allclose(fine[:, 2], 2 * coarse[:, 2])


def test_ball_casts_a_shadow_on_a_wall() -> None:
    ball, faces = sphere(2.0, 24)
    wall = np.float32([(-9, -9, -6), (9, -9, -6), (9, 9, -6), (-9, 9, -6)])
    vertices = np.concatenate([ball, wall]).astype(np.float32)
    wall_faces = np.int32([[0, 1, 2], [0, 2, 3]]) + len(ball)
    triangles = np.concatenate([faces, wall_faces.astype(np.int32)])
    direction = np.array((0.6, 0.0, 0.8))
    depth, _, scale = raster.shadow_map(vertices, triangles, direction, 200)
    # The centre of the shadow is -t * direction with z = -6, so x = -4.5.
    probes = np.float32([(-4.5, 0, -6), (4.5, 0, -6), (-4.5, 4, -6), (0, 0, -6)])
    _, points, _ = raster.shadow_map(
        np.concatenate([vertices, probes]), triangles, direction, 200
    )
    bias = np.float32(0.25 * scale)
    shares = [
        raster.lit_share(depth, *(float(c) for c in point), bias)
        for point in points[len(vertices) :]
    ]
    assert shares == [0, 1, 1, 1]
