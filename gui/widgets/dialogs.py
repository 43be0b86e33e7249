"""Dialogs that ask which file or folder to open."""

from __future__ import annotations

import os
import tkinter as tk
from tkinter import filedialog

from ethos_model.footage.reader import IMAGE_SUFFIXES, VIDEO_SUFFIXES


def ask_video(root: tk.Tk, folder: str) -> str:
    """Asks for a video or an image.

    Args:
      root: Parent of the dialog.
      folder: Directory that the dialog shows first; "" for the current one.

    Returns:
      The path; "" if the dialog was cancelled.
    """
    # Cameras write IMG_0001.MOV, and the patterns are case-sensitive.
    suffixes = (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES)
    patterns = " ".join(f"*{s} *{s.upper()}" for s in suffixes)
    return filedialog.askopenfilename(
        parent=root,
        title="Load a video",
        initialdir=folder if os.path.isdir(folder) else None,
        filetypes=[("Videos and images", patterns), ("All files", "*")],
    )


def ask_folder(root: tk.Tk, title: str) -> str:
    """Asks for a folder.

    Args:
      root: Parent of the dialog.
      title: Title of the dialog.

    Returns:
      The path; "" if the dialog was cancelled.
    """
    return filedialog.askdirectory(parent=root, title=title, mustexist=True)
