"""What all benchmarks share: the schema of their results, timing, medians and ratios.

A benchmark ends with

    measure.save(
        "predict_speed",
        chosen,
        what="Time to predict one face, at batch size 1.",
        figures={"ETHOS, LiteRT": {"median ms": 2.61}},
        baseline={"MobileNetV2": {"median ms": 5.29}},
    )

which writes `benchmarks/results/predict_speed.json` and prints the table. The command
`python -m benchmarks.tables` puts the tables of all such files into RESULTS.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import platform
import shlex
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import psutil

from ethos_data import options
from ethos_data.errors import EthosError
from ethos_data.storage import files

DIRECTORY: Final = pathlib.Path(__file__).parent / "results"
"""Where the results of all benchmarks are stored."""

Figures = Mapping[str, Mapping[str, float | str | None]]
"""Table of figures: for each row, the value of each column. The name of a column
contains the unit. None leaves a cell empty."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """The result of a benchmark: the content of a file in `benchmarks/results`.

    Attributes:
      what: What is measured, in full sentences.
      command: Command, or commands one per line, that repeat the measurement.
      commit: Git commit of the code that was measured.
      machine: Processor, memory and load of the machine.
      date: Day of the measurement, YYYY-MM-DD.
      figures: The figures of ETHOS.
      baseline: Figures to compare with. Their rows and columns are added to the table.
      recorded: How the figures came into the file, if the command did not write it.
    """

    what: str
    command: str
    commit: str
    machine: str
    date: str
    figures: Figures
    baseline: Figures
    recorded: str = ""

    def to_json(self) -> str:
        values = dataclasses.asdict(self)
        if not self.recorded:
            del values["recorded"]
        return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def load(path: str | os.PathLike[str]) -> Result:
    """Reads the result of a benchmark.

    Raises:
      EthosError: The file does not have the schema of `Result`.
    """
    try:
        values = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        result = Result(**values)
    except (OSError, ValueError, TypeError) as error:
        raise EthosError(f"{path}: not a benchmark result: {error}") from None
    for field in dataclasses.fields(Result):
        value = getattr(result, field.name)
        if not isinstance(value, str | dict) or (field.type == "str") != isinstance(
            value, str
        ):
            raise EthosError(f"{path}: {field.name} has the wrong type")
    return result


def output_option(name: str) -> Any:
    """The field `output` of a benchmark's dataclass of options.

    Args:
      name: Name of the benchmark's module.
    """
    return options.option(
        str(DIRECTORY / f"{name}.json"),
        "JSON file to write",
        group="output",
        metavar="FILE",
        default_text=f"benchmarks/results/{name}.json",
    )


def model_option() -> Any:
    """The field `model_dir` of a benchmark's dataclass of options."""
    return options.option(
        None,
        "Directory of an exported model; the model that is part of ETHOS if it is not "
        "given",
        positional=True,
        metavar="DIR",
    )


def make_parser(
    name: str, description: str | None, cls: type
) -> argparse.ArgumentParser:
    """The parser of a benchmark.

    Args:
      name: Name of the benchmark's module.
      description: Docstring of the module.
      cls: Dataclass of options.
    """
    parser = options.make_parser(f"python -m benchmarks.{name}", description)
    options.add_flags(parser, cls)
    return parser


def save(
    name: str, chosen: Any, *, what: str, figures: Figures, baseline: Figures
) -> None:
    """Writes the result of a benchmark and prints its table.

    Args:
      name: Name of the benchmark's module.
      chosen: The options of the run, a dataclass with a field `output`.
      what: See `Result`.
      figures: See `Result`.
      baseline: See `Result`.
    """
    command = command_line(name, chosen)
    write(chosen.output, what=what, command=command, figures=figures, baseline=baseline)


def write(
    path: str, *, what: str, command: str, figures: Figures, baseline: Figures
) -> None:
    """Writes a result with the current commit, machine and date. Prints its table.

    Args:
      path: JSON file to write.
      what: See `Result`.
      command: See `Result`.
      figures: See `Result`.
      baseline: See `Result`.
    """
    result = Result(
        what=what,
        command=command,
        commit=commit(),
        machine=machine(),
        date=datetime.date.today().isoformat(),
        figures=_plain(figures),
        baseline=_plain(baseline),
    )
    files.write(path, iter([result.to_json().encode()]))
    print("\n".join(table(result)))
    print(f"\nwrote {path}")
    print("next: python -m benchmarks.tables    # updates benchmarks/RESULTS.md")


def _plain(figures: Figures) -> Figures:
    """Figures with numbers of Python instead of NumPy."""
    return {
        row: {
            column: value.item() if isinstance(value, np.generic) else value
            for column, value in cells.items()
        }
        for row, cells in figures.items()
    }


def command_line(name: str, chosen: Any) -> str:
    """The command that repeats a run, with the flags that are not at their defaults."""
    words = [f"python -m benchmarks.{name}"]
    for field, (definition, option, _) in options.describe(type(chosen)).items():
        value = getattr(chosen, field)
        if field == "output" or value == definition.default:
            continue
        values = value if isinstance(value, tuple) else (value,)
        if isinstance(value, bool):
            words.append(f"--{field}" if value else f"--no-{field}")
        elif option.positional:
            words += [shlex.quote(str(item)) for item in values]
        else:
            words += [f"--{field}", *(shlex.quote(str(item)) for item in values)]
    return " ".join(words)


def commit() -> str:
    """Short hash of the current commit, with "+" if there are uncommitted changes."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments],
            cwd=DIRECTORY.parent,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short", "HEAD") + "+" * bool(changed)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def machine() -> str:
    """Number of cores, processor, memory and current load of this machine."""
    processor = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line for line in file if line.startswith("model name")]
        processor = names[0].split(":", 1)[1].strip()
    except (OSError, IndexError):
        pass
    memory = psutil.virtual_memory().total / 2**30
    load = psutil.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores, {processor}, {memory:.0f} GiB; "
        f"load average {load:.1f} at the end"
    )


@dataclasses.dataclass(frozen=True)
class Times:
    """Times of the repeated calls of one function.

    Attributes:
      wall: Wall time of each call, in seconds.
      processor: Processor time of each call in this process, in seconds. Other work on
        the machine hardly changes it.
    """

    wall: Sequence[float]
    processor: Sequence[float]

    def least(self) -> float:
        """Least wall time, in milliseconds."""
        return 1e3 * min(self.wall)

    def median(self) -> float:
        """Median wall time, in milliseconds."""
        return 1e3 * statistics.median(self.wall)

    def processor_median(self) -> float:
        """Median processor time, in milliseconds."""
        return 1e3 * statistics.median(self.processor)


def take_turns(
    calls: Mapping[str, Callable[[], object]], turns: int, *, warm_up: int = 3
) -> dict[str, Times]:
    """Times functions in turns, so that other work on the machine affects all of them.

    Args:
      calls: The functions by name.
      turns: Number of timed calls of each function.
      warm_up: Number of calls of each function before the first timed one.

    Returns:
      The times by name.
    """
    for call in calls.values():
        for _ in range(warm_up):
            call()
    wall: dict[str, list[float]] = {name: [] for name in calls}
    processor: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(turns):
        for name, call in calls.items():
            used, started = time.process_time(), time.perf_counter()
            call()
            wall[name].append(time.perf_counter() - started)
            processor[name].append(time.process_time() - used)
    return {name: Times(wall[name], processor[name]) for name in calls}


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each column over rounds.

    Args:
      rounds: The values of one round, by column. All rounds have the same columns.
    """
    return {
        column: statistics.median(values[column] for values in rounds)
        for column in rounds[0]
    }


def ratios(values: Mapping[str, float], reference: str) -> dict[str, float]:
    """Each value divided by that of `reference`."""
    return {name: value / values[reference] for name, value in values.items()}


def table(result: Result) -> list[str]:
    """A result as the lines of a Markdown table.

    The rows and columns of the figures come first, then those that only the baseline
    has. All numbers of a column are printed with the same number of decimals.
    """
    rows: dict[str, dict[str, Any]] = {}
    for part in (result.figures, result.baseline):
        for row, cells in part.items():
            rows.setdefault(row, {}).update(cells)
    columns = list(dict.fromkeys(column for cells in rows.values() for column in cells))
    decimals = {
        column: max(_decimals(cells.get(column)) for cells in rows.values())
        for column in columns
    }
    lines = [
        "| | " + " | ".join(columns) + " |",
        "| --- |" + " ---: |" * len(columns),
    ]
    for row, cells in rows.items():
        texts = [_text(cells.get(column), decimals[column]) for column in columns]
        lines.append(f"| {row} | " + " | ".join(texts) + " |")
    return lines


def _decimals(value: Any) -> int:
    return len(repr(value).partition(".")[2]) if isinstance(value, float) else 0


def _text(value: Any, decimals: int) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:,.{decimals}f}"
