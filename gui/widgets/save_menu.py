"""Asks where to save and says what came of it."""

from __future__ import annotations

import os
import time
import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import filedialog, messagebox
from typing import Final

from ethos_data.errors import EthosError
from gui.viewer import saving
from gui.viewer.painter import Painting

NOTICE_SECONDS: Final = 8.0
"""How long a note stays in the status line."""


class SaveMenu:
    """What is on the screen is saved at once, a whole video in another process.

    Attributes:
      job: the video that is being saved, or None.
      notice: what to tell the user for a while, or "".
    """

    def __init__(
        self,
        root: tk.Tk,
        get_painting: Callable[[], Painting | None],
        get_name: Callable[[], str],
        get_flags: Callable[[str], list[str]],
        command: Sequence[str],
    ) -> None:
        """Args:
        root: owner of the dialogs.
        get_painting: what is shown just now.
        get_name: path of the video, "" without one.
        get_flags: arguments of ethos-annotate for an output file.
        command: that runs ethos-annotate.
        """
        self._root = root
        self._painting = get_painting
        self._name = get_name
        self._flags = get_flags
        self._command = command
        self._notice = ""
        self._until = 0.0
        self.job: saving.VideoJob | None = None

    def entries(self) -> list[tuple[str, Callable[[], None]]]:
        """Texts of the menu and what they do."""
        return [
            ("This picture …  (PNG)", self.ask_picture),
            ("Depth of the face …  (16-bit PNG)", self.ask_depth),
            ("Mesh of the face …  (PLY, OBJ)", self.ask_mesh),
            ("Landmarks of the video …  (CSV, JSON, NPZ)", self.ask_table),
            ("Annotated video …  (MP4, MKV, AVI)", self.ask_video),
            ("Stop saving the video", self.cancel),
        ]

    @property
    def notice(self) -> str:
        return self._notice if time.monotonic() < self._until else ""

    def tell(self, text: str) -> None:
        """A note in the status line for some seconds."""
        self._notice, self._until = text, time.monotonic() + NOTICE_SECONDS

    def complain(self, text: str) -> None:
        """A note that must be confirmed."""
        self.tell(text)
        messagebox.showwarning("ETHOS", text, parent=self._root)

    def ask_picture(self) -> None:
        self._ask_now("Save this picture", (".png",), saving.save_picture)

    def ask_depth(self) -> None:
        self._ask_now("Save the depth", (".png",), saving.save_depth)

    def ask_mesh(self) -> None:
        self._ask_now("Save the mesh", (".ply", ".obj"), saving.save_mesh)

    def ask_table(self) -> None:
        self._ask_later("Save landmarks", (".csv", ".json", ".npz"))

    def ask_video(self) -> None:
        self._ask_later("Save an annotated video", (".mp4", ".mkv", ".avi"))

    def _ask(self, title: str, suffixes: Sequence[str]) -> str:
        folder, name = os.path.split(os.path.abspath(self._name() or "ethos"))
        return filedialog.asksaveasfilename(
            parent=self._root,
            title=title,
            # Beside the video, and not under its own name.
            initialdir=folder if os.access(folder, os.W_OK) else None,
            initialfile=f"{os.path.splitext(name)[0]}_faces{suffixes[0]}",
            defaultextension=suffixes[0],
            filetypes=[(s[1:].upper(), f"*{s}") for s in suffixes],
        )

    def _ask_now(
        self, title: str, suffixes: Sequence[str], save: Callable[[str, Painting], None]
    ) -> None:
        painting = self._painting()
        if painting is None:
            self.complain("There is no picture yet")
            return
        path = self._ask(title, suffixes)
        if path:
            self.save(path, painting, save)

    def save(
        self, path: str, painting: Painting, save: Callable[[str, Painting], None]
    ) -> None:
        """Saves something of the moment and says so, or says why not."""
        try:
            save(path, painting)
        except (EthosError, OSError) as error:
            self.complain(str(error))
        else:
            self.tell(f"Saved {path}")

    def _ask_later(self, title: str, suffixes: Sequence[str]) -> None:
        if not self._name():
            self.complain("Load a video first")
            return
        path = self._ask(title, suffixes)
        if path:
            self.save_video(path)

    def save_video(self, path: str) -> None:
        """Annotates the whole video in another process, with the window's settings."""
        if self.job is not None:
            self.complain("A video is being saved already")
            return
        self.job = saving.VideoJob(path, self._flags(path), self._command)
        self.job.start()

    def cancel(self) -> None:
        """Stops saving the video."""
        if self.job is not None:
            self.job.cancel()

    def progress(self) -> str:
        """What to say of the video that is being saved, "" if there is none."""
        job = self.job
        if job is None:
            return ""
        if job.status is None:
            return f"Saving {os.path.basename(job.path)}: {job.line}"
        self.job = None
        job.join()
        if job.status == 0:
            self.tell(f"Saved {job.path}")
        else:
            self.tell("Stopped saving" if job.cancelled else job.line)
        return self.notice
