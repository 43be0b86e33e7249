"""The description of a protocol: its faces, and how it measures errors."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Callable, Collection, Iterator
from typing import Final

from ethos_data.corpora.source import Listing, Source
from ethos_data.corpora.video import Video
from ethos_data.errors import EthosError

FULL: Final = "full"
"""Name of the subset with all faces of a protocol."""

VISIBLE_CONTOUR: Final = (
    "2D: the landmarks 0 to 16 are on the visible outline of the face"
)
FIXED_VERTEX: Final = (
    "3D: the landmarks 0 to 16 are fixed points of the head, also where it hides them"
)


@dataclasses.dataclass(frozen=True)
class Item:
    """An image or a video of a protocol.

    Attributes:
      source: The source in the corpus. A source with a problem is left out.
      subsets: Subsets that the faces belong to, without `FULL`.
      excluded: Numbers of the frames that the protocol leaves out, from 0.
    """

    source: Source
    subsets: tuple[str, ...]
    excluded: Collection[int] = ()


Read = Callable[[str, Source, int, int | None], Iterator[Video]]
"""Function of the directory, a source, the stride and the maximum number of frames."""


@dataclasses.dataclass(frozen=True)
class Protocol:
    """A published test set and the way in which publications measure errors on it.

    Attributes:
      name: Name on the command line.
      title: Name of the data set.
      find: Function that returns the items in the files of the original data set. It
        raises an `EthosError` if a directory or a list is missing.
      read: Function that reads a source.
      subsets: Names of the subsets, in the order of the report.
      expected: Official number of faces of some subsets.
      norm: Unit of AUC and failure rate: "iod" or "box".
      limit: NME in % at which the AUC ends and above which a face counts as failed.
      outline: Convention of the landmarks 0 to 16.
      has_iod: Whether NME_iod is reported. It is meaningless where the outer corner of
        an eye has no label or is hidden by the face.
      divides_by_all: Whether the errors of a face are divided by 68 although some of
        its landmarks have no label.
      balanced: Subsets whose mean is reported as the row "balanced mean"; () for none.
      notes: Sentences for the report: what the figures can be compared with.
    """

    name: str
    title: str
    find: Callable[[Listing], list[Item]]
    read: Read
    subsets: tuple[str, ...]
    expected: dict[str, int]
    norm: str
    limit: float
    outline: str
    has_iod: bool = True
    divides_by_all: bool = False
    balanced: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def inside(path: str, directory: str) -> bool:
    """Returns whether a file is in a directory, at any depth of the corpus.

    Args:
      path: Path of the file, relative to the corpus.
      directory: One or more names, for example "helen/testset". Upper and lower case
        are the same.
    """
    return f"/{directory}/".lower() in f"/{posixpath.dirname(path)}/".lower()


def in_directories(
    listing: Listing, sources: list[Source], directories: dict[str, str], layout: str
) -> list[Item]:
    """Returns the sources in the directories of a protocol.

    Args:
      listing: The files of the data set.
      sources: The sources that a reader has found in it.
      directories: Subset of each directory, see `inside`.
      layout: Directories that the protocol needs, for the message.

    Raises:
      EthosError: A directory is missing or contains no sources.
    """
    items = []
    for directory, subset in directories.items():
        found = [source for source in sources if inside(source.path, directory)]
        if not found:
            raise EthosError(
                f"{listing.corpus_dir}: contains no directory {directory} with images; "
                f"the protocol needs {layout}"
            )
        items += [Item(source, (subset,)) for source in found]
    return items
