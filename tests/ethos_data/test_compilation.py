"""The decorator of compiled functions, above all where nothing is writable."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile

import numba
import pytest
from numba.core import caching

from ethos_data import compilation
from ethos_data.compilation import compiled


def double(x):  # pragma: no cover (compiled)
    return 2 * x


@pytest.fixture
def no_writable_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> pathlib.Path:
    """Neither the package nor the home directory is writable. Returns the temporary
    directory of the process, which is."""
    locators = [caching.UserProvidedCacheLocator]
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", locators)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def cached_files(directory: pathlib.Path) -> list[pathlib.Path]:
    return list(directory.rglob("*.nbi"))


def test_numba_alone_fails_without_a_writable_cache(
    no_writable_cache: pathlib.Path,
) -> None:
    with pytest.raises(RuntimeError, match="no locator available"):
        numba.njit(cache=True)(double)


def test_caches_in_a_private_temporary_directory(
    no_writable_cache: pathlib.Path,
) -> None:
    assert compiled(double)(21) == 42
    (path,) = cached_files(no_writable_cache)
    directory = path.relative_to(no_writable_cache).parts[0]
    assert (no_writable_cache / directory).stat().st_mode & 0o777 == 0o700
    assert numba.config.CACHE_DIR == ""


def test_reads_the_cache_of_an_earlier_process(
    no_writable_cache: pathlib.Path,
) -> None:
    compiled(double)(21)
    again = compiled(double)
    assert again(21) == 42
    assert sum(again.stats.cache_hits.values()) == 1


def test_works_without_any_writable_directory(
    no_writable_cache: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = no_writable_cache / "file"
    file.touch()
    monkeypatch.setattr(tempfile, "tempdir", str(file))
    assert compiled(fastmath=True)(double)(21) == 42
    assert not cached_files(no_writable_cache)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs POSIX permissions")
def test_refuses_a_cache_that_other_users_can_write_to(
    no_writable_cache: pathlib.Path,
) -> None:
    shared = pathlib.Path(compilation._private_directory())
    shared.chmod(0o777)
    assert compiled(double)(21) == 42
    assert not cached_files(no_writable_cache)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs symbolic links")
def test_refuses_a_symbolic_link(no_writable_cache: pathlib.Path) -> None:
    directory = pathlib.Path(compilation._private_directory())
    directory.rename(no_writable_cache / "elsewhere")
    directory.symlink_to(no_writable_cache / "elsewhere")
    assert compiled(double)(21) == 42
    assert not cached_files(no_writable_cache)


def test_modules_without_compiled_functions_do_not_need_numba() -> None:
    names = (
        "crop degrade errors grey options progress records topology"
        " storage.files storage.npz corpora.npz_video"
    )
    imports = "".join(f"import ethos_data.{name}\n" for name in names.split())
    script = f"import sys\nsys.modules['numba'] = None\n{imports}"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)
