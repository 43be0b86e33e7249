"""The public names of the package, and the files that belong to it."""

from __future__ import annotations

import configparser
import importlib.metadata
import pathlib
import subprocess
import sys

import pytest

import ethos_data

ROOT = pathlib.Path(__file__).parent.parent.parent


def run_python(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return result.stdout.strip()


def test_importing_the_package_imports_no_library():
    libraries = {"tensorflow", "keras", "numba", "apache_beam", "numpy", "cv2"}
    code = f"import sys, ethos_data; print(sorted({libraries} & set(sys.modules)))"
    assert run_python(code) == "[]"


def test_reading_videos_and_listing_names_need_no_tensorflow():
    code = (
        "import sys, ethos_data; ethos_data.read_video; dir(ethos_data); "
        "print('tensorflow' in sys.modules, 'numba' in sys.modules)"
    )
    assert run_python(code) == "False False"


def test_public_names_are_the_documented_functions():
    from ethos_data import dataset, depth
    from ethos_data.corpora import npz_video

    assert ethos_data.read_video is npz_video.read_video
    assert ethos_data.depth_map is depth.depth_map
    assert ethos_data.load_dataset is dataset.load
    assert set(ethos_data.__all__) <= set(dir(ethos_data))


def test_a_wrong_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'ethos_data' has no attribute 'x'"):
        _ = ethos_data.x


def test_the_version_is_that_of_the_distribution(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: f"1.2 of {name}")
    assert ethos_data.__version__ == "1.2 of ethos-faces"

    def fail(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", fail)
    assert ethos_data.__version__ == "0+unknown"


@pytest.mark.parametrize("package", ["ethos_data", "ethos_model", "pipelines", "gui"])
def test_each_package_declares_its_types(package):
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    patterns = config["options.package_data"][package].split(",")
    assert "py.typed" in [pattern.strip() for pattern in patterns]
    assert (ROOT / package / "py.typed").is_file()
