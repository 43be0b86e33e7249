"""Tells the user that corrections cannot be saved, and asks for another file."""

from __future__ import annotations

import os
import tkinter as tk
from collections.abc import Callable
from tkinter import filedialog

from gui.correction.session import Corrections


class SavingErrors:
    """Watches the saver. Each error is reported once, with a dialog."""

    def __init__(
        self,
        root: tk.Tk,
        corrections: Corrections,
        show_notice: Callable[[str], None],
    ) -> None:
        """Reports nothing yet.

        Args:
          root: Parent of the dialog.
          corrections: The corrections.
          show_notice: Shows a sentence in the status line.
        """
        self._root, self._corrections = root, corrections
        self._show_notice = show_notice
        self._reported = ""

    def update(self) -> None:
        """Reports an error that is new. The window calls it at intervals."""
        error = self._corrections.error
        if error == self._reported:
            return
        self._reported = error
        saver = self._corrections.saver
        if not error or saver is None:
            return
        self._show_notice(error)
        self._root.after_idle(self._ask)  # the window goes on meanwhile

    def _ask(self) -> None:
        """Asks for another file."""
        saver = self._corrections.saver
        if saver is None or not saver.error:
            return
        folder, name = os.path.split(saver.path)
        path = filedialog.asksaveasfilename(
            parent=self._root,
            title="Save the corrections in another file",
            initialdir=os.path.expanduser("~"),
            initialfile=name or os.path.basename(folder),
            defaultextension=".csv",
            filetypes=[("CSV", "*.csv")],
        )
        if path:
            saver.move_to(path)
            self._show_notice(f"Corrections are saved in {path}")
