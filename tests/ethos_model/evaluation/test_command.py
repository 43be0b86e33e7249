"""The command and its Python twin, on a SavedModel whose answers are known."""

import io
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from ethos_data import crop, topology
from ethos_model import evaluate
from ethos_model.evaluation import samples

SIZE = 32


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory):
    """A SavedModel with the signature of an exported one: it answers the upper left
    corner and hands back the picture."""
    folder = tmp_path_factory.mktemp("model")
    module = tf.Module()

    @tf.function(
        input_signature=[tf.TensorSpec((None, SIZE, SIZE, 3), tf.uint8, name="image")]
    )
    def serve(image):
        count = tf.shape(image)[0]
        grey = tf.image.rgb_to_grayscale(tf.cast(image, tf.float32) / 255)
        return {
            "landmarks": tf.zeros((count, 68, 3)),
            "uncertainty": tf.fill((count, 68), 0.1),
            "depth": tf.zeros((count, SIZE, SIZE, 1)),
            "restored": grey,
        }

    module.serve = serve
    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})
    card = {
        "format_version": 1,
        "image_size": SIZE,
        "depth_size": SIZE,
        "network_context": crop.NETWORK_CONTEXT,
    }
    (folder / "ethos_model.json").write_text(json.dumps(card))
    return folder


@pytest.mark.parametrize("given", [None, 0.0, 2.0])
def test_answers_are_compared_where_the_labels_lie(
    model_dir, data_dir, tmp_path, monkeypatch, given
):
    """A model that learnt from labels 2 % too far right, on labels that lie where
    theirs did, or on exact ones."""
    shutil.copytree(model_dir, tmp_path / "model")
    path = tmp_path / "model" / "ethos_model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"label_shift": 2.0}))
    face = np.random.default_rng(0).uniform(0.2, 0.8, (68, 3)).astype(np.float32)

    def network(images):
        maps = np.zeros((*images.shape[:3], 1), np.float32)
        points = np.repeat(face[None], len(images), 0)
        sigma = np.full((len(images), 68), 0.1, np.float32)
        return {
            "landmarks": points,
            "uncertainty": sigma,
            "depth": maps,
            "restored": maps,
        }

    monkeypatch.setattr(
        evaluate.predict, "load_network", lambda *_: ("tensorflow", network)
    )
    report = evaluate.evaluate(
        tmp_path / "model", data_dir, conditions=[], label_shift=given
    )
    here = evaluate.evaluate(model_dir, data_dir, conditions=[])  # learnt from exact
    moved = report.condition("clean").shift_x - here.condition("clean").shift_x
    size = topology.face_size(topology.face_box(face))
    true = samples.read_network_landmarks(data_dir, "test")
    true_size = topology.face_size(topology.face_box(true))
    expected = 2.0 * np.mean(size / true_size) if given == 0 else 0.0
    assert moved == pytest.approx(expected, abs=1e-3)


def test_the_command_writes_a_report(model_dir, data_dir, tmp_path, capsys):
    output = tmp_path / "report"
    status = evaluate.main(
        [
            f"--model={model_dir}",
            f"--data_dir={data_dir}",
            f"--output_dir={output}",
            "--limit=7",
            "--conditions",
            "source",
            "jpeg-3",
            f"--baseline_model={model_dir}",
        ]
    )
    assert status == 0
    printed, progress = capsys.readouterr()
    assert "a fifth of the light" in printed
    assert f"open {output / 'report.html'} in a browser" in printed
    assert "7 of 7 frames" in progress
    values = json.loads((output / "report.json").read_text())
    assert values["frames"] == 7
    for one in values["conditions"]:  # the same model stands beside itself
        assert one["baseline_nme_box"] == pytest.approx(one["nme_box"], rel=1e-3)
    assert sorted(path.name for path in output.iterdir()) == [
        "card.json",
        "conditions.csv",
        "frames.csv",
        "points.csv",
        "report.html",
        "report.json",
        "report.md",
    ]


def test_evaluate_from_python(model_dir, data_dir):
    seen = []
    report = evaluate.evaluate(
        model_dir, data_dir, limit=5, progress=lambda *counts: seen.append(counts)
    )
    keys = [one.key for one in report.conditions]
    assert keys == ["clean", "downsample4", "dark5", "blur15"]
    assert seen == [(5, 5)]
    # The middle of a face is half a window away from the corner, on both axes.
    face = samples.read_network_landmarks(data_dir, "test").mean(axis=0)
    middle = np.linalg.norm(face[:, :2].mean(axis=0))
    size = topology.face_size(topology.face_box(face))
    clean = report.condition("clean")
    assert clean.nme_box == pytest.approx(100 * middle / size, rel=0.1)
    dark = report.condition("dark5")
    assert dark.restored_psnr == pytest.approx(dark.input_psnr, abs=0.01)


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--model=/nonexistent"], "/nonexistent: no exported model here"),
        (["--data_dir=/nonexistent"], "/nonexistent: no such directory"),
        (["--split=validation"], "no frames in split 'validation'"),
        (["--conditions", "fog"], "no condition 'fog'"),
        (["--limit=0"], "--limit must be at least 1"),
        (["--baseline_model=/nonexistent"], "/nonexistent: no exported model here"),
    ],
)
def test_an_expected_failure_is_one_line(model_dir, data_dir, capsys, flags, reason):
    given = [f"--model={model_dir}", f"--data_dir={data_dir}", *flags]
    assert evaluate.main(given) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert reason in error
    assert error.count("\n") == 1


def test_a_damaged_model_is_named(model_dir, data_dir, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(model_dir, copy)
    (copy / "saved_model.pb").write_bytes(b"nothing")
    assert evaluate.main([f"--model={copy}", f"--data_dir={data_dir}"]) == 1
    assert f"error: {copy}: not a SavedModel" in capsys.readouterr().err
    (copy / "ethos_model.json").write_text("{}")
    assert evaluate.main([f"--model={copy}", f"--data_dir={data_dir}"]) == 1
    assert "ethos_model.json: not the card of a model" in capsys.readouterr().err


def test_help_does_not_wait_for_tensorflow():
    code = "import sys, ethos_model.evaluate; print('tensorflow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_a_log_has_a_line_for_each_tenth():
    log = io.StringIO()
    for done in [*range(32, 3020, 32), 3020]:
        evaluate._show_progress(log, done, 3020)
    lines = log.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[0] == "320 of 3,020 frames"
    assert lines[-1] == "3,020 of 3,020 frames"


def test_a_place_for_the_report_is_tried_before_the_work(
    model_dir, data_dir, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(evaluate, "evaluate", None)  # not reached
    (tmp_path / "file").write_text("")
    places = ["--model", str(model_dir), "--data_dir", str(data_dir)]
    assert evaluate.main([*places, "--output_dir", str(tmp_path / "file")]) == 1
    assert "file" in capsys.readouterr().err
