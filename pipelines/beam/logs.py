"""Hides log messages of Beam that do not help the user of a command."""

from __future__ import annotations

import logging
from typing import Final

_HIDDEN: Final = (
    # The command ends with one line that reports the error.
    "ShardError",
    "KeyboardInterrupt",
    # Only BigQuery needs it.
    "apitools not found",
    # Only matters to workers in containers.
    "No semi_persistent_directory found",
    # `runners.py` starts the worker processes itself, so this does not apply.
    "If direct_num_workers is not equal to 1",
)


def hide_beam_messages() -> None:
    """Drops these messages, and Beam's messages below warnings, in this process."""
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler())
    for target in (root, *root.handlers):
        if _is_shown not in target.filters:
            target.addFilter(_is_shown)


def _is_shown(record: logging.LogRecord) -> bool:
    if record.levelno < logging.WARNING:
        return not record.name.startswith(("apache_beam", "__main__"))
    text = f"{record.getMessage()} {record.exc_info}"
    return not any(phrase in text for phrase in _HIDDEN)
