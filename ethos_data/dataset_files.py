"""The files of a converted data set: its directory, its shards and their content.

Nothing here imports TensorFlow, so a command can check its arguments at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator

from ethos_data import records
from ethos_data.batches import remote
from ethos_data.errors import EthosError, reason_of
from ethos_data.storage import tfrecord

_INFO = "dataset_info.json"  # written by TFDS when all shards are complete
_MANIFEST = "manifest.json"  # written by ethos-convert, with a checksum of each shard


def version_dir(data_dir: str | os.PathLike[str]) -> str:
    """Returns the directory that contains the shards of a data set.

    Args:
      data_dir: The directory that was given to ethos-convert, or the directory of one
        version. A data set in an object store is copied to this machine first.

    Returns:
      `data_dir` itself, or the directory of the newest version below it.

    Raises:
      EthosError: `data_dir` contains no converted data set.
    """
    data_dir = remote.local_copy(os.fspath(data_dir))
    if os.path.exists(os.path.join(data_dir, _INFO)):
        return data_dir
    parent = os.path.join(data_dir, records.NAME)
    versions = [
        os.path.join(parent, name)
        for name in _names(parent)
        if os.path.exists(os.path.join(parent, name, _INFO))
    ]
    if not versions:
        if not os.path.isdir(data_dir):
            raise EthosError(f"{data_dir}: no such directory")
        raise EthosError(f"{data_dir}: contains no data set; ethos-convert writes one")
    return max(versions, key=_version)


def _names(directory: str) -> list[str]:
    """Returns the sorted names in a directory, or [] if it does not exist.

    `glob` would interpret the brackets of a directory such as "data [v2]".
    """
    return sorted(os.listdir(directory)) if os.path.isdir(directory) else []


def _version(path: str) -> tuple[int, ...]:
    numbers = os.path.basename(path).split(".")
    return tuple(int(n) if n.isdigit() else -1 for n in numbers)


def shard_paths(data_dir: str | os.PathLike[str], split: str) -> list[str]:
    """Returns the paths of the shards of a split, in order.

    Raises:
      EthosError: The split does not exist, or some of its shards are missing.
    """
    directory = version_dir(data_dir)
    prefix = f"{records.NAME}-{split}.tfrecord-"
    names = [n for n in _names(directory) if n.startswith(prefix) and "-of-" in n]
    paths = [os.path.join(directory, name) for name in names]
    if not paths:
        raise EthosError(
            f"{directory}: there is no split {split!r}; "
            f"the splits are {', '.join(counts(directory))}"
        )
    expected = int(paths[0].rsplit("-of-", 1)[1])
    if len(paths) != expected:
        raise EthosError(
            f"{directory}: only {len(paths)} of {expected} shards of the split "
            f"{split!r} exist; ethos-convert writes the missing shards"
        )
    return paths


def counts(data_dir: str | os.PathLike[str]) -> dict[str, int]:
    """Returns the number of examples in each split."""
    return {split: sum(lengths) for split, lengths in shard_lengths(data_dir).items()}


def shard_lengths(data_dir: str | os.PathLike[str]) -> dict[str, list[int]]:
    """Returns the number of examples in each shard of each split.

    Raises:
      EthosError: `dataset_info.json` is damaged.
    """
    path = os.path.join(version_dir(data_dir), _INFO)
    try:
        with open(path, encoding="utf-8") as file:
            splits = json.load(file).get("splits", [])
        return {
            split["name"]: [int(length) for length in split["shardLengths"]]
            for split in splits
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EthosError(
            f"{path}: damaged ({reason_of(error)}). Run ethos-convert again"
        ) from error


def fingerprint(data_dir: str | os.PathLike[str]) -> str:
    """Returns a hash of the content of a data set, as 64 hexadecimal digits.

    The hash is the SHA-256 of the two files that contain the number of examples, the
    size and the checksum of each shard.
    """
    directory = version_dir(data_dir)
    digest = hashlib.sha256()
    for name in (_INFO, _MANIFEST):
        path = os.path.join(directory, name)
        if os.path.exists(path):
            with open(path, "rb") as file:
                digest.update(file.read())
    return digest.hexdigest()


@contextlib.contextmanager
def locate_damage(*data_dirs: str | os.PathLike[str]) -> Iterator[None]:
    """Adds the path of the damaged shard to errors of TensorFlow in the block.

    TensorFlow reports a damaged shard without its path.

    Args:
      *data_dirs: All data sets that are read in the block.

    Raises:
      EthosError: A shard is damaged. Replaces `tf.errors.DataLossError`.
    """
    import tensorflow as tf

    try:
        yield
    except tf.errors.DataLossError as error:
        for data_dir in data_dirs:
            _raise_for_damage(version_dir(data_dir))
        names = ", ".join(os.fspath(data_dir) for data_dir in data_dirs)
        raise EthosError(f"{names}: a shard is damaged: {error.message}") from None


def _raise_for_damage(directory: str) -> None:
    """Reads all shards in a directory.

    Raises:
      EthosError: A shard is damaged. The error names the first of them.
    """
    for name in _names(directory):
        if ".tfrecord-" not in name:
            continue
        path = os.path.join(directory, name)
        try:
            with open(path, "rb") as file:
                for _ in tfrecord.read(file):
                    pass
        except tfrecord.TFRecordError as reason:
            raise EthosError(
                f"{path}: damaged: {reason}. ethos-inspect --verify lists all "
                "damaged shards. Delete them and run ethos-convert again."
            ) from None
