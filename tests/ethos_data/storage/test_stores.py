"""Unreachable stores are reported in one line and in a short time.

tests/pipelines/test_s3.py tests reading and writing with a real S3 server.
"""

from __future__ import annotations

import socket
import time

import pytest

from ethos_data.errors import EthosError
from ethos_data.storage import files, stores


@pytest.fixture
def no_credentials(monkeypatch, tmp_path):
    """No keys, configuration files or metadata server of Amazon."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    pytest.importorskip("boto3")
    files.set_options([])
    yield
    files.set_options([])


@pytest.fixture
def silent_server(monkeypatch):
    """The S3 endpoint of a server that accepts connections and never answers."""
    pytest.importorskip("boto3")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        files.set_options(
            [
                f"--s3_endpoint_url=http://127.0.0.1:{port}",
                "--s3_access_key_id=key",
                "--s3_secret_access_key=secret",
            ]
        )
        yield
    files.set_options([])


def assert_one_line(action, expected: str) -> None:
    start = time.monotonic()
    with pytest.raises(EthosError, match=expected) as error:
        action()
    assert time.monotonic() - start < 60  # By default, boto waits for minutes.
    assert "\n" not in str(error.value)


def test_reports_missing_credentials(no_credentials):
    path = "s3://bucket/data"
    expected = r"s3://bucket/data: .*\(Unable to locate credentials\)"
    assert_one_line(lambda: list(files.walk(path)), expected)


@pytest.mark.parametrize(
    "action",
    [
        lambda: list(files.walk("s3://bucket/data")),
        lambda: files.read_bytes("s3://bucket/data"),
        lambda: files.write("s3://bucket/data", iter([b"text"])),
    ],
    ids=["list", "read", "write"],
)
def test_reports_a_server_that_does_not_answer(silent_server, monkeypatch, action):
    monkeypatch.setattr(stores, "MAX_WAIT_SECONDS", 0.5)
    assert_one_line(action, r"s3://bucket/data: the store does not answer within 0.5 s")


def test_reports_a_refused_connection(monkeypatch):
    pytest.importorskip("boto3")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    files.set_options(
        [
            "--s3_endpoint_url=http://127.0.0.1:1",
            "--s3_access_key_id=key",
            "--s3_secret_access_key=secret",
        ]
    )
    assert_one_line(
        lambda: list(files.walk("s3://bucket/data")),
        r"s3://bucket/data: the store cannot be reached \(Could not connect",
    )
    files.set_options([])


def test_reports_an_invalid_endpoint():
    pytest.importorskip("boto3")
    files.set_options(["--s3_endpoint_url=no-url"])
    assert_one_line(
        lambda: list(files.walk("s3://bucket/data")),
        r"s3://bucket/data: the store cannot be reached \(Invalid endpoint: no-url\)",
    )
    files.set_options([])


def test_errors_of_the_caller_are_not_converted():
    with (
        pytest.raises(ValueError, match="of the caller"),
        stores.one_line_errors("s3://bucket/data"),
    ):
        raise ValueError("of the caller")


def test_errors_of_a_store_become_one_line():
    from apache_beam.io.filesystem import BeamIOError

    details = {"s3://bucket/data": RuntimeError("first line\nsecond line")}
    with (
        pytest.raises(OSError, match="first line") as error,
        stores.one_line_errors("s3://bucket/data"),
    ):
        raise BeamIOError("List operation failed", details)
    assert error.value.strerror == "first line"
    assert error.value.filename == "s3://bucket/data"
