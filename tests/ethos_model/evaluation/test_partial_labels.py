"""Records of version 1.1.0: only labels count, estimates do not."""

import dataclasses
import json

import numpy as np
import pytest

from ethos_data import records, topology, visibility
from ethos_model.evaluation import baseline, conditions, samples, summary
from ethos_model.evaluation.gather import EvaluatedModel, gather
from ethos_model.evaluation.report import page, svg, tables
from tests.ethos_model.evaluation.conftest import (
    FRAMES,
    PEOPLE,
    Constant,
    write_data,
)

SIZE = 48
MISSING = [3, 30, 57]
"""Landmarks without a label in every frame. None of them is at the edge of the box."""


def partial(record):
    """A record with estimates for `MISSING`, and for z of every second frame."""
    visible = np.full(68, visibility.VISIBLE, np.uint8)
    visible[5] = visibility.HIDDEN
    visible[MISSING] = visibility.UNLABELLED
    return dataclasses.replace(
        record,
        visible=visible,
        has_z=record.frame % 2 == 0,
        depth=np.full_like(record.depth, np.nan),
    )


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    root = tmp_path_factory.mktemp("partial")
    return write_data(root, partial, records.PARTIAL_VERSION)


class Oracle(Constant):
    """Predicts labels exactly, and is wrong where there is only an estimate."""

    def __init__(self, data_dir, x_error=0.0, z_error=0.0):
        faces = list(samples.read_samples(data_dir, "test"))
        self.answers = {}
        for sample in faces:
            answer = sample.landmarks + np.array([x_error, 0, z_error])
            answer[MISSING, :2] += 0.4
            if not sample.has_z:
                answer[:, 2] += 9
            self.answers[sample.network_image(SIZE).tobytes()] = answer
        super().__init__(faces[0].landmarks, sigma=0.02)

    def __call__(self, images):
        outputs = super().__call__(images)
        for i, image in enumerate(images):
            if (answer := self.answers.get(image.tobytes())) is not None:
                outputs["landmarks"][i] = answer
        return outputs


def run(predict, data_dir):
    mean = baseline.mean_face(data_dir, "test")
    model = EvaluatedModel("model", predict, SIZE, SIZE)
    measurements = gather(
        model,
        samples.read_samples(data_dir, "test"),
        conditions.select([]),
        mean,
        total=PEOPLE * FRAMES,
        baseline=EvaluatedModel("other", predict, SIZE, SIZE),
    )
    return summary.report(
        measurements,
        mean,
        model,
        data_dir=str(data_dir),
        split="test",
        baseline=model,
    )


def test_a_landmark_without_a_label_has_no_error(data_dir):
    report = run(Oracle(data_dir), data_dir)
    clean = report.condition("clean")
    for error in (clean.nme_box, clean.nme_iod, clean.baseline_nme_box, clean.z_error):
        assert error == pytest.approx(0, abs=1e-4)
    assert (clean.shift_x, clean.shift_y) == pytest.approx((0, 0), abs=1e-4)
    assert clean.within_1_sigma == pytest.approx(100)
    assert np.flatnonzero(np.isnan(report.points)).tolist() == MISSING


def test_known_errors_of_the_labels_are_measured(data_dir):
    clean = run(Oracle(data_dir, 0.01, 0.03), data_dir).condition("clean")
    faces = list(samples.read_samples(data_dir, "test"))
    size = np.array([sample.face_size for sample in faces])
    with_z = np.array([sample.has_z for sample in faces])
    assert 0 < with_z.sum() < len(faces)
    assert clean.nme_box == pytest.approx(np.mean(1 / size), rel=1e-3)
    assert clean.z_error == pytest.approx(np.mean(3 / size[with_z]), rel=1e-3)


def test_labels_without_z_give_no_z_error(tmp_path):
    def without_z(record):
        return dataclasses.replace(partial(record), has_z=False)

    data_dir = write_data(tmp_path / "data", without_z, records.PARTIAL_VERSION)
    report = run(Oracle(data_dir), data_dir)
    assert np.isnan(report.condition("clean").z_error)
    assert json.loads(report.to_json())["conditions"][0]["z_error"] is None
    for text in (tables.table(report), tables.markdown(report)):
        assert "nan" not in text
    assert "nan" not in page.page(report).lower().split("base64")[0]


def test_the_report_draws_no_true_landmark_without_a_label(data_dir):
    worst = run(Oracle(data_dir), data_dir).worst[0]
    assert np.flatnonzero(np.isnan(worst.true).any(axis=1)).tolist() == MISSING
    complete = svg.overlay(np.nan_to_num(worst.true), worst.predicted, "")
    drawing = svg.overlay(worst.true, worst.predicted, "")
    assert "nan" not in drawing
    # Landmarks 3 and 30 have two lines each, 57 is the middle of the lower lip.
    assert complete.count("M") - drawing.count("M") == sum(
        bool({i, j} & set(MISSING)) for i, j in topology.EDGES
    )


def test_records_without_the_features_have_complete_labels(tmp_path):
    data_dir = write_data(tmp_path / "data")
    for sample in samples.read_samples(data_dir, "test"):
        assert sample.known.all()
        assert sample.has_z
