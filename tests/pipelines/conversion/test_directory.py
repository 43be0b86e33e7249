"""The output directory: whose it is, and who may write to it."""

import errno
import shutil

import pytest

from ethos_data import records
from ethos_data.errors import EthosError
from pipelines import convert
from pipelines.conversion.directory import OutputDirectory
from pipelines.conversion.options import ConversionOptions
from tests.ethos_data import videos
from tests.pipelines.test_convert import read_tree


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    directory = tmp_path_factory.mktemp("directory")
    corpus_dir = videos.write_corpus(directory / "corpus", people=3, videos=1)
    result = convert.convert(
        corpus_dir=str(corpus_dir), data_dir=str(directory / "data")
    )
    return corpus_dir, result


def test_other_options_or_another_corpus_are_refused(converted, tmp_path):
    corpus_dir, result = converted
    data = tmp_path / "data"
    shutil.copytree(result.data_dir, data)
    before = read_tree(data)
    with pytest.raises(EthosError, match=r"image_size 256 instead of 64.*--overwrite"):
        convert.convert(
            corpus_dir=str(corpus_dir),
            data_dir=str(data),
            options=ConversionOptions(image_size=64),
        )
    with pytest.raises(EthosError, match=r"num_shards \(not given\) instead of 2"):
        convert.convert(
            corpus_dir=str(corpus_dir),
            data_dir=str(data),
            options=ConversionOptions(num_shards=2),
        )
    other = videos.write_corpus(tmp_path / "other", videos=1)
    with pytest.raises(EthosError, match="corpus_dir"):
        convert.convert(corpus_dir=str(other), data_dir=str(data))
    assert read_tree(data) == before


def test_overwrite_leaves_nothing_of_the_earlier_data_set(converted, tmp_path):
    _, result = converted
    data = tmp_path / "data"
    shutil.copytree(result.data_dir, data)
    other = videos.write_corpus(tmp_path / "other", videos=1)
    again = convert.convert(corpus_dir=str(other), data_dir=str(data), overwrite=True)
    assert again.found == 6
    fresh = convert.convert(corpus_dir=str(other), data_dir=str(tmp_path / "fresh"))
    assert read_tree(again.version_dir) == read_tree(fresh.version_dir)


@pytest.mark.parametrize("overwrite", [False, True])
def test_files_of_the_user_are_never_touched(converted, tmp_path, overwrite):
    corpus_dir, _ = converted
    directory = tmp_path / "data" / "ethos_faces" / records.VERSION
    directory.mkdir(parents=True)
    (directory / "thesis.tex").write_text("years of work")
    with pytest.raises(EthosError, match="contains files but no conversion"):
        convert.convert(
            corpus_dir=str(corpus_dir),
            data_dir=str(tmp_path / "data"),
            overwrite=overwrite,
        )
    assert (directory / "thesis.tex").read_text() == "years of work"


def test_a_second_conversion_in_the_same_directory_is_refused(converted, tmp_path):
    corpus_dir, _ = converted
    directory = OutputDirectory(str(tmp_path))
    with (
        directory.opened(overwrite=False),
        pytest.raises(EthosError, match="another conversion is running here"),
    ):
        convert.convert(corpus_dir=str(corpus_dir), data_dir=str(tmp_path))


def test_a_file_system_without_locks_is_named(monkeypatch, tmp_path):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    directory = OutputDirectory(str(tmp_path))
    message = rf"^{directory.path}: cannot be locked \(No locks available\)$"
    with pytest.raises(EthosError, match=message), directory.opened(overwrite=False):
        pass


def test_an_error_of_the_conversion_is_not_one_of_the_lock(tmp_path):
    directory = OutputDirectory(str(tmp_path))
    with pytest.raises(BlockingIOError), directory.opened(overwrite=False):
        raise BlockingIOError


def test_overwriting_does_not_follow_links(converted, tmp_path):
    corpus_dir, result = converted
    data = tmp_path / "data"
    shutil.copytree(result.data_dir, data)
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    directory = data / records.NAME / records.VERSION
    (directory / "link").symlink_to(other, target_is_directory=True)
    convert.convert(corpus_dir=str(corpus_dir), data_dir=str(data), overwrite=True)
    assert (other / "thesis.txt").read_text() == "years of work"
