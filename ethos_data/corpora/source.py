"""The sources of a corpus, and the listing that the formats search for them."""

from __future__ import annotations

import collections
import dataclasses
import functools
import posixpath

from ethos_data.corpora.video import person_id_of, video_id_of
from ethos_data.storage import files

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
VIDEO_SUFFIXES = (".avi", ".mp4", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".wmv")


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """A video of one person, or an image with one face, that a corpus contains.

    All paths are relative to the directory of the corpus, with forward slashes.

    Attributes:
      path: Name of the source in messages and in the manifest. Two sources have
        different names. It is the path of the file, with "#" and the entry if the file
        contains several sources.
      size: Size of the file with the pixels, in bytes.
      modified: Time of the last change of this file, in seconds since 1970.
      frames: Number of frames according to the header of the file or to the labels. 0
        if it cannot be read.
      height: Height of a frame, in pixels. 0 if unknown.
      width: Width of a frame, in pixels. 0 if unknown.
      pixels: Path of the image or the video; "" for `path`.
      label_file: Path of the file with the labels; "" if `pixels` contains them.
      entry: Name of the entry in the file with the labels; "" for the complete file.
      labels: Text that changes if the labels change.
      video: Id of the video; "" for the name of the file without its suffix.
      person: Id of the person; "" for the id of the video up to its last underscore.
      problem: Reason why the source cannot be used; "" for none.
    """

    path: str
    size: int
    modified: float
    frames: int = 0
    height: int = 0
    width: int = 0
    pixels: str = ""
    label_file: str = ""
    entry: str = ""
    labels: str = ""
    video: str = ""
    person: str = ""
    problem: str = ""

    @property
    def video_id(self) -> str:
        return self.video or video_id_of(self.path)

    @property
    def person_id(self) -> str:
        return self.person or person_id_of(self.video_id)


class Listing:
    """All files of a corpus. Unfinished files of other commands are left out.

    Attributes:
      corpus_dir: Directory of the corpus.
      entries: The files, by path relative to `corpus_dir` with forward slashes, sorted.
    """

    def __init__(self, corpus_dir: str):
        self.corpus_dir = corpus_dir
        entries = files.walk(corpus_dir)
        finished = {e.path: e for e in entries if files.TEMPORARY not in e.path}
        self.entries = dict(sorted(finished.items()))

    def path(self, relative: str) -> str:
        """Returns the path that opens a file."""
        return full_path(self.corpus_dir, relative)

    def read(self, relative: str, limit: int = -1) -> bytes:
        """Returns the content of a file, or its first `limit` bytes."""
        with files.opened(self.path(relative)) as file:
            return file.read(limit)

    def ending(self, *suffixes: str) -> list[str]:
        """Returns the paths that end with a suffix. Lower case matches upper case."""
        return [path for path in self.entries if path.lower().endswith(suffixes)]

    @functools.cached_property
    def images(self) -> dict[str, str]:
        """The path of each image, by its path without the suffix."""
        return {stem_of(path): path for path in reversed(self.ending(*IMAGE_SUFFIXES))}

    @functools.cached_property
    def _by_name(self) -> dict[str, list[str]]:
        by_name = collections.defaultdict(list)
        for path in self.entries:
            by_name[posixpath.basename(path)].append(path)
        return by_name

    def find(self, name: str, near: str) -> str | None:
        """Finds a file that a list of labels names.

        Lists name files relative to a directory that they do not state.

        Args:
          name: Path of the file as the list contains it.
          near: Path of the list. Files close to it have precedence.

        Returns:
          The path of the file, or None if there is no file whose path ends with `name`.
        """
        name = posixpath.normpath(name.replace("\\", "/")).lstrip("/")
        beside = posixpath.normpath(posixpath.join(posixpath.dirname(near), name))
        if beside in self.entries:
            return beside
        while name.startswith("../"):
            name = name[3:]
        matches = [
            path
            for path in self._by_name.get(posixpath.basename(name), ())
            if path == name or path.endswith(f"/{name}")
        ]

        def distance(path: str) -> tuple[int, str]:
            return -len(posixpath.commonprefix([path, near])), path

        return min(matches, key=distance, default=None)

    def source(self, path: str, pixels: str | None, **details: str | int) -> Source:
        """Returns a source whose pixels are in a file of the corpus.

        Args:
          path: Name of the source.
          pixels: Path of the image or the video; None if it does not exist.
          **details: Further attributes of `Source`.
        """
        entry = self.entries.get(pixels or "")
        return Source(
            path=path,
            size=entry.size if entry else 0,
            modified=entry.modified if entry else 0.0,
            pixels=pixels or "",
            **details,  # type: ignore[arg-type]
        )

    def state(self, path: str) -> str:
        """Returns a text that changes when a file changes."""
        entry = self.entries[path]
        return f"{entry.size} {entry.modified}"


def full_path(corpus_dir: str, relative: str) -> str:
    """Returns the path that opens a file of a corpus."""
    return files.join(corpus_dir, *relative.split("/"))


def stem_of(path: str) -> str:
    """Returns a path without its suffix.

    Example:
      >>> stem_of("helen/trainset/232194_1.jpg")
      'helen/trainset/232194_1'
    """
    return posixpath.splitext(path)[0]
