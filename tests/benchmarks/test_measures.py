"""The computations of the benchmark of head pose, openness and blinks."""

import dataclasses
import types

import numpy as np
import pytest

from benchmarks import measure, measures, rendered_faces
from benchmarks.rendered_faces import CONDITIONS, Faces
from ethos_data.heads.model import HeadModel
from ethos_data.heads.pose import Pose
from ethos_model.footage.measures import pose
from tests.ethos_model.footage.measures.synthetic import FOCAL, look


def make_faces(true_angles, errors=(0.0, 0.0, 0.0), sigmas=(1.0, 1.0, 1.0), **changes):
    """Faces with the same errors and sigmas, in degrees, under all conditions."""
    true_angles = np.asarray(true_angles, float)
    count = len(true_angles)

    def everywhere(values):
        return {c: np.array(values, float) for c in CONDITIONS}

    rows = np.ones((count, 1))
    fields = {
        "true_angles": true_angles,
        "true_openness": np.full((count, 3), 0.5),
        "visible_openings": np.ones((count, 3), bool),
        "angles": everywhere(true_angles + errors),
        "sigmas": everywhere(rows * sigmas),
        "raw_sigmas": everywhere(rows * sigmas),
        "turns": everywhere(np.zeros(count)),
        "pnp_angles": everywhere(true_angles + 5),
        "openness": everywhere(np.full((count, 3), 0.5)),
        "openness_sigma": everywhere(np.ones((count, 3))),
        "raw_openness_sigma": everywhere(np.ones((count, 3))),
        "aspect_ratio": everywhere(np.full((count, 2), 0.5)),
    }
    return Faces(**(fields | changes))


def random_angles(count=200):
    angles = np.random.default_rng(0).uniform(-1, 1, (count, 3)) * (75, 35, 35)
    return angles.round(1)


def test_every_face_is_in_one_slice_of_each_angle():
    faces = make_faces(random_angles())
    slices = measures.pose_slices(faces)
    yaw, pitch, roll = np.abs(faces.true_angles).T
    np.testing.assert_array_equal(slices["yaw up to 60°"], yaw < 60)
    by_yaw = [mask for name, mask in slices.items() if " to " in name and "yaw" in name]
    by_yaw = [mask for mask in by_yaw if mask is not slices["yaw up to 60°"]]
    assert np.sum(by_yaw, axis=0).tolist() == [1] * len(yaw)
    for angle in ("pitch", "roll"):
        parts = [m for name, m in slices.items() if name.startswith(f"{angle} ")]
        parts = [m for m in parts if m is not slices["pitch and roll up to 20°"]]
        np.testing.assert_array_equal(np.sum(parts, axis=0), yaw < 60)
    assert (pitch[slices["pitch 10 to 20°"]] >= 10).all()
    assert (roll[slices["roll 20 to 40°"]] >= 20).all()


def test_errors_and_shares_of_known_angles():
    faces = make_faces(random_angles(20), errors=(1, -2, 3), sigmas=(2, 1, 3.01))
    figures, baseline = measures.pose_row(faces, ["clean"], np.ones(20, bool))
    assert figures["faces"] == 20
    errors = [figures[f"{name} error °"] for name in measures.ANGLES]
    assert errors == [1, 2, 3]
    shares = [figures[f"{name} within 1 sigma %"] for name in measures.ANGLES]
    assert shares == [100, 0, 100]
    assert baseline == {f"{name}, PnP °": 5 for name in measures.ANGLES}


def test_several_conditions_are_averaged_over_the_selected_faces():
    faces = make_faces(random_angles(4))
    faces.angles["dark5"][1:3, 1] += (4, -8)
    mask = np.array([False, True, True, False])
    figures, _ = measures.pose_row(faces, ["clean", "dark5"], mask)
    assert figures["faces"] == 2
    assert figures["pitch error °"] == 3  # (0 + 0 + 4 + 8) / 4
    assert figures["pitch, exact landmarks °"] == 0
    assert figures["pitch within 1 sigma %"] == 50


def test_an_error_across_180_degrees_is_small():
    faces = make_faces([[0, 0, 179.0]], errors=(0, 0, -358))
    np.testing.assert_allclose(faces.pose_errors("clean"), [[0, 0, 2]])


def test_slices_without_a_face_are_left_out():
    frontal = make_faces(np.zeros((3, 3)), errors=(1, 1, 1))
    figures, baseline = measures.pose_table({"head": frontal})
    assert figures.keys() == baseline.keys()
    assert "all heads, clean, yaw 0 to 15°" in figures
    assert not [name for name in figures if "45" in name]
    for cells in figures.values():
        assert np.isfinite(list(cells.values())).all()


def test_openness_of_hidden_eyes_and_profiles_does_not_count():
    rng = np.random.default_rng(1)
    true, found = rng.uniform(0, 1, (2, 30, 3))
    visible = rng.random((30, 3)) < 0.7
    angles = np.zeros((30, 3))
    angles[25:, 0] = 70
    faces = make_faces(
        angles,
        true_openness=true,
        visible_openings=visible,
        openness=dict.fromkeys(CONDITIONS, found),
        openness_sigma=dict.fromkeys(CONDITIONS, np.full((30, 3), 0.3)),
        aspect_ratio=dict.fromkeys(CONDITIONS, found[:, :2] + 1),
    )
    figures, baseline = measures.openness_table({"head": faces})
    row = figures["head, clean"]
    for part, columns in (("eye", (0, 1)), ("mouth", (2,))):
        pairs = [
            (found[i, k], true[i, k])
            for i in range(25)
            for k in columns
            if visible[i, k]
        ]
        errors = [abs(a - b) for a, b in pairs]
        assert row[f"{part} error"] == pytest.approx(np.mean(errors), abs=5e-4)
        correlation = np.corrcoef(*zip(*pairs, strict=True))[0, 1]
        assert row[f"{part} correlation"] == pytest.approx(correlation, abs=5e-3)
        within = 100 * np.mean([error <= 0.3 for error in errors])
        assert row[f"{part} within 1 sigma %"] == pytest.approx(within, abs=0.5)
    eyes = visible[:25, :2]
    difference = np.abs(found[:25, :2] + 1 - true[:25, :2])[eyes]
    expected = pytest.approx(difference.mean(), abs=5e-4)
    assert baseline["head, clean"]["eye aspect ratio error"] == expected


def test_the_calibration_finds_the_factor_and_the_growth():
    rng = np.random.default_rng(2)
    turn = rng.uniform(0, 0.8, 20_000)
    scale = 0.8 * (1 + 3 * turn)
    factor, growth = measures._factor_and_growth(np.abs(rng.normal(0, scale)), turn)
    assert factor == pytest.approx(0.8, rel=0.1)
    assert growth == pytest.approx(3, abs=0.6)


def test_the_calibration_uses_the_uncalibrated_deviations():
    rng = np.random.default_rng(3)
    true = np.zeros((3000, 3))
    faces = make_faces(true, sigmas=(7, 7, 7), raw_sigmas={})
    for condition in CONDITIONS:
        faces.angles[condition][:] = rng.normal(0, (1, 2, 3), (3000, 3))
        faces.raw_sigmas[condition] = np.ones((3000, 3))
        faces.turns[condition][:] = rng.uniform(0, 0.5, 3000)
        faces.openness[condition][:] = 0.5 + rng.normal(0, 0.2, (3000, 3))
        faces.raw_openness_sigma[condition][:] = 0.1
    lines = measures.calibration({"head": faces})
    factors = {
        line.partition(":")[0]: float(line.split("factor ")[1].split(",")[0])
        for line in lines
    }
    # The growth is not exactly zero, which makes the factor a little smaller.
    for name, expected in {
        "yaw": 1,
        "pitch": 2,
        "roll": 3,
        "eye": 2,
        "mouth": 2,
    }.items():
        assert factors[name] == pytest.approx(expected, rel=0.15)


def figure_at(offset, points=None):
    """A figure whose head has its centre at an offset (3,) from the pivot, in cm."""
    points = (
        np.random.default_rng(4).normal(0, 5, (68, 3)) if points is None else points
    )
    centre = points[rendered_faces.RIGID].mean(axis=0)
    model = types.SimpleNamespace(landmarks68=np.arange(68))
    return types.SimpleNamespace(model=model, shape=points, pivot=centre - offset)


def test_a_head_on_the_optical_axis_has_the_angles_of_its_pose():
    figure = figure_at((0, 0, 0))
    angles = rendered_faces.true_angles(figure, Pose(40, -10, 5), 100.0, np.eye(3))
    np.testing.assert_allclose(angles, (40, -10, 5), atol=1e-9)


@pytest.mark.parametrize(
    ("offset", "expected"),
    [((50, 0, 0), (26.565, 0, 0)), ((0, 50, 0), (0, -26.565, 0))],
)
def test_the_angles_are_relative_to_the_line_of_sight(offset, expected):
    # The camera is 100 cm in front of the pivot: atan(50 / 100) = 26.565 degrees. A
    # head on the right of the axis looks past the right side of the camera.
    angles = rendered_faces.true_angles(figure_at(offset), Pose(), 100.0, np.eye(3))
    np.testing.assert_allclose(angles, expected, atol=1e-3)


def test_the_zero_of_the_angles_is_what_the_fit_measures_from_the_front():
    model = HeadModel.builtin()
    zero = rendered_faces.zero_rotation(model)
    np.testing.assert_allclose(zero @ zero.T, np.eye(3), atol=1e-9)
    yaw, pitch, roll = pose.angles_of(zero)
    assert (yaw, roll) == pytest.approx((0, 0), abs=0.1)
    assert abs(pitch) < 8


def test_pnp_finds_the_angles_of_the_mean_head():
    found = rendered_faces.pnp_angles(look(-30, 12, 8), FOCAL)
    np.testing.assert_allclose(found, (-30, 12, 8), atol=0.2)


def test_the_aspect_ratio_is_height_over_width():
    landmarks = np.zeros((68, 3))
    landmarks[36:42, :2] = [(0, 0), (2, -1), (4, -2), (6, 0), (4, 1), (2, 1)]
    # Two heights, 2 and 3, of an eye with a width of 6.
    assert rendered_faces.aspect_ratio(landmarks, 36) == pytest.approx(2.5 / 6)


def test_a_blink_is_counted_once_and_not_when_the_eyes_stay_closed():
    names = ["jawOpen", "eyeBlink_L", "eyeBlink_R"]
    figure = types.SimpleNamespace(model=types.SimpleNamespace(expression_names=names))
    lids = np.zeros(40)
    lids[10:14] = (0.5, 1.0, 0.9, 0.4)
    lids[25:30] = 1.0
    expressions = np.stack([np.ones(40), lids, lids], axis=1)
    scene = types.SimpleNamespace(expressions=expressions)
    assert rendered_faces._true_blinks(figure, scene) == [11 / rendered_faces.FPS]


def test_the_faces_of_several_heads_are_joined_in_order():
    first, second = make_faces(random_angles(3)), make_faces(random_angles(5))
    joined = rendered_faces.concatenate([first, second])
    for field in dataclasses.fields(Faces):
        value = getattr(joined, field.name)
        if isinstance(value, dict):
            value = value["blur15"]
        assert len(value) == 8
    np.testing.assert_array_equal(joined.angles["clean"][3:], second.angles["clean"])


def test_the_command_writes_two_results(tmp_path, monkeypatch):
    monkeypatch.setattr(rendered_faces, "FRAMES", 2)
    monkeypatch.setattr(rendered_faces, "TRACK_FRAMES", 4)
    flags = ["--num_people=2", "--num_tracks=1", f"--output_dir={tmp_path}"]
    assert measures.main(flags) == 0
    result = measure.load(tmp_path / "measures_pose.json")
    assert "4 rendered frames of 2 people" in result.what
    exact = result.figures["built-in head, exact landmarks"]
    assert exact["yaw error °"] < 5
    openness = measure.load(tmp_path / "measures_openness.json")
    assert openness.figures["built-in head, video"]["blinks"] == 0
