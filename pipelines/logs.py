"""Keeps Beam from printing what is of no use to a person."""

from __future__ import annotations

import logging
from typing import Final

_OF_NO_USE: Final = (
    "ShardError",
    "KeyboardInterrupt",
    "apitools not found",
    "No semi_persistent_directory found",
    "If direct_num_workers is not equal to 1",
)


def quieten() -> None:
    """Drops some messages in this process.

    A client library of BigQuery that is missing; the traceback of an error, or of
    Ctrl-C, that ends the command with one line anyway; the life story of a worker
    process.
    """
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler())
    for target in (root, *root.handlers):
        if _of_use not in target.filters:
            target.addFilter(_of_use)


def _of_use(record: logging.LogRecord) -> bool:
    if record.levelno < logging.WARNING:
        return not record.name.startswith(("apache_beam", "__main__"))
    text = f"{record.getMessage()} {record.exc_info}"
    return not any(phrase in text for phrase in _OF_NO_USE)
