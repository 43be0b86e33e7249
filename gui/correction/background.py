"""What the correction mode does in the background, as the window sees it."""

from __future__ import annotations

import queue
import time
from typing import Final

from gui.correction.analysis import Analysis, Candidate
from gui.correction.assistant import Assistant, Filled, Guess
from gui.correction.document import Span
from gui.correction.session import Corrections

QUIET: Final = 0.7
"""Seconds without a change after which spans are interpolated."""

ENOUGH: Final = 0.15
"""Analysed share of the video from which the first suggestion is made."""

PATIENCE: Final = 8.0
"""Seconds after which the first suggestion is made anyway."""


class Background:
    """Interpolates between corrections, and suggests faces to correct.

    The main thread calls the methods.

    Attributes:
      interpolating: Whether frames between corrections are computed.
    """

    def __init__(self, corrections: Corrections, assistant: Assistant) -> None:
        """Starts without a video.

        Args:
          corrections: The corrections of the current video.
          assistant: The thread that does the work.
        """
        self._corrections, self._assistant = corrections, assistant
        self.interpolating = True
        self._reset()

    def _reset(self) -> None:
        self._seen_version = -1
        self._changed_at = 0.0
        self._is_sent = True
        self._failed: list[Span] = []
        self._visited: set[tuple[int, int]] = set()
        self._asked_at: float | None = None

    def open(self, path: str) -> None:
        """Works on another video."""
        self._assistant.open(path)
        self._reset()

    def update(self, *, correcting: bool) -> list[Guess]:
        """Takes what is finished, and asks for what is missing.

        Args:
          correcting: Whether the correction mode is open. Otherwise nothing is asked
            for: who only looks at a video must not change its file.

        Returns:
          The predictions for faces that the user has added.
        """
        guesses = []
        while True:
            try:
                result = self._assistant.results.get_nowait()
            except queue.Empty:
                break
            if isinstance(result, Guess):
                guesses.append(result)
            else:
                self._take(result)
        if correcting:
            self._send_spans()
        return guesses

    def _take(self, filled: Filled) -> None:
        document = self._corrections.document
        if not filled.faces:
            self._failed.append(filled.span)
        elif self.interpolating and document.fill(filled.span, filled.faces):
            self._corrections.save()

    def _send_spans(self) -> None:
        """Asks for the spans to interpolate, after a moment without changes."""
        document, now = self._corrections.document, time.monotonic()
        if document.version != self._seen_version:
            self._seen_version, self._changed_at = document.version, now
            self._is_sent = False
        if self._is_sent or now - self._changed_at < QUIET:
            return
        self._is_sent = True
        spans: list[Span] = []
        if self.interpolating and not self._corrections.unrelated:
            spans = [
                span
                for span in document.spans()
                if not document.is_filled(span) and not self._has_failed(span)
            ]
        self._assistant.fill(spans)

    def _has_failed(self, span: Span) -> bool:
        return any(
            span.first is other.first and span.last is other.last
            for other in self._failed
        )

    def set_interpolating(self, interpolating: bool) -> None:
        """Switches the interpolation on or off. Off removes interpolated faces."""
        self.interpolating = interpolating
        self._seen_version = -1
        if not interpolating:
            self._corrections.document.clear_interpolated()
            self._corrections.save()

    # Suggestions.

    def ask(self, frame_count: int | None) -> None:
        """Asks for a suggestion, which `suggestion` returns as soon as possible.

        Args:
          frame_count: Number of frames of the video; None if unknown.
        """
        self._asked_at = time.monotonic()
        self._assistant.analyse(frame_count, unrelated=self._corrections.unrelated)

    def suggestion(self) -> Candidate | str | None:
        """The face that most needs a correction.

        Returns:
          The face; a sentence if there is none; None if nobody asked or the analysis of
          the video has just begun.
        """
        analysis = self._assistant.analysis
        if self._asked_at is None or analysis is None:
            return None
        waited = time.monotonic() - self._asked_at
        ready = analysis.share >= ENOUGH or (analysis.faces and waited > PATIENCE)
        if not analysis.done and not ready:
            return None
        suggestion = analysis.suggest(self._corrections.document, self._visited)
        if suggestion is None and not analysis.done:
            return None
        self._asked_at = None
        if suggestion is None:
            return "All faces that were found are corrected or were shown already."
        candidate, key = suggestion
        self._visited.add(key)
        return candidate

    @property
    def analysis(self) -> Analysis | None:
        """The analysis of the video; None before the first suggestion."""
        return self._assistant.analysis

    def text(self) -> str:
        """What is done in the background, or what failed; "" for nothing."""
        return self._assistant.error or self._assistant.busy
