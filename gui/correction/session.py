"""The corrections of the video in the viewer: load, change, save, show.

The main thread opens videos and changes corrections. The painter's thread calls
`apply`.
"""

from __future__ import annotations

import os

import numpy as np

from ethos_data.corpora.corrections import CorrectedFace
from ethos_data.errors import EthosError, one_line
from ethos_model.footage.reader import Info
from gui.correction import storage
from gui.correction.document import Document, Key
from gui.correction.matching import People
from gui.correction.overlay import corrected_view
from gui.correction.storage import Saver, Stored
from gui.viewer.view import View

NO_VIDEO = "Load a video first."


class Corrections:
    """The document of the current video, and its file.

    Attributes:
      document: The corrections.
      people: Which tracked face is which person.
      stored: What the sidecar file contained when the video was opened.
      problem: Why the video cannot be corrected, in one line; "" if it can.
    """

    def __init__(self) -> None:
        self._video = -1
        self._saver: Saver | None = None
        self._reset(-1, Stored(""), NO_VIDEO)

    def _reset(self, video: int, stored: Stored, problem: str) -> None:
        self.stored, self.problem = stored, problem
        self.document = Document(stored.faces)
        self.people = People(self.document, unrelated=bool(stored.images))
        self._video = video

    @property
    def video(self) -> int:
        """Number of the video; see `PlayerState`."""
        return self._video

    @property
    def unrelated(self) -> bool:
        """Whether the frames are images of a folder."""
        return bool(self.stored.images)

    @property
    def path(self) -> str:
        """The sidecar file; "" if the video cannot be corrected."""
        return self._saver.path if self._saver is not None else ""

    @property
    def saver(self) -> Saver | None:
        """The thread that saves; None if the video cannot be corrected."""
        return self._saver

    @property
    def error(self) -> str:
        """Why the last change is not saved, in one line; "" if it is."""
        return self._saver.error if self._saver is not None else ""

    def open(self, info: Info, video: int) -> None:
        """Reads the corrections of another video.

        Args:
          info: The video.
          video: Number of the video; see `PlayerState`.
        """
        self.close()
        problem = ""
        stored = Stored("")
        if info.live:
            problem = "Live video cannot be corrected. Record it first."
        elif not os.path.exists(info.path):
            problem = "Only videos and folders on this machine can be corrected."
        else:
            try:
                stored = storage.read(info.path)
            except (EthosError, OSError) as error:
                problem = one_line(error)
        self._reset(video, stored, problem)
        if not problem:
            self._saver = Saver(stored)
            self._saver.start()

    def close(self) -> None:
        """Saves what still waits."""
        if self._saver is not None:
            self._saver.close()
            self._saver = None

    def apply(self, view: View) -> View:
        """The view with its corrections. Any thread may call it."""
        document, people = self.document, self.people
        if view.video != self._video:
            return view
        faces = document.at(view.frame.index)
        matches = people.follow(
            view.frame.index,
            {face.id: np.asarray(face.box) for face in view.faces},
            numbering=view.numbering,
            renumbered=view.renumbered,
        )
        return corrected_view(view, faces, matches) if faces else view

    # Changes. Each is saved at once.

    def put(self, face: CorrectedFace, tag: str = "") -> None:
        """Adds or replaces a correction; see `Document.put`."""
        self.document.put(face, tag)
        self.save()

    def remove(self, frame: int, person: int) -> bool:
        """Removes a correction; see `Document.remove`."""
        removed = self.document.remove(frame, person)
        self.save()
        return removed

    def undo(self) -> Key | None:
        """Undoes the last change; see `Document.undo`."""
        key = self.document.undo()
        self.save()
        return key

    def redo(self) -> Key | None:
        """Repeats a change; see `Document.redo`."""
        key = self.document.redo()
        self.save()
        return key

    def save(self) -> None:
        """Writes the corrections into the sidecar file, in another thread."""
        if self._saver is not None:
            self._saver.save(self.document.faces())
