"""From and to an object store: an S3 endpoint that is served on loopback."""

import pathlib

import pytest

from ethos_data import records
from ethos_data.errors import EthosError
from ethos_data.storage import files
from pipelines import convert, plan
from tests.ethos_data import videos
from tests.pipelines.test_convert import tree

OPTIONS = plan.Options(num_shards=2)


@pytest.fixture(scope="module")
def endpoint():
    """Beam flags and a client of a server with an empty bucket "faces"."""
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


def upload(client, folder, prefix):
    for path in folder.rglob("*.npz"):
        key = f"{prefix}/{path.relative_to(folder)}"
        client.upload_file(str(path), "faces", key)


def download(client, prefix):
    found = {}
    pages = client.get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket="faces", Prefix=prefix):
        for entry in page.get("Contents", ()):
            body = client.get_object(Bucket="faces", Key=entry["Key"])["Body"]
            found[entry["Key"][len(prefix) + 1 :]] = body.read()
    return found


def shards(files_of):
    return {k.split("/")[-1]: v for k, v in files_of.items() if ".tfrecord-" in k}


@pytest.fixture(scope="module")
def corpus_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("s3") / "corpus"
    videos.write_corpus(folder, people=4, videos=2, frames=2)
    (folder / "Bröken_0.npz").write_bytes(b"no video")
    return folder


def test_a_bucket_to_a_bucket_gives_the_bytes_of_a_folder(
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
    assert shards(written) == shards(tree(tmp_path))
    assert not [name for name in written if files.TEMPORARY in name]
    # What a worker leaves that dies between the two uploads, shard and receipt.
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


def test_training_reads_what_was_written_to_a_bucket(
    endpoint, corpus_dir, tmp_path, monkeypatch
):
    from ethos_data import dataset
    from ethos_data.batches import remote

    flags, _ = endpoint
    args = {"corpus_dir": str(corpus_dir), "options": OPTIONS}
    convert.convert(data_dir="s3://faces/data3", beam_args=flags, **args)
    convert.convert(data_dir=str(tmp_path / "data"), **args)
    # As a user has it: everything comes from the environment.
    endpoint_url = flags[0].split("=", 1)[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("ETHOS_CACHE", str(tmp_path / "cache"))
    files.set_options([])
    ours, theirs = (
        list(dataset.load(folder, "train", image_size=32, batch_size=4, device=""))
        for folder in ("s3://faces/data3", str(tmp_path / "data"))
    )
    assert len(ours) == len(theirs) > 0
    for a, b in zip(ours, theirs, strict=True):
        assert (a["video_id"] == b["video_id"]).numpy().all()
        assert (a["image"] == b["image"]).numpy().all()
    # Fetched once; what has changed is fetched again.
    folder = remote.local_copy("s3://faces/data3")
    before = {
        p: p.stat().st_mtime_ns for p in pathlib.Path(folder).rglob("*.tfrecord*")
    }
    assert before
    monkeypatch.setattr(remote, "_pieces", lambda file: pytest.fail("fetched again"))
    assert remote.local_copy("s3://faces/data3") == folder
    with pytest.raises(EthosError, match="contains no data set"):
        remote.local_copy("s3://faces/nowhere")
    with pytest.raises(EthosError, match="contains no data set"):
        remote.local_copy("s3://no-such-bucket/data")


def test_processes_are_told_where_the_bucket_is(endpoint, tmp_path):
    flags, client = endpoint
    upload(client, videos.write_corpus(tmp_path, people=3, videos=1), "corpus2")
    workers = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    result = convert.convert(
        corpus_dir="s3://faces/corpus2",
        data_dir="s3://faces/data2",
        options=OPTIONS,
        beam_args=[*flags, *workers],
    )
    assert result.frames == 9


def test_new_files_rename_finished_shards_by_copy(endpoint, tmp_path):
    flags, client = endpoint
    corpus_dir = videos.write_corpus(tmp_path / "corpus", people=3, videos=1)
    upload(client, corpus_dir, "corpus4")
    args = {
        "corpus_dir": "s3://faces/corpus4",
        "data_dir": "s3://faces/data4",
        "options": plan.Options(),
        "beam_args": flags,
    }
    convert.convert(**args)
    before = shards(download(client, "data4"))
    videos.write_video(tmp_path / "New_1.npz", 7)
    client.upload_file(str(tmp_path / "New_1.npz"), "faces", "corpus4/New_1.npz")
    result = convert.convert(**args)
    after = shards(download(client, "data4"))
    assert result.shards_reused == len(before) == len(after) - 1
    assert set(before.values()) < set(after.values())
    # An overwritten data set leaves nothing of the old one.
    convert.convert(**args | {"overwrite": True})
    assert len(shards(download(client, "data4"))) <= len(after)
    readable = download(client, "data4")
    assert f"{records.NAME}/{records.VERSION}/dataset_info.json" in readable
