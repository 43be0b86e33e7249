"""The whole conversion: each frame is written once, and TFDS reads the result."""

import collections
import itertools
import json
import pathlib
import subprocess
import sys
import zlib

import numpy as np
import pytest

from ethos_data import records
from ethos_data.storage import tfrecord
from pipelines import convert
from pipelines.conversion import manifest, metadata
from tests.ethos_data import videos


def read_records(version_dir, split=None):
    """Yields the split and the record of each record, read by ETHOS itself."""
    for path in sorted(pathlib.Path(version_dir).glob("*.tfrecord-*")):
        name = path.name.split("-")[1].split(".")[0]
        if split in (None, name):
            with open(path, "rb") as file:
                for serialized in tfrecord.read(file):
                    yield name, records.decode(serialized)


def read_tree(directory):
    """The content of each file in a directory, by its relative path."""
    directory = pathlib.Path(directory)
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def read_manifest(result):
    """The content of the manifest, with the lists of its parts."""
    found = manifest.read(result.version_dir)
    inputs, rejected = list(found.inputs()), list(found.rejected())
    return dict(found.head) | {"inputs": inputs, "rejected": rejected}


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    directory = tmp_path_factory.mktemp("converted")
    corpus_dir = videos.write_corpus(directory / "corpus", people=7)
    result = convert.convert(
        corpus_dir=str(corpus_dir), data_dir=str(directory / "data")
    )
    return corpus_dir, result


def test_each_frame_of_each_video_is_written_once(converted):
    _, result = converted
    assert (result.found, result.written, result.rejected) == (14, 14, ())
    assert result.frames == 14 * 3 == sum(result.frames_by_split.values())
    count = collections.Counter()
    splits_of_person = {}
    for split, record in read_records(result.version_dir):
        count[record.video_id, record.frame] += 1
        splits_of_person.setdefault(record.person_id, set()).add(split)
    assert set(count.values()) == {1}
    assert len(count) == result.frames
    assert len(splits_of_person) == 7
    assert all(len(splits) == 1 for splits in splits_of_person.values())
    assert all(frames > 0 for frames in result.frames_by_split.values())


def test_frames_of_different_videos_are_shuffled(converted):
    _, result = converted
    order = [r.video_id for _, r in read_records(result.version_dir, "train")]
    changes = sum(a != b for a, b in itertools.pairwise(order))
    assert changes > len(order) / 2


def test_tfds_reads_the_data_set_without_ethos(converted):
    """Reads the data set in a process that cannot import ETHOS."""
    _, result = converted
    code = """
import json, sys, tensorflow_datasets as tfds
builder = tfds.builder_from_directory(sys.argv[1])
out = {}
for split in builder.info.splits:
    examples = list(builder.as_dataset(split=split).as_numpy_iterator())
    assert len(examples) == builder.info.splits[split].num_examples
    for e in examples:
        assert e["image"].shape[2] == 3 and e["depth"].max() > 0
        key = f"{split} {e['video_id'].decode()} {e['frame']}"
        out[key] = [e["landmarks"].tolist(), float(e["face_size"])]
assert not any(m.split(".")[0] in ("ethos_data", "pipelines") for m in sys.modules)
print(json.dumps(out))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, result.version_dir],
        capture_output=True,
        text=True,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr[-2000:]
    expected = {
        f"{split} {r.video_id} {r.frame}": [r.landmarks.tolist(), r.face_size]
        for split, r in read_records(result.version_dir)
    }
    assert json.loads(done.stdout.splitlines()[-1]) == expected


def test_the_metadata_equals_that_of_tfds(converted, tmp_path):
    import tensorflow_datasets as tfds

    _, result = converted
    directory = pathlib.Path(result.version_dir)
    info = json.loads((directory / "dataset_info.json").read_text())
    for path in directory.glob("*.tfrecord-*"):
        (tmp_path / path.name).touch()
    template = tfds.core.ShardedFileTemplate(
        data_dir=tmp_path, dataset_name=records.NAME, filetype_suffix="tfrecord"
    )
    tfds.folder_dataset.write_metadata(
        data_dir=tmp_path,
        features=records.features(),
        split_infos=[
            tfds.core.SplitInfo(
                name=split["name"],
                shard_lengths=[int(n) for n in split["shardLengths"]],
                num_bytes=int(split["numBytes"]),
                filename_template=template.replace(split=split["name"]),
            )
            for split in info["splits"]
        ],
        filename_template=template,
        description=info["description"],
        version=records.VERSION,
        check_data=False,
    )
    for name in ("features.json", "dataset_info.json"):
        expected = json.loads((tmp_path / name).read_text())
        assert json.loads((directory / name).read_text()) == expected
    sizes = {p.name: p.stat().st_size for p in directory.glob("*.tfrecord-*")}
    for split in info["splits"]:
        prefix = f"{records.NAME}-{split['name']}."
        split_sizes = [size for name, size in sizes.items() if name.startswith(prefix)]
        assert sum(split_sizes) == int(split["numBytes"])
        assert len(split_sizes) == len(split["shardLengths"])


def test_the_manifest_lists_each_file(converted):
    corpus_dir, result = converted
    content = read_manifest(result)
    paths = sorted(str(p.relative_to(corpus_dir)) for p in corpus_dir.rglob("*.npz"))
    assert sorted(entry["path"] for entry in content["inputs"]) == paths
    assert all(entry["fingerprint"] for entry in content["inputs"])
    assert {entry["written"] for entry in content["inputs"]} == {3}
    assert content["tools"]["numpy"] == np.__version__
    assert content["tools"]["zlib"] == zlib.ZLIB_RUNTIME_VERSION
    for split in content["splits"].values():
        assert sum(split["face_sizes"]) == sum(split["yaws"]) == split["frames"]


def test_features_are_described_without_tensorflow():
    described = metadata.features_json()["featuresDict"]["features"]
    assert described.keys() == records.features().keys()


def test_flags_reach_the_conversion(converted, tmp_path):
    corpus_dir, _ = converted
    result = convert.run(
        [
            *("--corpus_dir", str(corpus_dir), "--data_dir", str(tmp_path)),
            *("--splits", "train:3,test:1", "--seed", "4", "--num_shards", "2"),
            *("--image_size", "32", "--jpeg_quality", "70", "--frame_stride", "2"),
            *("--max_examples_per_split", "5", "--depth_method", "delaunay"),
        ]
    )
    assert result.frames_by_split == {"train": 5, "test": result.frames - 5}
    assert 0 < result.frames_by_split["test"] <= 5
    assert result.left_out == result.found - result.written > 0
    written = [r for _, r in read_records(result.version_dir)]
    assert {r.image.shape for r in written} == {(32, 32, 3)}
    assert {r.frame for r in written} <= {0, 2}
    options = read_manifest(result)["options"]
    assert (options["depth_method"], options["jpeg_quality"]) == ("delaunay", 70)


def test_the_parser_rejects_malformed_splits(capsys):
    args = ["--corpus_dir", "a", "--data_dir", "b", "--splits", "train"]
    with pytest.raises(SystemExit):
        convert.main(args)
    assert "must have the form train:0.8,test:0.2" in capsys.readouterr().err


def test_help_shows_the_groups_and_the_default_splits():
    text = convert.parser().format_help()
    for title in ("input:", "output:", "content:", "limits:", "execution:"):
        assert f"\n{title}\n" in text
    assert "train:0.8,validation:0.1,test:0.1" in text


def test_progress_ends_with_all_frames(converted, tmp_path):
    corpus_dir, _ = converted
    reports = []
    convert.convert(
        corpus_dir=str(corpus_dir),
        data_dir=str(tmp_path),
        progress=lambda done, total: reports.append((done, total)),
    )
    assert reports[-1] == (42, 42)
    assert reports == sorted(reports)


def test_the_command_shows_a_bar_and_the_result(converted, tmp_path, capsys):
    corpus_dir, _ = converted
    args = ["--corpus_dir", str(corpus_dir), "--data_dir", str(tmp_path / "data")]
    assert convert.main(args) == 0
    captured = capsys.readouterr()
    assert "42/42" in captured.err
    assert "warning" not in captured.err
    assert "found 14 files: 14 written, 0 rejected" in captured.out
    assert captured.out.splitlines()[-1].startswith("next: ")
