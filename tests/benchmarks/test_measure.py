"""Results of benchmarks: their schema, their tables, medians and ratios."""

import dataclasses
import json
import re
import time

import numpy as np
import pytest

from benchmarks import measure
from ethos_data import options
from ethos_data.errors import EthosError

RESULT = measure.Result(
    what="Frames per second.",
    command="python -m benchmarks.example",
    commit="abc1234",
    machine="2 cores",
    date="2026-01-31",
    figures={"ETHOS": {"frames/s": 1593, "ratio": 3.4}},
    baseline={"loop": {"frames/s": 469, "ratio": 1.0}, "ETHOS": {"note": "2 workers"}},
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    path: str = options.required("File", positional=True)
    rounds: int = options.option(3, "Number of rounds")
    quick: bool = options.option(False, "Whether to be quick")
    output: str = measure.output_option("example")


def test_a_result_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "example.json"
    path.write_text(RESULT.to_json())
    assert measure.load(path) == RESULT
    assert set(json.loads(RESULT.to_json())) == {
        *("what", "command", "commit", "machine", "date", "figures", "baseline")
    }


@pytest.mark.parametrize(
    "change",
    [{"what": None}, {"figures": "none"}, {"machine": {}}, {"unknown": "x"}],
)
def test_rejects_a_file_with_another_schema(tmp_path, change):
    path = tmp_path / "example.json"
    path.write_text(json.dumps(json.loads(RESULT.to_json()) | change))
    with pytest.raises(EthosError, match=r"example\.json"):
        measure.load(path)


def test_table_joins_figures_and_baseline():
    assert measure.table(RESULT) == [
        "| | frames/s | ratio | note |",
        "| --- | ---: | ---: | ---: |",
        "| ETHOS | 1,593 | 3.4 | 2 workers |",
        "| loop | 469 | 1.0 |  |",
    ]


def test_numbers_of_a_column_have_the_same_number_of_decimals():
    figures = {"a": {"ms": 2.61}, "b": {"ms": 2.5}, "c": {"ms": 3}}
    lines = measure.table(dataclasses.replace(RESULT, figures=figures, baseline={}))
    assert lines[2:] == ["| a | 2.61 |", "| b | 2.50 |", "| c | 3.00 |"]


def test_command_line_contains_the_flags_that_were_changed():
    chosen = Options(path="my corpus", rounds=5, output="elsewhere.json")
    expected = "python -m benchmarks.example 'my corpus' --rounds 5"
    assert measure.command_line("example", chosen) == expected
    chosen = Options(path="corpus", quick=True)
    assert measure.command_line("example", chosen).endswith("corpus --quick")


def test_save_writes_the_result_and_prints_its_table(tmp_path, capsys):
    output = tmp_path / "result.json"
    chosen = Options(path="corpus", output=str(output))
    figures = {"ETHOS": {"frames/s": 9, "ms": np.float64(0.5)}}
    measure.save("example", chosen, what="Speed.", figures=figures, baseline={})
    result = measure.load(output)
    assert result.figures == {"ETHOS": {"frames/s": 9, "ms": 0.5}}
    assert re.fullmatch(r"[0-9a-f]{7,}\+?|unknown", result.commit)
    assert "cores" in result.machine
    assert "| ETHOS | 9 | 0.5 |" in capsys.readouterr().out


def test_take_turns_calls_functions_alternately_and_times_them():
    calls = []
    functions = {
        "short": lambda: calls.append("short"),
        "long": lambda: (calls.append("long"), time.sleep(0.02)),
    }
    times = measure.take_turns(functions, 3, warm_up=1)
    assert calls == ["short", "long"] * 4
    assert times["long"].least() >= 20
    assert times["long"].least() <= times["long"].median()
    assert times["short"].median() < times["long"].median()
    # Sleeping needs no processor time.
    assert times["long"].processor_median() < times["long"].median()


def test_medians_and_ratios():
    rounds = [{"a": 1.0, "b": 9.0}, {"a": 3.0, "b": 7.0}, {"a": 2.0, "b": 8.0}]
    assert measure.medians(rounds) == {"a": 2.0, "b": 8.0}
    assert measure.ratios({"a": 2.0, "b": 8.0}, "a") == {"a": 1.0, "b": 4.0}
