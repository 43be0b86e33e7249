"""The command ethos-export, and the predictor that uses its output."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from ethos_data import crop
from ethos_data.errors import EthosError
from ethos_data.topology import face_box
from ethos_model import export, predict, upright
from ethos_model.exported import saved_model
from ethos_model.training import checkpoint
from tests.ethos_model.conftest import EXPORTED_SIZE


def test_scales_the_uncertainty_to_the_validation_errors(
    exported, workdir, images, tmp_path
):
    groups, meta = checkpoint.read(str(workdir / "best.npz"))
    meta["history"][-1] |= {"val_sigma_ratio": 0.5, "val_degraded_sigma_ratio": 0.72}
    path = str(tmp_path / "best.npz")
    checkpoint.write(path, groups, meta)
    output = export.export(
        str(tmp_path), str(tmp_path / "model"), checkpoint_path=path, litert=False
    )
    _, unscaled = predict.load_network(exported, "tensorflow")
    _, scaled = predict.load_network(output, "tensorflow")
    expected, actual = unscaled(images), scaled(images)
    np.testing.assert_allclose(
        actual["uncertainty"], 0.6 * expected["uncertainty"], 1e-4
    )
    np.testing.assert_allclose(actual["landmarks"], expected["landmarks"], atol=1e-5)
    with open(os.path.join(output, "ethos_model.json"), encoding="utf-8") as file:
        assert json.load(file)["uncertainty_factor"] == pytest.approx(0.6)
    assert not os.path.exists(os.path.join(output, "model.tflite"))


def test_replaces_a_model_only_if_told_so(exported, workdir, tmp_path):
    with pytest.raises(EthosError, match="--overwrite"):
        export.export(str(workdir), exported)
    (tmp_path / "thesis.txt").write_text("not a model")
    with pytest.raises(EthosError, match="not replaced"):
        export.export(str(workdir), str(tmp_path), overwrite=True)
    assert (tmp_path / "thesis.txt").exists()


def test_names_a_missing_checkpoint(tmp_path, capsys):
    assert export.main(["--workdir", str(tmp_path), "--output", "x"]) == 1
    assert f"{tmp_path}/best.npz: no such checkpoint" in capsys.readouterr().err


def test_a_failed_export_leaves_no_files(workdir, tmp_path, monkeypatch):
    def fail(directory, *args):
        open(os.path.join(directory, "half"), "w").close()
        raise OSError("No space left on device")

    monkeypatch.setattr(saved_model, "write", fail)
    with pytest.raises(EthosError, match="model: cannot be written: No space"):
        export.export(str(workdir), str(tmp_path / "model"))
    assert os.listdir(tmp_path) == []


def test_names_an_output_that_cannot_be_written(workdir, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    output = str(tmp_path / "file" / "model")
    assert export.main(["--workdir", str(workdir), "--output", output]) == 1
    assert f"error: {output}: cannot be written: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"data_dir": "/home/me", "worst": [{"video_id": "A_Person_0"}]}', "not the"),
        ("[1, 2]", "not the card.json"),
        ("{", "not JSON"),
        (None, "No such file"),
    ],
)
def test_refuses_other_files_than_the_card_of_an_evaluation(
    workdir, tmp_path, capsys, text, problem
):
    report = tmp_path / "report.json"
    if text is not None:
        report.write_text(text)
    flags = ["--workdir", str(workdir), "--output", str(tmp_path / "model")]
    assert export.main([*flags, "--metrics", str(report)]) == 1
    assert f"report.json: {problem}" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("backend", ["litert", "tensorflow"])
def test_predictor_returns_source_pixels(exported, model, backend, monkeypatch):
    # The landmarks of an untrained network are turned by any angle.
    monkeypatch.setattr(upright, "LIMIT", 360)
    frame = np.random.default_rng(13).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    boxes = [(30.0, 20.0, 70.0, 75.0), np.array([-10, 5, 40, 50])]
    faces = predict.FacePredictor(exported, backend=backend).predict(frame, boxes)
    assert len(faces) == 2
    for face, box in zip(faces, boxes, strict=True):
        side = round(1.3 * max(box[2] - box[0], box[3] - box[1]))
        assert face.window.size == side
        image = crop.resize(crop.cut(frame, face.window), EXPORTED_SIZE)
        expected = model(image[None], training=False)
        landmarks = expected["landmarks"][0].numpy() * side
        landmarks[:, :2] += (face.window.left, face.window.top)
        np.testing.assert_allclose(face.landmarks, landmarks, atol=0.3)
        np.testing.assert_allclose(
            face.uncertainty, expected["uncertainty"][0] * side, atol=0.3
        )
        np.testing.assert_allclose(
            face.depth, expected["depth"][0, ..., 0] * side, atol=0.5
        )
        np.testing.assert_allclose(
            face.restored, expected["restored"][0, ..., 0], atol=0.01
        )
        np.testing.assert_allclose(face.visible, expected["visible"][0], atol=0.01)
        assert face.landmarks.dtype == face.depth.dtype == np.float32
        assert face_box(face.landmarks).shape == (4,)


def test_predictor_accepts_no_faces_and_refuses_other_arrays_than_frames(exported):
    predictor = predict.FacePredictor(exported)
    frame = np.zeros((20, 20, 3), np.uint8)
    assert predictor.predict(frame, []) == []
    with pytest.raises(ValueError, match="uint8"):
        predictor.predict(frame.astype(np.float32), [(1, 1, 9, 9)])
    with pytest.raises(ValueError, match="uint8"):
        predictor.predict(frame[..., 0], [(1, 1, 9, 9)])


def test_prediction_does_not_import_tensorflow(exported):
    code = (
        "import sys, numpy; from ethos_model.predict import FacePredictor; "
        "p = FacePredictor(sys.argv[1]); "
        "p.predict(numpy.zeros((40, 40, 3), 'uint8'), [(5, 5, 30, 30)]); "
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules; "
        "print(p.backend)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, exported],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.strip() == "litert"


def test_predictor_uses_tensorflow_if_litert_is_not_installed(exported, monkeypatch):
    monkeypatch.setattr(predict.importlib.util, "find_spec", lambda name: None)
    assert predict.FacePredictor(exported).backend == "tensorflow"


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        (None, "not an exported model"),
        ("{", "not the card of a model"),
        ('{"format_version": 1}', "not the card of a model"),
        (
            '{"format_version": 99, "image_size": 9, "network_context": 1}',
            "needs a newer version",
        ),
        (
            '{"format_version": 1, "image_size": 9, "network_context": 1}',
            "not a SavedModel",
        ),
    ],
)
def test_names_a_directory_that_is_not_a_model(tmp_path, card, reason):
    if card is not None:
        (tmp_path / "ethos_model.json").write_text(card)
    with pytest.raises(EthosError, match=reason) as caught:
        predict.FacePredictor(str(tmp_path))
    assert str(tmp_path) in str(caught.value)


def test_names_a_damaged_litert_file(exported, tmp_path):
    shutil.copy(os.path.join(exported, "ethos_model.json"), tmp_path)
    (tmp_path / "model.tflite").write_bytes(b"TFL3 not really")
    with pytest.raises(EthosError, match=r"model\.tflite: not a LiteRT model"):
        predict.FacePredictor(str(tmp_path))
