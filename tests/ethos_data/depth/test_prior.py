"""Tests of the depth prior: fit, grids and file."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ethos_data import topology
from ethos_data.depth import (
    cylinder,
    fitting,
    posterior,
    prior,
    template,
)
from ethos_data.depth.prior import Prior
from tests.ethos_data.depth.views import turned_by


def _view(shape, scale, rotation, translation, distance):
    """Projects points (N, 3) with a pinhole camera; y down, larger z is nearer."""
    points = scale * shape @ rotation.T
    enlarged = distance / (distance - points[:, 2])
    return np.c_[
        points[:, 0] * enlarged + translation[0],
        -points[:, 1] * enlarged + translation[1],
        points[:, 2] + translation[2],
    ]


class TestFitting:
    def test_step_equals_numpy(self):
        rng = np.random.default_rng(0)
        jacobian, residual = rng.normal(size=(32, 50)), rng.normal(size=50)
        pull, precision = rng.normal(size=32), rng.uniform(0, 2, 32)
        step, variance = posterior.solve(jacobian, residual, pull, precision)
        covariance = np.linalg.inv(jacobian @ jacobian.T + np.diag(precision))
        np.testing.assert_allclose(step, covariance @ (jacobian @ residual + pull))
        np.testing.assert_allclose(variance, np.diag(covariance))

    def test_derivatives_equal_finite_differences(self):
        rng = np.random.default_rng(8)
        mean, basis = rng.normal(0, 0.35, (3, 20)), rng.normal(0, 0.1, (4, 3, 20))
        rotation, coefficients = turned_by((10, 35, -5)), rng.normal(size=4)
        weight, view = np.array([3.0, 2.0, 1.5]), np.array([0.2, 0.05, -0.1, 0.15])

        def residual(change):
            """The residual of a camera that looks past the face."""
            turned = posterior.rotation_matrix(change[1:4]) @ rotation
            shape = mean + np.tensordot(coefficients + change[11:], basis, 1)
            x, y, z = 1.3 * np.exp(change[0]) * turned @ shape
            near, right, up, deep = view + change[7:11]
            enlarged = 1 / (1 - near * z)
            seen = [enlarged * (x + right * z), enlarged * (y + up * z)]
            seen = np.stack([*seen, np.exp(deep) * z], axis=1) + change[4:7]
            return -(seen * weight).T.ravel()

        jacobian, computed = np.zeros((16, 60)), np.empty(60)
        posterior.linearize(
            np.zeros((3, 20)),
            mean,
            basis,
            1.3 * rotation,
            np.zeros(3),
            view,
            coefficients,
            weight,
            computed,
            jacobian,
        )

        np.testing.assert_allclose(computed, residual(np.zeros(15)), atol=1e-12)
        for row in range(15):
            step = 1e-5 * np.eye(15)[row]
            slope = (residual(-step) - residual(step)) / 2e-5
            np.testing.assert_allclose(jacobian[row], slope, atol=1e-8)

    def test_shear_equals_a_camera_that_looks_past_the_face(self):
        """A pinhole camera at the distance 4 whose axis passes the face by 1."""
        shape = np.random.default_rng(11).normal(0, 0.35, (68, 3))
        enlarged = 4 / (4 - shape[:, 2:])
        seen = np.c_[(shape[:, :2] + (1.0, 0.0)) * enlarged - (1.0, 0.0), shape[:, 2]]
        face = fitting.Face(
            scale=1.0,
            rotation=np.eye(3),
            translation=np.zeros(3),
            perspective=1 / 4,
            shear=np.array([1 / 4, 0.0]),
            depth_scale=1.0,
            coefficients=np.zeros(0),
            noise=0.0,
        )
        np.testing.assert_allclose(face.project(shape), seen * (1, -1, 1), atol=1e-12)

    def test_similarity_recovers_a_similarity(self):
        source = np.random.default_rng(0).normal(size=(20, 3))
        rotation = turned_by((20, -100, 65))
        target = 2.5 * source @ rotation.T + [1, 2, 3]
        scale, turned, shift = fitting.similarity(source, target, np.ones(20))
        assert scale == pytest.approx(2.5)
        np.testing.assert_allclose(turned, rotation, atol=1e-12)
        np.testing.assert_allclose(shift, [1, 2, 3], atol=1e-12)

    def test_similarity_never_mirrors(self):
        source = np.random.default_rng(1).normal(size=(20, 3))
        _, turned, _ = fitting.similarity(source, source * (-1, 1, 1), np.ones(20))
        assert np.linalg.det(turned) == pytest.approx(1)

    @pytest.mark.parametrize("distance", [5.0, 1e6])
    @pytest.mark.parametrize("degrees", [(0, 0, 0), (-20, 60, 15), (15, -75, -30)])
    def test_fit_recovers_pose_and_shape_from_exact_landmarks(self, degrees, distance):
        rng = np.random.default_rng(2)
        mean = rng.normal(0, 0.35, (68, 3))
        basis = rng.normal(0, 0.03, (5, 68, 3))
        coefficients = rng.normal(size=5)
        shape = mean + np.tensordot(coefficients, basis, 1)
        truth = _view(
            shape, 70.0, turned_by(degrees), (300.0, 200.0, 11.0), distance * 70
        )

        face = fitting.fit(truth, mean, basis)

        assert face.scale == pytest.approx(70, rel=2e-3)
        np.testing.assert_allclose(face.rotation, turned_by(degrees), atol=3e-3)
        np.testing.assert_allclose(face.coefficients, coefficients, atol=0.05)
        assert 70 * face.perspective == pytest.approx(1 / distance, abs=0.01)
        np.testing.assert_allclose(face.project(shape), truth, atol=0.3)

    def test_fit_estimates_the_noise(self):
        rng = np.random.default_rng(3)
        mean, basis = rng.normal(0, 0.35, (68, 3)), rng.normal(0, 0.03, (5, 68, 3))
        estimates = []
        for _ in range(20):
            noise = rng.normal(0, 0.02, (68, 3)) * (1, 1, fitting.Z_NOISE)
            estimates.append(
                fitting.fit((mean + noise) * (1, -1, 1), mean, basis).noise
            )
        assert np.mean(estimates) == pytest.approx(0.02, rel=0.1)

    def test_fit_smooths_noisy_landmarks_towards_the_mean(self):
        rng = np.random.default_rng(4)
        mean, basis = rng.normal(0, 0.35, (68, 3)), rng.normal(0, 0.003, (5, 68, 3))
        points = (mean + 2 * basis[0]) * (1, -1, 1)
        clean = fitting.fit(points, mean, basis)
        noisy = fitting.fit(points + rng.normal(0, 0.05, (68, 3)), mean, basis)
        assert clean.coefficients[0] == pytest.approx(2, abs=0.3)
        assert np.abs(noisy.coefficients).max() < 1


def _sphere_prior() -> Prior:
    """A prior of a half unit sphere. Its only component changes the depth."""
    across = np.linspace(-1, 1, 61) * np.pi / 2
    longitude, latitude = np.meshgrid(across, across)
    surface = np.stack(
        [
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
            np.cos(latitude) * np.cos(longitude),
        ],
        axis=-1,
    ).reshape(-1, 3)
    rng = np.random.default_rng(5)
    landmarks = rng.normal(size=(68, 3))
    landmarks[:, 2] = np.abs(landmarks[:, 2])
    landmarks /= np.linalg.norm(landmarks, axis=1, keepdims=True)
    mean = np.concatenate([landmarks, surface]).astype(np.float32)
    basis = (mean * (0, 0, 0.2))[None].astype(np.float32)
    triangles = template.grid_triangles(61, 61).astype(np.int32)
    return Prior(mean, basis, triangles, np.zeros(1, np.float32))


class TestDepthOfAKnownSurface:
    @pytest.mark.parametrize("deeper", [-1.0, 0.0, 1.0])
    def test_depth_of_an_ellipsoid(self, deeper):
        sphere = _sphere_prior()
        size, radius, centre = 96, 0.3, np.array([0.55, 0.45])
        stretch = 1 + 0.2 * deeper
        landmarks = sphere.mean[:68] * (1, -1, stretch) * radius + [*centre, 7.0]

        got = sphere.depth_maps(landmarks[None], size)[0]

        line = (np.arange(size) + 0.5) / size
        x, y = np.meshgrid(line - centre[0], line - centre[1])
        inside = np.hypot(x, y) < 0.97 * radius
        outside = np.hypot(x, y) > 1.01 * radius
        z = stretch * np.sqrt(np.maximum(radius**2 - x**2 - y**2, 0))
        z -= stretch * radius * sphere.mean[topology.EYES, 2].mean()
        assert np.isnan(got[outside]).all()
        np.testing.assert_allclose(got[inside], z[inside], atol=0.004)

    def test_a_rotated_surface_hides_its_far_side(self):
        sphere = _sphere_prior()
        turned = sphere.mean[:68] @ turned_by((0, 90, 0)).T * (1, -1, 1)
        got = sphere.depth_maps((turned * 0.3 + [0.5, 0.5, 0])[None], 96)[0]
        # The former left half of the front is now the nearest surface.
        seen = np.isfinite(got)
        assert seen[48, 52:76].all()
        assert not seen[:, :46].any()


class TestTemplate:
    def test_the_landmarks_come_first(self, model, built):
        points = built.points.of(model.neutral)
        np.testing.assert_allclose(points[:68], model.neutral[model.landmarks68])

    def test_weights_are_barycentric(self, built):
        np.testing.assert_allclose(built.points.weights.sum(axis=1), 1)
        assert built.points.weights.min() >= -1e-6

    def test_mirror_swaps_left_and_right(self, model, built):
        points = built.points.of(model.neutral)
        assert (built.mirror[built.mirror] == np.arange(len(points))).all()
        away = np.linalg.norm(points[built.mirror] * (-1, 1, 1) - points, axis=1)
        assert np.median(away) < 0.05  # cm; the head is nearly symmetric

    def test_no_triangle_connects_the_lips(self, model, built):
        face = template.ROWS * template.COLUMNS
        on_face = built.triangles[(built.triangles < face).all(axis=1)]
        assert len(on_face) < 2 * (template.ROWS - 1) * (template.COLUMNS - 1)
        # A closed seam would be stretched by more than the jaw opens.
        jaw = model.expression_names.index("jawOpen")
        points = built.points.of(model.neutral)[68:]
        opened = built.points.of(model.neutral + model.expression[jaw])[68:]
        lips = model.neutral[model.landmarks68[61:68]]
        width = np.ptp(lips[:, 0]) / 4
        near = np.abs(points[:, :2] - lips.mean(axis=0)[:2]) < (width, 0.5)
        near = near.all(axis=1)[on_face].all(axis=1)
        edge = on_face[near][:, :2].T
        longer = np.linalg.norm(opened[edge[0]] - opened[edge[1]], axis=1)
        jump = np.abs(model.expression[jaw]).max()
        assert near.any()
        assert longer.max() < 0.5 * jump


def test_rays_hit_a_cylinder_at_its_radius():
    turn, height = np.meshgrid(np.linspace(-1.5, 1.5, 40), np.linspace(0, 2, 5))
    wall = np.stack([3 * np.sin(turn), height, 1 + 3 * np.cos(turn)], axis=-1)
    unrolled = cylinder.Cylinder(wall.reshape(-1, 3), axis_z=1.0)
    angles, heights = np.array([-1.2, 0.0, 0.0, 0.7]), np.array([0.1, 0.5, 1.9, 1.0])
    hits = unrolled.cast(template.grid_triangles(5, 40), angles, heights)
    points = hits.of(unrolled.vertices)
    expected = np.c_[3 * np.sin(angles), heights, 1 + 3 * np.cos(angles)]
    np.testing.assert_allclose(points, expected, atol=0.01)


def test_surfaces_equal_the_sum_of_components():
    own = prior.shipped()
    rng = np.random.default_rng(9)
    landmarks = own.mean[:68] * (1, -1, 1) + rng.normal(0, 0.02, (3, 68, 3))
    faces = [own.fit(points) for points in landmarks]
    shapes = [
        own.mean + np.tensordot(face.coefficients, own.basis.astype(float), 1)
        for face in faces
    ]
    expected = [face.project(shape) for face, shape in zip(faces, shapes, strict=True)]
    np.testing.assert_allclose(own.points(faces), expected, atol=1e-5)


def test_save_and_load(tmp_path):
    sphere = _sphere_prior()
    sphere.save(tmp_path / "prior.npz")
    again = Prior.load(tmp_path / "prior.npz")
    np.testing.assert_array_equal(again.triangles, sphere.triangles)
    np.testing.assert_allclose(again.basis, sphere.basis, atol=1e-3)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"basis": np.zeros((2, 70, 3))}, "basis"),
        ({"triangles": np.array([[0, 1, 9999]])}, "triangles"),
        ({"mean": np.zeros((3789, 2))}, "mean"),
        ({"frame_share": np.ones(1)}, "frame_share"),
        ({"frame_share": np.zeros(2)}, "frame_share"),
    ],
)
def test_rejects_a_damaged_prior(tmp_path, change, reason):
    path = tmp_path / "prior.npz"
    arrays = {**dataclasses.asdict(_sphere_prior()), **change}
    np.savez(path, **arrays)
    with pytest.raises(prior.PriorError, match=rf"prior\.npz.*{reason}"):
        Prior.load(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(prior.PriorError, match=r"prior\.npz"):
        Prior.load(path)
