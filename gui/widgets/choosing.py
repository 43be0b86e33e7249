"""Dialogs that ask what to open."""

from __future__ import annotations

import tkinter as tk
from tkinter import filedialog

from ethos_model.footage.reader import IMAGE_SUFFIXES, VIDEO_SUFFIXES


def ask_video(root: tk.Tk, folder: str) -> str:
    """Path of a video or image, "" if the dialog was cancelled; starts in `folder`."""
    # Cameras write IMG_0001.MOV, and Tk minds the difference.
    suffixes = (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES)
    patterns = " ".join(f"*{s} *{s.upper()}" for s in suffixes)
    return filedialog.askopenfilename(
        parent=root,
        title="Load a video",
        initialdir=folder or None,
        filetypes=[("Videos and images", patterns), ("All files", "*")],
    )


def ask_folder(root: tk.Tk, title: str) -> str:
    """Path of a folder, "" if the dialog was cancelled."""
    return filedialog.askdirectory(parent=root, title=title, mustexist=True)
