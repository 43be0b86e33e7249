"""Long lists in files of JSON lines, of which only one is in memory at a time.

A list of millions of entries is stored in parts, with one JSON value per line. The name
of a part contains a hash of its content. So the parts of a new list never replace those
of an old one, and a damaged part is noticed. A small JSON file next to the parts
contains their names and is written last.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from ethos_data.storage import files

LINES: Final = 20_000
"""Maximum number of lines in a part. A part then has about 5 MB."""

SUFFIX: Final = ".jsonl"


def write(directory: str, stem: str, lines: Iterable[Any]) -> list[str]:
    """Writes a list in parts.

    Example:
      >>> parts.write("data", "manifest", [{"path": "a.npz"}])
      ['manifest-00000-83c9bd1de1bd30cd.jsonl']

    Args:
      directory: Directory of the parts.
      stem: Beginning of the name of each part.
      lines: Values that JSON can represent.

    Returns:
      The names of the parts, in order. Empty if there are no lines.
    """
    names: list[str] = []
    remaining = iter(lines)
    for index in itertools.count():
        batch = itertools.islice(remaining, LINES)
        content = "".join(f"{json.dumps(v, sort_keys=True)}\n" for v in batch).encode()
        if not content:
            return names
        names.append(f"{stem}-{index:05d}-{_hash(content)}{SUFFIX}")
        files.write(files.join(directory, names[-1]), iter([content]))
    raise AssertionError  # the loop does not end by itself


def read(directory: str, names: Iterable[str]) -> Iterator[Any]:
    """Yields the lines of a list.

    Args:
      directory: Directory of the parts.
      names: The names of the parts, as `write` returns them.

    Raises:
      ValueError: A part is missing or damaged. The message contains its name.
    """
    for name in names:
        content = files.read_bytes(files.join(directory, name))
        if content is None:
            raise ValueError(f"{name} is missing")
        if _hash(content) not in name:
            raise ValueError(f"{name} is damaged")
        yield from map(json.loads, content.splitlines())


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()
