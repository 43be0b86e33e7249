"""Updates the tables in RESULTS.md from the files in benchmarks/results.

    python -m benchmarks.tables            # after a benchmark has written its result
    python -m benchmarks.tables --check    # fails if RESULTS.md is out of date

RESULTS.md contains a pair of markers for each file, `<!-- begin NAME -->` and
`<!-- end NAME -->`. The text between them is generated from NAME.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import re
import sys
from collections.abc import Sequence
from typing import Final

from benchmarks import measure
from ethos_data import options
from ethos_data.errors import EthosError, cli
from ethos_data.storage import files

RESULTS: Final = pathlib.Path(__file__).parent / "RESULTS.md"

_BLOCK: Final = re.compile(r"<!-- begin (\w+) -->\n.*?<!-- end \1 -->", re.DOTALL)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command. Each field is a flag."""

    check: bool = options.option(
        False, "Only check whether RESULTS.md is up to date; change nothing"
    )


def block(name: str, result: measure.Result) -> str:
    """The generated text of one result, with its markers.

    Args:
      name: Name of the file without its suffix.
      result: Content of the file.
    """
    commands = [f"    {line}" for line in result.command.splitlines()]
    source = f"{result.machine}. Commit {result.commit}, {result.date}."
    if result.recorded:
        source += f" {result.recorded[0].upper()}{result.recorded[1:]}."
    lines = [
        f"<!-- begin {name} -->",
        result.what,
        "",
        *commands,
        "",
        *measure.table(result),
        "",
        source,
        f"<!-- end {name} -->",
    ]
    return "\n".join(lines)


def update(text: str, directory: pathlib.Path = measure.DIRECTORY) -> str:
    """RESULTS.md with current tables.

    Args:
      text: Content of RESULTS.md.
      directory: Directory with the results.

    Raises:
      EthosError: A result has no markers, or markers have no result.
    """
    results = {
        path.stem: measure.load(path) for path in sorted(directory.glob("*.json"))
    }
    marked = _BLOCK.findall(text)
    for name in sorted(set(results) ^ set(marked)):
        problem = "no markers in RESULTS.md" if name in results else "no such file"
        raise EthosError(f"{directory / name}.json: {problem}")
    return _BLOCK.sub(lambda match: block(match[1], results[match[1]]), text)


def parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    result = options.make_parser("python -m benchmarks.tables", __doc__)
    options.add_flags(result, Options)
    return result


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    text = RESULTS.read_text(encoding="utf-8")
    updated = update(text)
    if chosen.check:
        if updated != text:
            raise EthosError(f"{RESULTS}: out of date. Run python -m benchmarks.tables")
        return 0
    files.write(str(RESULTS), iter([updated.encode()]))
    print(f"wrote {RESULTS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
