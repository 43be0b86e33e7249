"""Reads directories of images with `.pts` files.

The format of 300-W, iBUG, LFPW, Helen, AFW, Menpo and MERL-RAV, as they are distributed
(https://ibug.doc.ic.ac.uk/resources/300-W/). `NAME.pts` is next to `NAME.jpg` or
`NAME.png`, at any depth:

    version: 1
    n_points: 68
    {
    30.5 99.25
    ...
    }

Each line contains x and y in pixels, y points down. The coordinates were written by
MATLAB, where the centre of the first pixel is (1, 1). 1 is subtracted from both. There
is no z. A landmark with the coordinates `nan nan` is missing.

In the directories `frontal`, `left`, `lefthalf`, `right` and `righthalf` of MERL-RAV
(https://github.com/abhi1kumar/MERL-RAV_dataset), the sign of the coordinates states
the visibility: `x y` is visible, `-x -y` is covered by an object, and `-1 -1` is hidden
by the face itself and has no label. MERL-RAV does not state where the first pixel is;
it is taken as (1, 1), as in 300-W.

Each image has one face. The id of the video is the path of the image without its
suffix. The format does not name people, so each image is its own person.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import numpy as np

from ethos_data.corpora import labels
from ethos_data.corpora.source import Listing, Source, full_path, stem_of
from ethos_data.corpora.video import Video
from ethos_data.visibility import HIDDEN, UNLABELLED, VISIBLE

SUFFIX = ".pts"

_MERL_RAV: Final = re.compile(
    r"(^|/)(frontal|left|lefthalf|right|righthalf)/(trainset|testset)/"
)
"""Part of the path of each file of MERL-RAV."""


def detect(listing: Listing) -> bool:
    """Returns whether a corpus contains `.pts` files."""
    return bool(listing.ending(SUFFIX))


def find(listing: Listing) -> list[Source]:
    """Returns a source for each image and for each `.pts` file without an image."""
    sources = []
    label_files = {stem_of(path): path for path in listing.ending(SUFFIX)}
    for stem in sorted(label_files.keys() | listing.images.keys()):
        image, points = listing.images.get(stem), label_files.get(stem)
        problem = "" if points else f"has no file {labels.last_name(stem)}{SUFFIX}"
        if not image:
            problem = "has no image of the same name"
        sources.append(
            listing.source(
                image or f"{stem}{SUFFIX}",
                image,
                frames=1,
                label_file=points or "",
                labels=listing.state(points) if points else "",
                video=stem,
                person=stem,
                problem=problem,
            )
        )
    return sources


def parse(text: str) -> np.ndarray:
    """Parses the content of a `.pts` file.

    Returns:
      float64 (N, 2), x and y in source pixels, where the centre of the first pixel is
      (0, 0).

    Raises:
      ValueError: The text is not in this format.
    """
    return _numbers(text) - 1


def parse_signed(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Parses the content of a `.pts` file of MERL-RAV.

    Returns:
      float64 (N, 2), x and y in source pixels, NaN where there is no label; and uint8
      (N,), see `visibility`.

    Raises:
      ValueError: The text is not in this format.
    """
    numbers = _numbers(text)
    missing = (numbers == -1).all(axis=1)
    hidden = (numbers < 0).any(axis=1)
    visible = np.where(missing, UNLABELLED, np.where(hidden, HIDDEN, VISIBLE))
    points = np.where(missing[:, None], np.nan, np.abs(numbers) - 1)
    return points, visible.astype(np.uint8)


def _numbers(text: str) -> np.ndarray:
    """Returns the numbers of a `.pts` file as they are written, float64 (N, 2)."""
    block = re.search(r"\{([^}]*)\}", text)
    if block is None:
        raise ValueError("is not a .pts file: it has no { ... }")
    numbers = np.array(block[1].split(), np.float64)
    if len(numbers) % 2:
        raise ValueError(f"has {len(numbers)} coordinates, not 136")
    return numbers.reshape(-1, 2)


def read(
    corpus_dir: str, source: Source, stride: int, max_frames: int | None
) -> Iterator[Video]:
    """Yields the image of a source.

    Raises:
      CorpusError: The image or its labels cannot be used.
    """
    del stride, max_frames
    label_file = full_path(corpus_dir, source.label_file)
    with labels.errors_of(label_file):
        text = labels.read(label_file).decode("ascii", "replace")
        visible = None
        if _MERL_RAV.search(source.label_file):
            points, visible = parse_signed(text)
        else:
            points = parse(text)
        labels.complete_labels(points, visible)
    with labels.errors_of(full_path(corpus_dir, source.pixels)):
        yield labels.read_image(corpus_dir, source, points, visible)
