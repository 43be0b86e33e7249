import dataclasses

import numpy as np
import pytest

from ethos_data.topology import face_box
from ethos_model.footage.tracker import FaceTracker
from gui.drawing import compose, export, surface
from tests.gui import fakes


@pytest.fixture
def frame():
    image = np.full((160, 240, 3), (40, 60, 90), np.uint8)
    fakes.draw_face(image, (80, 30, 150, 120))
    return image


@pytest.fixture
def face(frame):
    tracker = FaceTracker(fakes.FakePredictor(64), fakes.FakeFinder())
    return tracker.update(frame, 0.0)[0].face


def inside_polygon(point, polygon):
    """Whether a point is inside a polygon, by the even-odd rule."""
    x, y = point
    inside = False
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, 1, axis=0), strict=True):
        if (y0 > y) != (y1 > y) and x < (x1 - x0) * (y - y0) / (y1 - y0) + x0:
            inside = not inside
    return inside


@pytest.mark.parametrize("side", [None, 150])
def test_the_mask_is_the_convex_hull_of_the_landmarks(face, side):
    from scipy.spatial import ConvexHull

    mask = surface.face_mask(face, side)
    size = mask.shape[0]
    assert size == (side or 64)
    landmarks = face.landmarks[:, :2]
    hull = landmarks[ConvexHull(landmarks).vertices]
    rng = np.random.default_rng(0)
    wrong = 0
    for row, column in rng.integers(0, size, (400, 2)):
        center = np.array([(column + 0.5) / size, (row + 0.5) / size])
        wrong += mask[row, column] != inside_polygon(
            face.window.to_source(center[None])[0], hull
        )
    assert wrong <= 12  # pixels on the border


def test_heights_are_in_sides_of_the_window(face):
    height = surface.height_map(face)
    inside = np.isfinite(height)
    assert inside.any()
    assert not inside.all()
    np.testing.assert_allclose(
        height[inside], face.depth[inside] / face.window.size, rtol=1e-5
    )


def test_brightness_of_a_plane_follows_lamberts_law():
    y, x = np.mgrid[0:40, 0:40] / 40
    plane = (0.3 * x - 0.2 * y).astype(np.float32)
    normal = np.array([-0.3, 0.2, 1.0]) / np.linalg.norm([0.3, 0.2, 1.0])
    expected = 0.25 + 0.75 * max(0.0, float(normal @ surface.LIGHT))
    computed = surface.brightness(plane)[1:-1, 1:-1]
    np.testing.assert_allclose(computed, expected, rtol=1e-4)


def test_the_same_depth_has_the_same_colour_in_every_frame(face):
    height = surface.height_map(face)
    black = (0, 0, 0)
    colors = surface.color_map(height, black)
    assert (colors[~np.isfinite(height)] == 0).all()
    columns = height.shape[1] // 2
    half = height[:, :columns]  # another range of depth
    np.testing.assert_array_equal(surface.color_map(half, black), colors[:, :columns])


def test_a_rotation_moves_a_near_ridge_sideways():
    height = np.zeros((80, 80), np.float32)
    height[:, 38:42] = 0.3
    marks = np.zeros((80, 80, 3), np.uint8)
    marks[:, 38:42] = (255, 0, 0)

    def ridge(yaw):
        rotation = surface.Rotation(yaw, 0)
        picture = surface.rotated(height, rotation, 160, (0, 0, 9), marks)
        columns = np.nonzero((picture[..., 0] > 40).any(axis=0))[0]
        return columns.mean() - 79.5

    assert abs(ridge(0)) < 2
    # x' = x cos(yaw) + z sin(yaw): the ridge is 0.15 nearer than the centre of the
    # depth and moves to the right.
    assert ridge(30) > 5
    assert ridge(-30) == pytest.approx(-ridge(30), abs=2.5)


def test_every_reconstruction_has_the_requested_size(face):
    for kind in compose.RECONSTRUCTIONS:
        for size in (40, 201):
            picture = compose.tile(face, kind, size)
            assert picture.shape == (size, size, 3)
            assert picture.dtype == np.uint8
            assert picture.std() > 5
    with pytest.raises(ValueError, match="bust"):
        compose.tile(face, "bust", 40)


def test_a_face_outside_its_window_gives_an_empty_picture(face):
    far = dataclasses.replace(face, landmarks=face.landmarks + 1e6)
    for kind in ("depth", "shaded", "surface"):
        picture = compose.tile(far, kind, 50, background=(1, 2, 3))
        assert (picture == (1, 2, 3)).all()


def test_a_surface_without_inner_pixels_gives_an_empty_picture():
    height = np.full((64, 64), np.nan, np.float32)
    height[30, :40] = 0.1
    picture = surface.rotated(height, surface.Rotation(), 50, (1, 2, 3))
    assert (picture == (1, 2, 3)).all()


def test_meshes_are_in_source_pixels_and_face_the_camera(face, frame):
    mesh = surface.mesh(face, frame)
    x, y = mesh.vertices[:, 0], -mesh.vertices[:, 1]
    x0, y0, x1, y1 = face_box(face.landmarks)
    assert x.min() >= x0 - 2
    assert x.max() <= x1 + 2
    assert y.min() >= y0 - 2
    assert y.max() <= y1 + 2
    a, b, c = (mesh.vertices[mesh.triangles[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    assert (normal[:, 2] > 0).all()
    # Two triangles for each square of pixels inside the mask.
    mask = surface.face_mask(face)
    squares = mask[:-1, :-1] & mask[1:, 1:] & mask[1:, :-1] & mask[:-1, 1:]
    assert abs(len(mesh.triangles) - 2 * squares.sum()) < 0.1 * squares.sum()
    middle = np.argmin(np.hypot(x - x.mean(), y - y.mean()))
    np.testing.assert_allclose(mesh.colors[middle], fakes.SKIN, atol=2)


@pytest.mark.parametrize("suffix", ["ply", "obj"])
def test_mesh_files_contain_the_mesh(face, frame, tmp_path, suffix):
    path = tmp_path / f"face.{suffix}"
    export.save_mesh(str(path), face, frame)
    mesh = surface.mesh(face, frame)
    lines = path.read_text().splitlines()
    if suffix == "ply":
        start = lines.index("end_header") + 1
        assert f"element vertex {len(mesh.vertices)}" in lines
        rows = [line.split() for line in lines[start:]]
        vertices = np.array(
            [[float(v) for v in row[:3]] for row in rows[: len(mesh.vertices)]]
        )
        triangles = np.array([row[1:] for row in rows[len(mesh.vertices) :]], int)
    else:
        vertices = np.array([line.split()[1:4] for line in lines if line[0] == "v"])
        vertices = vertices.astype(float)
        triangles = np.array([line.split()[1:] for line in lines if line[0] == "f"])
        triangles = triangles.astype(int) - 1
    np.testing.assert_allclose(vertices, mesh.vertices, atol=1e-3)
    np.testing.assert_array_equal(triangles, mesh.triangles)
