"""The ONNX file computes what the SavedModel computes."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_model import predict, runner
from tests.ethos_model.exported import small

pytest.importorskip("onnxruntime")
pytest.importorskip("tf2onnx")

from ethos_model.exported import onnx_file


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """The directory of a small model with `model.onnx`."""
    directory = tmp_path_factory.mktemp("model")
    small.write(directory)
    onnx_file.write(str(directory))
    return str(directory)


def test_outputs_agree_with_the_savedmodel(converted):
    backend, network = predict.load_network(converted, "onnx")
    assert backend == "onnx"
    _, saved = predict.load_network(converted, "tensorflow")
    images = np.random.default_rng(1).integers(0, 256, (5, 32, 32, 3), np.uint8)
    expected, found = saved(images), network(images)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].dtype == values.dtype
        np.testing.assert_allclose(found[name], values, atol=1e-3)


def test_weights_are_stored_as_float16(converted):
    import onnx

    model = onnx.load(os.path.join(converted, predict.ONNX))
    large = [w for w in model.graph.initializer if np.prod(w.dims) >= 1024]
    assert large
    assert {weight.data_type for weight in large} == {onnx.TensorProto.FLOAT16}
    size = os.path.getsize(os.path.join(converted, predict.ONNX))
    assert size < 1.1 * 2 * 32 * 32 * 3 * 204


def test_other_values_are_refused(converted, monkeypatch):
    from ethos_model.exported import tflite

    def load_network(directory, backend):
        shift = 0.01 * (backend == "onnx")
        return backend, lambda images: dict.fromkeys(
            tflite.TOLERANCE, np.float32(shift)
        )

    monkeypatch.setattr(tflite, "load_network", load_network)
    with pytest.raises(EthosError, match=r"model.onnx: depth differs .*--no-onnx"):
        tflite.check_agreement(converted, "onnx", "--no-onnx")


def test_a_missing_file_says_how_to_write_it(tmp_path):
    with pytest.raises(EthosError, match=r"model.onnx: no such file; ethos-export"):
        predict.load_network(str(tmp_path), "onnx")


def test_a_damaged_file_is_one_line(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(EthosError, match=r"model.onnx: not an ONNX model") as error:
        predict.load_network(str(tmp_path), "onnx")
    assert "\n" not in str(error.value)


def test_without_onnxruntime_the_message_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EthosError, match=r"ethos-faces\[onnx\]"):
        runner.onnx(str(tmp_path / "model.onnx"))
