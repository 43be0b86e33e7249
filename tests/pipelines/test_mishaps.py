"""Wrong commands, dying processes, unusual files and directories."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

from ethos_data import dataset, dataset_files, records
from ethos_data.errors import EthosError
from ethos_data.storage import files
from pipelines.conversion import manifest
from pipelines.conversion.options import ConversionOptions
from tests.ethos_data import videos
from tests.pipelines.test_convert import read_tree
from tests.pipelines.test_restart import run

TIMEOUT = 300
"""Maximum time in seconds on a busy machine. A conversion takes some seconds."""


@pytest.fixture(scope="module")
def corpus_dir(tmp_path_factory):
    directory = tmp_path_factory.mktemp("mishaps") / "corpus"
    return videos.write_corpus(directory, people=4, videos=1, frames=2)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"corpus_dir": "typo"}, "typo: no such directory"),
        ({"beam_args": ["--jpeg_qualty", "50"]}, "unknown arguments: --jpeg_qualty"),
        ({"runner": "NoRunner"}, "--runner NoRunner"),
        ({"max_bad_fraction": -1}, "--max_bad_fraction must be from 0 to 1"),
    ],
)
@pytest.mark.parametrize("overwrite", [True, False])
def test_a_wrong_command_changes_nothing(
    corpus_dir, tmp_path, monkeypatch, change, reason, overwrite
):
    run(corpus_dir, tmp_path / "data")
    before = read_tree(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    wrong = {"corpus_dir": corpus_dir} | change
    with pytest.raises(EthosError, match=reason):
        run(data_dir=tmp_path / "data", overwrite=overwrite, **wrong)
    assert read_tree(tmp_path / "data") == before


def test_an_output_below_a_file_is_refused_at_once(corpus_dir, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(EthosError, match="is not a directory"):
        run(corpus_dir, tmp_path / "file" / "data")


def test_a_full_disk_is_reported_in_one_line_and_leaves_no_temporary_file(tmp_path):
    """The system limits the size of a file, which has the same effect."""
    corpus_dir = videos.write_corpus(tmp_path / "corpus")
    code = """
import resource, sys
from pipelines import convert
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sys.exit(convert.main(sys.argv[1:]))
"""
    args = ["--corpus_dir", str(corpus_dir), "--data_dir", str(tmp_path / "data")]
    processes = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]
    for more in ([], processes):
        done = subprocess.run(
            [sys.executable, "-c", code, *args, *more], capture_output=True, text=True
        )
        assert done.returncode == 1
        last_line = done.stderr.splitlines()[-1]
        assert last_line.startswith("error: ")
        assert "tfrecord-0000" in last_line
        assert "cannot be written (File too large)" in last_line
        assert "Traceback" not in done.stderr
        assert not list((tmp_path / "data").rglob("*.tmp-*"))
        assert not list((tmp_path / "data").rglob("dataset_info.json"))


def command(*flags):
    code = "import sys; from pipelines import convert; sys.exit(convert.main())"
    return [sys.executable, "-c", code, *flags]


def descendants(process):
    """Ids of the processes that a process started, directly or indirectly."""
    ids, pending = [], [process.pid]
    while pending:
        parent = pending.pop()
        threads = pathlib.Path(f"/proc/{parent}/task").glob("*/children")
        children = [int(pid) for path in threads for pid in path.read_text().split()]
        ids += children
        pending += children
    return ids


def command_line(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def slow(tmp_path):
    """The flags of a conversion that takes some seconds, and its data_dir."""
    corpus_dir = videos.write_corpus(
        tmp_path / "corpus", people=6, videos=4, frames=200
    )
    data_dir = str(tmp_path / "data")
    flags = ["--corpus_dir", str(corpus_dir), "--data_dir", data_dir]
    return [*flags, "--num_shards", "8"], data_dir


def wait_for_first_shard(data_dir, process):
    directory = pathlib.Path(data_dir) / records.NAME / records.VERSION
    end = time.monotonic() + TIMEOUT
    while not list(directory.glob("*.tfrecord-*")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="reads /proc")
def test_the_death_of_a_worker_process_ends_the_conversion(slow):
    flags, data_dir = slow
    processes = ["--direct_running_mode", "multi_processing"]
    process = subprocess.Popen(
        command(*flags, *processes, "--direct_num_workers", "2"),
        stderr=subprocess.PIPE,
        text=True,
        # As in a background job, which ignores Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    wait_for_first_shard(data_dir, process)
    workers = [
        pid
        for pid in descendants(process)
        if b"sdk_worker" in command_line(pid)
        and b"python" in command_line(pid).split(b"\0")[0]
    ]
    os.kill(workers[0], signal.SIGKILL)
    try:
        _, stderr = process.communicate(timeout=TIMEOUT)
    finally:
        process.kill()
    assert process.returncode == 1, stderr
    last_line = stderr.strip().splitlines()[-1]
    assert last_line.startswith("error: a worker process died (exit status 137")


def test_ctrl_c_is_reported_in_one_word(slow):
    flags, data_dir = slow
    process = subprocess.Popen(
        command(*flags, "--direct_num_workers", "1"),
        stderr=subprocess.PIPE,
        text=True,
        # Background jobs and their children ignore Ctrl-C by default.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_for_first_shard(data_dir, process)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130, stderr
    assert stderr.strip().splitlines()[-1] == "interrupted"
    assert "Traceback" not in stderr


def test_a_refused_conversion_hides_the_earlier_data_set(tmp_path):
    corpus_dir = videos.write_corpus(tmp_path / "c", people=8, videos=1, frames=2)
    options = ConversionOptions(num_shards=2, depth_method="delaunay")
    run(corpus_dir, tmp_path / "data", options=options)
    info = tmp_path / "data" / records.NAME / records.VERSION / "dataset_info.json"
    found = manifest.read(str(info.parent))
    shard_name = found.head["splits"]["train"]["shards"][1]["name"]
    for video in found.inputs():
        if video["shard"] == shard_name:
            (corpus_dir / video["path"]).write_bytes(b"damaged")
    with pytest.raises(EthosError, match="files were rejected"):
        run(corpus_dir, tmp_path / "data", options=options, max_bad_fraction=0.0)
    assert not info.exists()
    assert info.with_name("manifest.json").exists()


def test_a_file_that_did_not_fit_into_memory_is_tried_again(
    corpus_dir, tmp_path, monkeypatch
):
    def out_of_memory(*args, **options):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr("ethos_data.corpora.npz_video.Npz", out_of_memory)
        with pytest.raises(EthosError, match="does not fit into memory"):
            run(corpus_dir, tmp_path)
    assert run(corpus_dir, tmp_path).rejected == ()


def test_links_to_a_parent_directory_are_followed_once(corpus_dir, tmp_path):
    copy = pathlib.Path(shutil.copytree(corpus_dir, tmp_path / "corpus"))
    (copy / "deep").mkdir()
    for name in ("up", "again"):
        (copy / "deep" / name).symlink_to("..", target_is_directory=True)
    paths = sorted(entry.path for entry in files.walk(str(copy)))
    assert paths == sorted(entry.path for entry in files.walk(str(corpus_dir)))
    assert run(copy, tmp_path / "data").written == len(paths)


def test_a_named_pipe_is_rejected(corpus_dir, tmp_path):
    copy = pathlib.Path(shutil.copytree(corpus_dir, tmp_path / "corpus"))
    os.mkfifo(copy / "Pipe_0.npz")
    (rejected,) = run(copy, tmp_path / "data").rejected
    assert rejected == ("Pipe_0.npz", "cannot be read (not a file)")


def test_directories_may_have_any_name(corpus_dir, tmp_path):
    data_dir = tmp_path / "data [v2] *? 100%"
    run(corpus_dir, data_dir)
    frames = dataset_files.counts(str(data_dir))["train"]
    batches = list(dataset.load(str(data_dir), "train", image_size=32, batch_size=1))
    assert len(batches) == frames > 0
