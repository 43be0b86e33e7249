"""Tests of ethos-train-fusion: a tiny run from a corpus to a model."""

import json
import multiprocessing
import os

import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_data.heads.synthesize import synthesize
from ethos_model import train_fusion
from ethos_model.footage.fusion.face_fusion import FaceFusion
from ethos_model.footage.fusion.network import FusionNetwork
from ethos_model.fusion_training import rounds
from ethos_model.fusion_training.clips import Clip
from tests.ethos_model.footage.fusion.heads import face_at, head

PERSON = "Rendered_Person_001"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    directory = str(tmp_path_factory.mktemp("heads"))
    synthesize(
        directory,
        num_people=2,
        videos_per_person=1,
        frames_per_video=2,
        size=260,
        seed=3,
        num_workers=1,
    )
    return directory


@pytest.fixture(autouse=True)
def small_rounds(monkeypatch):
    monkeypatch.setattr(rounds, "CLIPS", 2)
    monkeypatch.setattr(rounds, "MOMENTS", 2)
    monkeypatch.setattr(rounds, "CROPS", 2)
    monkeypatch.setattr(train_fusion, "VALIDATION_CLIPS", 1)


def arguments(corpus, workdir, **flags):
    flags = {"rounds": 2, "batch_size": 4, "processes": 1, "size": 128} | flags
    words = [f"--{name}={value}" for name, value in flags.items()]
    return ["--corpus_dir", corpus, "--workdir", str(workdir), *words]


def test_a_run_gives_a_model_that_face_fusion_uses(corpus, tmp_path, capsys):
    argv = arguments(corpus, tmp_path / "run", validate_every=1)
    assert train_fusion.main([*argv, "--validation_people", PERSON]) == 0
    assert "wrote" in capsys.readouterr().out
    model = tmp_path / "run" / "model"
    card = json.loads((model / "fusion_model.json").read_text())
    assert card["size"] == 128
    assert card["training"]["people"] == 1
    assert 0 <= card["validation"]["within_sigma"] <= 1
    image, landmarks = head()
    fusion = FaceFusion(128, network=FusionNetwork(str(model)))
    face = face_at(landmarks)
    fusion.add(image, face)
    fused = fusion.result(face)
    assert fused.image.std() > 10
    lines = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert len(lines) == 3


def test_a_run_continues_where_it_stopped(corpus, tmp_path, monkeypatch):
    whole = tmp_path / "whole"
    train_fusion.main(arguments(corpus, whole, validate_every=1))
    stopped = tmp_path / "stopped"
    argv = arguments(corpus, stopped, validate_every=1)

    class StopError(Exception):
        pass

    save = train_fusion._Run._save

    def save_and_stop(run, number):
        save(run, number)
        raise StopError

    with monkeypatch.context() as patched:
        patched.setattr(train_fusion._Run, "_save", save_and_stop)
        with pytest.raises(StopError):
            train_fusion.main(argv)
    train_fusion.main(argv)
    for name in ("fusion.weights.h5",):
        assert os.path.exists(stopped / "model" / name)
    first = np.loadtxt(whole / "history.csv", delimiter=",", skiprows=1)
    second = np.loadtxt(stopped / "history.csv", delimiter=",", skiprows=1)
    np.testing.assert_allclose(first, second, rtol=1e-3)


def test_other_settings_need_another_directory(corpus, tmp_path, capsys):
    train_fusion.main(arguments(corpus, tmp_path, rounds=1))
    capsys.readouterr()
    assert train_fusion.main(arguments(corpus, tmp_path, rounds=1, seed=4)) == 1
    assert "--seed is 4, was 0" in capsys.readouterr().err


def test_unknown_people_are_reported(corpus, tmp_path, capsys):
    argv = [*arguments(corpus, tmp_path), "--validation_people", "Nobody"]
    assert train_fusion.main(argv) == 1
    assert "no clips of Nobody" in capsys.readouterr().err


def test_small_faces_are_reported(tmp_path, capsys):
    synthesize(
        str(tmp_path / "small"),
        num_people=1,
        videos_per_person=1,
        frames_per_video=1,
        size=64,
        num_workers=1,
    )
    argv = arguments(str(tmp_path / "small"), tmp_path / "run")
    assert train_fusion.main(argv) == 1
    assert "no faces of at least 80 pixels" in capsys.readouterr().err


def test_a_process_that_dies_ends_the_training_with_one_line(tmp_path):
    image, landmarks = head()
    clip = Clip("p", image[None], landmarks[None])
    films = rounds.Films([[clip]], 0, 128, 1, str(tmp_path))
    try:
        data = films.rounds(0, 50, 4)
        next(data)
        for worker in multiprocessing.active_children():
            worker.kill()
        with pytest.raises(EthosError, match="died"):
            list(data)
    finally:
        films.close()
