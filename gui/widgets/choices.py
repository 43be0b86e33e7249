"""Reads the user's choices from the widgets, for the threads and for the next start."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from gui.viewer.engine import NO_MODEL, READY, Engine, EngineSettings
from gui.viewer.live_fusion import Subject
from gui.viewer.painter import FUSED, Painting, PaintOptions
from gui.viewer.player import Player
from gui.viewer.session import Setup
from gui.viewer.settings import Settings
from gui.widgets.window import Window


def paint_options(window: Window, chosen: int | None) -> PaintOptions:
    """What the painter draws.

    Args:
      window: The widgets.
      chosen: Number of the person in the tiles; None for the largest face.
    """
    return PaintOptions(
        source_size=window.source_panel.extent,
        tile_size=window.tile_size,
        kinds=window.kinds,
        overlay=window.sidebar.overlay,
        chosen=chosen,
        rotation=window.surface.rotation,
        texture=window.sidebar.values["texture"],
        divider=window.portrait.divider,
        sigma=window.sidebar.values["sigma"],
        background=window.palette.rgb("panel"),
    )


def next_face(painting: Painting | None) -> int | None:
    """Number of the face after the chosen one; None without a face."""
    if painting is None or painting.chosen is None:
        return None
    ids = sorted(face.id for face in painting.view.faces)
    later = [number for number in ids if number > painting.chosen.id]
    return later[0] if later else ids[0]


def face_at(painting: Painting | None, x: float, y: float) -> int | None:
    """Number of the face at a place of the frame panel, in pixels; None without one."""
    if painting is None:
        return None
    x = (x - painting.offset[0]) / painting.scale
    y = (y - painting.offset[1]) / painting.scale
    number = None
    for face in painting.view.faces:
        x0, y0, x1, y1 = face.box
        if x0 <= x <= x1 and y0 <= y <= y1:
            number = face.id
    return number


def engine_settings(window: Window, chosen: int | None) -> EngineSettings:
    """What the engine does with each frame.

    Args:
      window: The widgets.
      chosen: Number of the person in the tiles; None for the largest face.
    """
    toggles = window.sidebar.values
    degradation = window.sidebar.degradation
    # A portrait that nobody sees is not computed.
    shown = window.tile_size > 0 and FUSED in window.kinds
    return EngineSettings(
        degradation=degradation,
        smoothing=toggles["smoothing"],
        compare=toggles["compare"],
        subject=Subject(chosen, degradation) if shown else None,
    )


def setups(
    stored: Settings, model_dir: str | None, detector: str, backend: str = "auto"
) -> tuple[Setup, Setup | None]:
    """What to load at the start.

    Args:
      stored: Choices of the last start.
      model_dir: Directory of an exported model; None for the model of the last start.
      detector: Name of the detector.
      backend: File of the model to run.

    Returns:
      The first setup, and the setup to use if it cannot be loaded.
    """
    shipped = Setup(None, detector, backend=backend)
    if model_dir is not None:
        # Stored for the next start, which may be in another directory.
        chosen = os.path.abspath(os.path.expanduser(model_dir))
        return dataclasses.replace(shipped, model_dir=chosen), None
    if stored.model:
        # The stored model may be moved, deleted or damaged since the last start.
        return dataclasses.replace(shipped, model_dir=stored.model), shipped
    return shipped, None


def to_store(
    before: Settings, window: Window, player: Player, engine: Engine
) -> Settings:
    """The choices for the next start.

    Args:
      before: The choices at this start.
      window: The widgets.
      player: The player.
      engine: The engine.
    """
    model = before.model
    if engine.state.phase == READY:
        model = engine.state.setup.model_dir or ""
    elif engine.state.phase == NO_MODEL:  # not to be loaded at each start
        model = ""
    toggles: dict[str, Any] = window.sidebar.values
    return dataclasses.replace(
        before,
        theme=window.palette.name,
        geometry=window.root.geometry(),
        uncertainty=window.sidebar.overlay.uncertainty,
        lane=window.plot.name,
        loop=player.state.loop,
        speed=player.state.speed,
        model=model,
        **toggles,
    )
