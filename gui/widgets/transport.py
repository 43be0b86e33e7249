"""The play bar: play, step, seek, time, frame, speed, loop."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import Final

from gui.viewer.player import Player, PlayerState
from gui.viewer.status import clock, parse_clock
from gui.widgets import icons
from gui.widgets.scale import JumpScale

SPEEDS: Final = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 4.0)


class Transport(ttk.Frame):
    """Controls of a `Player`. Shows its state when `refresh` is called."""

    def __init__(self, master: tk.Misc, player: Player, ratio: float) -> None:
        super().__init__(master)
        self._player = player
        self._size = round(16 * ratio)
        self._icons: dict[str, object] = {}
        self._shown: tuple[object, ...] = ()
        gap = round(4 * ratio)

        def tool(name: str, command: object) -> ttk.Button:
            button = ttk.Button(self, style="Tool.TButton", command=command)  # type: ignore[arg-type]
            button.pack(side="left", padx=(0, gap))
            button.configure(takefocus=False)
            return button

        self.previous_button = tool("previous", lambda: player.step(-1))
        self.play_button = tool("play", player.toggle)
        self.next_button = tool("next", lambda: player.step(1))

        self.loop = tk.BooleanVar(self, False)
        self.loop_box = ttk.Checkbutton(
            self,
            text="Loop",
            variable=self.loop,
            command=lambda: player.set_loop(self.loop.get()),
            takefocus=False,
        )
        self.loop_box.pack(side="right", padx=(gap, 0))
        self.speed_box = ttk.Combobox(
            self, values=[f"{v:g}×" for v in SPEEDS], state="readonly", width=5
        )
        self.speed_box.set("1×")
        self.speed_box.bind("<<ComboboxSelected>>", self._choose_speed)
        self.speed_box.pack(side="right", padx=(gap, gap))
        self.frame_entry = ttk.Entry(self, width=7, justify="right")
        self.frame_entry.bind("<Return>", self._enter_frame)
        self.count_label = ttk.Label(self, style="Muted.TLabel", width=8)
        self.count_label.pack(side="right")
        self.frame_entry.pack(side="right", padx=(gap, gap))
        self.time_entry = ttk.Entry(self, width=9, justify="right")
        self.time_entry.bind("<Return>", self._enter_time)
        self.time_entry.pack(side="right", padx=(gap, gap))

        self.slider = JumpScale(self, lambda v: player.seek(round(v)), from_=0, to=1)
        self.slider.pack(side="left", fill="x", expand=True, padx=(gap, gap))

    def restyle(self, color: str) -> None:
        """Redraws the icons in the text colour of a theme."""
        self._icons = {
            name: icons.icon(name, self._size, color, self)
            for name in ("play", "pause", "next", "previous")
        }
        self.previous_button.configure(image=self._icons["previous"])  # type: ignore[call-overload]
        self.next_button.configure(image=self._icons["next"])  # type: ignore[call-overload]
        self._shown = ()

    def release(self) -> None:
        """Gives back variables and icons before the window is destroyed."""
        del self.loop
        self._icons.clear()

    def change_speed(self, steps: int) -> None:
        """Faster or slower by steps of SPEEDS."""
        nearest = min(SPEEDS, key=lambda v: abs(v - self._player.state.speed))
        index = SPEEDS.index(nearest) + steps
        self.set_speed(SPEEDS[min(max(0, index), len(SPEEDS) - 1)])

    def set_speed(self, speed: float) -> None:
        """Sets the speed, 1 = as recorded."""
        self._player.set_speed(speed)
        self.speed_box.set(f"{speed:g}×")

    def set_loop(self, loop: bool) -> None:
        """Whether it starts again at the end."""
        self.loop.set(loop)
        self._player.set_loop(loop)

    def refresh(self, state: PlayerState) -> None:
        """Shows the player's state; leaves what a person is changing just now."""
        live = state.info is None or state.info.live
        shown = (state.playing, state.index, state.frame_count, state.info, live)
        if shown == self._shown:
            return
        self._shown = shown
        name = "pause" if state.playing else "play"
        self.play_button.configure(image=self._icons[name])  # type: ignore[call-overload]
        count = state.frame_count
        self.count_label.configure(text=f"/ {count}" if count else "/ ?")
        self.slider.configure(
            # Without a known length the slider runs ahead of what was seen so far.
            to=max(1, (count or state.index + 250) - 1),
            state="disabled" if live else "normal",
        )
        if not self.slider.dragging:
            self.slider.set(state.index)
        focus = self.focus_get()
        if focus is not self.time_entry:
            self._put(self.time_entry, clock(state.timestamp))
        if focus is not self.frame_entry:
            self._put(self.frame_entry, str(state.index))

    @staticmethod
    def _put(entry: ttk.Entry, text: str) -> None:
        entry.delete(0, "end")
        entry.insert(0, text)

    def _choose_speed(self, _: tk.Event) -> None:
        self._player.set_speed(float(self.speed_box.get().rstrip("×")))
        self.speed_box.selection_clear()
        self.winfo_toplevel().focus_set()  # or the space bar would be the box's

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
        self.winfo_toplevel().focus_set()
        self._shown = ()
