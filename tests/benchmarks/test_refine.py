"""The simulated user of the benchmark of ethos-refine."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import corrected_people, refine
from ethos_data import topology
from ethos_data.heads.model import HeadModel
from ethos_model.predict import Face


@pytest.fixture(scope="module")
def shots():
    model = corrected_people.unseen_model()
    return list(corrected_people.film(model, 3, (3, 2), step=4, unseen=True))


def test_people_of_the_unseen_kind_are_filmed(shots):
    assert [(s.person, s.frame) for s in shots] == [
        *((0, 0), (0, 4), (0, 8)),
        *((1, 0), (1, 4)),
    ]
    models = (HeadModel.builtin(), corrected_people.unseen_model())
    points = [model.neutral[model.landmarks68] for model in models]
    extents = [np.ptp(p, axis=0) for p in points]
    np.testing.assert_allclose(extents[1] / extents[0], (1.15, 0.9, 1.0), rtol=1e-3)


def test_the_camera_shows_dark_as_bright():
    image = np.zeros((8, 16, 3), np.uint8)
    image[:, 8:] = 255
    brightness = corrected_people.thermal(image).mean(axis=(0, 2))
    assert brightness[0] > 150 > 50 > brightness[-1]


def test_corrections_are_exact_and_have_no_z(shots):
    record = corrected_people.record(shots[1], by_hand=True)
    points = record.window.to_source(record.landmarks)[:, :2]
    np.testing.assert_allclose(points, shots[1].landmarks[:, :2], atol=1e-2)
    assert not record.has_z
    exact = corrected_people.record(shots[1], by_hand=False)
    assert exact.has_z
    assert np.isfinite(exact.depth).any()
    correction = corrected_people.correction(shots[1])
    np.testing.assert_array_equal(correction.points, shots[1].landmarks[:, :2])
    assert (correction.face, correction.frame) == (0, 4)


def test_the_user_follows_the_suggestions_and_never_repeats_a_face(shots):
    class Predictor:
        def predict(self, frame_rgb, boxes):
            landmarks = np.zeros((68, 3), np.float32)
            landmarks[:, :2] = np.linspace(boxes[0][:2], boxes[0][2:], 68)
            sigma = np.full(68, 0.01 * topology.face_size(np.asarray(boxes[0])))
            none = np.zeros((1, 1), np.float32)
            return [Face(landmarks, sigma, none, none, None)]

    chosen = corrected_people.suggested(shots, Predictor(), 4)
    assert len(set(chosen)) == 4
    random = corrected_people.at_random(shots, 4, 1)
    assert len(set(random)) == 4
    assert random == corrected_people.at_random(shots, 4, 1)


def test_the_number_of_random_corrections_with_the_same_error_is_interpolated():
    random = [4.0, 3.0, 2.0]  # with 10, 20 and 50 corrections
    shares = refine.equal_count([3.0, 2.5, 1.0], random)
    middle = np.sqrt(20 * 50)  # of the logarithms of 20 and 50
    assert shares == [0.5, round(20 / middle, 2), 1.0]
    # A worse error with more corrections is chance and does not count.
    assert refine.equal_count([4.0, 3.0, 2.0], [4.0, 4.5, 2.0])[1] < 1


def test_the_table_compares_with_the_errors_before():
    before = {"unseen kind": 8.0, "ICT heads": 2.0}
    runs = {
        (choice, count): [{"unseen kind": error, "ICT heads": 2.02}]
        for choice, errors in (("suggested", (4.0, 3.0, 2.0)), ("random", (5, 4, 3)))
        for count, error in zip((10, 20, 50), errors, strict=True)
    }
    rows = refine.figures(before, runs)
    assert rows["before"] == {"unseen kind %": 8.0, "ICT heads %": 2.0}
    row = rows["10 corrections, suggested"]
    assert row["unseen kind %"] == 4.0
    assert row["share of the error before"] == 0.5
    assert row["ICT heads, change %"] == 1.0
    assert row["corrections compared with random"] == 0.5
    assert "corrections compared with random" not in rows["10 corrections, random"]
