"""Expected failures: one clear line for a person, never a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence


class EthosError(Exception):
    """Something the user can mend. Its text names the file and the reason."""


def cli(main: Callable[[Sequence[str] | None], int]) -> int:
    """Runs a command's main and turns expected failures into one line on stderr.

    Args:
      main: takes the arguments (None = `sys.argv[1:]`) and returns the exit status.

    Returns:
      What main returns; 1 after an expected failure; 130 after Ctrl-C.
    """
    try:
        return main(None)
    except (EthosError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
