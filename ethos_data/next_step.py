"""The "next:" lines of the commands: shell commands that work when they are pasted.

Example:
  >>> print(next_step.line("ethos-view", "my clip.mp4", model="runs/first/model"))
  next: ethos-view 'my clip.mp4' --model runs/first/model
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from typing import Final

PREFIX: Final = "next: "


def line(command: str, *arguments: str, **flags: str | bool) -> str:
    """Formats a "next:" line.

    Args:
      command: Name of an ETHOS command, for example "ethos-train".
      *arguments: Words that follow the command, for example positional arguments. Each
        is quoted where the shell needs it.
      **flags: Values of flags. True stands for a flag without a value.

    Returns:
      The line, with "next: " in front.
    """
    words = [_program(command), *map(quote, arguments)]
    return PREFIX + " ".join([*words, *_flag_words(flags)])


def flags_text(**flags: str | bool) -> str:
    """Formats flags as they are typed in a shell, for example in a warning.

    Args:
      **flags: See `line`.
    """
    return " ".join(_flag_words(flags))


def _flag_words(flags: Mapping[str, str | bool]) -> list[str]:
    words = []
    for name, value in flags.items():
        if value is True:
            words.append(f"--{name}")
        elif str(value).startswith("-"):  # argparse would take the value for a flag
            words.append(f"--{name}={value}")
        else:
            words += [f"--{name}", str(value)]
    return [quote(word) for word in words]


def quote(text: str) -> str:
    """Quotes a word for a shell.

    Text that stdout cannot encode, and control characters, are written as bytes in the
    form $'\\xc3\\xbc', which bash, zsh and ksh understand. The escape sequences that
    stdout would print instead are not valid in a shell.

    Args:
      text: Any text, for example a path.
    """
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
        if text.isprintable():
            return shlex.quote(text)
    except UnicodeEncodeError:
        pass
    escaped = (
        chr(byte) if 32 <= byte < 127 and byte not in b"'\\" else f"\\x{byte:02x}"
        for byte in os.fsencode(text)
    )
    return f"$'{''.join(escaped)}'"


def unused_path(name: str, near: str | None = None) -> str:
    """A path for the output of the next command.

    Args:
      name: Name of the file or directory. A number is added if the name is taken.
      near: Path whose directory is used if it is local and writable. The current
        directory is used otherwise.

    Returns:
      The path. Nothing exists there.
    """
    directory = ""
    if near is not None and "://" not in near:
        directory = os.path.dirname(near.rstrip(os.sep))
        if not os.access(directory or os.curdir, os.W_OK):
            directory = ""
    stem, suffix = os.path.splitext(os.path.join(directory, name))
    path, number = stem + suffix, 1
    while os.path.lexists(path):
        number += 1
        path = f"{stem}_{number}{suffix}"
    return path


def _program(command: str) -> str:
    """The command's name, or its path if the shell does not find the name.

    The shell does not find it if the virtual environment is not activated.
    """
    path = os.path.join(os.path.dirname(sys.executable), command)
    if shutil.which(command) is None and os.path.exists(path):
        return quote(path)
    return command
