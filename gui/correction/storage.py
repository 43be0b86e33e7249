"""Reads and saves the sidecar file of a video, so that nothing is lost.

Each change is saved at once, in a thread of its own: a long file does not delay the
window. The file is replaced completely or not at all.
"""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Sequence
from typing import Final

from ethos_data.corpora import corrections
from ethos_data.corpora.corrections import CorrectedFace
from ethos_data.errors import EthosError, one_line
from ethos_data.storage import files
from ethos_model.footage.sources.images import images_in
from gui.viewer.worker import Worker

_NO_INDEX: Final = -1


@dataclasses.dataclass(frozen=True)
class Stored:
    """What a sidecar file contains.

    Attributes:
      path: The file.
      faces: Its faces whose frames exist.
      absent: Its faces whose image is not in the folder. They are kept in the file.
      images: File names of the images of a folder, in its order; () for a video.
    """

    path: str
    faces: tuple[CorrectedFace, ...] = ()
    absent: tuple[CorrectedFace, ...] = ()
    images: tuple[str, ...] = ()

    def image(self, frame: int) -> str:
        """File name of the image of a frame; "" for a video."""
        return self.images[frame] if 0 <= frame < len(self.images) else ""


def read(video: str, path: str = "") -> Stored:
    """Reads the corrections of a video; a missing file contains none.

    In a folder, the images are found by their names. Their numbers change when images
    are added or removed.

    Args:
      video: Path of the video or of a folder of images.
      path: The sidecar file; "" for the one next to the video.

    Raises:
      EthosError: The file is damaged or cannot be read.
    """
    path = path or corrections.sidecar_path(video)
    images: tuple[str, ...] = ()
    if os.path.isdir(video):
        images = tuple(os.path.basename(image) for image in images_in(video))
    if os.path.isdir(os.path.dirname(os.path.abspath(path))):
        files.remove_leftovers(path)  # of a viewer that was killed while it saved
    if not os.path.exists(path):
        return Stored(path, images=images)
    faces = corrections.read(path)
    if not images:
        return Stored(path, tuple(faces))
    numbers = {name: number for number, name in enumerate(images)}
    moved = [
        dataclasses.replace(face, frame=numbers.get(face.image, _NO_INDEX))
        for face in faces
    ]
    present = tuple(face for face in moved if face.frame != _NO_INDEX)
    absent = tuple(
        face for face, new in zip(faces, moved, strict=True) if new.frame == _NO_INDEX
    )
    return Stored(path, present, absent, images)


class Saver:
    """Writes the newest faces into a file, in a thread.

    Example:
      saver = Saver("clip.corrections.csv")
      saver.start()
      saver.save(document.faces())
      ...
      if saver.error:
          show(saver.error)
      saver.close()

    Attributes:
      worker: The thread.
    """

    def __init__(self, path: str, absent: Sequence[CorrectedFace] = ()) -> None:
        """Prepares the thread; `start` starts it.

        Args:
          path: File to write.
          absent: Faces that are written after those of `save`.
        """
        self.worker = Worker("ethos-corrections", self._run)
        self._path = path
        self._absent = tuple(absent)
        self._changed = threading.Condition()
        self._faces: Sequence[CorrectedFace] | None = None  # to write
        self._last: Sequence[CorrectedFace] | None = None  # written last
        self._writing = False
        self._closed = False
        self._error = ""

    @property
    def path(self) -> str:
        """The file."""
        return self._path

    @property
    def error(self) -> str:
        """Why the last faces are not in the file, in one line; "" if they are."""
        return self._error

    @property
    def saved(self) -> bool:
        """Whether everything is in the file."""
        with self._changed:
            return self._faces is None and not self._writing and not self._error

    def start(self) -> None:
        """Starts the thread."""
        self.worker.start()

    def save(self, faces: Sequence[CorrectedFace]) -> None:
        """Writes faces soon. They replace faces that still wait."""
        with self._changed:
            self._faces = faces
            self._changed.notify_all()

    def move_to(self, path: str) -> None:
        """Writes into another file from now on, beginning with the last faces."""
        with self._changed:
            self._path, self._error = path, ""
            if self._faces is None:
                self._faces = self._last
            self._changed.notify_all()

    def close(self) -> None:
        """Writes what still waits and ends the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self.worker.close(timeout=30)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._faces is not None)
                faces, self._faces, path = self._faces, None, self._path
                if faces is None:
                    return
                self._last, self._writing = faces, True
            error = self._write(path, faces)
            with self._changed:
                self._writing = False
                if path == self._path:
                    self._error = error

    def _write(self, path: str, faces: Sequence[CorrectedFace]) -> str:
        """Writes a file. Returns the reason of a failure, or ""."""
        try:
            if not faces and not self._absent and not os.path.exists(path):
                return ""
            corrections.write(path, [*faces, *self._absent])
        except (EthosError, OSError) as error:
            return f"Corrections are not saved: {one_line(error)}"
        return ""
