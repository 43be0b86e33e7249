"""The layout of the correction mode: the buttons, the face, a line of text."""

from __future__ import annotations

import functools
import tkinter as tk
from collections.abc import Callable, Mapping
from tkinter import ttk
from typing import Final

from gui.correction.editing import LEFT, RIGHT
from gui.correction.groups import EDITED
from gui.widgets import theme
from gui.widgets.button_row import ButtonRow
from gui.widgets.correction.face_canvas import FaceCanvas, Gestures

NO_PART: Final = "Part …"
"""Text of the selection of parts while no part is selected."""

BUTTONS: Final = (
    ("undo", "Undo"),
    ("redo", "Redo"),
    ("visible", "Hide"),
    ("keep", "Keep"),
    ("delete", "Remove"),
    ("previous_face", "‹"),
    ("next_face", "›"),
    ("add", "Add a face"),
    ("suggest", "Next (N)"),
)
"""Actions of the buttons and their labels, from left to right. The button "Done" is at
the right end."""

MIN_WIDTH: Final = 480
"""Width in which the buttons need three lines, in reference pixels. In a narrower
window, the panel also covers the reconstructions."""


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
      tools: The buttons. Further ones can be added.
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
        self._min_width = round(MIN_WIDTH * ratio)
        self._on_part = on_part
        self.buttons: dict[str, ttk.Button] = {}
        self.tools = ButtonRow(self, self._gap)
        self.tools.pack(fill="x", pady=(0, self._gap))
        names = [part.name for part in EDITED]
        self.part = ttk.Combobox(self.tools, values=names, state="readonly", width=13)
        self.part.set(NO_PART)
        self.part.bind("<<ComboboxSelected>>", self._choose_part)
        self.tools.add(self.part)
        self._add_mirror(on_mirror)
        self.face_label = ttk.Label(self.tools, style="Muted.TLabel")
        for name, label in BUTTONS:
            self._add_button(name, label, actions[name])
            if name == "next_face":
                self.tools.add(self.face_label)
        self.buttons["visible"].configure(width=5)  # the same for "Show"
        self.interpolate = tk.BooleanVar(self, True)
        self.interpolate_box = ttk.Checkbutton(
            self.tools,
            text="Interpolate",
            variable=self.interpolate,
            command=lambda: on_interpolate(self.interpolate.get()),
        )
        self.tools.add(self.interpolate_box)
        self._add_button("leave", "Done", actions["leave"], right=True)
        self.buttons["leave"].configure(style="Accent.TButton")
        line = ttk.Frame(self)
        line.pack(side="bottom", fill="x", pady=(self._gap, 0))
        self.text_label = ttk.Label(line)
        self.text_label.pack(side="left")
        self.work_label = ttk.Label(line, style="Muted.TLabel")
        self.work_label.pack(side="right")
        self.canvas = FaceCanvas(self, ratio, gestures)
        self.canvas.pack(fill="both", expand=True)

    def _add_button(
        self, name: str, label: str, command: Callable[[], None], right: bool = False
    ) -> None:
        button = ttk.Button(self.tools, text=label, command=command)
        self.buttons[name] = button
        self.tools.add(button, right=right)

    def _add_mirror(self, on_mirror: Callable[[str], None]) -> None:
        opener = ttk.Menubutton(self.tools, text="Mirror")
        self.mirror_menu = tk.Menu(opener)
        for wrong in (RIGHT, LEFT):
            self.mirror_menu.add_command(
                label=f"Replace the {wrong} half",
                command=functools.partial(on_mirror, wrong),
            )
        opener.configure(menu=self.mirror_menu)
        self.tools.add(opener)

    def _choose_part(self, _: tk.Event) -> None:
        self.part.selection_clear()
        self.winfo_toplevel().focus_set()  # otherwise the list would receive the keys
        self._on_part(self.part.current())

    def cover(self, narrow: tk.Misc, wide: tk.Misc) -> None:
        """Covers another widget.

        Args:
          narrow: The widget to cover if it is wide enough for the buttons.
          wide: The widget to cover otherwise. It contains `narrow`, and is the parent
            of the panel.
        """
        fits = narrow.winfo_width() >= self._min_width
        self.place(in_=narrow if fits else wide, x=0, y=0, relwidth=1, relheight=1)
        self.lift()

    def show_interpolate(self, shown: bool) -> None:
        """Shows the box "Interpolate", which means nothing in a folder of images."""
        self.tools.show(self.interpolate_box, shown)

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
