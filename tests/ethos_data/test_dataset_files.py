"""Data sets and shards are found, counted and checked without TensorFlow."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

from ethos_data import dataset_files, records
from ethos_data.errors import EthosError
from tests.ethos_data.datasets import make_record, write


@pytest.fixture
def data_dir(tmp_path):
    directory = tmp_path / "data"
    write(directory / records.NAME / "1.0.0", [make_record(i) for i in range(7)])
    return directory


def test_accepts_the_directory_of_a_version(data_dir):
    version = data_dir / records.NAME / "1.0.0"
    assert dataset_files.version_dir(version) == str(version)
    assert dataset_files.version_dir(data_dir) == str(version)
    assert dataset_files.counts(version) == dataset_files.counts(data_dir)


def test_returns_the_newest_version(data_dir):
    for version in ("1.10.0", "1.9.0"):
        write(data_dir / records.NAME / version, [make_record(0)])
    assert dataset_files.version_dir(data_dir).endswith("1.10.0")


def test_accepts_a_file_uri_and_names_with_spaces_and_brackets(data_dir):
    moved = data_dir.with_name("data [ä 2]")
    data_dir.rename(moved)
    assert dataset_files.counts(moved.as_uri()) == {"train": 7}
    assert dataset_files.counts(moved) == {"train": 7}


def test_counts_the_examples_of_each_shard(data_dir):
    assert dataset_files.shard_lengths(data_dir) == {"train": [3, 2, 2]}
    assert dataset_files.counts(data_dir) == {"train": 7}
    assert len(dataset_files.shard_paths(data_dir, "train")) == 3


@pytest.mark.parametrize("content", ['{"splits": [', "[1]", '{"splits": [{}]}', "7"])
def test_names_a_damaged_description(content, data_dir):
    (path,) = data_dir.rglob("dataset_info.json")
    path.write_text(content)
    message = rf"{re.escape(str(path))}: damaged \(.*\)\. Run ethos-convert again$"
    with pytest.raises(EthosError, match=message) as error:
        dataset_files.counts(data_dir)
    assert "\n" not in str(error.value)


def test_names_the_missing_data_set_or_split_or_shard(data_dir, tmp_path):
    with pytest.raises(EthosError, match="missing: no such directory"):
        dataset_files.version_dir(tmp_path / "missing")
    with pytest.raises(EthosError, match="contains no data set; ethos-convert"):
        dataset_files.version_dir(tmp_path)
    with pytest.raises(EthosError, match="no split 'dev'; the splits are train"):
        dataset_files.shard_paths(data_dir, "dev")
    next(data_dir.rglob("*00001-of*")).unlink()
    with pytest.raises(EthosError, match=r"only 2 of 3 shards .* exist"):
        dataset_files.shard_paths(data_dir, "train")


def test_the_fingerprint_depends_on_the_content_only(data_dir, tmp_path):
    copy = shutil.copytree(data_dir, tmp_path / "copy")
    assert dataset_files.fingerprint(copy) == dataset_files.fingerprint(data_dir)
    write(copy / records.NAME / "1.0.0", [make_record(i) for i in range(8)])
    assert dataset_files.fingerprint(copy) != dataset_files.fingerprint(data_dir)


def test_names_the_damaged_shard(data_dir, tmp_path):
    import tensorflow as tf

    copy = shutil.copytree(data_dir, tmp_path / "copy")
    path = dataset_files.shard_paths(copy, "train")[-1]
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        file.write(b"other bytes")
    with (
        pytest.raises(EthosError, match=rf"{re.escape(path)}: damaged: record \d+: "),
        dataset_files.locate_damage(data_dir, copy),
    ):
        list(tf.data.TFRecordDataset(path))


def test_does_not_import_tensorflow():
    code = "import ethos_data.dataset_files, sys; print('tensorflow' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"
