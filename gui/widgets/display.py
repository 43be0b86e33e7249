"""Shows pictures, texts and failures of the viewer's threads in the window."""

from __future__ import annotations

import logging
from types import TracebackType

from gui.viewer import status
from gui.viewer.engine import NO_MODEL, READY, Engine
from gui.viewer.painter import FUSED, Painter, Painting
from gui.viewer.player import Player
from gui.viewer.plotter import Plotter
from gui.viewer.worker import describe
from gui.widgets.save_menu import SaveMenu
from gui.widgets.window import Window, set_text

_logger = logging.getLogger(__name__)


class Display:
    """Updates the window from the state of the threads. Only the main thread uses it.

    Attributes:
      painting: The pictures on the screen; None before the first.
      notice: A text that is shown for some seconds.
    """

    def __init__(
        self,
        window: Window,
        player: Player,
        engine: Engine,
        painter: Painter,
        plotter: Plotter,
    ) -> None:
        self.painting: Painting | None = None
        self.notice = status.Notice()
        self._window = window
        self._player, self._engine = player, engine
        self._painter, self._plotter = painter, plotter
        self._fault = status.Notice()
        self._reported = 0  # failures of the engine
        self._logged = ""

    def update(self, save_menu: SaveMenu) -> None:
        """Shows what has changed since the last call."""
        self._check_threads()
        painting = self._painter.paintings.take()
        if painting is not None:
            self._show(painting)
        self._show_texts(save_menu)
        self._plotter.set_options(self._window.plot.refresh(self._player.state))
        picture = self._plotter.pictures.take()
        if picture is not None:
            self._window.plot.canvas.show(picture)

    def report(
        self,
        kind: type[BaseException],
        error: BaseException,
        traceback: TracebackType | None,
    ) -> None:
        """Reports an error in a function that Tk called. The window stays usable."""
        reason = describe(error)
        if reason != self._logged:  # not a hundred times a second
            self._logged = reason
            _logger.error("the window failed", exc_info=(kind, error, traceback))
        self._fault.show(f"Unexpected error ({reason}). Details are in the log.")

    def _check_threads(self) -> None:
        """Starts threads again that failed, and reports the reason."""
        for worker, text in (
            (self._player.worker, "Playback failed ({}). Press Space to continue."),
            (self._engine.worker, "The model's thread failed ({}). It starts again."),
            (self._painter.worker, "Drawing failed ({}). It starts again."),
            (self._plotter.worker, "The plot failed ({}). It starts again."),
        ):
            reason = worker.check()
            if reason:
                self._fault.show(text.format(reason))

    def _show(self, painting: Painting) -> None:
        self.painting = painting
        muted = self._window.palette.muted
        self._window.source_panel.set_hint("", muted)
        self._window.source_panel.show(painting.source)
        fused = painting.fused
        self._window.caption_portrait(fused.frames if fused else None)
        for kind, panel in self._window.tiles.items():
            picture = painting.tiles.get(kind)
            if picture is None:
                panel.clear()
                panel.set_hint(_hint(painting, kind), muted)
            else:
                panel.set_hint("", muted)
                panel.show(picture)

    def _show_texts(self, save_menu: SaveMenu) -> None:
        window, painting = self._window, self.painting
        player, engine = self._player.state, self._engine.state
        window.transport.refresh(player)
        if engine.failures != self._reported:
            self._reported = engine.failures
            if engine.phase != NO_MODEL:  # then the status line shows the error
                self.notice.show(status.shortened(engine.error))
        view = painting.view if painting else None
        current = status.describe(view, player, engine, self._fault.text)
        mood = f"{current.mood.capitalize()}.TLabel"
        set_text(window.status_label, current.text, mood)
        note = save_menu.progress() or self.notice.text or player.note
        set_text(window.note_label, note or (status.difference(view) if view else ""))
        set_text(window.model_label, f"model: {engine.model}" if engine.model else "")
        if painting is not None:
            stages = status.stages(painting.view, painting.milliseconds)
            set_text(window.stages_label, stages)
        title = f"{player.info.name} – ETHOS" if player.info else "ETHOS"
        if window.root.title() != title:
            window.root.title(title)


def _hint(painting: Painting, kind: str) -> str:
    """The text of a tile without a picture."""
    if painting.view.phase != READY:
        return ""
    if painting.chosen is None:
        return "no face"
    portrait = painting.view.portrait
    return portrait.error if kind == FUSED and portrait is not None else ""
