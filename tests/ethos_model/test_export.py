"""What ethos-export writes is read with TensorFlow alone, and with LiteRT alone."""

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
from ethos_model import export, network, predict
from ethos_model.training import batch_norm, checkpoint
from tests.ethos_model.conftest import EXPORTED_SIZE, changed


def test_signature_is_the_contracts(exported, model, images):
    import tensorflow as tf

    loaded = tf.saved_model.load(exported)
    signature = loaded.signatures["serving_default"]
    spec = signature.structured_input_signature[1]["image"]
    assert spec.dtype == tf.uint8
    assert spec.shape.as_list() == [None, EXPORTED_SIZE, EXPORTED_SIZE, 3]
    outputs = signature(image=tf.constant(images))
    half = changed(model, batch_norm.fold, export._round_weights)
    rounded, wanted = half(images, training=False), model(images, training=False)
    assert set(outputs) == {"landmarks", "uncertainty", "depth", "restored"}
    for name, value in outputs.items():
        np.testing.assert_allclose(value, rounded[name], atol=5e-6)
        # Half precision: 11 bits of each weight.
        np.testing.assert_allclose(value, wanted[name], atol=3e-4)


def test_weights_take_two_bytes_each(exported, model):
    size = os.path.getsize(os.path.join(exported, "saved_model.pb"))
    assert size < 3 * model.count_params()  # the graph itself takes its part


def test_both_files_compute_with_the_same_values(exported, images):
    _, saved = predict.load_network(exported, "tensorflow")
    _, lite = predict.load_network(exported, "litert")
    # 5e-5 apart if each rounded for itself.
    wanted, got = saved(images)["depth"], lite(images)["depth"]
    np.testing.assert_allclose(got, wanted, atol=2e-5)
    # 2e-4 apart and more if the mean face or the grid were rounded in one alone.
    wanted, got = saved(images)["landmarks"], lite(images)["landmarks"]
    np.testing.assert_allclose(got, wanted, atol=5e-5)


def test_litert_agrees_with_the_network_it_came_from(exported, model, images):
    backend, lite = predict.load_network(exported, "litert")
    assert backend == "litert"
    wanted = model(images, training=False)
    for name, value in lite(images).items():
        assert value.dtype == np.float32
        np.testing.assert_allclose(value, wanted[name], atol=5e-3)


def test_card_says_sizes_units_data_and_figures(exported):
    with open(os.path.join(exported, "ethos_model.json"), encoding="utf-8") as file:
        card = json.load(file)
    assert card["format_version"] == 1
    assert (card["image_size"], card["depth_size"]) == (EXPORTED_SIZE, EXPORTED_SIZE)
    assert card["network_context"] == crop.NETWORK_CONTEXT
    assert card["training_data"]["fingerprint"] == "sha256:abc"
    assert card["validation"] == {"val_nme": 2.0, "val_degraded_nme": 3.0}
    assert set(card["outputs"]) == set(network.OUTPUTS)
    assert "data_dir" not in card["training"]  # somebody's own path


def test_uncertainty_is_made_honest(exported, workdir, images, tmp_path):
    groups, meta = checkpoint.read(str(workdir / "best.npz"))
    meta["history"][-1] |= {"val_sigma_ratio": 0.5, "val_degraded_sigma_ratio": 0.72}
    path = str(tmp_path / "best.npz")
    checkpoint.write(path, groups, meta)
    output = export.export(
        str(tmp_path), str(tmp_path / "model"), checkpoint_path=path, litert=False
    )
    _, as_it_was = predict.load_network(exported, "tensorflow")
    _, honest = predict.load_network(output, "tensorflow")
    wanted, got = as_it_was(images), honest(images)
    np.testing.assert_allclose(got["uncertainty"], 0.6 * wanted["uncertainty"], 1e-4)
    np.testing.assert_allclose(got["landmarks"], wanted["landmarks"], atol=1e-5)
    with open(os.path.join(output, "ethos_model.json"), encoding="utf-8") as file:
        assert json.load(file)["uncertainty_factor"] == pytest.approx(0.6)


def test_an_existing_model_is_replaced_on_request_only(exported, workdir, tmp_path):
    with pytest.raises(EthosError, match="--overwrite"):
        export.export(str(workdir), exported)
    (tmp_path / "thesis.txt").write_text("not a model")
    with pytest.raises(EthosError, match="not replaced"):
        export.export(str(workdir), str(tmp_path), overwrite=True)
    assert (tmp_path / "thesis.txt").exists()
    assert export.main(["--workdir", str(tmp_path), "--output", "x"]) == 1


def test_a_disagreeing_litert_file_is_noticed(exported, monkeypatch):
    export._check_agreement(exported)
    monkeypatch.setitem(export._TOLERANCE, "landmarks", 0.0)
    with pytest.raises(EthosError, match="landmarks differs by"):
        export._check_agreement(exported)


def test_a_failed_export_leaves_nothing(workdir, tmp_path, monkeypatch):
    def fail(folder, *args):
        open(os.path.join(folder, "half"), "w").close()
        raise OSError("No space left on device")

    monkeypatch.setattr(export, "_write_saved_model", fail)
    with pytest.raises(EthosError, match="model: not written: No space"):
        export.export(str(workdir), str(tmp_path / "model"))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("backend", ["litert", "tensorflow"])
def test_predictor_returns_source_pixels(exported, model, backend):
    frame = np.random.default_rng(13).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    boxes = [(30.0, 20.0, 70.0, 75.0), np.array([-10, 5, 40, 50])]
    faces = predict.FacePredictor(exported, backend=backend).predict(frame, boxes)
    assert len(faces) == 2
    for face, box in zip(faces, boxes, strict=True):
        side = round(1.3 * max(box[2] - box[0], box[3] - box[1]))
        assert face.window.size == side
        image = crop.resize(crop.cut(frame, face.window), EXPORTED_SIZE)
        wanted = model(image[None], training=False)
        points = wanted["landmarks"][0].numpy() * side
        points[:, :2] += (face.window.left, face.window.top)
        np.testing.assert_allclose(face.landmarks, points, atol=0.3)
        np.testing.assert_allclose(
            face.uncertainty, wanted["uncertainty"][0] * side, atol=0.3
        )
        np.testing.assert_allclose(
            face.depth, wanted["depth"][0, ..., 0] * side, atol=0.5
        )
        np.testing.assert_allclose(
            face.restored, wanted["restored"][0, ..., 0], atol=0.01
        )
        assert face.landmarks.dtype == face.depth.dtype == np.float32
        assert face_box(face.landmarks).shape == (4,)


def test_predictor_takes_no_faces_and_refuses_what_is_not_a_frame(exported):
    predictor = predict.FacePredictor(exported)
    frame = np.zeros((20, 20, 3), np.uint8)
    assert predictor.predict(frame, []) == []
    with pytest.raises(ValueError, match="uint8"):
        predictor.predict(frame.astype(np.float32), [(1, 1, 9, 9)])
    with pytest.raises(ValueError, match="uint8"):
        predictor.predict(frame[..., 0], [(1, 1, 9, 9)])


def test_prediction_needs_no_tensorflow(exported):
    code = (
        "import sys, numpy; from ethos_model.predict import FacePredictor; "
        "p = FacePredictor(sys.argv[1]); "
        "p.predict(numpy.zeros((40, 40, 3), 'uint8'), [(5, 5, 30, 30)]); "
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules; "
        "print(p.backend)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, exported],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "litert"


def test_saved_model_serves_where_litert_is_missing(exported, monkeypatch):
    monkeypatch.setattr(predict.importlib.util, "find_spec", lambda name: None)
    assert predict.FacePredictor(exported).backend == "tensorflow"


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        (None, "no exported model here"),
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
def test_a_folder_that_is_no_model_is_named(tmp_path, card, reason):
    if card is not None:
        (tmp_path / "ethos_model.json").write_text(card)
    with pytest.raises(EthosError, match=reason) as caught:
        predict.FacePredictor(str(tmp_path))
    assert str(tmp_path) in str(caught.value)


def test_a_damaged_litert_file_is_named(exported, tmp_path):
    shutil.copy(os.path.join(exported, "ethos_model.json"), tmp_path)
    (tmp_path / "model.tflite").write_bytes(b"TFL3 not really")
    with pytest.raises(EthosError, match=r"model\.tflite: not a LiteRT model"):
        predict.FacePredictor(str(tmp_path))


def test_a_card_names_files_without_their_folders():
    config = {
        "image_size": 96,
        "data_dir": "/home/me/data",
        "extra_data_dir": "/home/me/heads",
        "cache_dir": "/scratch/me",
        "workdir": "/home/me/run",
        "backbone_weights": "/home/me/backbone.h5",
        "initial_weights": "/home/me/first/best/",
    }
    meta = {"config": config, "history": [], "step": 7}
    training = export._card("model", meta, None)["training"]
    assert training == {
        "image_size": 96,
        "backbone_weights": "backbone.h5",
        "initial_weights": "best",
    }


def test_a_card_has_the_errors_of_the_weights_themselves():
    rows = [{"val_nme": nme, "val_degraded_nme": 2 * nme} for nme in (2.0, 9.0)]
    meta = {"config": {"image_size": 96}, "history": rows, "step": 7}
    assert export._card("of last.npz", meta, None)["validation"] == rows[1]


def test_a_place_that_cannot_be_written_is_said(workdir, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    output = str(tmp_path / "file" / "model")
    assert export.main(["--workdir", str(workdir), "--output", output]) == 1
    assert f"error: {output}: not written: " in capsys.readouterr().err


def test_names_of_people_do_not_go_out_with_a_model(workdir, tmp_path, capsys):
    report = tmp_path / "report.json"
    report.write_text('{"data_dir": "/home/me", "worst": [{"video_id": "A_Person_0"}]}')
    flags = ["--workdir", str(workdir), "--output", str(tmp_path / "model")]
    assert export.main([*flags, "--metrics", str(report)]) == 1
    assert "report.json: not for a model's card" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["report.json"]
