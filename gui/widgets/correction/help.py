"""What the correction mode does with the results of the background work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gui.correction.analysis import Candidate
from gui.correction.assistant import Assistant
from gui.correction.background import Background

if TYPE_CHECKING:
    from gui.widgets.correction.mode import CorrectionMode


class Help:
    """Interpolated frames, suggestions, and predictions of added faces."""

    def __init__(self, mode: CorrectionMode, assistant: Assistant) -> None:
        """Starts without a video.

        Args:
          mode: The correction mode.
          assistant: The thread that does the work.
        """
        self._mode, self._assistant = mode, assistant
        self._background = Background(mode.corrections, assistant)
        self._wanted: Candidate | None = None  # the suggestion to show

    def open(self, path: str) -> None:
        """Works on another video."""
        self._wanted = None
        self._background.open(path)

    def text(self) -> str:
        """What is done in the background, or what failed; "" for nothing."""
        return self._background.text()

    def update(self) -> None:
        """Takes the results. The window calls it at intervals."""
        mode = self._mode
        self._check_threads()
        version = mode.corrections.document.version
        for guess in self._background.update(correcting=mode.is_open):
            if mode.is_open:
                mode.editor.replace(guess.person, guess.points, guess.added)
        if mode.corrections.document.version != version:
            if not mode.editor.dragging:
                mode.editor.refresh()
            mode.changed()
        answer = self._background.suggestion()
        if isinstance(answer, Candidate):
            self._wanted = answer
            if answer.frame == mode.editor.frame:
                self.show_suggestion()
            elif mode.is_open:
                mode.player.seek(answer.frame)
        elif answer is not None:
            mode.say(answer)

    def _check_threads(self) -> None:
        saver = self._mode.corrections.saver
        workers = [self._assistant.worker, *([saver.worker] if saver else [])]
        for reason in filter(None, [worker.check() for worker in workers]):
            text = f"Work in the background failed ({reason}). It starts again."
            self._mode.show_notice(text)

    def suggest(self) -> None:
        """Asks for the face that most needs a correction."""
        self._background.ask(self._mode.player.state.frame_count)

    def show_suggestion(self) -> None:
        """Edits the suggested face, if it is in the frame on the screen."""
        wanted, mode = self._wanted, self._mode
        if wanted is not None and wanted.frame == mode.editor.frame:
            self._wanted = None
            mode.editor.choose_at(wanted.box)
            mode.fit()

    def set_interpolating(self, interpolating: bool) -> None:
        """Switches the interpolation on or off."""
        self._background.set_interpolating(interpolating)
        self._mode.editor.refresh()
        self._mode.changed()

    def guess(self, box: np.ndarray, points: np.ndarray) -> None:
        """Asks for the model's landmarks of the face that the user has just added.

        Args:
          box: The box that the user has dragged, (4,), in source pixels.
          points: The landmarks that were put into it, (68, 2), in source pixels.
        """
        view, face = self._mode.editor.view, self._mode.editor.face
        if view is not None and face is not None and face.person is not None:
            self._assistant.guess(view.frame.image, box, face.person, points)
