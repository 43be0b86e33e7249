"""The choices that the viewer stores between two starts."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import re
import sys
import typing
from typing import Any, Final

from ethos_data import options
from ethos_data.errors import EthosError, one_line
from ethos_data.options import option
from ethos_data.storage import files
from gui.drawing.overlay import UNCERTAINTY
from gui.drawing.plot import LANES

THEMES: Final = ("dark", "light")
MIN_SPEED: Final = 0.1
MAX_SPEED: Final = 4.0
"""Limits of the playback speed; 1 is the recorded speed."""

_GEOMETRY: Final = re.compile(r"(\d{2,5})x(\d{2,5})\+(-?\d{1,5})\+(-?\d{1,5})")

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Choices of the user. Degradations are not stored, because they are experiments.

    Each field has limits; `read` drops values outside them.
    """

    theme: str = option("dark", "Colours of the window", choices=THEMES)
    geometry: str = option("", "Size and position of the window, in Tk's form")
    points: bool = option(True, "Draw the landmarks")
    edges: bool = option(True, "Draw lines between neighbouring landmarks")
    uncertainty: str = option("color", "Display of uncertainty", choices=UNCERTAINTY)
    boxes: bool = option(True, "Draw the face box with the number of the face")
    pose: bool = option(False, "Draw the axes of the head")
    eyes: bool = option(False, "Draw the openness of the eyes")
    restored: bool = option(True, "Show the restored face")
    fused: bool = option(True, "Show the face reconstructed from many frames")
    sigma: bool = option(False, "Show the uncertainty of that face")
    depth: bool = option(True, "Show the depth in colours")
    shaded: bool = option(False, "Show the surface from the front")
    surface: bool = option(True, "Show the rotatable surface")
    texture: bool = option(False, "Show the restored face on the surface")
    plot: bool = option(True, "Show the plot over time")
    lane: str = option("yaw", "What the plot shows", choices=tuple(LANES))
    smoothing: bool = option(True, "Smooth the landmarks over time")
    compare: bool = option(True, "Show the clean frame beside the degraded frame")
    loop: bool = option(True, "Start again at the end of the video")
    speed: float = option(1.0, "Playback speed", minimum=MIN_SPEED, maximum=MAX_SPEED)
    model: str = option("", "Directory of an exported model; empty for the shipped one")
    interpolate: bool = option(True, "Compute the frames between two corrected frames")
    folder: str = option("", "Directory of the last video")


def default_path() -> str:
    """Path of the settings by the convention of the system; "" without a home."""
    if sys.platform == "win32":
        base = os.environ.get("APPDATA") or os.path.expanduser("~")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Application Support")
    else:
        base = os.environ.get("XDG_CONFIG_HOME", "")
        if not os.path.isabs(base):  # as the XDG specification says
            base = os.path.expanduser("~/.config")
    # A user without an entry in the password file has no home directory.
    return os.path.join(base, "ethos", "viewer.json") if os.path.isabs(base) else ""


def read(path: str) -> Settings:
    """Reads settings.

    A missing file gives the defaults. A value that is invalid is replaced by its
    default, with a line in the log.

    Args:
      path: The file; "" gives the defaults.
    """
    defaults = Settings()
    try:
        with open(path, encoding="utf-8") as file:
            stored = json.load(file)
    except FileNotFoundError:
        return defaults
    except (OSError, ValueError, RecursionError) as error:
        _logger.warning("%s: settings are not readable: %s", path, error)
        return defaults
    if not isinstance(stored, dict):
        _logger.warning("%s: settings are not a JSON object", path)
        return defaults
    hints = typing.get_type_hints(Settings)
    values = {}
    for field in dataclasses.fields(Settings):
        if field.name not in stored:
            continue
        try:
            values[field.name] = _checked(field.name, stored[field.name], hints)
        except EthosError as error:
            _logger.warning("%s: %s; the default is used", path, error)
    return dataclasses.replace(defaults, **values)


def _checked(name: str, value: Any, hints: dict[str, Any]) -> Any:
    """A stored value with the type of its field.

    Raises:
      EthosError: The value has the wrong type or is outside its limits.
    """
    kind = hints[name]
    if kind is float and type(value) is int and abs(value) < 1e9:
        value = float(value)
    if type(value) is not kind:
        raise EthosError(f"{name} must be of type {kind.__name__}. Received: {value!r}")
    if isinstance(value, str) and not value.isprintable():
        raise EthosError(f"{name} contains control characters. Received: {value!r}")
    if name == "geometry" and value and parse_geometry(value) is None:
        raise EthosError(f"geometry must be WxH+X+Y. Received: {value!r}")
    try:
        options.check(dataclasses.replace(Settings(), **{name: value}))
    except EthosError as error:
        raise EthosError(str(error).removeprefix("--")) from None
    return value


def parse_geometry(text: str) -> tuple[int, int, int, int] | None:
    """Width, height, left and top of a window, in pixels; None if `text` is invalid."""
    match = _GEOMETRY.fullmatch(text)
    if match is None:
        return None
    width, height, left, top = (int(number) for number in match.groups())
    return width, height, left, top


def write(path: str, settings: Settings) -> None:
    """Stores settings. A location that cannot be written gives a line in the log.

    Args:
      path: The file; "" stores nothing.
      settings: What to store.
    """
    if not path:
        _logger.warning("settings are not stored: there is no home directory")
        return
    try:
        with (
            files.replacing(path) as temporary,
            open(temporary, "w", encoding="utf-8") as file,
        ):
            json.dump(dataclasses.asdict(settings), file, indent=2)
    except (OSError, ValueError) as error:  # ValueError: a path that is not Unicode
        reason = one_line(error) if isinstance(error, OSError) else error
        _logger.warning("settings are not stored: %s", reason)
