"""The manifest in parts, and manifests of earlier versions."""

import json
import pathlib
import shutil

import pytest

from ethos_data.errors import EthosError
from pipelines import convert, inspect
from pipelines.conversion import manifest, parts
from pipelines.conversion.options import ConversionOptions
from tests.ethos_data import videos
from tests.pipelines.test_convert import read_tree

OPTIONS = ConversionOptions(num_shards=2, depth_method="delaunay")


def run(corpus_dir, data_dir):
    return convert.convert(
        corpus_dir=str(corpus_dir), data_dir=str(data_dir), options=OPTIONS
    )


@pytest.fixture(scope="module")
def corpus_dir(tmp_path_factory):
    directory = tmp_path_factory.mktemp("manifest") / "corpus"
    videos.write_corpus(directory, people=5, videos=2, frames=2)
    (directory / "Bad_One_1.npz").write_bytes(b"no video")
    twin = next(path for path in directory.rglob("*.npz") if path.parent != directory)
    shutil.copy(twin, directory / twin.name)
    return directory


def test_small_parts_contain_what_one_part_contains(corpus_dir, tmp_path, monkeypatch):
    results = []
    for lines in (1000, 3):
        monkeypatch.setattr(parts, "LINES", lines)
        result = run(corpus_dir, tmp_path / str(lines))
        found = manifest.read(result.version_dir)
        results.append([list(found.inputs()), list(found.rejected())])
        assert len(found.head["parts"]) == {1000: 1, 3: 4}[lines]
        assert found.head["found"] == 12
        assert found.head["rejected"] == len(results[-1][1]) == 2
        assert inspect.main([result.data_dir, "--verify"]) == 0
        # The same command again finds the plan in its parts and changes nothing.
        before = read_tree(result.data_dir)
        again = run(corpus_dir, tmp_path / str(lines))
        assert again.shards_reused == again.shards
        assert read_tree(result.data_dir) == before
    assert results[0] == results[1]


def to_format_1(directory):
    """Stores plan and manifest as the first version of ETHOS did."""
    plan_path = directory / ".ethos" / "plan.json"
    saved = json.loads(plan_path.read_text())
    people, duplicates, left_out, shards = {}, {}, [], []
    for line in parts.read(str(plan_path.parent), saved.pop("parts")):
        if "person" in line:
            people[line["person"]] = line["split"]
        elif "duplicate" in line:
            duplicates[line["duplicate"]] = line["of"]
        elif "left_out" in line:
            left_out.append(line["left_out"])
        elif "key" in line:
            shards.append(line | {"members": []})
        else:
            shards[-1]["members"].append(line)
    saved["plan"] |= {
        "people": people,
        "duplicates": duplicates,
        "left_out": left_out,
        "shards": shards,
    }
    found = manifest.read(str(directory))
    head = dict(found.head) | {
        "format_version": 1,
        "inputs": list(found.inputs()),
        "rejected": list(found.rejected()),
        "left_out": left_out,
    }
    del head["parts"]
    for path in directory.rglob("*.jsonl"):
        path.unlink()
    plan_path.write_text(json.dumps(saved))
    (directory / "manifest.json").write_text(json.dumps(head))


def test_a_data_set_of_an_earlier_version_is_read_and_extended(
    corpus_dir, tmp_path, capsys
):
    corpus = shutil.copytree(corpus_dir, tmp_path / "corpus")
    result = run(corpus, tmp_path / "data")
    expected = read_tree(result.data_dir)
    to_format_1(pathlib.Path(result.version_dir))
    assert inspect.main([result.data_dir, "--verify"]) == 0
    assert "12 found, 10 written, 2 rejected, 0 left out" in capsys.readouterr().out
    again = run(corpus, tmp_path / "data")
    assert again.shards_reused == again.shards
    assert read_tree(result.data_dir) == expected
    to_format_1(pathlib.Path(result.version_dir))
    videos.write_corpus(corpus / "more", people=1, videos=1, frames=3)
    extended = run(corpus, tmp_path / "data")
    assert extended.shards_reused >= result.shards
    assert extended.found == 13


def test_a_damaged_part_is_reported_in_one_line_and_written_again(corpus_dir, tmp_path):
    result = run(corpus_dir, tmp_path / "data")
    (part,) = pathlib.Path(result.version_dir).glob("manifest-*.jsonl")
    before = part.read_bytes()
    part.write_bytes(before[:-9])
    with pytest.raises(EthosError, match=f"{part.name} is damaged"):
        inspect.report(inspect.find(result.data_dir))
    run(corpus_dir, tmp_path / "data")
    assert part.read_bytes() == before
