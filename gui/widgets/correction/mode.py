"""The correction mode: connects the editor with its widgets, keys and the player."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from gui.correction.assistant import Assistant
from gui.correction.document import Key
from gui.correction.editor import NO_FACE, Editor
from gui.correction.session import Corrections
from gui.correction.shape import mean_face
from gui.viewer.engine import READY
from gui.viewer.painter import Painting
from gui.viewer.player import Player
from gui.viewer.status import Notice
from gui.widgets.correction.actions import DEGREES, FACTOR, actions
from gui.widgets.correction.face_canvas import COLORS, Gestures
from gui.widgets.correction.help import Help
from gui.widgets.correction.keys import KEYS
from gui.widgets.correction.marks import Marks
from gui.widgets.correction.panel import CorrectionPanel
from gui.widgets.correction.saving_errors import SavingErrors
from gui.widgets.shortcuts import Table
from gui.widgets.window import Window, set_text

MIN_BOX: Final = 6.0
"""Smallest side of the box of an added face, in source pixels."""

ADDING: Final = "Drag a box from the eyebrows to the chin of the face. Esc cancels."


class CorrectionMode:
    """Pauses the video and lets the user correct the landmarks of its faces.

    Attributes:
      corrections: The corrections of the current video.
      player: The player.
      show_notice: Shows a sentence in the status line.
      editor: The faces of the frame, and what is selected.
      panel: The widgets.
    """

    def __init__(
        self,
        window: Window,
        player: Player,
        corrections: Corrections,
        assistant: Assistant,
        *,
        get_painting: Callable[[], Painting | None],
        on_change: Callable[[], None],
        notice: Notice,
    ) -> None:
        """Creates the widgets, which are not shown yet.

        Args:
          window: The window. The panel covers a part of it.
          player: The player.
          corrections: The corrections of the current video.
          assistant: Interpolates, predicts and analyses in the background.
          get_painting: Returns the pictures on the screen; None before the first.
          on_change: Called when a correction has changed.
          notice: The text in the status line.
        """
        self.corrections = corrections
        self.editor = Editor(corrections, self.changed)
        self._window, self.player = window, player
        self._get_painting, self.show_notice = get_painting, notice.show
        self._on_change = on_change
        self._is_open = self._opens_soon = False
        self._help = Help(self, assistant)
        self._painting: Painting | None = None  # that the canvas shows
        self._message = ""
        gestures = Gestures(
            press=self._press,
            drag=self._drag,
            release=self._release,
            wheel=self._wheel,
            box=self._add_box,
            zoomed=self._show_points,
        )
        self.panel = CorrectionPanel(
            window.body,
            window.ratio,
            gestures,
            actions(self),
            on_part=lambda number: self.do(lambda: self.editor.select_part(number)),
            on_mirror=lambda wrong: self.do(lambda: self.editor.mirror(wrong)),
            on_interpolate=self._help.set_interpolating,
        )
        self._errors = SavingErrors(window.root, corrections, notice)
        self._marks = Marks(window.transport)
        window.source_panel.bind("<Configure>", lambda _: self._cover(), add="+")
        self.restyle()

    @property
    def is_open(self) -> bool:
        """Whether the mode is on."""
        return self._is_open

    @property
    def interpolating(self) -> bool:
        """Whether the frames between two corrections are computed."""
        return self.panel.interpolate.get()

    @interpolating.setter
    def interpolating(self, interpolating: bool) -> None:
        self.panel.interpolate.set(interpolating)
        self._help.set_interpolating(interpolating)

    def table(self) -> Table:
        """The keys of the mode, which work while it is open."""
        return Table(KEYS, actions(self), lambda: self._is_open)

    # Open and close.

    def toggle(self) -> None:
        """Opens or closes the mode."""
        if self._is_open:
            self.close()
        else:
            self.open()

    def open(self) -> None:
        """Pauses the video and shows the handles. The status line says why not."""
        painting = self._get_painting()
        if self.corrections.problem:
            self.show_notice(self.corrections.problem)
            return
        if painting is None or painting.view.video != self.corrections.video:
            self.show_notice("Wait for the first frame.")
            return
        self.player.play(False)
        self._is_open = True
        self.panel.show_interpolate(not self.corrections.unrelated)
        self._cover()
        self._window.root.focus_set()
        self._take(painting)
        self.editor.choose(painting.chosen.id if painting.chosen else None)
        self._window.root.update_idletasks()  # the canvas gets its size
        self.fit()
        if not self.editor.faces and painting.view.phase == READY:
            self._message = NO_FACE

    def open_soon(self) -> None:
        """Opens the mode as soon as the first frame is processed."""
        self._opens_soon = True

    def close(self) -> None:
        """Shows the whole frame again. Nothing has to be saved."""
        if self._is_open:
            self._is_open = False
            self._stop_adding()
            self.panel.place_forget()
            self.panel.canvas.set_frame(None, (0, 0, 0))
            self._painting = None
            self.editor.show(None)

    def _cover(self) -> None:
        """Covers the frame panel, or also the reconstructions in a narrow window."""
        if self._is_open:
            self.panel.cover(self._window.source_panel, self._window.body)

    def restyle(self) -> None:
        """Applies the theme of the window."""
        self.panel.restyle(self._window.palette)
        if self._painting is not None:
            self._show_frame()

    def update(self) -> None:
        """Follows the player and the painter. The window calls it at intervals."""
        state = self.player.state
        info, is_new = state.info, state.video != self.corrections.video
        if info is not None and is_new and self.settle():
            self.close()
            self.corrections.open(info, state.video)
            self._help.open(info.path)
            self._on_change()
            if self.corrections.problem and not info.live:
                self.show_notice(self.corrections.problem)
        self._errors.update()
        self._help.update()
        self._marks.update(self.corrections.document)
        painting = self._get_painting()
        if self._opens_soon and painting is not None and painting.view.phase == READY:
            self._opens_soon = painting.view.video != self.corrections.video
            if not self._opens_soon:
                self.open()
        if not self._is_open:
            return
        if state.playing:
            self.close()
            return
        if painting is None or self.panel.canvas.busy:
            return
        if painting.view.video == self.corrections.video:
            shown = self._painting
            if shown is None or shown.view is not painting.view:
                self._take(painting)
        self._show_texts()

    def _take(self, painting: Painting) -> None:
        """Shows another frame, or the same frame with other faces."""
        before, first = self.editor.face, self._painting is None
        is_new = self._painting is None or (
            self._painting.view.frame.index != painting.view.frame.index
        )
        self._painting = painting
        self.editor.show(painting.view)
        if is_new:
            self._message = ""
        face = self.editor.face
        canvas = self.panel.canvas
        if is_new and not first and self.corrections.unrelated:
            self.fit()
        elif is_new and not first and before is not None and face is not None:
            # The view follows the face. Its enlargement stays.
            way = (face.box[:2] + face.box[2:] - before.box[:2] - before.box[2:]) / 2
            canvas.set_zoom(canvas.zoom.moved(*(-canvas.zoom.scale * way)))
        elif before is None and face is not None and not first:
            self.fit()
        self._show_frame()
        self._help.show_suggestion()

    def _show_frame(self) -> None:
        if self._painting is not None:
            background = self._window.palette.rgb("panel")
            self.panel.canvas.set_frame(self._painting.view.frame.image, background)

    # What the user does.

    def do(self, change: Callable[[], str | None]) -> None:
        """Runs a function of the editor and shows the sentence that it returns."""
        if not self._is_open or self.panel.canvas.busy:
            return
        self._message = change() or ""
        self._show_points()

    def say(self, text: str) -> None:
        """Shows a sentence below the face; "" for what is selected."""
        self._message = text

    def changed(self) -> None:
        """Shows a change of the corrections."""
        self._on_change()
        self._show_points()

    def leave(self) -> None:
        """Closes the mode, or ends adding a face."""
        if self.panel.canvas.adding:
            self._stop_adding()
        else:
            self.close()

    def play(self) -> None:
        """Closes the mode and plays the video."""
        self.close()
        self.player.play()

    def _press(self, landmark: int | None, whole_part: bool) -> None:
        self._message = ""
        self.editor.press(landmark, whole_part)
        self._show_points()

    def _drag(self, way: np.ndarray) -> None:
        self.editor.drag(way)
        self._show_points()

    def _release(self, moved: bool) -> None:
        self.editor.release(moved)
        self._show_points()

    def _wheel(self, step: int, what: str) -> None:
        if what == "rotate":
            self.do(lambda: self.editor.turn(DEGREES * step))
        else:
            self.do(lambda: self.editor.scale(FACTOR**step))

    def start_adding(self) -> None:
        """Lets the user drag a box around a face."""
        if self._is_open:
            self.panel.canvas.adding = True
            self._message = ADDING

    def _stop_adding(self) -> None:
        self.panel.canvas.adding = False
        self.panel.canvas.hide_box()
        self._message = ""

    def _add_box(self, box: np.ndarray) -> None:
        """Adds a face in the box that the user has dragged."""
        if (box[2:] - box[:2]).min() < MIN_BOX:
            self._message = ADDING
            return
        self._stop_adding()
        points = mean_face(box)
        self.editor.add(points)
        self.editor.select_part(0)
        self._show_points()
        self._help.guess(box, points)

    def go_to_face(self, count: int) -> None:
        """Edits the next (+1) or the previous (-1) face of the frame."""
        if self._is_open:
            self.editor.next_face(count)
            self.fit()
            if len(self.editor.faces) < 2:
                self._message = "This frame has no other face."

    def suggest(self) -> None:
        """Goes to the face that most needs a correction, as soon as it is known."""
        if self._is_open:
            self.say("")
            self._help.suggest()

    def go_to_corrected(self, count: int) -> None:
        """Goes to the next (+1) or the previous (-1) corrected frame."""
        frames = self.corrections.document.frames()
        now = self.player.state.index
        later = [frame for frame in frames if (frame - now) * count > 0]
        if later:
            self.player.seek(min(later) if count > 0 else max(later))
        else:
            self._message = "There is no other corrected frame in this direction."

    def go_back(self, key: Key | None, what: str) -> None:
        """Shows the frame that was changed by undo or redo."""
        if key is None:
            self._message = f"There is nothing to {what}."
        elif key[0] != self.editor.frame:
            self.player.seek(key[0])
        self._show_points()

    # What the user sees.

    def fit(self) -> None:
        """Shows the whole face, or the whole frame without a face."""
        if self._painting is None:
            return
        face, canvas = self.editor.face, self.panel.canvas
        if face is not None:
            box = face.box
        else:
            rows, columns = self._painting.view.frame.image.shape[:2]
            box = np.array([0.17 * columns, 0.17 * rows, 0.83 * columns, 0.83 * rows])
        canvas.set_zoom(canvas.zoom.resized(*canvas.extent).fit(box))
        self._show_points()

    def _show_points(self) -> None:
        face, selected = self.editor.face, self.editor.selected
        if face is None or not self._is_open:
            self.panel.canvas.show_points(None)
            return
        self.panel.canvas.show_points(
            face.points,
            visible=(face.visible > 1).tolist(),
            selected=selected,
            color=COLORS[face.origin],
            label=str(selected[0]) if len(selected) == 1 else "",
        )
        self.panel.show_part(self.editor.part)
        self._show_texts()

    def _show_texts(self) -> None:
        face, count = self.editor.face, len(self.editor.faces)
        number = f"{self.editor.current + 1} of {count}" if count else "no face"
        set_text(self.panel.face_label, f"Face {number}")
        image = self.corrections.stored.image(self.editor.frame)
        set_text(self.panel.work_label, self._help.text() or image)
        set_text(self.panel.text_label, self._message or self.editor.text())
        hidden = (
            face is not None
            and bool(self.editor.selected)
            and not (face.visible[list(self.editor.selected)] > 1).any()
        )
        label = "Show" if hidden else "Hide"
        if str(self.panel.buttons["visible"].cget("text")) != label:
            self.panel.buttons["visible"].configure(text=label)

    def settle(self) -> bool:
        """Offers to save the corrections elsewhere; see `SavingErrors.settle`."""
        return self._errors.settle()

    def release(self) -> None:
        """Releases pictures before the window is destroyed."""
        self.panel.release()
        self.corrections.close()
