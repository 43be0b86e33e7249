"""Checkpoints: one npz file with everything that a run needs to continue.

A checkpoint holds every variable under its name and a JSON text: the configuration, the
position in the data and the history. It is written to a temporary file and renamed, so
a killed process or a full disk leaves the previous checkpoint unchanged. It is read
without pickle.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from ethos_data.errors import EthosError
from ethos_data.storage import files

_META: Final = "meta.json"  # the names of all arrays start with a group and a slash

LAST: Final = "last.npz"
"""Name of the checkpoint that a resumed run continues from."""

BEST: Final = "best.npz"
"""Name of the checkpoint of the epoch with the lowest validation error."""

Values = Mapping[str, np.ndarray]
"""Values of variables by name, for example "Conv1/kernel"."""


def values(variables: Iterable[Any]) -> dict[str, np.ndarray]:
    """Values of Keras variables by name.

    Args:
      variables: Keras variables with different names.
    """
    variables = list(variables)
    by_name = {variable.path: variable.numpy() for variable in variables}
    if len(by_name) != len(variables):
        raise ValueError("The names of the variables must differ")
    return by_name


def write(path: str, groups: Mapping[str, Values], meta: dict[str, Any]) -> None:
    """Writes a checkpoint. The previous one stays until the new one is complete.

    Args:
      path: File to write, with the suffix .npz.
      groups: Values of variables by group, for example "weights", and name.
      meta: Anything that JSON can represent.

    Raises:
      EthosError: The file cannot be written. The previous checkpoint is unchanged.
    """
    arrays = {
        f"{group}/{name}": np.asarray(value)
        for group, named in groups.items()
        for name, value in named.items()
    }
    arrays[_META] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    try:
        with files.replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        state = "is unchanged" if os.path.exists(path) else "does not exist"
        raise EthosError(
            f"{path}: the checkpoint cannot be written: {error.strerror or error}. "
            f"The previous checkpoint {state}"
        ) from None


def read(path: str) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, Any]]:
    """Reads a checkpoint.

    Args:
      path: File that `write` wrote.

    Returns:
      The values of the variables by group and name, and the meta data.

    Raises:
      EthosError: The file is missing, damaged or not a checkpoint.
    """
    groups: dict[str, dict[str, np.ndarray]] = {}
    try:
        with _opened(path) as file:
            meta = _meta(file)
            for key in file.files:
                if key != _META:
                    group, name = key.split("/", 1)
                    groups.setdefault(group, {})[name] = file[key]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise _unreadable(path, error) from None
    return groups, meta


def read_meta(path: str) -> dict[str, Any]:
    """Reads only the meta data of a checkpoint; see `read`."""
    try:
        with _opened(path) as file:
            return _meta(file)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise _unreadable(path, error) from None


def _opened(path: str) -> Any:
    if os.path.exists(path) and not zipfile.is_zipfile(path):
        raise ValueError("it is not a complete npz file")
    return np.load(path, allow_pickle=False)


def _meta(file: Any) -> dict[str, Any]:
    return json.loads(file[_META].tobytes().decode())


def _unreadable(path: str, error: Exception) -> EthosError:
    text = getattr(error, "strerror", None) or str(error)
    reason = " ".join(text.split()) or type(error).__name__
    return EthosError(f"{path}: not a readable checkpoint: {reason}")


def assign(variables: Iterable[Any], saved: Values, path: str) -> None:
    """Sets variables to the values of a checkpoint.

    Args:
      variables: Keras variables.
      saved: Values by name: one group of a checkpoint.
      path: Path of the checkpoint, for error messages.

    Raises:
      EthosError: A name or a shape differs: it is a checkpoint of another network. No
        variable has changed then.
    """
    by_name = {variable.path: variable for variable in variables}
    problem = f"{path}: checkpoint of another network"
    for name, variable in by_name.items():
        if name not in saved:
            raise EthosError(f"{problem}: {name} is missing")
        if tuple(variable.shape) != saved[name].shape:
            raise EthosError(
                f"{problem}: the shape of {name} is {saved[name].shape}, "
                f"not {tuple(variable.shape)}"
            )
    for name in saved:
        if name not in by_name:
            raise EthosError(f"{problem}: this network has no {name}")
    for name, variable in by_name.items():
        variable.assign(saved[name])
