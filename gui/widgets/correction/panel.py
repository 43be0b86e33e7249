"""The layout of the correction mode: two rows of buttons, the face, a line of text."""

from __future__ import annotations

import functools
import tkinter as tk
from collections.abc import Callable, Mapping
from tkinter import ttk
from typing import Final

from gui.correction.editing import LEFT, RIGHT
from gui.correction.groups import EDITED
from gui.widgets import theme
from gui.widgets.correction.face_canvas import FaceCanvas, Gestures

NO_PART: Final = "Part …"
"""Text of the selection of parts while no part is selected."""

BUTTONS: Final = (
    (
        ("undo", "Undo"),
        ("redo", "Redo"),
        ("visible", "Hide"),
        ("keep", "Keep"),
        ("delete", "Remove"),
    ),
    (
        ("leave", "Done"),  # first, so that it is cut off last
        ("previous_face", "‹"),
        ("next_face", "›"),
        ("add", "Add a face"),
        ("suggest", "Next (N)"),
    ),
)
"""Actions of the buttons and their labels, by row."""


class CorrectionPanel(ttk.Frame):
    """The widgets. `gui.widgets.correction.mode` gives them their functions.

    Attributes:
      canvas: The enlarged face.
      buttons: Button of each action.
      part: Selection of a part of the face.
      interpolate: Whether frames between corrections are computed.
      interpolate_box: The box for it.
      text_label: What is selected, or a message.
      work_label: What is done in the background, or the name of the image.
      mirror_menu: Menu of the button "Mirror".
      tools: The second row of buttons. Further tools can be packed at its left.
    """

    def __init__(
        self,
        master: tk.Misc,
        ratio: float,
        gestures: Gestures,
        actions: Mapping[str, Callable[[], None]],
        on_part: Callable[[int], None],
        on_mirror: Callable[[str], None],
        on_interpolate: Callable[[bool], None],
    ) -> None:
        """Creates the widgets.

        Args:
          master: Parent widget, which the panel covers.
          ratio: Screen pixels per reference pixel.
          gestures: Functions that the canvas calls.
          actions: Function of each action of `keys.KEYS`.
          on_part: Called with the number of the part that the user selects.
          on_mirror: Called with the half that is replaced: "right" or "left".
          on_interpolate: Called with whether frames between corrections are computed.
        """
        super().__init__(master)
        self._gap = round(4 * ratio)
        self._on_part = on_part
        self.buttons: dict[str, ttk.Button] = {}
        rows = [ttk.Frame(self), ttk.Frame(self)]
        for row in rows:
            row.pack(fill="x", pady=(0, self._gap))
        self.tools = rows[1]
        names = [part.name for part in EDITED]
        self.part = ttk.Combobox(rows[0], values=names, state="readonly", width=13)
        self.part.set(NO_PART)
        self.part.bind("<<ComboboxSelected>>", self._choose_part)
        self.part.pack(side="left", padx=(0, self._gap))
        self._add_mirror(rows[0], on_mirror)
        for row, entries in zip(rows, BUTTONS, strict=True):
            for name, label in entries:
                self._add_button(row, name, label, actions[name])
        self.face_label = ttk.Label(rows[1], style="Muted.TLabel")
        self.face_label.pack(side="left", after=self.buttons["next_face"])
        self.interpolate = tk.BooleanVar(self, True)
        self.interpolate_box = ttk.Checkbutton(
            rows[1],
            text="Interpolate",
            variable=self.interpolate,
            command=lambda: on_interpolate(self.interpolate.get()),
            takefocus=False,
        )
        self.interpolate_box.pack(side="left", padx=(2 * self._gap, self._gap))
        line = ttk.Frame(self)
        line.pack(side="bottom", fill="x", pady=(self._gap, 0))
        self.text_label = ttk.Label(line)
        self.text_label.pack(side="left")
        self.work_label = ttk.Label(line, style="Muted.TLabel")
        self.work_label.pack(side="right")
        self.canvas = FaceCanvas(self, ratio, gestures)
        self.canvas.pack(fill="both", expand=True)

    def _add_button(
        self, row: ttk.Frame, name: str, label: str, command: Callable[[], None]
    ) -> None:
        style = "Accent.TButton" if name == "leave" else "TButton"
        button = self.buttons[name] = ttk.Button(
            row, text=label, command=command, style=style, takefocus=False
        )
        button.configure(width=max(2, len(label) + 1))  # not the width of the theme
        side: str = "right" if name == "leave" else "left"
        button.pack(side=side, padx=(0, self._gap))  # type: ignore[arg-type]

    def _add_mirror(self, row: ttk.Frame, on_mirror: Callable[[str], None]) -> None:
        opener = ttk.Menubutton(row, text="Mirror", takefocus=False, width=6)
        self.mirror_menu = tk.Menu(opener)
        for wrong in (RIGHT, LEFT):
            self.mirror_menu.add_command(
                label=f"Replace the {wrong} half",
                command=functools.partial(on_mirror, wrong),
            )
        opener.configure(menu=self.mirror_menu)
        opener.pack(side="left", padx=(0, self._gap))

    def _choose_part(self, _: tk.Event) -> None:
        self.part.selection_clear()
        self.winfo_toplevel().focus_set()  # otherwise the list would receive the keys
        self._on_part(self.part.current())

    def show_interpolate(self, shown: bool) -> None:
        """Shows the box "Interpolate", which means nothing in a folder of images."""
        if shown:
            gap = (2 * self._gap, self._gap)
            self.interpolate_box.pack(side="left", padx=gap)
        else:
            self.interpolate_box.pack_forget()

    def show_part(self, number: int | None) -> None:
        """Shows the selected part; None for no part."""
        text = NO_PART if number is None else EDITED[number].name
        if self.part.get() != text:
            self.part.set(text)

    def release(self) -> None:
        """Releases pictures and variables before the window is destroyed."""
        self.canvas.clear()
        del self.interpolate

    def restyle(self, palette: theme.Palette) -> None:
        """Applies a theme."""
        theme.style_menu(self.mirror_menu, palette)
        self.canvas.configure(background=palette.panel)
