"""RESULTS.md agrees with the files in benchmarks/results."""

import pytest

from benchmarks import measure, tables
from ethos_data.errors import EthosError
from tests.benchmarks.test_measure import RESULT


def test_results_are_up_to_date():
    text = tables.RESULTS.read_text(encoding="utf-8")
    assert tables.update(text) == text, "run python -m benchmarks.tables"


def test_every_result_has_figures_and_a_source():
    for path in measure.DIRECTORY.glob("*.json"):
        result = measure.load(path)
        for field in ("what", "command", "commit", "machine", "date", "figures"):
            assert getattr(result, field), f"{path}: {field}"


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "example.json").write_text(RESULT.to_json())
    return tmp_path


def test_update_replaces_the_text_between_the_markers(directory):
    text = "# Results\n<!-- begin example -->\nold\n<!-- end example -->\nafter\n"
    updated = tables.update(text, directory)
    assert updated.startswith("# Results\n<!-- begin example -->\nFrames per second.\n")
    assert updated.endswith(
        "\n2 cores. Commit abc1234, 2026-01-31.\n<!-- end example -->\nafter\n"
    )
    assert "    python -m benchmarks.example\n" in updated
    assert "| loop | 469 | 1.0 |  |" in updated
    assert tables.update(updated, directory) == updated


def test_rejects_a_result_without_markers_and_markers_without_a_result(directory):
    with pytest.raises(EthosError, match=r"example\.json: no markers"):
        tables.update("# Results\n", directory)
    text = "<!-- begin example -->\n<!-- end example -->\n"
    text += "<!-- begin other -->\n<!-- end other -->\n"
    with pytest.raises(EthosError, match=r"other\.json: no such file"):
        tables.update(text, directory)


def test_check_fails_if_results_are_out_of_date(tmp_path, monkeypatch, capsys):
    path = tmp_path / "RESULTS.md"
    path.write_text(tables.RESULTS.read_text(encoding="utf-8"))
    monkeypatch.setattr(tables, "RESULTS", path)
    assert tables.main(["--check"]) == 0
    path.write_text(path.read_text().replace("| dlib |", "| DLIB |", 1))
    assert tables.main(["--check"]) == 1
    assert "out of date" in capsys.readouterr().err
    assert tables.main([]) == 0
    assert tables.main(["--check"]) == 0
