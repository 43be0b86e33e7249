"""A LiteRT file with int8 weights computes nearly what the SavedModel computes."""

from __future__ import annotations

import os

import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_model import predict
from ethos_model.exported import tflite
from tests.ethos_model.exported import small


def test_weights_are_int8_and_outputs_nearly_equal(tmp_path):
    small.write(tmp_path)
    path = tmp_path / predict.LITE
    tflite.write(str(tmp_path))
    half = os.path.getsize(path)
    tflite.write(str(tmp_path), int8=True)
    assert os.path.getsize(path) < 0.6 * half
    _, saved = predict.load_network(str(tmp_path), "tensorflow")
    _, lite = predict.load_network(str(tmp_path), "litert")
    shape = (3, small.SIZE, small.SIZE, 3)
    images = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    expected, found = saved(images), lite(images)
    for name, values in expected.items():
        limit = tflite.INT8_TOLERANCE[name]
        np.testing.assert_allclose(found[name], values, atol=limit)
    assert (found["landmarks"] != expected["landmarks"]).any()


def test_a_large_difference_is_refused(tmp_path, monkeypatch):
    small.write(tmp_path)
    limits = dict.fromkeys(tflite.TOLERANCE, 1e-9)
    monkeypatch.setattr(tflite, "INT8_TOLERANCE", limits)
    with pytest.raises(EthosError, match=r"model.tflite: .* differs .*--no-int8"):
        tflite.write(str(tmp_path), int8=True)
