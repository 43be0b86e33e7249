"""The random scenes: motion, poses and face sizes."""

from __future__ import annotations

import numpy as np
import pytest

from ethos_data.heads.figure import Figure, sample_figure
from ethos_data.heads.model import HeadModel
from ethos_data.heads.scene import ANY, MAX_YAW, sample_scene


@pytest.fixture(scope="module")
def person() -> Figure:
    return sample_figure(HeadModel.builtin(), np.random.default_rng(0))


def test_motion_is_smooth_and_faces_stay_in_the_frame(person: Figure) -> None:
    for seed in range(15):
        scene = sample_scene(
            person, np.random.default_rng(seed), num_frames=60, size=200
        )
        angles = np.array([(pose.yaw, pose.pitch, pose.roll) for pose in scene.poses])
        assert np.abs(angles[:, 0]).max() <= MAX_YAW * 1.32
        assert np.abs(np.diff(angles, axis=0)).max() < 9  # degrees per frame
        assert np.abs(np.diff(angles, n=2, axis=0)).max() < 3
        assert (scene.expressions >= 0).all()
        assert (scene.expressions <= 1).all()
        assert (np.diff(scene.expressions, axis=0).std(axis=0) > 0).any()
        assert scene.pan.min() >= 0
        margin = np.array(scene.background.shape[1::-1]) - (scene.width, scene.height)
        assert (scene.pan.max(axis=0) <= margin).all()
        centers = scene.centers / (scene.width, scene.height)
        assert (np.abs(centers - 0.5) < 0.25).all()


def test_yaw_exceeds_45_degrees_but_not_75(person: Figure) -> None:
    yaws = [
        pose.yaw
        for seed in range(60)
        for pose in sample_scene(
            person, np.random.default_rng(seed), num_frames=8, size=100
        ).poses
    ]
    assert max(yaws) > 45
    assert min(yaws) < -45
    assert np.median(np.abs(yaws)) < 30
    assert np.abs(yaws).max() <= 75


def test_any_pose_contains_profiles_and_faces_at_the_edge(person: Figure) -> None:
    scenes = [
        sample_scene(
            person, np.random.default_rng(seed), num_frames=1, size=100, poses=ANY
        )
        for seed in range(200)
    ]
    yaw, pitch = np.abs([(s.poses[0].yaw, s.poses[0].pitch) for s in scenes]).T
    assert yaw.max() <= 95
    assert pitch.max() <= 60
    counts, _ = np.histogram(yaw, np.arange(0, 91, 15))
    assert counts.min() > 12
    assert (pitch > 30).mean() > 0.05
    at = np.array([s.centers[0, 0] / s.width for s in scenes])
    assert 0.04 < (np.abs(at - 0.5) > 0.17).mean() < 0.25


def test_face_sizes_vary_as_in_youtube_faces(person: Figure) -> None:
    sizes = [
        sample_scene(
            person, np.random.default_rng(seed), num_frames=1, size=200
        ).face_size[0]
        for seed in range(200)
    ]
    # YouTube Faces: 40 to 248 pixels, median 88, 41 % below 80 pixels.
    assert 78 < np.median(sizes) < 98
    assert min(sizes) >= 38
    assert max(sizes) <= 215
    assert 0.25 < np.mean(np.array(sizes) < 80) < 0.55
