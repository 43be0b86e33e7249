"""The command and its Python function, on a SavedModel with known predictions."""

import json
import os
import shlex
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
    """A SavedModel with the signature of an exported model.

    It predicts the upper left corner for all landmarks and returns the input as the
    restored image.
    """
    directory = tmp_path_factory.mktemp("model")
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
    tf.saved_model.save(module, str(directory), signatures={"serving_default": serve})
    card = {
        "format_version": 1,
        "image_size": SIZE,
        "depth_size": SIZE,
        "network_context": crop.NETWORK_CONTEXT,
    }
    (directory / "ethos_model.json").write_text(json.dumps(card))
    return directory


@pytest.mark.parametrize("label_shift", [None, 0.0, 2.0])
def test_predictions_are_moved_to_the_offset_of_the_labels(
    model_dir, data_dir, tmp_path, monkeypatch, label_shift
):
    # The model was trained on labels that are 2 % too far right.
    shutil.copytree(model_dir, tmp_path / "model")
    path = tmp_path / "model" / "ethos_model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"label_shift": 2.0}))
    face = np.random.default_rng(0).uniform(0.2, 0.8, (68, 3)).astype(np.float32)

    def network(images):
        maps = np.zeros((*images.shape[:3], 1), np.float32)
        landmarks = np.repeat(face[None], len(images), 0)
        sigma = np.full((len(images), 68), 0.1, np.float32)
        return {
            "landmarks": landmarks,
            "uncertainty": sigma,
            "depth": maps,
            "restored": maps,
        }

    monkeypatch.setattr(
        evaluate.predict, "load_network", lambda *_: ("tensorflow", network)
    )
    report = evaluate.evaluate(
        tmp_path / "model", data_dir, conditions=[], label_shift=label_shift
    )
    # The card of `model_dir` says that its training labels are exact.
    exact = evaluate.evaluate(model_dir, data_dir, conditions=[])
    moved = report.condition("clean").shift_x - exact.condition("clean").shift_x
    size = topology.face_size(topology.face_box(face))
    true = samples.read_network_landmarks(data_dir, "test")
    true_size = topology.face_size(topology.face_box(true))
    expected = 2.0 * np.mean(size / true_size) if label_shift == 0 else 0.0
    assert moved == pytest.approx(expected, abs=1e-3)


def test_the_next_command_is_the_same_command_with_a_report(
    model_dir, data_dir, capsys
):
    argv = [f"--model={model_dir}", f"--data_dir={data_dir}", "--limit=2"]
    argv += ["--conditions", "source"]
    assert evaluate.main(argv) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    words = shlex.split(line.removeprefix("next: "))
    assert words[1:-1] == [*argv, "--output_dir"]
    assert not os.path.exists(words[-1])


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
    assert "7/7" in progress
    values = json.loads((output / "report.json").read_text())
    assert values["frames"] == 7
    for result in values["conditions"]:  # The baseline is the model itself.
        assert result["baseline_nme_box"] == pytest.approx(result["nme_box"], rel=1e-3)
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
    progress = []
    report = evaluate.evaluate(
        model_dir, data_dir, limit=5, progress=lambda *counts: progress.append(counts)
    )
    keys = [result.key for result in report.conditions]
    assert keys == ["clean", "downsample4", "dark5", "blur15"]
    assert progress == [(5, 5)]
    # The landmarks are predicted in the corner of the window, so the error is the
    # distance of the centre of the face from the corner.
    face = samples.read_network_landmarks(data_dir, "test").mean(axis=0)
    distance = np.linalg.norm(face[:, :2].mean(axis=0))
    size = topology.face_size(topology.face_box(face))
    clean = report.condition("clean")
    assert clean.nme_box == pytest.approx(100 * distance / size, rel=0.1)
    dark = report.condition("dark5")
    assert dark.restored_psnr == pytest.approx(dark.input_psnr, abs=0.01)


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--model=/nonexistent"], "/nonexistent: no such directory"),
        (["--data_dir=/nonexistent"], "/nonexistent: no such directory"),
        (["--split=validation"], "no frames in split 'validation'"),
        (["--conditions", "fog"], "no condition 'fog'"),
        (["--limit=0"], "--limit must be at least 1"),
        (["--seed=-1"], "--seed must be at least 0"),
        (["--label_shift=nan"], "--label_shift must be finite"),
        (["--baseline_model=/nonexistent"], "/nonexistent: no such directory"),
    ],
)
def test_an_expected_failure_is_one_line(model_dir, data_dir, capsys, flags, reason):
    status = evaluate.main([f"--model={model_dir}", f"--data_dir={data_dir}", *flags])
    assert status == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert reason in error
    assert error.count("\n") == 1


def test_a_damaged_model_is_reported_with_its_path(
    model_dir, data_dir, tmp_path, capsys
):
    copy = tmp_path / "copy"
    shutil.copytree(model_dir, copy)
    (copy / "saved_model.pb").write_bytes(b"nothing")
    assert evaluate.main([f"--model={copy}", f"--data_dir={data_dir}"]) == 1
    assert f"error: {copy}: not a SavedModel" in capsys.readouterr().err
    (copy / "ethos_model.json").write_text("{}")
    assert evaluate.main([f"--model={copy}", f"--data_dir={data_dir}"]) == 1
    assert "ethos_model.json: not the card of a model" in capsys.readouterr().err


def test_arguments_are_checked_before_tensorflow_is_imported():
    code = (
        "import sys, ethos_model.evaluate as e\n"
        "e.parser().format_help()\n"
        "e.main(['--data_dir=/nonexistent', '--conditions', 'fog'])\n"
        "e.main(['--data_dir=/nonexistent', '--model=/nonexistent'])\n"
        "print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False False"
    assert len(done.stderr.splitlines()) == 2


def test_the_output_directory_is_checked_before_the_evaluation(
    model_dir, data_dir, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(evaluate, "evaluate", None)  # A call would fail.
    (tmp_path / "file").write_text("")
    arguments = ["--model", str(model_dir), "--data_dir", str(data_dir)]
    assert evaluate.main([*arguments, "--output_dir", str(tmp_path / "file")]) == 1
    assert "file" in capsys.readouterr().err
