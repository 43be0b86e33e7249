"""The whole conversion: every frame in, readable by TFDS alone."""

import collections
import itertools
import json
import pathlib
import shutil
import subprocess
import sys
import zlib

import numpy as np
import pytest

from ethos_data import records
from ethos_data.errors import EthosError
from ethos_data.storage import tfrecord
from pipelines import convert, metadata, plan
from tests.ethos_data import videos


def read_records(version_dir, split=None):
    """(split, record) of every record, by our own decoder."""
    for path in sorted(pathlib.Path(version_dir).glob("*.tfrecord-*")):
        name = path.name.split("-")[1].split(".")[0]
        if split in (None, name):
            with open(path, "rb") as file:
                for serialized in tfrecord.read(file):
                    yield name, records.decode(serialized)


def tree(folder):
    """Path to content of everything in a folder."""
    folder = pathlib.Path(folder)
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file()
    }


def manifest_of(result):
    return json.loads((pathlib.Path(result.version_dir) / "manifest.json").read_text())


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("converted")
    corpus_dir = videos.write_corpus(folder / "corpus", people=7, videos=2, frames=3)
    result = convert.convert(corpus_dir=str(corpus_dir), data_dir=str(folder / "data"))
    return corpus_dir, result


def test_every_frame_of_every_video_is_there_once(converted):
    _, result = converted
    assert (result.found, result.written, result.rejected) == (14, 14, ())
    assert result.frames == 14 * 3 == sum(result.frames_by_split.values())
    seen = collections.Counter()
    people = {}
    for split, record in read_records(result.version_dir):
        seen[record.video_id, record.frame] += 1
        people.setdefault(record.person_id, set()).add(split)
    assert set(seen.values()) == {1}
    assert len(seen) == result.frames
    assert len(people) == 7
    assert all(len(splits) == 1 for splits in people.values())
    assert all(n > 0 for n in result.frames_by_split.values())


def test_frames_are_shuffled_across_videos(converted):
    _, result = converted
    order = [r.video_id for _, r in read_records(result.version_dir, "train")]
    changes = sum(a != b for a, b in itertools.pairwise(order))
    assert changes > len(order) / 2


def test_tfds_reads_it_with_none_of_our_code(converted):
    """In a process that cannot import ETHOS."""
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
    by_tfds = json.loads(done.stdout.splitlines()[-1])
    ours = {
        f"{split} {r.video_id} {r.frame}": [r.landmarks.tolist(), r.face_size]
        for split, r in read_records(result.version_dir)
    }
    assert by_tfds == ours


def test_the_metadata_is_what_tfds_itself_would_write(converted, tmp_path):
    import tensorflow_datasets as tfds

    _, result = converted
    folder = pathlib.Path(result.version_dir)
    ours = json.loads((folder / "dataset_info.json").read_text())
    for path in folder.glob("*.tfrecord-*"):
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
            for split in ours["splits"]
        ],
        filename_template=template,
        description=ours["description"],
        version=records.VERSION,
        check_data=False,
    )
    for name in ("features.json", "dataset_info.json"):
        theirs = json.loads((tmp_path / name).read_text())
        assert json.loads((folder / name).read_text()) == theirs
    sizes = {p.name: p.stat().st_size for p in folder.glob("*.tfrecord-*")}
    for split in ours["splits"]:
        prefix = f"{records.NAME}-{split['name']}."
        mine = [size for name, size in sizes.items() if name.startswith(prefix)]
        assert sum(mine) == int(split["numBytes"])
        assert len(mine) == len(split["shardLengths"])


def test_the_manifest_accounts_for_every_input(converted):
    corpus_dir, result = converted
    manifest = manifest_of(result)
    paths = sorted(str(p.relative_to(corpus_dir)) for p in corpus_dir.rglob("*.npz"))
    assert [entry["path"] for entry in manifest["inputs"]] == paths
    assert all(entry["fingerprint"] for entry in manifest["inputs"])
    assert {e["written"] for e in manifest["inputs"]} == {3}
    tools = manifest["tools"]
    assert tools["numpy"] == np.__version__
    assert tools["zlib"] == zlib.ZLIB_RUNTIME_VERSION
    for split in manifest["splits"].values():
        assert sum(split["face_sizes"]) == sum(split["yaws"]) == split["frames"]


def test_a_folder_of_another_job_is_left_alone(converted, tmp_path):
    corpus_dir, result = converted
    data = tmp_path / "data"
    shutil.copytree(result.data_dir, data)
    before = tree(data)
    with pytest.raises(EthosError, match=r"image_size 256 instead of 64.*--overwrite"):
        convert.convert(
            corpus_dir=str(corpus_dir),
            data_dir=str(data),
            options=plan.Options(image_size=64),
        )
    other = videos.write_corpus(tmp_path / "other")
    with pytest.raises(EthosError, match="corpus_dir"):
        convert.convert(corpus_dir=str(other), data_dir=str(data))
    assert tree(data) == before
    again = convert.convert(corpus_dir=str(other), data_dir=str(data), overwrite=True)
    assert again.found == 12
    fresh = convert.convert(corpus_dir=str(other), data_dir=str(tmp_path / "fresh"))
    assert tree(again.version_dir) == tree(fresh.version_dir)


def test_a_folder_that_is_nobodys_conversion_is_never_touched(tmp_path):
    corpus_dir = videos.write_corpus(tmp_path / "corpus")
    folder = tmp_path / "data" / "ethos_faces" / records.VERSION
    folder.mkdir(parents=True)
    (folder / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(EthosError, match="holds no conversion"):
            convert.convert(
                corpus_dir=str(corpus_dir),
                data_dir=str(tmp_path / "data"),
                overwrite=overwrite,
            )
    assert (folder / "thesis.tex").read_text() == "years of work"


def test_two_jobs_in_one_folder_do_not_mix(converted, tmp_path):
    corpus_dir, _ = converted
    job = convert.Job(str(corpus_dir), str(tmp_path), plan.Options())
    with job.folder(overwrite=False), pytest.raises(EthosError, match="is running"):
        convert.convert(corpus_dir=str(corpus_dir), data_dir=str(tmp_path))


def test_a_full_disk_is_one_line_and_leaves_no_temporary_file(tmp_path):
    """The system refuses to let a file grow, as a full disk does."""
    corpus_dir = videos.write_corpus(tmp_path / "corpus")
    code = """
import resource, sys
from pipelines import convert
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sys.exit(convert.main(sys.argv[1:]))
"""
    args = ["--corpus_dir", str(corpus_dir), "--data_dir", str(tmp_path / "data")]
    workers = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]
    for more in ([], workers):
        done = subprocess.run(
            [sys.executable, "-c", code, *args, *more], capture_output=True, text=True
        )
        assert done.returncode == 1
        last = done.stderr.splitlines()[-1]
        assert last.startswith("error: ")
        assert "tfrecord-0000" in last
        assert "cannot be written (File too large)" in last
        assert "Traceback" not in done.stderr
        assert not list((tmp_path / "data").rglob("*.tmp-*"))
        assert not list((tmp_path / "data").rglob("dataset_info.json"))


def test_a_mistyped_flag_is_refused(converted, tmp_path, capsys):
    corpus_dir, _ = converted
    args = ["--corpus_dir", str(corpus_dir), "--data_dir", str(tmp_path)]
    assert convert.main([*args, "--jpeg_qualty", "3"]) == 1
    assert "unknown arguments: --jpeg_qualty 3" in capsys.readouterr().err
    assert convert.main([*args, "--runner", "NoSuchRunner"]) == 1
    assert "NoSuchRunner" in capsys.readouterr().err


def test_options_of_the_command_line_arrive(converted, tmp_path):
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
    read = [r for _, r in read_records(result.version_dir)]
    assert {r.image.shape for r in read} == {(32, 32, 3)}
    assert {r.frame for r in read} <= {0, 2}
    options = manifest_of(result)["options"]
    assert (options["depth_method"], options["jpeg_quality"]) == ("delaunay", 70)


def test_progress_ends_complete_and_foretells_the_end(converted, tmp_path):
    corpus_dir, _ = converted
    seen = []
    convert.convert(
        corpus_dir=str(corpus_dir), data_dir=str(tmp_path), progress=seen.append
    )
    last = seen[-1]
    assert (last.frames, last.shards) == (last.frames_total, last.shards_total)
    assert last.frames_total == 42
    assert last.seconds_left == 0
    half = convert.Progress(50, 100, 1, 2, 10.0)
    assert (half.frames_per_second, half.seconds_left) == (5.0, 10.0)
    assert "0:10 left" in str(half)


def test_workers_import_no_tensorflow():
    code = "import sys, pipelines.sdk_worker, pipelines.worker; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "apache_beam" in loaded
    assert not {"tensorflow", "keras", "tensorflow_datasets"} & set(loaded)


def test_features_are_described_without_tensorflow():
    described = metadata.features_json()["featuresDict"]["features"]
    assert described.keys() == records.features().keys()
