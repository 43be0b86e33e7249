"""Checkpoints: one npz file that holds all of a run, replaced as a whole or not at all.

A checkpoint is every variable by name and a JSON text (configuration, position in the
data, history so far). It is written beside and renamed, so that a killed job or a full
disk leaves the one before untouched, and read without pickle.
"""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from ethos_data.errors import EthosError

_META: Final = "meta.json"  # no variable is called so: theirs begin with their group

LAST: Final = "last.npz"
BEST: Final = "best.npz"


def write(
    path: str, groups: Mapping[str, list[np.ndarray]], meta: dict[str, Any]
) -> None:
    """Writes a checkpoint; an earlier one of this name stays until this is whole.

    Args:
      path: ends in .npz.
      groups: variables in their model's order, by group, for instance "weights".
      meta: what JSON can hold.

    Raises:
      EthosError: the disk is full or not writable; nothing has changed then.
    """
    arrays = {
        f"{group}/{index:04d}": np.asarray(value)
        for group, values in groups.items()
        for index, value in enumerate(values)
    }
    arrays[_META] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    partial = f"{path}.partial"  # one of a killed run is written over
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(partial, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        kept = "the one before it is kept" if os.path.exists(path) else "none was there"
        reason = error.strerror or error
        raise EthosError(f"{path}: checkpoint not written: {reason}; {kept}") from None
    finally:
        with contextlib.suppress(OSError):
            os.remove(partial)


def read(path: str) -> tuple[dict[str, list[np.ndarray]], dict[str, Any]]:
    """Reads what `write` wrote: the groups and the meta.

    Raises:
      EthosError: not a checkpoint, or a damaged one.
    """
    groups: dict[str, list[np.ndarray]] = {}
    try:
        if os.path.exists(path) and not zipfile.is_zipfile(path):
            raise ValueError("it is no whole npz file")
        with np.load(path, allow_pickle=False) as file:
            meta = json.loads(file[_META].tobytes().decode())
            for name in sorted(set(file.files) - {_META}):
                group, _ = name.rsplit("/", 1)
                groups.setdefault(group, []).append(file[name])
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, EOFError) as error:
        text = getattr(error, "strerror", None) or str(error)
        reason = " ".join(text.split()) or type(error).__name__
        raise EthosError(f"{path}: not a readable checkpoint: {reason}") from None
    return groups, meta


def assign(variables: list[Any], values: list[np.ndarray], path: str) -> None:
    """Gives variables the values of a checkpoint's group.

    Raises:
      EthosError: their number or shapes differ: a checkpoint of another network.
    """
    if len(variables) != len(values):
        raise EthosError(
            f"{path}: holds {len(values)} arrays, this network has {len(variables)}"
        )
    for variable, value in zip(variables, values, strict=True):
        if tuple(variable.shape) != value.shape:
            raise EthosError(
                f"{path}: {variable.path} has shape {value.shape} there and "
                f"{tuple(variable.shape)} in this network"
            )
        variable.assign(value)
