"""A corpus of each format is converted, inspected and used for some training steps."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import numpy as np
import pytest

from ethos_data import records
from ethos_data.errors import EthosError
from ethos_data.storage import tfrecord
from pipelines import convert, inspect
from pipelines.conversion import metadata
from pipelines.conversion.options import ConversionOptions
from tests.ethos_data import videos
from tests.ethos_data.corpora import layouts
from tests.ethos_data.corpora.test_formats import LAYOUTS, WITH_Z
from tests.ethos_model import tiny

SPLITS = (("train", 0.5), ("validation", 0.5))


def convert_corpus(corpus_dir: pathlib.Path, data_dir: pathlib.Path, **options):
    return convert.convert(
        corpus_dir=str(corpus_dir),
        data_dir=str(data_dir),
        options=ConversionOptions(splits=SPLITS, image_size=64, **options),
    )


def read_records(result) -> list[records.Record]:
    stored = []
    for path in sorted(pathlib.Path(result.version_dir).glob("*.tfrecord-*")):
        with open(path, "rb") as file:
            stored += map(records.decode, tfrecord.read(file))
    return stored


@pytest.fixture(scope="module")
def trainer():
    """A trainer of the tiny network, which is compiled once for all formats."""
    from ethos_model import network
    from ethos_model.training import config, inputs, loop

    flags = tiny.FLAGS | {"batch_size": 2}
    settings = config.TrainConfig(data_dir="data", workdir="run", **flags)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "build", tiny.build)
        yield loop.Trainer(settings, inputs.strategy(), tiny.darken())


def train(trainer, data_dir: str) -> np.ndarray:
    """Takes two training steps and returns the metrics of the last."""
    from ethos_model.training import inputs

    config = dataclasses.replace(trainer.config, data_dir=data_dir)
    batches = inputs.training_batches(config, trainer.strategy)
    return [trainer.train(next(batches)).numpy() for _ in range(2)][-1]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_format_can_be_trained_with(layout, tmp_path, capsys, trainer):
    name, write = LAYOUTS[layout]
    write(tmp_path / "corpus")
    result = convert_corpus(tmp_path / "corpus", tmp_path / "data")
    assert result.found == result.written
    assert result.corpus_format == name
    assert inspect.main([result.data_dir, "--verify"]) == 0
    assert "no damage found" in capsys.readouterr().out
    stored = read_records(result)
    assert len(stored) == result.frames
    for record in stored:
        assert record.has_z == (layout in WITH_Z)
        assert np.isfinite(record.depth).any() == (layout in WITH_Z)
        assert np.isfinite(record.landmarks).all()
    assert np.isfinite(train(trainer, result.data_dir)).all()


def test_labels_without_z_get_the_z_of_a_plausible_face(tmp_path):
    layouts.pts(tmp_path / "corpus")
    result = convert_corpus(tmp_path / "corpus", tmp_path / "data")
    for record in read_records(result):
        z = record.landmarks[:, 2]
        # The tip of the nose is nearer than the eyes, and the ears are farther away.
        assert z[30] > 0.02
        assert max(z[0], z[16]) < -0.02


def test_missing_landmarks_are_estimated_and_marked(tmp_path):
    layouts.coco(tmp_path / "corpus")
    result = convert_corpus(tmp_path / "corpus", tmp_path / "data")
    (record,) = (r for r in read_records(result) if (r.visible == 0).any())
    assert record.visible[:6].tolist() == [2, 2, 2, 0, 1, 2]
    estimate = record.window.to_source(record.landmarks)[3, :2]
    truth = layouts.landmarks(int(record.video_id[8:20].lstrip("0") or 0))[3, :2]
    assert np.linalg.norm(estimate - truth) < 0.15 * record.face_size


def test_files_that_cannot_be_used_are_listed_with_a_reason(tmp_path, capsys):
    corpus_dir = tmp_path / "corpus"
    layouts.pts(corpus_dir)
    layouts.write_image(corpus_dir / "alone.png", 0)
    (corpus_dir / "lost.pts").write_text("{}")
    layouts.write_image(corpus_dir / "bad.png", 0)
    (corpus_dir / "bad.pts").write_text("{ 1 2 }")
    (corpus_dir / "empty.png").touch()
    (corpus_dir / "empty.pts").write_text(layouts.pts_text(layouts.landmarks(0)))
    result = convert_corpus(corpus_dir, tmp_path / "data")
    assert dict(result.rejected) == {
        "alone.png": "has no file alone.pts",
        "bad.png": "has 1 landmarks, not 68",
        "empty.png": "the image cannot be decoded",
        "lost.pts": "has no image of the same name",
    }
    assert (result.found, result.written) == (8, 4)
    manifest = json.loads(
        (pathlib.Path(result.version_dir) / "manifest.json").read_text()
    )
    assert manifest["options"]["corpus_format"] == "pts"
    assert convert.summary(result).startswith("corpus format: pts\n")
    assert "each face is its own person (--person_pattern" in convert.summary(result)


def test_a_changed_label_rewrites_only_its_shard(tmp_path):
    layouts.pts(tmp_path / "corpus")
    arguments = tmp_path / "corpus", tmp_path / "data"
    first = convert_corpus(*arguments)
    again = convert_corpus(*arguments)
    assert again.shards_reused == first.shards
    path = next((tmp_path / "corpus").rglob("*.pts"))
    path.write_text(path.read_text() + "\n")
    changed = convert_corpus(*arguments)
    assert changed.shards_reused == first.shards - 1


def test_two_corpora_of_different_versions_need_two_directories(tmp_path):
    layouts.pts(tmp_path / "images")
    videos.write_corpus(tmp_path / "videos", people=2, videos=1)
    convert_corpus(tmp_path / "images", tmp_path / "data")
    with pytest.raises(EthosError, match="another --data_dir"):
        convert_corpus(tmp_path / "videos", tmp_path / "data")


def test_the_person_pattern_keeps_people_in_one_split(tmp_path):
    layouts.mat_300w_lp(tmp_path / "corpus")
    result = convert_corpus(
        tmp_path / "corpus", tmp_path / "data", person_pattern=r"AFW_(\d)"
    )
    assert {record.person_id for record in read_records(result)} == {"0", "1"}
    assert "--person_pattern" not in convert.summary(result)


def test_features_of_version_1_1_0_are_described_without_tensorflow(tmp_path):
    features = records.features(records.PARTIAL_VERSION)
    features.save_config(str(tmp_path))
    expected = json.loads((tmp_path / "features.json").read_text())
    assert metadata.features_json(records.PARTIAL_VERSION) == expected
