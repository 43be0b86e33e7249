"""Expected failures: one clear line for a person, never a traceback."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence


class EthosError(Exception):
    """Something the user can mend. Its text names the file and the reason."""


def cli(main: Callable[..., int]) -> Callable[..., int]:
    """Decorates a command's ``main(argv=None) -> int``, which console scripts call.

    An expected failure (EthosError, OSError) becomes one line on stderr and status 1,
    Ctrl-C status 130; anything else is a defect of ETHOS and keeps its traceback. So
    ``sys.exit(main())`` is all that ``__main__`` needs.
    """

    @functools.wraps(main)
    def run(argv: Sequence[str] | None = None) -> int:
        try:
            return main(argv)
        except (EthosError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130

    return run
