"""Conversion from and to an object store: a local server with the S3 protocol."""

import pathlib

import pytest

from ethos_data import records
from ethos_data.errors import EthosError
from ethos_data.storage import files
from pipelines import convert
from pipelines.conversion.options import ConversionOptions
from tests.ethos_data import videos
from tests.ethos_data.corpora import layouts
from tests.pipelines.test_convert import read_tree

OPTIONS = ConversionOptions(num_shards=2)


@pytest.fixture(scope="module")
def endpoint():
    """Beam flags and a client for a server with an empty bucket "faces"."""
    boto3 = pytest.importorskip("boto3")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    access = {
        "endpoint_url": f"http://{host}:{port}",
        "region_name": "us-east-1",
    }
    client = boto3.client(
        "s3", aws_access_key_id="key", aws_secret_access_key="secret", **access
    )
    client.create_bucket(Bucket="faces")
    flags = [
        *(f"--s3_{name}={value}" for name, value in access.items()),
        "--s3_access_key_id=key",
        "--s3_secret_access_key=secret",
    ]
    yield flags, client
    server.stop()


def upload(client, directory, prefix, pattern="*.npz"):
    for path in directory.rglob(pattern):
        key = f"{prefix}/{path.relative_to(directory)}"
        client.upload_file(str(path), "faces", key)


def download(client, prefix):
    """The content of each object, by its key without the prefix."""
    contents = {}
    pages = client.get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket="faces", Prefix=prefix):
        for entry in page.get("Contents", ()):
            body = client.get_object(Bucket="faces", Key=entry["Key"])["Body"]
            contents[entry["Key"][len(prefix) + 1 :]] = body.read()
    return contents


def shards_of(contents):
    """The content of each shard, by its name."""
    return {k.split("/")[-1]: v for k, v in contents.items() if ".tfrecord-" in k}


@pytest.fixture(scope="module")
def corpus_dir(tmp_path_factory):
    directory = tmp_path_factory.mktemp("s3") / "corpus"
    videos.write_corpus(directory, people=4, videos=2, frames=2)
    (directory / "Bröken_0.npz").write_bytes(b"no video")
    return directory


def test_buckets_give_the_same_bytes_as_local_directories(
    endpoint, corpus_dir, tmp_path
):
    flags, client = endpoint
    upload(client, corpus_dir, "corpus")
    local = convert.convert(
        corpus_dir=str(corpus_dir), data_dir=str(tmp_path), options=OPTIONS
    )
    remote = convert.convert(
        corpus_dir="s3://faces/corpus",
        data_dir="s3://faces/data",
        options=OPTIONS,
        beam_args=flags,
    )
    assert remote.frames == local.frames == 16
    assert remote.rejected == local.rejected != ()
    written = download(client, "data")
    assert shards_of(written) == shards_of(read_tree(tmp_path))
    assert not [name for name in written if files.TEMPORARY in name]
    # A worker that dies between the uploads of shard and receipt leaves this state.
    receipt = next(name for name in written if ".ethos/" in name and "plan" not in name)
    client.delete_object(Bucket="faces", Key=f"data/{receipt}")
    again = convert.convert(
        corpus_dir="s3://faces/corpus",
        data_dir="s3://faces/data",
        options=OPTIONS,
        beam_args=flags,
    )
    assert again.shards_reused == again.shards - 1
    assert download(client, "data") == written


@pytest.mark.parametrize("write", [layouts.pts, layouts.coco, layouts.video_300vw])
def test_other_formats_are_read_from_buckets(endpoint, write, tmp_path):
    flags, client = endpoint
    write(tmp_path / "corpus")
    name = write.__name__
    upload(client, tmp_path / "corpus", name, "*.*")
    arguments = {"options": OPTIONS}
    local = convert.convert(
        corpus_dir=str(tmp_path / "corpus"),
        data_dir=str(tmp_path / "data"),
        **arguments,
    )
    remote = convert.convert(
        corpus_dir=f"s3://faces/{name}",
        data_dir=str(tmp_path / "remote"),
        beam_args=flags,
        **arguments,
    )
    assert remote.rejected == local.rejected == ()
    assert remote.frames == local.frames > 0
    contents = map(
        shards_of, (read_tree(tmp_path / "remote"), read_tree(tmp_path / "data"))
    )
    assert next(contents) == next(contents)


def test_training_reads_a_data_set_in_a_bucket(
    endpoint, corpus_dir, tmp_path, monkeypatch
):
    from ethos_data import dataset
    from ethos_data.batches import remote

    flags, _ = endpoint
    args = {"corpus_dir": str(corpus_dir), "options": OPTIONS}
    convert.convert(data_dir="s3://faces/data3", beam_args=flags, **args)
    convert.convert(data_dir=str(tmp_path / "data"), **args)
    # Users give the endpoint and the keys in the environment.
    endpoint_url = flags[0].split("=", 1)[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("ETHOS_CACHE", str(tmp_path / "cache"))
    files.set_options([])
    from_bucket, from_directory = (
        list(dataset.load(data_dir, "train", image_size=32, batch_size=4, device=""))
        for data_dir in ("s3://faces/data3", str(tmp_path / "data"))
    )
    assert len(from_bucket) == len(from_directory) > 0
    for a, b in zip(from_bucket, from_directory, strict=True):
        assert (a["video_id"] == b["video_id"]).numpy().all()
        assert (a["image"] == b["image"]).numpy().all()
    # Files that have not changed are not fetched again.
    cached = remote.local_copy("s3://faces/data3")
    before = {
        p: p.stat().st_mtime_ns for p in pathlib.Path(cached).rglob("*.tfrecord*")
    }
    assert before
    monkeypatch.setattr(remote, "_pieces", lambda file: pytest.fail("fetched again"))
    assert remote.local_copy("s3://faces/data3") == cached
    with pytest.raises(EthosError, match="contains no data set"):
        remote.local_copy("s3://faces/nowhere")
    with pytest.raises(EthosError, match="contains no data set"):
        remote.local_copy("s3://no-such-bucket/data")


def test_worker_processes_get_the_flags_of_the_bucket(endpoint, tmp_path):
    flags, client = endpoint
    upload(client, videos.write_corpus(tmp_path, people=3, videos=1), "corpus2")
    processes = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    result = convert.convert(
        corpus_dir="s3://faces/corpus2",
        data_dir="s3://faces/data2",
        options=OPTIONS,
        beam_args=[*flags, *processes],
    )
    assert result.frames == 9


def test_finished_shards_are_renamed_by_copying(endpoint, tmp_path):
    flags, client = endpoint
    corpus_dir = videos.write_corpus(tmp_path / "corpus", people=3, videos=1)
    upload(client, corpus_dir, "corpus4")
    args = {
        "corpus_dir": "s3://faces/corpus4",
        "data_dir": "s3://faces/data4",
        "options": ConversionOptions(),
        "beam_args": flags,
    }
    convert.convert(**args)
    before = shards_of(download(client, "data4"))
    videos.write_video(tmp_path / "New_1.npz", 7)
    client.upload_file(str(tmp_path / "New_1.npz"), "faces", "corpus4/New_1.npz")
    result = convert.convert(**args)
    after = shards_of(download(client, "data4"))
    assert result.shards_reused == len(before) == len(after) - 1
    assert set(before.values()) < set(after.values())
    # An overwritten data set has no files of the old one.
    convert.convert(**args | {"overwrite": True})
    assert len(shards_of(download(client, "data4"))) <= len(after)
    info = f"{records.NAME}/{records.VERSION}/dataset_info.json"
    assert info in download(client, "data4")
