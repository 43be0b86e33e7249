"""Every command that takes a directory accepts `file://` URIs and reports others."""

from __future__ import annotations

import importlib
import socket
import time

import pytest

from ethos_data.storage import files
from tests.ethos_data import datasets, videos

COMMANDS = {
    "convert corpus": ("pipelines.convert", ["--data_dir=new", "--corpus_dir"]),
    "convert data": ("pipelines.convert", ["--corpus_dir=my corpus", "--data_dir"]),
    "inspect": ("pipelines.inspect", [""]),
    "train": ("ethos_model.train", ["--workdir=run", "--data_dir"]),
    "train workdir": ("ethos_model.train", ["--data_dir=converted", "--workdir"]),
    "export": ("ethos_model.export", ["--workdir=run", "--output"]),
    "annotate": ("gui.annotate", ["clip.mp4", "--csv=out.csv", "--model"]),
    "evaluate": ("ethos_model.evaluate", ["--data_dir"]),
    "evaluate model": ("ethos_model.evaluate", ["--data_dir=converted", "--model"]),
    "synthesize": ("ethos_data.heads.synthesize", ["--out_dir"]),
    "demo": ("pipelines.demo", ["--output_dir"]),
    "evaluate report": (
        "ethos_model.evaluate",
        ["--data_dir=converted", "--output_dir"],
    ),
}


def run(command: str, uri: str) -> int:
    """Runs a command with a URI as its last argument. Returns the exit status."""
    module, argv = COMMANDS[command]
    *others, flag = argv
    last = f"{flag}={uri}" if flag else uri
    return importlib.import_module(module).main([*others, last])


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    videos.write_corpus(tmp_path / "my corpus", people=3, videos=1, frames=2)
    datasets.write(tmp_path / "converted", [datasets.make_record(0)], split="test")
    return tmp_path


def test_file_uris_name_local_directories(data, capsys):
    corpus_uri = (data / "my corpus").as_uri()
    data_uri = (data / "my data").as_uri()
    convert = importlib.import_module("pipelines.convert")
    argv = ["--corpus_dir", corpus_uri, "--data_dir", data_uri]
    assert convert.main(argv) == 0
    assert (data / "my data" / "ethos_faces").is_dir()
    assert run("inspect", data_uri) == 0
    assert str(data / "my data") in capsys.readouterr().out


@pytest.fixture
def silent_endpoint(monkeypatch):
    """Settings of S3 for a server that accepts connections and never answers."""
    pytest.importorskip("boto3")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setattr("ethos_data.storage.stores.MAX_WAIT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        files.set_options([])
        yield
    files.set_options([])


@pytest.mark.parametrize("uri", ["foo://bucket/data", "s3://bucket/data"])
@pytest.mark.parametrize("command", COMMANDS)
def test_an_unusable_uri_is_reported_in_one_line(
    data, silent_endpoint, capsys, command, uri
):
    start = time.monotonic()
    assert run(command, uri) == 1
    assert time.monotonic() - start < 60  # By default, boto waits for minutes.
    output = capsys.readouterr()
    assert output.err.startswith(f"error: {uri}")
    assert output.err.count("\n") == 1
