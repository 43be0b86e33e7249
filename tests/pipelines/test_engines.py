"""The same bytes from every engine: in memory, several processes, a Dask cluster."""

import os

import pytest

from pipelines import convert, plan
from tests.ethos_data import videos
from tests.pipelines.test_convert import tree

OPTIONS = plan.Options(num_shards=3)


@pytest.fixture(scope="module")
def corpus_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engines") / "corpus"
    videos.write_corpus(folder, people=7, videos=2, frames=3)
    (folder / "Broken_0.npz").write_bytes(b"no video")
    return folder


@pytest.fixture(scope="module")
def in_memory(corpus_dir, tmp_path_factory):
    return tree(run(corpus_dir, tmp_path_factory.mktemp("in_memory")).data_dir)


def run(corpus_dir, data_dir, *beam_args, runner=convert.DEFAULT_RUNNER):
    return convert.convert(
        corpus_dir=str(corpus_dir),
        data_dir=str(data_dir),
        options=OPTIONS,
        runner=runner,
        beam_args=beam_args,
    )


def test_one_and_two_processes_write_the_same(corpus_dir, in_memory, tmp_path):
    workers = ["--direct_running_mode", "multi_processing", "--direct_num_workers", "2"]
    result = run(corpus_dir, tmp_path, *workers)
    assert result.frames == 7 * 2 * 3
    assert tree(tmp_path) == in_memory


def test_threads_write_the_same(corpus_dir, in_memory, tmp_path):
    workers = ["--direct_running_mode=multi_threading", "--direct_num_workers=2"]
    run(corpus_dir, tmp_path, *workers)
    assert tree(tmp_path) == in_memory


def test_a_dask_cluster_of_processes_writes_the_same(corpus_dir, in_memory, tmp_path):
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
            tmp_path / "whole",
            "--dask_client_address",
            cluster.scheduler_address,
            runner="DaskRunner",
        )
        assert result.rejected == (("Broken_0.npz", result.rejected[0][1]),)
        assert tree(tmp_path / "whole") == in_memory
        # Both workers had something to do, and wrote it themselves.
        worked = client.run(lambda: "pipelines.shard" in __import__("sys").modules)
        assert all(worked.values())


def test_only_large_corpora_get_processes_unasked(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(8))

    def flags(frames, *beam_args, runner=convert.DEFAULT_RUNNER):
        source = plan.Source("Some_One_1.npz", 1, 1.0, frames, 99, 99)
        shards = plan.make([source], plan.Options()).shards * 2
        return convert.with_defaults(runner, list(beam_args), shards)

    assert flags(100) == []
    said = ["--direct_num_workers=1"]
    assert flags(10**6, *said) == said
    assert flags(10**6, runner="FlinkRunner") == []
    assert "multi_processing" in flags(10**6)
    assert flags(100, runner="DaskRunner") == ["--dask_partition_size", "1"]
