"""All measures of a face together."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from ethos_data import crop
from ethos_model.footage.measures import (
    FaceMeasures,
    PictureMeasures,
    measure,
)
from ethos_model.footage.measures.quality import estimate_quality
from ethos_model.predict import Face
from tests.ethos_model.footage.measures.synthetic import FRAME, look

GOOD = PictureMeasures(size=120, sharpness=0.05, brightness=120, noise=1)


def face(landmarks, sigma=1.0):
    return Face(
        landmarks=landmarks.astype(np.float32),
        uncertainty=np.full(68, sigma, np.float32),
        depth=np.zeros((8, 8), np.float32),
        restored=np.zeros((8, 8), np.float32),
        window=crop.Window(-0.5, -0.5, 100),
    )


def frame(seed=0):
    return np.random.default_rng(seed).integers(0, 255, (*FRAME, 3)).astype(np.uint8)


def test_measures_a_face():
    found = measure(frame(), face(look(30, 10, -5)))
    assert isinstance(found, FaceMeasures)
    assert found.pose.yaw == pytest.approx(30, abs=2)
    assert found.pose.yaw_sigma > 0
    assert 0.5 < found.openness.right_eye <= 1
    assert found.picture.size == pytest.approx(150, rel=0.5)
    assert 0 <= found.quality <= 1


def test_does_not_change_its_arguments():
    image, given = frame(), face(look())
    before = image.copy(), given.landmarks.copy(), given.uncertainty.copy()
    measure(image, given)
    for array, copy in zip(
        (image, given.landmarks, given.uncertainty), before, strict=True
    ):
        np.testing.assert_array_equal(array, copy)


def test_a_face_outside_the_frame_has_no_quality():
    found = measure(frame(), face(look() + np.array([2000, 0, 0])))
    assert found.quality == 0
    assert np.isfinite(found.pose.yaw)


def test_quality_decreases_with_the_uncertainty():
    values = [estimate_quality(s, GOOD) for s in (0.01, 0.02, 0.05, 0.2)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.95
    assert values[-1] < 0.2


def test_quality_is_a_probability_for_extreme_values():
    for picture in (
        PictureMeasures(0.0, 0.0, 0.0, 0.0),
        PictureMeasures(1e5, 1e3, 255.0, 100.0),
    ):
        for sigma in (0.0, 1e6):
            assert 0 <= estimate_quality(sigma, picture) <= 1


def test_works_without_the_packages_of_training():
    code = """
        import sys
        for name in ("numba", "scipy", "tensorflow", "keras", "apache_beam"):
            sys.modules[name] = None
        import numpy as np
        from ethos_model.footage.measures import fitting, head
        fitting.fit(head.load().mean * (100, -100, 100), np.ones(68))
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
