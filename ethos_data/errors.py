"""Expected failures, which a command reports in one line instead of a traceback."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence

INTERRUPTED = 130
"""Exit status after Ctrl-C: 128 plus the number of SIGINT, as in shells."""

_EXTRAS = {
    "apache_beam": "train",
    "google.protobuf": "train",
    "google_crc32c": "train",
    "h5py": "train",
    "isal": "train",
    "keras": "train",
    "numba": "train",
    "scipy": "train",
    "tensorflow": "train",
    "tensorflow_datasets": "train",
    "threadpoolctl": "train",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "tf2onnx": "onnx",
    "pyarrow": "parquet",
    "pythonosc": "osc",
    "boto3": "aws",
    "dask": "dask",
    "distributed": "dask",
    "tensorboard": "tensorboard",
}
"""For each optional dependency, the extra of this package that installs it."""


class EthosError(Exception):
    """A failure that the user can correct. The text contains path and reason."""


def cli(main: Callable[..., int]) -> Callable[..., int]:
    """Decorates a command's `main(argv=None) -> int`, which the console script calls.

    | failure | stderr | exit status |
    | --- | --- | --- |
    | EthosError, OSError | `error: ` and one line | 1 |
    | an optional package is missing | `error: ` and the command that installs it | 1 |
    | Ctrl-C | `interrupted` | 130 |
    | stdout is closed (`\\| head`) | nothing | 0 |

    Any other exception is a defect of ETHOS and keeps its traceback.
    """

    @functools.wraps(main)
    def run(argv: Sequence[str] | None = None) -> int:
        _print_any_text()
        try:
            status = main(argv)
            sys.stdout.flush()
        except BrokenPipeError:
            _discard_stdout()
            return 0
        except ModuleNotFoundError as error:
            print(f"error: {missing_package(error)}", file=sys.stderr)
            return 1
        except (EthosError, OSError) as error:
            print(f"error: {one_line(error)}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return INTERRUPTED
        return status

    return run


@contextlib.contextmanager
def writing(path: str) -> Iterator[None]:
    """Names the file if the block cannot write it.

    Args:
      path: Name of the file in the error message.

    Raises:
      EthosError: The block raised an OSError. A closed pipe remains a BrokenPipeError.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise EthosError(f"{path}: cannot be written ({reason})") from None


def one_line(error: EthosError | OSError) -> str:
    """Returns the text of an error. For an error of the system it is `path: reason`."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    if error.filename is None:
        return error.strerror
    path = error.filename
    return f"{os.fsdecode(path) if isinstance(path, bytes) else path}: {error.strerror}"


def reason_of(error: BaseException) -> str:
    """Returns the cause of an error as one short line, without path and errno."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return reason.splitlines()[0][:200]


def missing_package(error: ModuleNotFoundError) -> str:
    """Returns a line with the command that installs a missing optional package.

    Raises:
      ModuleNotFoundError: The module is not an optional dependency of this package.
    """
    name = error.name or ""
    package = name if name in _EXTRAS else name.split(".", 1)[0]
    if package not in _EXTRAS:
        raise error
    extra = _EXTRAS[package]
    return f"the package {package} is not installed: pip install 'ethos-faces[{extra}]'"


def _print_any_text() -> None:
    """Makes print() escape characters that the encoding of the output lacks."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _discard_stdout() -> None:
    """Discards further output, which would raise an error when Python exits."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
