"""Progress bars: tqdm with the same settings in every command."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final, TextIO

from tqdm import tqdm

LOG_SECONDS: Final = 10.0
"""Seconds between two lines if the output is not a terminal."""


def bar(
    total: int | None,
    unit: str,
    *,
    description: str = "",
    stream: TextIO | None = None,
    **details: Any,
) -> tqdm:
    """Returns a progress bar that writes to stderr. Use it as a context manager.

    On a terminal the bar is redrawn in place. In a log it writes a line at most every
    `LOG_SECONDS` seconds and a line at the end.

    Example:
      with progress.bar(len(paths), "files") as bar:
          for path in paths:
              convert(path)
              bar.update()

    Args:
      total: Number of units; None if unknown.
      unit: Name of the unit in the plural, for example "frames".
      description: Text in front of the bar.
      stream: File to write to; None for stderr.
      **details: Further arguments of tqdm.
    """
    stream = stream or sys.stderr
    terminal = stream.isatty()
    return tqdm(
        total=total,
        unit=f" {unit}",
        desc=description or None,
        file=stream,
        dynamic_ncols=terminal,
        mininterval=0.1 if terminal else LOG_SECONDS,
        ascii=(getattr(stream, "encoding", None) or "ascii").lower() != "utf-8",
        leave=not terminal,
        **details,
    )


def counter(bar: tqdm) -> Callable[[int, int], None]:
    """Returns a callback `(done, total)` that moves a bar to `done`."""

    def update(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return update


@contextlib.contextmanager
def reporting(unit: str, **details: Any) -> Iterator[Callable[[int, int], None]]:
    """Yields a callback `(done, total)` that shows a bar.

    The bar appears at the first call, so that a command that fails before its work
    starts prints nothing but the error.

    Example:
      with progress.reporting("videos") as report:
          synthesize.synthesize("corpus", progress=report)

    Args:
      unit: Name of the unit in the plural.
      **details: Further arguments of `bar`.
    """
    with contextlib.ExitStack() as stack:
        update: Callable[[int, int], None] | None = None

        def report(done: int, total: int) -> None:
            nonlocal update
            if update is None:
                update = counter(stack.enter_context(bar(total, unit, **details)))
            update(done, total)

        yield report
