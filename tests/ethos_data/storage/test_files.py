"""Local files are written completely or not at all, and URIs become paths."""

from __future__ import annotations

import os
import pathlib
import time

import pytest

from ethos_data.errors import EthosError, cli
from ethos_data.storage import files


@pytest.mark.parametrize(
    ("path", "resolved"),
    [
        ("data", "data"),
        ("/data [v2]/ä b", "/data [v2]/ä b"),
        (pathlib.Path("a/b"), "a/b"),
        ("file:///tmp/my%20data", "/tmp/my data"),
        ("FILE://localhost/tmp/%C3%A4", "/tmp/ä"),
        ("s3://bucket/data/", "s3://bucket/data"),
    ],
)
def test_resolves_paths_and_uris(path, resolved):
    assert files.resolve(path) == resolved


@pytest.mark.parametrize("path", ["/tmp/ä ö", "/a%b#c?d", "/data [v2]"])
def test_resolves_the_uri_of_any_path(path):
    assert files.resolve(pathlib.Path(path).as_uri()) == path


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("foo://bucket/data", "unknown scheme foo://; known are file://, s3://"),
        ("http://server/data", "unknown scheme http://"),
        ("file://server/data", "must be file:/// and an absolute path"),
        ("file://data", "must be file:/// and an absolute path"),
        ("s3://", "contains no name after s3://"),
    ],
)
def test_rejects_other_uris(path, reason):
    with pytest.raises(EthosError) as error:
        files.resolve(path)
    assert str(error.value).startswith(f"{path}: {reason}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("path", "package", "requirement"),
    [
        ("gs://bucket/data", "google.cloud.storage", "ethos-faces[gcp]"),
        ("s3://bucket/data", "boto3", "ethos-faces[aws]"),
        ("s3://bucket/data", "apache_beam", "ethos-faces[aws]"),
        ("hdfs://server/data", "hdfs", "apache-beam[hadoop]"),
    ],
)
def test_names_the_extra_of_a_missing_package(monkeypatch, path, package, requirement):
    monkeypatch.setattr(
        "ethos_data.storage.stores._is_installed", lambda name: name != package
    )
    with pytest.raises(EthosError) as error:
        files.resolve(path)
    assert str(error.value) == (
        f"{path}: the package {package} is not installed: pip install '{requirement}'"
    )


def test_a_local_path_may_be_a_uri_or_relative_to_the_home_directory(monkeypatch):
    monkeypatch.setenv("HOME", "/home/anna")
    assert files.local_path("~/runs") == "/home/anna/runs"
    assert files.local_path("file:///tmp/runs") == "/tmp/runs"
    with pytest.raises(EthosError, match="s3://bucket/runs: must be a path on"):
        files.local_path("s3://bucket/runs")


def test_replaces_a_file(tmp_path):
    path = tmp_path / "new" / "table.csv"
    for text in ("first", "second"):
        with files.replacing(str(path)) as temporary:
            assert temporary.endswith(".csv")
            pathlib.Path(temporary).write_text(text)
    assert path.read_text() == "second"
    assert os.listdir(path.parent) == ["table.csv"]


def test_replaces_a_directory(tmp_path):
    path = tmp_path / "model"
    for name in ("first", "second"):
        with files.replacing(str(path)) as temporary:
            os.mkdir(temporary)
            (pathlib.Path(temporary) / name).touch()
    assert os.listdir(path) == ["second"]
    assert os.listdir(tmp_path) == ["model"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_keeps_the_old_file(tmp_path, error):
    path = tmp_path / "table.csv"
    path.write_text("old")

    def write():
        with files.replacing(str(path)) as temporary:
            pathlib.Path(temporary).write_text("incomplete")
            raise error

    with pytest.raises(error):
        write()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["table.csv"]


def test_the_error_of_a_failed_write_names_the_file(tmp_path):
    (tmp_path / "file").touch()
    path = str(tmp_path / "file" / "table.csv")
    with pytest.raises(OSError, match=r"table\.csv"):
        files.write(path, iter([b"text"]))


def test_removes_only_the_leftovers_of_the_given_path(tmp_path):
    (tmp_path / f"table{files.TEMPORARY}1234.csv").touch()
    (tmp_path / f"model{files.TEMPORARY}1234").mkdir()
    (tmp_path / f"other{files.TEMPORARY}1234.csv").touch()
    files.remove_leftovers(str(tmp_path / "table.csv"))
    files.remove_leftovers(str(tmp_path / "model"))
    assert os.listdir(tmp_path) == [f"other{files.TEMPORARY}1234.csv"]


def test_leftovers_that_changed_recently_may_stay(tmp_path):
    old = tmp_path / f"table{files.TEMPORARY}1234.csv"
    new = tmp_path / f"table{files.TEMPORARY}5678.csv"
    for path, age in ((old, 4000), (new, 3000)):
        path.touch()
        os.utime(path, (time.time() - age,) * 2)
    files.remove_leftovers(str(tmp_path / "table.csv"), older_than=3600)
    assert os.listdir(tmp_path) == [new.name]
    files.remove_leftovers(str(tmp_path / "table.csv"))
    assert os.listdir(tmp_path) == []


def forbid(monkeypatch, name, error):
    """Makes `os.walk` fail in the directory of this name. Root may read everything."""
    scandir = os.scandir

    def refuse(path):
        if os.path.basename(path) == name:
            raise error(0, os.strerror(0), path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)


def test_a_directory_that_cannot_be_read_is_named(tmp_path, monkeypatch, capsys):
    (tmp_path / "a" / "secret").mkdir(parents=True)
    (tmp_path / "a" / "b.npz").touch()
    error = PermissionError(13, "Permission denied", str(tmp_path / "a" / "secret"))
    forbid(monkeypatch, "secret", lambda *_: error)

    @cli
    def main(argv=None):
        list(files.walk(str(tmp_path)))
        return 0

    assert main() == 1
    expected = f"error: {tmp_path}/a/secret: Permission denied\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize(
    ("name", "error"),
    [("vanished", FileNotFoundError), ("lost+found", PermissionError)],
)
def test_some_directories_may_be_left_out(name, error, tmp_path, monkeypatch):
    (tmp_path / name).mkdir()
    (tmp_path / "b.npz").touch()
    forbid(monkeypatch, name, error)
    assert [entry.path for entry in files.walk(str(tmp_path))] == ["b.npz"]


def test_walks_nested_directories_and_cyclic_links(tmp_path):
    for name in ("a.npz", "b/c/d.npz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"12345")
    (tmp_path / "b" / "cycle").symlink_to(tmp_path)
    (tmp_path / "broken").symlink_to(tmp_path / "missing")
    entries = {entry.path: entry.size for entry in files.walk(str(tmp_path))}
    assert entries == {"a.npz": 5, "b/c/d.npz": 5, "broken": 0}
    assert list(files.walk(str(tmp_path / "missing"))) == []


def test_does_not_wait_for_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with (
        pytest.raises(OSError, match="not a file"),
        files.opened(str(tmp_path / "pipe")),
    ):
        pass


def test_reads_a_missing_file_as_none(tmp_path):
    assert files.read_bytes(str(tmp_path / "missing")) is None
    (tmp_path / "file").write_bytes(b"text")
    assert files.read_bytes(str(tmp_path / "file")) == b"text"
