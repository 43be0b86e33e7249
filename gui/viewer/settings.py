"""What the viewer remembers from one start to the next."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from typing import Any

from ethos_data.storage import files


@dataclasses.dataclass(frozen=True)
class Settings:
    """Choices of the user. Degradations are not remembered: they are experiments."""

    theme: str = "dark"
    geometry: str = ""
    points: bool = True
    edges: bool = True
    uncertainty: str = "color"
    boxes: bool = True
    restored: bool = True
    depth: bool = True
    shaded: bool = False
    surface: bool = True
    texture: bool = False
    smoothing: bool = True
    compare: bool = True
    loop: bool = True
    speed: float = 1.0
    model: str = ""
    folder: str = ""


def default_path() -> str:
    """Where settings are kept, by the custom of the system."""
    if sys.platform == "win32":
        base = os.environ.get("APPDATA", os.path.expanduser("~"))
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Application Support")
    else:
        base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return os.path.join(base, "ethos", "viewer.json")


def read(path: str) -> Settings:
    """Settings of a file; what is missing or damaged is a default."""
    try:
        with open(path, encoding="utf-8") as file:
            stored = json.load(file)
    except (OSError, ValueError):
        return Settings()
    if not isinstance(stored, dict):
        return Settings()
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Settings):
        value = stored.get(field.name, field.default)
        if isinstance(field.default, float) and type(value) is int:
            value = float(value)
        values[field.name] = (
            value if type(value) is type(field.default) else field.default
        )
    return Settings(**values)


def write(path: str, settings: Settings) -> None:
    """Keeps settings. A place that cannot be written is no reason to complain."""
    try:
        with (
            files.replacing(path) as temporary,
            open(temporary, "w", encoding="utf-8") as file,
        ):
            json.dump(dataclasses.asdict(settings), file, indent=2)
    except OSError:
        pass
