"""The play bar: play, step, seek, time, frame, speed, loop."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from typing import Final

from PIL import ImageTk

from ethos_data.drawing import Color
from gui.viewer.player import Player, PlayerState
from gui.viewer.settings import MAX_SPEED, MIN_SPEED
from gui.viewer.status import clock, parse_clock
from gui.widgets import icons
from gui.widgets.scale import JumpScale

SPEEDS: Final = (MIN_SPEED, 0.25, 0.5, 1.0, 1.5, 2.0, MAX_SPEED)
"""Speeds that the user can select; 1 is the recorded speed."""

_UNKNOWN_LENGTH: Final = 250
"""Frames that the slider extends beyond the current frame if the length is unknown."""

MIN_SLIDER: Final = 150
"""Width below which the slider gets a line of its own, in reference pixels."""

LEGEND: Final = 100
"""Room at the right of a slider in a line of its own, in reference pixels. The plot
shows its legend below it."""

MARK_HEIGHT: Final = 3
"""Height of the marks below the slider, in reference pixels."""


class Transport(ttk.Frame):
    """Controls of a `Player`. They show its state when `refresh` is called."""

    def __init__(self, master: tk.Misc, player: Player, ratio: float) -> None:
        """Creates the controls.

        Args:
          master: Parent widget.
          player: The player to control.
          ratio: Screen pixels per reference pixel.
        """
        super().__init__(master)
        self._player = player
        self._icon_size = round(16 * ratio)
        self._gap = round(4 * ratio)
        self._icons: dict[str, ImageTk.PhotoImage] = {}
        self._shown: tuple[object, ...] = ()
        self.previous_button = self._button(lambda: player.step(-1))
        self.play_button = self._button(player.toggle)
        self.next_button = self._button(lambda: player.step(1))
        self._fields = ttk.Frame(self)
        self.time_entry = self._entry(9, self._enter_time)
        self.frame_entry = self._entry(7, self._enter_frame)
        self.count_label = ttk.Label(self._fields, style="Muted.TLabel", width=8)
        self._pack(self.count_label)
        self.speed_box = ttk.Combobox(
            self._fields, values=[f"{v:g}×" for v in SPEEDS], state="readonly", width=5
        )
        self.speed_box.set("1×")
        self.speed_box.bind("<<ComboboxSelected>>", self._choose_speed)
        self._pack(self.speed_box)
        self.loop = tk.BooleanVar(self, False)
        self._pack(
            ttk.Checkbutton(
                self._fields,
                text="Loop",
                variable=self.loop,
                command=lambda: player.set_loop(self.loop.get()),
            )
        )
        self.slider = JumpScale(
            self, lambda v: player.seek(round(v)), from_=0, to=1, takefocus=False
        )
        self.slider.pack(side="left", fill="x", expand=True, padx=self._gap)
        self._min_slider = round(MIN_SLIDER * ratio)
        self._legend = round(LEGEND * ratio)
        self.bind("<Configure>", lambda _: self._place_fields())
        self._mark_height = round(MARK_HEIGHT * ratio)
        self.marks = tk.Canvas(
            self, height=self._mark_height, highlightthickness=0, borderwidth=0
        )
        self._marked: tuple[object, ...] = ()

    def _button(self, command: Callable[[], None]) -> ttk.Button:
        button = ttk.Button(self, style="Tool.TButton", command=command)
        button.pack(side="left", padx=(0, self._gap))
        return button

    def _pack(self, widget: tk.Widget) -> None:
        widget.pack(side="left", padx=(self._gap, 0))

    def _entry(self, width: int, on_return: Callable[[tk.Event], None]) -> ttk.Entry:
        entry = ttk.Entry(self._fields, width=width, justify="right")
        entry.bind("<Return>", on_return)
        entry.bind("<FocusOut>", self._show_again)
        self._pack(entry)
        return entry

    def _place_fields(self) -> None:
        """Places the fields beside the slider, or below it in a narrow window."""
        buttons = self.next_button.winfo_x() + self.next_button.winfo_width()
        room = self.winfo_width() - buttons - self._fields.winfo_reqwidth()
        gap = self._gap
        if room >= self._min_slider:
            self._fields.pack(side="right", pady=0, before=self.previous_button)
            self.slider.pack(padx=gap)
        else:
            self._fields.pack(
                side="bottom", anchor="e", pady=(gap, 0), before=self.previous_button
            )
            self.slider.pack(padx=(gap, gap + self._legend))

    def restyle(self, color: str) -> None:
        """Redraws the icons in the text colour of a theme, "#rrggbb"."""
        self._icons = {
            name: icons.icon(name, self._icon_size, color, self)
            for name in ("play", "pause", "next", "previous")
        }
        self.previous_button.configure(image=self._icons["previous"])
        self.next_button.configure(image=self._icons["next"])
        self._shown = ()

    def release(self) -> None:
        """Releases variables and icons before the window is destroyed."""
        del self.loop
        self._icons.clear()

    def change_speed(self, steps: int) -> None:
        """Selects a faster (positive) or slower (negative) entry of SPEEDS."""
        nearest = min(SPEEDS, key=lambda v: abs(v - self._player.state.speed))
        index = SPEEDS.index(nearest) + steps
        self.set_speed(SPEEDS[min(max(0, index), len(SPEEDS) - 1)])

    def set_speed(self, speed: float) -> None:
        """Sets the playback speed; 1 is the recorded speed."""
        self._player.set_speed(speed)
        self.speed_box.set(f"{speed:g}×")

    def set_loop(self, loop: bool) -> None:
        """Sets whether the video starts again at its end."""
        self.loop.set(loop)
        self._player.set_loop(loop)

    def refresh(self, state: PlayerState) -> None:
        """Shows the player's state, except in a field that the user is editing."""
        live = state.info is None or state.info.live
        shown = (state.playing, state.index, state.frame_count, state.info, live)
        if shown == self._shown:
            return
        self._shown = shown
        name = "pause" if state.playing else "play"
        self.play_button.configure(image=self._icons[name])
        count = state.frame_count
        self.count_label.configure(text=f"/ {count}" if count else "/ ?")
        self.slider.configure(
            to=max(1, (count or state.index + _UNKNOWN_LENGTH) - 1),
            state="disabled" if live else "normal",
        )
        if not self.slider.dragging:
            self.slider.set(state.index)
        # focus_get() raises KeyError while the list of a combo box is open.
        focus = str(self.tk.call("focus"))
        if focus != str(self.time_entry):
            self._put(self.time_entry, clock(state.timestamp))
        if focus != str(self.frame_entry):
            self._put(self.frame_entry, str(state.index))

    @staticmethod
    def _put(entry: ttk.Entry, text: str) -> None:
        entry.delete(0, "end")
        entry.insert(0, text)

    def show_marks(self, layers: Sequence[tuple[Color, Sequence[int]]]) -> None:
        """Marks frames below the slider.

        Args:
          layers: A colour and the numbers of its frames. The last one is on top.
        """
        width, handle = self.slider.winfo_width(), self.slider.handle
        last = float(self.slider.cget("to"))
        wanted = (width, last, tuple((c, tuple(frames)) for c, frames in layers))
        if wanted == self._marked:
            return
        self._marked = wanted
        self.marks.delete("all")
        if not any(frames for _, frames in layers):
            self.marks.place_forget()
            return
        self.marks.configure(background=ttk.Style(self).lookup(".", "troughcolor"))
        self.marks.place(
            in_=self.slider,
            relx=0,
            rely=1,
            anchor="sw",
            relwidth=1,
            height=self._mark_height,
        )
        wide = max(2, round((width - handle) / (last + 1)))
        for color, frames in layers:
            fill = "#{:02x}{:02x}{:02x}".format(*color)
            for frame in frames:
                x = handle / 2 + (width - handle) * frame / max(last, 1) - wide / 2
                self.marks.create_rectangle(
                    x, 0, x + wide, self._mark_height, fill=fill, outline=""
                )

    def _choose_speed(self, _: tk.Event) -> None:
        self._player.set_speed(SPEEDS[self.speed_box.current()])
        self.speed_box.selection_clear()
        self.winfo_toplevel().focus_set()  # otherwise Space would open the list

    def _enter_frame(self, _: tk.Event) -> None:
        if self.frame_entry.get().strip().isdecimal():
            self._player.seek(int(self.frame_entry.get()))
        self._leave()

    def _enter_time(self, _: tk.Event) -> None:
        seconds = parse_clock(self.time_entry.get())
        if seconds is not None:
            self._player.seek_time(seconds)
        self._leave()

    def _leave(self) -> None:
        """Moves the focus out of a field."""
        self.winfo_toplevel().focus_set()
        self._show_again()

    def _show_again(self, _: tk.Event | None = None) -> None:
        """Shows the state in each field, also where the user has left another text."""
        self._shown = ()
