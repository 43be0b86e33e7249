"""Marks of the corrected frames below the slider."""

from __future__ import annotations

from ethos_data.drawing import Color
from gui.correction.document import Document
from gui.drawing.overlay import MARKS
from gui.widgets.transport import Transport


class Marks:
    """Draws the marks when a document has changed."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._drawn: tuple[Document | None, int] = (None, -1)
        self._layers: list[tuple[Color, list[int]]] = []

    def update(self, document: Document) -> None:
        """Marks the frames of a document. The window calls it at intervals."""
        if self._drawn != (document, document.version):
            self._drawn = (document, document.version)
            self._layers = [
                (MARKS["interpolated"], document.frames(interpolated=True)),
                (MARKS["corrected"], document.frames()),
            ]
        self._transport.show_marks(self._layers)
