"""Tells the user that corrections cannot be saved, and asks for another file."""

from __future__ import annotations

import os
import tkinter as tk
from tkinter import filedialog

from gui.correction.session import Corrections
from gui.viewer.status import Notice


class SavingErrors:
    """Watches the saver.

    Each error is reported once with a dialog. The status line shows it while it lasts.
    The user is asked again before corrections that are not saved are dropped.
    """

    def __init__(
        self,
        root: tk.Tk,
        corrections: Corrections,
        notice: Notice,
    ) -> None:
        """Reports nothing yet.

        Args:
          root: Parent of the dialog.
          corrections: The corrections.
          notice: The text in the status line.
        """
        self._root, self._corrections = root, corrections
        self._notice = notice
        self._reported = ""
        self._asking = False

    def update(self) -> None:
        """Reports an error that is new. The window calls it at intervals."""
        error = self._corrections.error
        self._notice.lasting = error
        if error == self._reported:
            return
        self._reported = error
        if error:
            self._notice.show(error)
            self._root.after_idle(self._ask)  # the window goes on meanwhile

    def settle(self) -> bool:
        """Asks for another file until the corrections are saved or the user cancels.

        Call it before the corrections are dropped.

        Returns:
          False if a dialog is open already. The corrections must not be dropped then.
        """
        if self._asking:
            return False
        saver = self._corrections.saver
        while saver is not None and saver.finish() and self._ask():
            pass
        return True

    def _ask(self) -> bool:
        """Asks for another file. Returns whether the user chose one."""
        saver = self._corrections.saver
        if saver is None or not saver.error or self._asking:
            return False
        folder, name = os.path.split(saver.path)
        self._asking = True
        try:
            path = filedialog.asksaveasfilename(
                parent=self._root,
                title="Save the corrections in another file",
                initialdir=os.path.expanduser("~"),
                initialfile=name or os.path.basename(folder),
                defaultextension=".csv",
                filetypes=[("CSV", "*.csv")],
            )
        finally:
            self._asking = False
        if path:
            saver.move_to(path)
            self._notice.show(f"Corrections are saved in {path}")
        return bool(path)
