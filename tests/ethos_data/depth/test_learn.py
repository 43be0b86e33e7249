"""Tests of learning the depth prior, and of the shipped weights."""

from __future__ import annotations

import numpy as np
import pytest

from ethos_data import crop, depth, topology
from ethos_data.depth import (
    learn,
    prior,
    variation,
)
from ethos_data.depth.prior import Prior
from ethos_data.heads import raster
from ethos_data.heads.model import HeadModel
from tests.ethos_data.depth.views import turned_by


class TestLearning:
    def test_is_better_than_delaunay_on_unseen_heads(self, trained):
        own, delaunay = _errors([trained.depth_maps, depth.METHODS["delaunay"]])
        assert own < delaunay / 4

    def test_components_are_symmetric_or_antisymmetric(self, trained, built):
        flipped = trained.basis[:, built.mirror] * (-1, 1, 1)
        sign = np.sign((flipped * trained.basis).sum(axis=(1, 2)))
        np.testing.assert_allclose(
            flipped, sign[:, None, None] * trained.basis, atol=1e-5
        )

    def test_expressions_vary_between_frames_and_identities_do_not(
        self, trained, built, model
    ):
        heads = variation.RandomHeads(model, built)
        person = heads.person(np.random.default_rng(1))
        expressions, people = [], []
        for k in range(30):
            rng = np.random.default_rng((2, k))
            expressions.append(heads.frame(person, rng)[:68])
            people.append(heads.person(rng)[:68])
        moving = trained.frame_share > 0
        assert 4 < np.count_nonzero(moving) < 20
        ratios = []
        for landmarks in (expressions, people):
            faces = [trained.fit(points * (1, -1, 1)) for points in landmarks]
            spread = np.std([face.coefficients for face in faces], axis=0)
            ratios.append(np.median(spread[moving]) / np.median(spread[~moving]))
        assert ratios[0] > 2
        assert ratios[1] < 1

    def test_is_reproducible(self, trained, model):
        again = learn.fit(model, num_heads=80, num_components=25, seed=0)
        np.testing.assert_allclose(again.mean, trained.mean, atol=1e-7)
        np.testing.assert_allclose(
            np.abs(again.basis), np.abs(trained.basis), atol=1e-5
        )

    def test_learns_another_landmark_convention(self, trained):
        rng = np.random.default_rng(6)
        offset = np.zeros((68, 3), np.float32)
        offset[0:17] = (0, -0.05, 0.02)  # a lower jaw line, on both sides alike

        def random_landmarks(moved: bool) -> np.ndarray:
            coefficients = rng.normal(size=25) * 0.7
            shape = trained.mean[:68] + np.tensordot(
                coefficients, trained.basis[:, :68], 1
            )
            shape = shape + offset * moved
            noise = rng.normal(0, 0.004, (68, 3))
            return (
                shape @ turned_by((5, rng.uniform(-30, 30), 0)).T * (1, -1, 1) + noise
            )

        both = learn.with_convention(
            trained, [random_landmarks(True) for _ in range(30)]
        )
        theirs = [both.fit(random_landmarks(True)).coefficients[0] for _ in range(10)]
        ours = [both.fit(random_landmarks(False)).coefficients[0] for _ in range(10)]
        assert np.mean(theirs) == pytest.approx(1, abs=0.5)
        assert np.mean(ours) == pytest.approx(-1, abs=0.5)
        assert not both.basis[0, 68:].any()

    def test_command_writes_a_prior(self, tmp_path, capsys):
        model, output = tmp_path / "head.npz", tmp_path / "new" / "prior.npz"
        HeadModel.builtin().save(model)
        arguments = ["--head_model", str(model), "--output", str(output)]
        arguments += ["--num_heads", "20", "--num_components", "5"]
        assert learn.main(arguments) == 0
        assert str(output) in capsys.readouterr().out
        assert len(Prior.load(output).basis) == 5

    def test_command_reports_an_invalid_head_model(self, tmp_path, capsys):
        (tmp_path / "head.npz").write_bytes(b"no")
        arguments = ["--head_model", str(tmp_path / "head.npz"), "--output", "x.npz"]
        assert learn.main(arguments) == 1
        assert "head.npz" in capsys.readouterr().err


class TestShipped:
    def test_is_small(self):
        path = prior.__file__.replace("depth/prior.py", "assets/depth_prior.npz")
        with open(path, "rb") as file:
            assert len(file.read()) < 4_000_000

    def test_is_better_than_delaunay_on_another_head_model(self):
        learned, delaunay = _errors([depth.METHODS["prior"], depth.METHODS["delaunay"]])
        assert learned < delaunay / 1.5

    def test_is_better_than_delaunay_on_noisy_landmarks(self):
        methods = [depth.METHODS["prior"], depth.METHODS["delaunay"]]
        learned, delaunay = _errors(methods, noise=0.015)
        assert learned < delaunay / 1.5

    def test_is_the_default(self):
        points = prior.shipped().mean[:68] * (0.5, -0.5, 0.5) + (0.5, 0.5, 0)
        np.testing.assert_array_equal(
            depth.depth_map(points, 32), depth.depth_map(points, 32, method="prior")
        )


def _errors(methods, *, noise: float = 0.0) -> list[float]:
    """Mean absolute depth error of methods on ten rendered heads, in face sizes."""
    model, size = HeadModel.builtin(), 64
    errors = np.zeros((10, len(methods)))
    for k in range(len(errors)):
        rng = np.random.default_rng((7, k))
        shape = model.vertices(model.sample_identity(rng), model.sample_expression(rng))
        turn = turned_by((rng.uniform(-15, 15), rng.uniform(-50, 50), 0))
        world = (shape - shape[model.landmarks68].mean(axis=0)) @ turn.T
        camera = raster.Camera(size, size, 2.4, (size / 2 - 0.5,) * 2, 90.0)
        points = camera.project(world[model.landmarks68])
        truth = raster.trace(world, model.triangles, camera).depth
        truth = (truth - points[topology.EYES, 2].mean()) / size
        landmarks = crop.Window(-0.5, -0.5, size).to_normalized(points)
        face = topology.face_size(topology.face_box(landmarks))
        landmarks += rng.normal(0, noise * face, landmarks.shape)
        for m, method in enumerate(methods):
            error = method(landmarks[None], size)[0] - truth
            errors[k, m] = np.nanmean(np.abs(error)) / face
    return list(errors.mean(axis=0))
