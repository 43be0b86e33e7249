"""Reads and saves the sidecar file of a video, so that nothing is lost.

Each change is saved at once, in a thread of its own: a long file does not delay the
window. The file is replaced completely or not at all.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import threading
from collections.abc import Sequence
from typing import Final

from ethos_data.corpora import corrections
from ethos_data.corpora.corrections import CorrectedFace
from ethos_data.errors import EthosError, one_line
from ethos_data.storage import files
from ethos_model.footage.reader import VIDEO_SUFFIXES
from ethos_model.footage.sources.images import images_in
from gui.viewer.worker import Worker, describe

CLOSE_SECONDS: Final = 30.0
"""Maximum time to wait until the last faces are written."""

LEFTOVER_SECONDS: Final = 3600.0
"""Age from which a temporary file was left by a killed viewer. Another viewer may be
writing a newer one."""

_NO_INDEX: Final = -1

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Stored:
    """What a sidecar file contains.

    Attributes:
      path: The file.
      faces: Its faces whose frames exist.
      absent: Its faces whose image is not in the folder. They are kept in the file.
      images: File names of the images of a folder, in its order; () for a video.
      modified: Time at which the file was modified, in nanoseconds; None without a
        file. It tells whether another program has changed the file since.
    """

    path: str
    faces: tuple[CorrectedFace, ...] = ()
    absent: tuple[CorrectedFace, ...] = ()
    images: tuple[str, ...] = ()
    modified: int | None = None

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
      EthosError: The file is damaged or cannot be read, or another video has the same
        file.
    """
    if not path:
        path = corrections.sidecar_path(video)
        _check_unshared(video)
    images: tuple[str, ...] = ()
    if os.path.isdir(video):
        images = tuple(os.path.basename(image) for image in images_in(video))
    if os.path.isdir(os.path.dirname(os.path.abspath(path))):
        files.remove_leftovers(path, older_than=LEFTOVER_SECONDS)
    modified = _modified(path)
    if modified is None:
        return Stored(path, images=images)
    faces = corrections.read(path)
    if not images:
        return Stored(path, tuple(faces), modified=modified)
    numbers = {name: number for number, name in enumerate(images)}
    moved = [
        dataclasses.replace(face, frame=numbers.get(face.image, _NO_INDEX))
        for face in faces
    ]
    present = tuple(face for face in moved if face.frame != _NO_INDEX)
    absent = tuple(
        face for face, new in zip(faces, moved, strict=True) if new.frame == _NO_INDEX
    )
    return Stored(path, present, absent, images, modified)


def _check_unshared(video: str) -> None:
    """Checks that no other video has the same sidecar file.

    A photo with the name of the video, as phones write them, is no such video.

    Raises:
      EthosError: Another video has the same name with another suffix.
    """
    folder, own = os.path.split(os.path.abspath(video))
    if os.path.isdir(video) or not os.path.isdir(folder):
        return
    stem = os.path.splitext(own)[0]
    for name in sorted(os.listdir(folder)):
        if name == own or os.path.splitext(name)[0] != stem:
            continue
        other = os.path.join(folder, name)
        if name.lower().endswith(VIDEO_SUFFIXES) and os.path.isfile(other):
            reason = f"{name} has the same file of corrections; rename one of the two"
            raise EthosError(f"{video}: {reason}")


def _modified(path: str) -> int | None:
    """Time at which a file was modified, in nanoseconds; None without a file."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:  # for example in a directory that does not exist
        return None


@dataclasses.dataclass(frozen=True, eq=False)
class _Target:
    """The file to write.

    Attributes:
      path: The file.
      modified: Time of our last access, in nanoseconds; see `Stored`.
    """

    path: str
    modified: int | None


class Saver:
    """Writes the newest faces into a file, in a thread.

    Example:
      saver = Saver(storage.read("clip.mp4"))
      saver.start()
      saver.save(document.faces())
      ...
      if saver.error:
          show(saver.error)
      saver.close()

    Attributes:
      worker: The thread.
    """

    def __init__(self, stored: Stored) -> None:
        """Prepares the thread; `start` starts it.

        Args:
          stored: What the file contains. Its absent faces are written after those of
            `save`.
        """
        self.worker = Worker("ethos-corrections", self._run)
        self._target = _Target(stored.path, stored.modified)
        self._absent = stored.absent
        self._changed = threading.Condition()
        self._faces: Sequence[CorrectedFace] | None = None  # to write
        self._last: Sequence[CorrectedFace] | None = None  # written last
        self._writing = False
        self._closed = False
        self._error = ""

    @property
    def path(self) -> str:
        """The file."""
        return self._target.path

    @property
    def error(self) -> str:
        """Why the last faces are not in the file, in one line; "" if they are."""
        return self._error

    @property
    def saved(self) -> bool:
        """Whether everything is in the file."""
        with self._changed:
            return self._is_idle() and not self._error

    def start(self) -> None:
        """Starts the thread."""
        self.worker.start()

    def save(self, faces: Sequence[CorrectedFace]) -> None:
        """Writes faces soon. They replace faces that still wait."""
        with self._changed:
            self._faces = faces
            self._changed.notify_all()

    def move_to(self, path: str) -> None:
        """Writes into another file from now on, beginning with the last faces.

        An existing file is replaced. The caller has asked the user.
        """
        with self._changed:
            self._target, self._error = _Target(path, _modified(path)), ""
            if self._faces is None:
                self._faces = self._last
            self._changed.notify_all()

    def finish(self) -> str:
        """Waits until everything is written. A failed write is tried once more.

        Returns:
          `error`.
        """
        with self._changed:
            self._try_again()
            self._changed.wait_for(
                lambda: self._is_idle() or not self.worker.is_alive(), CLOSE_SECONDS
            )
            return self._error

    def close(self) -> None:
        """Writes what still waits and ends the thread. Tries a failed write again."""
        with self._changed:
            self._try_again()
            self._closed = True
            self._changed.notify_all()
        self.worker.close(timeout=CLOSE_SECONDS)

    def _is_idle(self) -> bool:
        return self._faces is None and not self._writing

    def _try_again(self) -> None:
        if self._error and self._faces is None:
            self._faces = self._last
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._faces is not None)
                faces, self._faces, target = self._faces, None, self._target
                if faces is None:
                    return
                self._last, self._writing = faces, True
            written, reason = target, ""
            try:
                written = self._write(target, faces)
            except (EthosError, OSError) as error:
                reason = f"Corrections are not saved: {one_line(error)}"
            except Exception as error:  # the user must learn that nothing is saved
                _logger.exception("%r cannot be written", target.path)
                reason = f"Corrections are not saved: {target.path}: {describe(error)}"
            with self._changed:
                self._writing = False
                if target is self._target:  # not moved meanwhile
                    self._target, self._error = written, reason
                self._changed.notify_all()

    def _write(self, target: _Target, faces: Sequence[CorrectedFace]) -> _Target:
        """Writes the file.

        Raises:
          EthosError: Another program has changed the file.
          OSError: The file cannot be written.
        """
        modified = _modified(target.path)
        if modified is None and not faces and not self._absent:
            return target
        if modified not in (None, target.modified):  # a missing file is written again
            raise EthosError(f"{target.path}: changed by another program")
        corrections.write(target.path, [*faces, *self._absent])
        return _Target(target.path, _modified(target.path))
