"""The button "Train on corrections", and the window that shows the training."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Final

from gui.correction.session import Corrections
from gui.viewer import training
from gui.viewer.training import State, Training
from gui.widgets.button_row import ButtonRow
from gui.widgets.window import set_text

POLL_MS: Final = 200
"""Milliseconds between two looks at the progress."""

WIDTH: Final = 460
"""Width of the text in the window, in reference pixels."""

OTHER_FILE: Final = (
    "The corrections are in another file. Copy it next to the video, or run "
    "ethos-refine."
)


def error_text(state: State) -> str:
    """Returns the error before and now, as a sentence; "" if it is unknown."""
    if state.before is None:
        return ""
    text = f"Error on corrections that were held out: {state.before:.2f} % before"
    return f"{text}, {state.now:.2f} % now." if state.now is not None else f"{text}."


class TrainingTool:
    """Starts a training and switches to its model if the model is better.

    Attributes:
      button: The button, for a row of the correction mode.
      window: The window that shows the training; None if it is closed.
      training: The training that runs or ran last; None before the first.
    """

    def __init__(
        self,
        row: ButtonRow,
        ratio: float,
        corrections: Corrections,
        *,
        get_video: Callable[[], str],
        get_model: Callable[[], str | None],
        load_model: Callable[[str], None],
        show_notice: Callable[[str], None],
    ) -> None:
        """Creates the button.

        Args:
          row: Row of the correction mode for the button.
          ratio: Screen pixels per reference pixel.
          corrections: The corrections of the current video.
          get_video: Returns the path of the video; "" without a video.
          get_model: Returns the directory of the model in use; None for the shipped
            model.
          load_model: Loads another model.
          show_notice: Shows a sentence in the status line.
        """
        self._ratio, self._corrections = ratio, corrections
        self._get_video, self._get_model = get_video, get_model
        self._load_model, self._show_notice = load_model, show_notice
        self.training: Training | None = None
        self.window: TrainingWindow | None = None
        self.button = ttk.Button(row, text="Train …", command=self.start)
        row.add(self.button)

    def start(self) -> None:
        """Starts a training, or shows the one that runs."""
        if self.window is not None and self.window.winfo_exists():
            self.window.lift()
            return
        problem = self._problem()
        if problem:
            self._show_notice(problem)
            return
        self.training = Training(self._get_video(), self._get_model())
        self.training.start()
        self.window = TrainingWindow(
            self.button.winfo_toplevel(), self._ratio, self.training, self._finish
        )

    def _problem(self) -> str:
        """Why the training cannot start, as a sentence; "" if it can."""
        saver = self._corrections.saver
        if saver is None or not self._get_video():
            return self._corrections.problem or "Load a video first."
        if saver.error:
            return saver.error
        if not saver.saved:
            return "The corrections are being saved. Try again in a moment."
        if saver.path != self._corrections.stored.path:
            return OTHER_FILE
        return training.missing_libraries()

    def _finish(self, state: State) -> None:
        """Uses a better model."""
        if state.model:
            self._load_model(state.model)
        self._show_notice(state.result)

    def close(self) -> None:
        """Ends a training that runs."""
        if self.training is not None:
            self.training.close()


class TrainingWindow(tk.Toplevel):
    """Shows how far a training is. Closing the window cancels the training.

    Attributes:
      state_shown: What the window shows.
      error_label: The error before and now.
      stage_label: What is done now, or the result.
      button: Cancels the training, and closes the window after its end.
    """

    def __init__(
        self,
        root: tk.Misc,
        ratio: float,
        running: Training,
        on_end: Callable[[State], None],
    ) -> None:
        """Opens the window.

        Args:
          root: The main window.
          ratio: Screen pixels per reference pixel.
          running: The training.
          on_end: Called once with the last state.
        """
        super().__init__(root)
        self.title("Train on corrections")
        self.transient(root.winfo_toplevel())
        self.resizable(False, False)
        self.state_shown = State()
        self._training, self._on_end = running, on_end
        self._ended = False
        pad = round(12 * ratio)
        frame = ttk.Frame(self, padding=pad)
        frame.pack(fill="both", expand=True)
        wrap = round(WIDTH * ratio)

        def add_label(style: str = "TLabel") -> ttk.Label:
            label = ttk.Label(frame, style=style, wraplength=wrap, width=64)
            label.pack(fill="x", pady=(0, pad // 2))
            return label

        self.stage_label = add_label()
        self._bar = ttk.Progressbar(frame, length=wrap)
        self._bar.pack(fill="x", pady=(0, pad // 2))
        self._faces_label = add_label("Muted.TLabel")
        self.error_label = add_label()
        self.button = ttk.Button(frame, text="Cancel", command=self._press)
        self.button.pack(side="right")
        self.protocol("WM_DELETE_WINDOW", self._press)
        self.bind("<Escape>", lambda _: self._press())
        self._after = self.after(0, self._tick)

    def _press(self) -> None:
        """Cancels the training, or closes the window after its end."""
        if self._ended:
            self.destroy()
        else:
            self._training.cancel()
            self.button.state(["disabled"])

    def destroy(self) -> None:
        """Closes the window."""
        self.after_cancel(self._after)
        super().destroy()

    def _tick(self) -> None:
        state = self.state_shown = self._training.state
        text = state.stage
        if state.total > 1:
            text += f": {state.done} of {state.total}"
        set_text(self.stage_label, state.result or f"{text} …")
        set_text(self._faces_label, state.faces)
        set_text(self.error_label, error_text(state))
        self._bar.configure(maximum=max(1, state.total), value=state.done)
        if state.result:
            self._ended = True
            self._bar.configure(maximum=1, value=1 if state.model else 0)
            self.button.configure(text="Close")
            self.button.state(["!disabled"])
            self._on_end(state)
        else:
            self._after = self.after(POLL_MS, self._tick)
