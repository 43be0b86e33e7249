"""The Save menu: asks for a file name, saves, and reports the result."""

from __future__ import annotations

import os
import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import filedialog, messagebox

from ethos_data.errors import EthosError, one_line
from ethos_model.footage.tables.writer import TABLE_SUFFIXES
from gui.sample import SAMPLE
from gui.viewer import saving, summary
from gui.viewer.history import History
from gui.viewer.painter import Painting


class SaveMenu:
    """Saves the current picture at once, and whole videos in another process.

    Attributes:
      job: The process that saves a video, or None.
    """

    def __init__(
        self,
        root: tk.Tk,
        get_painting: Callable[[], Painting | None],
        get_video: Callable[[], str],
        get_flags: Callable[[str], list[str]],
        history: History,
        show_notice: Callable[[str], None],
        command: Sequence[str],
    ) -> None:
        """Creates the menu's functions.

        Args:
          root: Parent of the dialogs.
          get_painting: Returns the pictures on the screen; None before the first.
          get_video: Returns the path of the video; "" without a video.
          get_flags: Returns the arguments of ethos-annotate for an output file.
          history: The people so far.
          show_notice: Shows a text in the status line.
          command: Command that runs ethos-annotate.
        """
        self._root = root
        self._get_painting = get_painting
        self._get_video = get_video
        self._get_flags = get_flags
        self._history = history
        self._show_notice = show_notice
        self._command = command
        self.job: saving.AnnotateProcess | None = None

    def entries(self) -> list[tuple[str, Callable[[], None]]]:
        """Labels and functions of the menu's entries."""
        suffixes = ", ".join(suffix[1:].upper() for suffix in TABLE_SUFFIXES)
        return [
            ("This picture …  (PNG)", self.ask_picture),
            ("Face from many frames …  (PNG)", self.ask_portrait),
            ("Depth of the face …  (16-bit PNG)", self.ask_depth),
            ("Mesh of the face …  (PLY, OBJ)", self.ask_mesh),
            ("People so far …  (PNG)", self.ask_people),
            ("Plot so far …  (PNG, CSV)", self.ask_plot),
            (f"Table of the video …  ({suffixes})", self.ask_table),
            ("OpenFace table of the video …  (CSV)", self.ask_openface),
            ("Annotated video …  (MP4, MKV, AVI)", self.ask_video),
            ("Stop saving the video", self.cancel),
        ]

    def ask_picture(self) -> None:
        """Asks for a file and saves the picture on the screen."""
        self._ask_and_save("picture", (".png",), saving.save_picture)

    def ask_portrait(self) -> None:
        """Asks for a file and saves the chosen face, reconstructed from many frames."""
        self._ask_and_save("portrait", (".png",), saving.save_portrait)

    def save_portrait(self) -> None:
        """Saves that face under a new name, without a question.

        The file is beside the video. For a camera and the sample video it is in the
        current directory. If the directory cannot be written, a file is asked for.
        """
        painting = self._get_painting()
        folder, name = os.path.split(os.path.abspath(self._get_video() or "ethos"))
        if os.path.join(folder, name) == SAMPLE:
            folder = os.getcwd()
        if painting is None or not os.access(folder, os.W_OK):
            self.ask_portrait()
            return
        stem = f"{os.path.splitext(name)[0]}_portrait"
        path = saving.new_path(folder, stem, ".png")
        self.save(path, lambda path: saving.save_portrait(path, painting))

    def ask_depth(self) -> None:
        """Asks for a file and saves the depth of the chosen face."""
        self._ask_and_save("depth", (".png",), saving.save_depth)

    def ask_mesh(self) -> None:
        """Asks for a file and saves the mesh of the chosen face."""
        self._ask_and_save("mesh", (".ply", ".obj"), saving.save_mesh)

    def ask_people(self) -> None:
        """Asks for a file and saves the contact sheet of the people so far."""
        self._ask_and_run(
            "people",
            (".png",),
            lambda path: summary.save_people(path, self._history),
        )

    def ask_plot(self) -> None:
        """Asks for a file and saves the measures so far, as curves or as values."""
        self._ask_and_run("plot", (".png", ".csv"), self.save_plot)

    def save_plot(self, path: str) -> None:
        """Saves the measures so far: as values if the suffix is .csv, else as curves.

        Raises:
          EthosError: Nobody was seen, or `path` cannot be written.
        """
        if path.lower().endswith(".csv"):
            summary.save_values(path, self._history)
        else:
            title = os.path.basename(self._get_video())
            summary.save_figure(path, self._history, title)

    def ask_table(self) -> None:
        """Asks for a file and saves the table of the whole video."""
        self._ask_and_annotate("table", TABLE_SUFFIXES)

    def ask_openface(self) -> None:
        """Asks for a file and saves the table of the video in OpenFace's columns."""
        self._ask_and_annotate(
            "OpenFace table", (".csv",), ("--csv_format", "openface")
        )

    def ask_video(self) -> None:
        """Asks for a file and saves the annotated video."""
        self._ask_and_annotate("annotated video", (".mp4", ".mkv", ".avi"))

    def _ask(self, what: str, suffixes: Sequence[str]) -> str:
        """Asks for a file name. The proposal is beside the video, with `what` in it."""
        folder, name = os.path.split(os.path.abspath(self._get_video() or "ethos"))
        ending = what.replace(" ", "_")
        return filedialog.asksaveasfilename(
            parent=self._root,
            title=f"Save the {what}",
            initialdir=folder if os.access(folder, os.W_OK) else None,
            initialfile=f"{os.path.splitext(name)[0]}_{ending}{suffixes[0]}",
            defaultextension=suffixes[0],
            filetypes=[(s[1:].upper(), f"*{s}") for s in suffixes],
        )

    def _warn(self, text: str) -> None:
        """Shows a text that the user has to confirm."""
        self._show_notice(text)
        messagebox.showwarning("ETHOS", text, parent=self._root)

    def _ask_and_save(
        self, what: str, suffixes: Sequence[str], save: Callable[[str, Painting], None]
    ) -> None:
        painting = self._get_painting()
        if painting is None:
            self._warn("There is no picture to save yet.")
            return
        self._ask_and_run(what, suffixes, lambda path: save(path, painting))

    def _ask_and_run(
        self, what: str, suffixes: Sequence[str], save: Callable[[str], None]
    ) -> None:
        path = self._ask(what, suffixes)
        if path:
            self.save(path, save)

    def save(self, path: str, save: Callable[[str], None]) -> None:
        """Saves something at once and reports the result.

        Args:
          path: File to write.
          save: Writes the file. An error is shown to the user.
        """
        try:
            save(path)
        except (EthosError, OSError) as error:
            self._warn(one_line(error))
        else:
            self._show_notice(f"Saved {path}")

    def _ask_and_annotate(
        self, what: str, suffixes: Sequence[str], flags: Sequence[str] = ()
    ) -> None:
        if not self._get_video():
            self._warn("Load a video first.")
            return
        path = self._ask(what, suffixes)
        if path:
            self.save_video(path, flags)

    def save_video(self, path: str, flags: Sequence[str] = ()) -> None:
        """Annotates the whole video in another process, with the window's settings.

        Args:
          path: File to write.
          flags: Further arguments of ethos-annotate.
        """
        if self.job is not None:
            self._warn("A video is being saved already.")
            return
        arguments = [*self._get_flags(path), *flags]
        self.job = saving.AnnotateProcess(path, arguments, self._command)
        self.job.start()

    def cancel(self) -> None:
        """Stops saving the video."""
        if self.job is not None:
            self.job.cancel()

    def close(self) -> None:
        """Stops saving the video and waits for the end of the process."""
        if self.job is not None:
            self.job.close()

    def progress(self) -> str:
        """The progress of the video that is being saved; "" without one.

        The result is shown as a notice when the process has ended.
        """
        job = self.job
        if job is None:
            return ""
        if job.result is None:
            return f"Saving {os.path.basename(job.path)}: {job.progress}"
        self.job = None
        self._show_notice(job.result)
        return ""
