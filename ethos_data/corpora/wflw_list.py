"""Reads WFLW: lists of faces with 98 landmarks, and a directory of images.

The layout of https://wywu.github.io/projects/LAB/WFLW.html: text files with one face in
each line, for example `list_98pt_rect_attr_train.txt`:

    x0 y0 ... x97 y97  x_min y_min x_max y_max  6 attributes  image name

The lists without box and attributes (`list_98pt_test.txt`, 197 columns) are read only
if there is no list with them, because they name the same faces. The coordinates are in
pixels, y points down, and the centre of the first pixel is taken as (0, 0). There is no
z. The attribute "occlusion" describes the face, not its landmarks, so it is ignored.
The image name is relative to the directory `WFLW_images`.

The 68 landmarks are those of the 98 that have the same place (the mapping of
https://github.com/Jiahao-UTS/DSLPT and of other projects that evaluate WFLW models with
68 landmarks):

    | 68       | part                  | 98                       |
    | -------- | --------------------- | ------------------------ |
    | 0 to 16  | jaw                   | 0, 2, 4, ..., 32         |
    | 17 to 21 | right eyebrow, upper  | 33 to 37                 |
    | 22 to 26 | left eyebrow, upper   | 42 to 46                 |
    | 27 to 35 | nose                  | 51 to 59                 |
    | 36 to 41 | right eye             | 60, 61, 63, 64, 65, 67   |
    | 42 to 47 | left eye              | 68, 69, 71, 72, 73, 75   |
    | 48 to 67 | mouth                 | 76 to 95                 |

Each face is its own person. The id of the video is the name of the image with the first
eight digits of a hash of the line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from ethos_data.corpora import labels
from ethos_data.corpora.source import Listing, Source, full_path, stem_of
from ethos_data.corpora.video import Video

MAPPING: Final = np.array(
    [
        *range(0, 33, 2),
        *range(33, 38),
        *range(42, 47),
        *range(51, 60),
        *(60, 61, 63, 64, 65, 67),
        *(68, 69, 71, 72, 73, 75),
        *range(76, 96),
    ]
)
"""int (68,), index of each of the 68 landmarks in the 98 landmarks of WFLW."""

_COORDINATES: Final = 196
_COLUMNS: Final = 207
_SHORT_COLUMNS: Final = 197

ATTRIBUTES: Final = (
    "pose",
    "expression",
    "illumination",
    "make-up",
    "occlusion",
    "blur",
)
"""The attributes of a face, in the order of their columns."""
_FIRST_ATTRIBUTE: Final = 200
_PEEK_BYTES: Final = 1 << 14


def _lists(listing: Listing) -> list[str]:
    """Returns the paths of the lists that name each face once."""
    by_columns: dict[int, list[str]] = {_COLUMNS: [], _SHORT_COLUMNS: []}
    for path in listing.ending(".txt"):
        line = listing.read(path, _PEEK_BYTES).split(b"\n")[0]
        if (columns := len(line.split())) in by_columns:
            by_columns[columns].append(path)
    return by_columns[_COLUMNS] or by_columns[_SHORT_COLUMNS]


def detect(listing: Listing) -> bool:
    """Returns whether a corpus contains a list of WFLW."""
    return bool(_lists(listing))


def find(listing: Listing) -> list[Source]:
    """Returns a source for each line of the lists."""
    sources = []
    for path in _lists(listing):
        lines = listing.read(path).decode("utf-8", "replace").splitlines()
        for number, line in enumerate(lines, start=1):
            if not (columns := line.split()):
                continue
            image = listing.find(columns[-1], path)
            content = labels.digest(line.encode())
            video = f"{stem_of(image or columns[-1])}-{content[:8]}"
            sources.append(
                listing.source(
                    f"{path}#{number}",
                    image,
                    frames=1,
                    label_file=path,
                    entry=str(number),
                    labels=content,
                    video=video,
                    person=video,
                    problem="" if image else f"the image {columns[-1]} does not exist",
                )
            )
    return sources


@labels.cached
def _read_lines(path: str) -> list[str]:
    return labels.read(path).decode("utf-8", "replace").splitlines()


def parse(line: str) -> np.ndarray:
    """Returns the 68 landmarks of a line, float64 (68, 2), in source pixels.

    Raises:
      ValueError: The line does not contain 98 landmarks.
    """
    columns = line.split()
    if len(columns) not in (_COLUMNS, _SHORT_COLUMNS):
        raise ValueError(f"has {len(columns)} columns, not {_COLUMNS}")
    points = np.array(columns[:_COORDINATES], np.float64).reshape(-1, 2)
    return points[MAPPING]


def attributes(line: str) -> tuple[str, ...]:
    """Returns the attributes of a face: those of `ATTRIBUTES` that are 1.

    Raises:
      ValueError: The line contains no attributes.
    """
    columns = line.split()
    if len(columns) != _COLUMNS:
        raise ValueError(f"has {len(columns)} columns, not {_COLUMNS}")
    values = columns[_FIRST_ATTRIBUTE : _FIRST_ATTRIBUTE + len(ATTRIBUTES)]
    return tuple(
        name for name, value in zip(ATTRIBUTES, values, strict=True) if value == "1"
    )


def read(
    corpus_dir: str, source: Source, stride: int, max_frames: int | None
) -> Iterator[Video]:
    """Yields the face of a line.

    Raises:
      CorpusError: The image or its labels cannot be used.
    """
    del stride, max_frames
    with labels.errors_of(full_path(corpus_dir, source.path)):
        lines = _read_lines(full_path(corpus_dir, source.label_file))
        points = parse(lines[int(source.entry) - 1])
        yield labels.read_image(corpus_dir, source, points)
