"""ethos-refine: a better model is written completely, another model not at all."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest

from ethos_data import topology
from ethos_data.corpora import corrections
from ethos_data.errors import EthosError
from ethos_model import predict
from ethos_model.refinement import course
from ethos_model.refinement.recipe import Recipe
from pipelines import refine
from tests.ethos_data.corpora import layouts
from tests.pipelines.refinement import tiny_refine
from tests.pipelines.refinement.conftest import cache, model, small  # noqa: F401

RECIPE = Recipe(steps=12, learning_rate=0.02, heads_share=0.25)


def error_of(model: str) -> float:  # noqa: F811
    """Mean NME_box in % of an exported model on the frames of the video."""
    predictor = predict.FacePredictor(model)
    errors = []
    for k in range(tiny_refine.FRAMES):
        true = layouts.landmarks(k)[:, :2]
        box = topology.face_box(true)
        (face,) = predictor.predict(layouts.image(k), [box])
        distance = np.linalg.norm(face.landmarks[:, :2] - true, axis=1).mean()
        errors.append(100 * distance / np.sqrt(np.prod(box[2:] - box[:2])))
    return float(np.mean(errors))


def test_a_better_model_is_a_complete_export(model, cache, tmp_path):  # noqa: F811
    video = tiny_refine.write_video(tmp_path)
    output, events = str(tmp_path / "better"), []
    arguments = {"model": model, "cache_dir": cache, "report": events.append}
    result = refine.refine([video], output, recipe=RECIPE, **arguments)
    assert result.better
    assert result.after.corrections < 0.85 * result.before.corrections
    assert error_of(output) < 0.85 * error_of(model)
    assert sorted(os.listdir(output)) == sorted(os.listdir(model))
    card = predict.read_card(output)
    assert card["label_shift"] == 1.5
    assert card["training_data"]["refinement"]["corrected_faces"] == 6
    assert str(tmp_path) not in json.dumps(card)
    stages = [e["stage"] for e in events if e["event"] == "progress"]
    assert list(dict.fromkeys(stages)) == ["faces", "heads", "training", "writing"]
    assert events[-1]["model"] == output
    # The new model can be refined again.
    again = refine.refine(
        [video], str(tmp_path / "again"), recipe=RECIPE, model=output, cache_dir=cache
    )
    assert again.before.corrections == pytest.approx(result.after.corrections, rel=0.02)
    names = {"better", "again", "clip.avi", "clip.corrections.csv"}
    assert set(os.listdir(tmp_path)) <= names


def test_a_model_that_is_not_better_is_not_written(
    model,  # noqa: F811
    cache,  # noqa: F811
    tmp_path,
    monkeypatch,
    capsys,
):
    video = tiny_refine.write_video(tmp_path)
    before = sorted(os.listdir(tmp_path))
    result = refine.refine(
        [video],
        str(tmp_path / "new"),
        model=model,
        recipe=Recipe(steps=2, learning_rate=0.0),
        cache_dir=cache,
    )
    assert not result.better
    assert sorted(os.listdir(tmp_path)) == before
    flags = ["--output", str(tmp_path / "new"), "--cache_dir", cache, "--model", model]
    monkeypatch.setattr(course, "compare", lambda *errors: (False, "it forgets"))
    assert refine.main([video, *flags, "--steps", "1"]) == 1
    assert "nothing was written: it forgets" in capsys.readouterr().out
    assert sorted(os.listdir(tmp_path)) == before


def test_the_error_on_heads_may_rise_by_two_percent():
    before = course.Errors(5.0, 2.0)
    assert course.compare(before, course.Errors(4.9, 2.04))[0]
    assert not course.compare(before, course.Errors(1.0, 2.05))[0]
    assert not course.compare(before, course.Errors(5.0, 1.0))[0]


def test_mistakes_are_reported_before_anything_slow(
    model,  # noqa: F811
    tmp_path,
    monkeypatch,
    capsys,
):
    monkeypatch.setattr(refine, "import_tensorflow", lambda: pytest.fail("slow"))
    video = tiny_refine.write_video(tmp_path)

    def status(*flags: str) -> str:
        assert refine.main([video, *flags]) == 1
        return capsys.readouterr().err

    assert "exists; --overwrite" in status("--output", model)
    (tmp_path / "file").touch()
    under = ("--output", str(tmp_path / "file" / "new"), "--model", model)
    assert "new: cannot be created" in status(*under)
    new = ("--output", str(tmp_path / "new"))
    assert "not an exported model" in status(*new, "--model", str(tmp_path))
    faces = corrections.read(corrections.sidecar_path(video))
    corrections.write(corrections.sidecar_path(video), faces[:3])
    assert "only 3 frames have corrections" in status(*new, "--model", model)
    os.unlink(corrections.sidecar_path(video))
    assert "clip.avi: has no corrections" in status(*new, "--model", model)
    other = tmp_path / "untrainable"
    other.mkdir()
    (other / predict.CARD).write_bytes(
        (pathlib.Path(model) / predict.CARD).read_bytes()
    )
    with pytest.raises(EthosError, match="contains no model"):
        refine.refine([video], str(tmp_path / "new"), model=str(other))


@pytest.mark.parametrize(
    ("stage", "number", "status"),
    [("training", signal.SIGINT, 130), ("writing", signal.SIGTERM, 143)],
)
def test_a_signal_leaves_nothing_behind(
    stage,
    number,
    status,
    model,  # noqa: F811
    cache,  # noqa: F811
    tmp_path,
):
    video = tiny_refine.write_video(tmp_path)
    before = sorted(os.listdir(tmp_path))
    command = [sys.executable, "-m", tiny_refine.__name__, video, "--progress", "json"]
    command += ["--output", str(tmp_path / "new"), "--model", model]
    command += ["--cache_dir", cache, "--steps", "400" if stage == "training" else "8"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event.get("stage") == stage and (stage == "writing" or event["done"] > 1):
            process.send_signal(number)
            break
    process.communicate(timeout=120)
    assert process.returncode == status
    assert sorted(os.listdir(tmp_path)) == before
