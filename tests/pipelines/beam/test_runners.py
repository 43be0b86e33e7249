"""Each runner writes the same bytes: in memory, several processes, a Dask cluster."""

import os
import pathlib
import subprocess
import sys

import pytest

from pipelines import convert
from pipelines.beam import runners
from pipelines.conversion import corpus
from pipelines.conversion.options import ConversionOptions
from tests.ethos_data import videos
from tests.pipelines.test_convert import read_tree

OPTIONS = ConversionOptions(num_shards=3)


@pytest.fixture(scope="module")
def corpus_dir(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runners") / "corpus"
    videos.write_corpus(directory, people=7, videos=2, frames=3)
    (directory / "Broken_0.npz").write_bytes(b"no video")
    return directory


@pytest.fixture(autouse=True)
def _several_batches_of_headers(monkeypatch):
    """The workers read the headers, unlike in `in_memory`."""
    monkeypatch.setattr(corpus, "BATCH", 4)


@pytest.fixture(scope="module")
def in_memory(corpus_dir, tmp_path_factory):
    return read_tree(run(corpus_dir, tmp_path_factory.mktemp("in_memory")).data_dir)


def run(corpus_dir, data_dir, *beam_args, runner=runners.DEFAULT_RUNNER):
    return convert.convert(
        corpus_dir=str(corpus_dir),
        data_dir=str(data_dir),
        options=OPTIONS,
        runner=runner,
        beam_args=beam_args,
    )


def test_two_processes_write_the_same_bytes(corpus_dir, in_memory, tmp_path):
    flags = ["--direct_running_mode", "multi_processing", "--direct_num_workers", "2"]
    result = run(corpus_dir, tmp_path, *flags)
    assert result.frames == 7 * 2 * 3
    assert read_tree(tmp_path) == in_memory


def test_two_threads_write_the_same_bytes(corpus_dir, in_memory, tmp_path):
    flags = ["--direct_running_mode=multi_threading", "--direct_num_workers=2"]
    run(corpus_dir, tmp_path, *flags)
    assert read_tree(tmp_path) == in_memory


def test_a_dask_cluster_writes_the_same_bytes(corpus_dir, in_memory, tmp_path):
    import distributed

    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            host="127.0.0.1",
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        processes = client.run(lambda: __import__("os").getpid())
        assert len(set(processes.values())) == 2
        result = run(
            corpus_dir,
            tmp_path / "data",
            "--dask_client_address",
            cluster.scheduler_address,
            runner="DaskRunner",
        )
        assert [path for path, _ in result.rejected] == ["Broken_0.npz"]
        assert read_tree(tmp_path / "data") == in_memory
        # Both workers wrote shards themselves.
        module = "pipelines.conversion.shard_writer"
        used = client.run(lambda: module in __import__("sys").modules)
        assert all(used.values())


def test_only_large_corpora_are_converted_by_processes_by_default(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(8))

    def flags(frames, *beam_args, runner=runners.DEFAULT_RUNNER):
        return runners.with_defaults(runner, list(beam_args), 2, frames >= 10_000)

    assert flags(100) == []
    given = ["--direct_num_workers=1"]
    assert flags(10**6, *given) == given
    assert flags(10**6, runner="FlinkRunner") == []
    assert "multi_processing" in flags(10**6)
    assert flags(100, runner="DaskRunner") == ["--dask_partition_size", "1"]


def test_worker_processes_ignore_a_package_in_the_current_directory(tmp_path):
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "__init__.py").write_text("raise SystemExit('foreign')")
    command = list(runners._WORKER)
    assert command[-2] == "-m"
    code = f"import {command[-1]} as worker; print(worker.__file__)"
    done = subprocess.run(
        [*command[:-2], "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    expected = pathlib.Path(runners.__file__).with_name("sdk_worker.py")
    assert done.stdout.strip() == str(expected), done.stderr


def test_worker_processes_do_not_import_tensorflow():
    code = """
import sys
import pipelines.beam.sdk_worker, pipelines.beam.worker
print(*sys.modules)
"""
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "apache_beam" in modules
    assert not {"tensorflow", "keras", "tensorflow_datasets"} & set(modules)
