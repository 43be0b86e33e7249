"""Reads 300-VW: directories with a video and a `.pts` file for each frame.

The layout of https://ibug.doc.ic.ac.uk/resources/300-VW/:

    001/vid.avi
    001/annot/000001.pts
    001/annot/000002.pts

`000001.pts` belongs to the first frame of the video. The files are those of
`pts_images`: 68 landmarks in pixels, counted from (1, 1), without z. The name of the
directory is the id of the video and of the person.
"""

from __future__ import annotations

import collections
import posixpath
from collections.abc import Iterator
from concurrent import futures
from typing import Final

import numpy as np

from ethos_data.corpora import labelled_video, labels, pts_images
from ethos_data.corpora.source import VIDEO_SUFFIXES, Listing, Source, full_path
from ethos_data.corpora.video import Video
from ethos_data.storage import files

ANNOTATIONS: Final = "annot"
_READERS: Final = 16
"""Number of label files that are read at the same time. Object stores answer slowly."""


def _annotations(listing: Listing) -> dict[str, list[str]]:
    """Returns the sorted label files of each directory with a video."""
    result = collections.defaultdict(list)
    for path in listing.ending(pts_images.SUFFIX):
        directory, name = posixpath.split(path)
        if posixpath.basename(directory) == ANNOTATIONS and _is_annotation(name):
            result[posixpath.dirname(directory)].append(path)
    return result


def _is_annotation(name: str) -> bool:
    """Returns whether a file in a directory `annot` has the name of a label file.

    An archive from macOS also contains files such as `._000001.pts`.
    """
    number, suffix = posixpath.splitext(name)
    return number.isdecimal() and suffix.lower() == pts_images.SUFFIX


def detect(listing: Listing) -> bool:
    """Returns whether a corpus contains a video with a directory `annot`."""
    parents = {posixpath.dirname(path) for path in listing.ending(*VIDEO_SUFFIXES)}
    return not parents.isdisjoint(_annotations(listing))


def find(listing: Listing) -> list[Source]:
    """Returns a source for each directory with a video or with annotations."""
    annotations = _annotations(listing)
    videos = {posixpath.dirname(p): p for p in listing.ending(*VIDEO_SUFFIXES)}
    sources = []
    for directory in sorted(annotations.keys() | videos.keys()):
        paths = annotations.get(directory, [])
        problem = "" if paths else f"has no directory {ANNOTATIONS} with .pts files"
        if directory not in videos:
            problem = "has no video"
        name = directory or "video"
        state = "".join(path + listing.state(path) for path in paths)
        sources.append(
            listing.source(
                videos.get(directory, posixpath.join(directory, ANNOTATIONS)),
                videos.get(directory),
                frames=len(paths),
                label_file=posixpath.join(directory, ANNOTATIONS),
                labels=labels.digest(state.encode()),
                video=name,
                person=name,
                problem=problem,
            )
        )
    return sources


def read(
    corpus_dir: str, source: Source, stride: int, max_frames: int | None
) -> Iterator[Video]:
    """Yields the video of a directory in parts.

    Raises:
      CorpusError: The video or its labels cannot be used.
    """
    directory = full_path(corpus_dir, source.label_file)
    with labels.errors_of(full_path(corpus_dir, source.path)):
        entries = sorted(entry.path for entry in files.walk(directory))
        names = [name for name in entries if _is_annotation(name)]
        numbers = np.array([int(labels.last_name(name)) for name in names], np.int64)
        order = np.argsort(numbers)

        def points_of(index: int) -> np.ndarray:
            content = labels.read(files.join(directory, names[index]))
            points = pts_images.parse(content.decode("ascii", "replace"))
            if len(points) != 68:
                raise ValueError(f"{names[index]} has {len(points)} landmarks, not 68")
            return points

        with futures.ThreadPoolExecutor(_READERS) as pool:
            points = np.stack(list(pool.map(points_of, order)))
        track = labelled_video.Track(numbers[order] - 1, points)
        yield from labelled_video.read(corpus_dir, source, track, stride, max_frames)
