"""The user's cache: which directory is used, and what if it cannot be written."""

from __future__ import annotations

import os
import stat

import pytest

from ethos_data.errors import EthosError
from ethos_data.storage import user_cache


@pytest.fixture(autouse=True)
def _environment(monkeypatch, tmp_path):
    for name in ("ETHOS_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_the_environment_chooses_the_directory(monkeypatch, tmp_path):
    assert user_cache.directory() == str(tmp_path / "home" / ".cache" / "ethos")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert user_cache.directory() == str(tmp_path / "home" / ".cache" / "ethos")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert user_cache.directory() == str(tmp_path / "xdg" / "ethos")
    monkeypatch.setenv("ETHOS_CACHE", str(tmp_path / "own"))
    assert user_cache.directory() == str(tmp_path / "own")
    assert (tmp_path / "xdg" / "ethos").is_dir()
    assert (tmp_path / "own").is_dir()


@pytest.mark.parametrize("home", ["/dev/null/home", "relative"])
def test_falls_back_to_the_temporary_directory(home, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", home)
    fallback = user_cache.directory()
    assert os.path.dirname(fallback) == str(tmp_path)
    assert stat.S_IMODE(os.stat(fallback).st_mode) == 0o700
    assert not os.path.exists("relative")


def test_a_directory_of_another_user_is_refused(monkeypatch):
    monkeypatch.setenv("HOME", "/dev/null/home")
    user = os.getuid()
    numbers = iter([user, user + 1])
    monkeypatch.setattr(os, "getuid", lambda: next(numbers))
    with pytest.raises(EthosError, match="belongs to another user; set ETHOS_CACHE"):
        user_cache.directory()


def test_names_a_chosen_directory_that_cannot_be_created(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ETHOS_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(EthosError, match=r"file/cache: cannot be created \(Not a dir"):
        user_cache.directory()
