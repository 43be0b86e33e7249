"""The formats of corpora: names, detection, and one way to read each of them."""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from ethos_data.corpora import (
    coco_keypoints,
    cofw68,
    corrections,
    csv_images,
    mat_images,
    npz_video,
    pts_images,
    video_300vw,
    video_csv,
    wflw_list,
)
from ethos_data.corpora.source import Listing, Source, full_path
from ethos_data.corpora.video import CorpusError, Video
from ethos_data.errors import EthosError

AUTO: Final = "auto"
NPZ: Final = "npz"
CSV: Final = "csv"
VIDEO_CSV: Final = "video_csv"


@dataclasses.dataclass(frozen=True)
class Format:
    """A format of corpora.

    Attributes:
      detect: Function that returns whether a listing is in this format.
      find: Function that returns the sources in a listing. A source that cannot be used
        has a problem.
      read: Function of the directory of the corpus, a source without a problem, the
        stride and the maximum number of frames. It yields the video in parts, and
        raises a `CorpusError` if the video cannot be used.
      images: Whether each source is an image, read from a small file.
      states_people: Function that returns whether the format names the people in a
        listing. Otherwise each source is its own person.
    """

    detect: Callable[[Listing], bool]
    find: Callable[[Listing], list[Source]]
    read: Callable[[str, Source, int, int | None], Iterator[Video]]
    images: bool = True
    states_people: Callable[[Listing], bool] = lambda listing: False


def _find_npz(listing: Listing) -> list[Source]:
    """Returns a source for each npz file. The headers of the files are not read."""
    return [
        Source(entry.path, entry.size, entry.modified)
        for path, entry in listing.entries.items()
        if path.lower().endswith(npz_video.SUFFIX)
    ]


def _read_npz(
    corpus_dir: str, source: Source, stride: int, max_frames: int | None
) -> Iterator[Video]:
    path = full_path(corpus_dir, source.path)
    yield npz_video.read_video(path, stride=stride, max_frames=max_frames)


FORMATS: Final[dict[str, Format]] = {
    NPZ: Format(
        lambda listing: bool(listing.ending(npz_video.SUFFIX)),
        _find_npz,
        _read_npz,
        images=False,
        states_people=lambda listing: True,
    ),
    "300vw": Format(
        video_300vw.detect,
        video_300vw.find,
        video_300vw.read,
        images=False,
        states_people=lambda listing: True,
    ),
    "pts": Format(pts_images.detect, pts_images.find, pts_images.read),
    "wflw": Format(wflw_list.detect, wflw_list.find, wflw_list.read),
    "cofw68": Format(cofw68.detect, cofw68.find, cofw68.read),
    "mat": Format(mat_images.detect, mat_images.find, mat_images.read),
    "coco": Format(
        coco_keypoints.detect,
        coco_keypoints.find,
        coco_keypoints.read,
    ),
    CSV: Format(
        csv_images.detect,
        csv_images.find,
        csv_images.read,
        states_people=csv_images.states_people,
    ),
    VIDEO_CSV: Format(video_csv.detect, video_csv.find, video_csv.read, images=False),
}
"""The formats by name. The first that `detect` recognises is used."""


def detect(listing: Listing) -> str:
    """Returns the name of the format of a corpus.

    Raises:
      EthosError: The corpus is in no known format.
    """
    for name, corpus_format in FORMATS.items():
        if corpus_format.detect(listing):
            return name
    raise EthosError(
        f"{listing.corpus_dir}: contains no {npz_video.SUFFIX} file and no corpus of "
        f"another format ({', '.join(FORMATS)})"
    )


def has_partial_labels(listing: Listing, name: str) -> bool:
    """Returns whether the labels of a corpus can be incomplete.

    An npz corpus is represented by its first file, so that a conversion does not have
    to read the headers of all files before it knows where to write.

    Args:
      listing: The files of the corpus.
      name: Name of its format.
    """
    if name != NPZ:
        return True
    try:
        first = listing.ending(npz_video.SUFFIX)[0]
        return npz_video.has_partial_labels(listing.path(first))
    except (CorpusError, IndexError):
        return False


def find_sources(
    listing: Listing, name: str, person_pattern: str | None
) -> list[Source]:
    """Returns the sources of a corpus.

    A file with corrections that the format does not read is a source with a problem, so
    that the manifest lists it.

    Args:
      listing: The files of the corpus.
      name: Name of its format.
      person_pattern: Regular expression with one group, which is searched in the path
        of the image or video. The text of the group is the person. None for the people
        that the format states.

    Raises:
      EthosError: The corpus contains no source.
    """
    sources = FORMATS[name].find(listing)
    if not sources:
        suffix = npz_video.SUFFIX if name == NPZ else name
        raise EthosError(f"{listing.corpus_dir}: contains no {suffix} file")
    if person_pattern is not None:
        pattern = re.compile(person_pattern)
        sources = [_with_person(source, pattern) for source in sources]
    return sources + _unread_corrections(listing, name)


def _unread_corrections(listing: Listing, name: str) -> list[Source]:
    """Returns a source with a problem for each file of corrections that is not read."""
    if name == NPZ:  # the viewer does not open npz files
        return []
    unread = []
    for path in listing.ending(corrections.FOLDER_NAME):
        if corrections.is_sidecar(path):
            folder = posixpath.basename(path) == corrections.FOLDER_NAME
            reader = CSV if folder else VIDEO_CSV
            if reader != name:
                problem = f"--corpus_format {name} does not read it; {reader} does"
                unread.append(listing.source(path, path, problem=problem))
    return unread


def _with_person(source: Source, pattern: re.Pattern[str]) -> Source:
    match = pattern.search(source.pixels or source.path)
    if match and match[1]:
        return dataclasses.replace(source, person=match[1])
    problem = source.problem or "its path does not match --person_pattern"
    return dataclasses.replace(source, problem=problem)


def every_source_is_a_person(
    listing: Listing, name: str, sources: Sequence[Source]
) -> bool:
    """Returns whether no person has a second source because nothing names people."""
    usable = [source for source in sources if not source.problem]
    people = {source.person_id for source in usable}
    stated = FORMATS[name].states_people(listing)
    return not stated and len(people) == len(usable) > 0
