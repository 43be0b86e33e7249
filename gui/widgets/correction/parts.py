"""Creates the parts of the correction mode and connects them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from gui.correction.assistant import Assistant
from gui.correction.session import Corrections
from gui.viewer.engine import Engine
from gui.viewer.player import Player
from gui.viewer.session import Factory
from gui.widgets.correction.mode import CorrectionMode
from gui.widgets.correction.training import TrainingTool
from gui.widgets.display import Display
from gui.widgets.window import Window


@dataclasses.dataclass(frozen=True)
class Parts:
    """The parts of the correction mode.

    Attributes:
      mode: The mode.
      assistant: Interpolates, predicts and analyses in the background.
      training: Trains the model on the corrections.
    """

    mode: CorrectionMode
    assistant: Assistant
    training: TrainingTool


def build(
    window: Window,
    player: Player,
    engine: Engine,
    display: Display,
    corrections: Corrections,
    factory: Factory,
    *,
    on_change: Callable[[], None],
    load_model: Callable[[str], None],
) -> Parts:
    """Creates the parts.

    Args:
      window: The window.
      player: The player.
      engine: The engine, which states the model in use.
      display: The pictures on the screen, and the texts of the status line.
      corrections: The corrections of the current video.
      factory: Loads the model in another process.
      on_change: Called when a correction has changed.
      load_model: Loads another model.
    """
    assistant = Assistant(lambda: engine.state.setup, factory)
    mode = CorrectionMode(
        window,
        player,
        corrections,
        assistant,
        get_painting=lambda: display.painting,
        on_change=on_change,
        notice=display.notice,
    )
    training = TrainingTool(
        mode.panel.tools,
        window.ratio,
        corrections,
        get_video=lambda: player.state.info.path if player.state.info else "",
        get_model=lambda: engine.state.setup.model_dir,
        load_model=load_model,
        show_notice=display.notice.show,
    )
    return Parts(mode, assistant, training)
