"""Lists in parts: what is written is read again, and damage is noticed."""

import json
import pathlib

import pytest

from pipelines.conversion import parts


@pytest.fixture(autouse=True)
def _three_lines_in_a_part(monkeypatch):
    monkeypatch.setattr(parts, "LINES", 3)


@pytest.mark.parametrize("count", [0, 1, 3, 7])
def test_a_list_is_read_as_it_was_written(count, tmp_path):
    lines = [{"path": f"ä\n{i}\udcff", "modified": i / 7} for i in range(count)]
    names = parts.write(str(tmp_path), "list", iter(lines))
    assert sorted(names) == names == sorted(p.name for p in tmp_path.iterdir())
    assert list(parts.read(str(tmp_path), names)) == lines
    lengths = [len((tmp_path / name).read_bytes().splitlines()) for name in names]
    assert lengths == [3] * (count // 3) + [count % 3] * (count % 3 > 0)


def test_each_line_is_json(tmp_path):
    (name,) = parts.write(str(tmp_path), "list", [{"b": 1, "a": 2}])
    assert json.loads((tmp_path / name).read_text()) == {"a": 2, "b": 1}


def test_equal_lists_have_equal_names_and_other_lists_have_other_names(tmp_path):
    names = [parts.write(str(tmp_path), "list", line) for line in ("ab", "ab", "ac")]
    assert names[0] == names[1]
    assert not set(names[0]) & set(names[2])


@pytest.mark.parametrize("damage", [lambda p: p.unlink(), lambda p: p.write_text("1")])
def test_a_missing_or_damaged_part_is_named(damage, tmp_path):
    names = parts.write(str(tmp_path), "list", range(5))
    damage(pathlib.Path(tmp_path / names[1]))
    read = parts.read(str(tmp_path), names)
    assert [next(read) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match=names[1]):
        next(read)
