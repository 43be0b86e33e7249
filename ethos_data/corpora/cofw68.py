"""Reads COFW68: 68 landmarks for the test images of COFW, as both are distributed.

The landmarks (Ghiasi and Fowlkes, 2015, https://github.com/golnazghiasi/cofw68-benchmark)
and the images (http://www.vision.caltech.edu/xpburgos/ICCV13/) come from two places:

    COFW68_Data/test_annotations/1_points.mat ... 507_points.mat
    COFW_test_color.mat or COFW_test.mat

`N_points.mat` contains `Points` (68, 2), in pixels counted from (1, 1), and `Occ`
(68,), 1 for a landmark that something covers. It belongs to the image N, counted from
1, of the cell array `IsT`. The images are grey, or RGB in `COFW_test_color.mat`, which
is used if both files exist. This file has the format of MATLAB 7.3, which is HDF5: its
arrays have their axes in the opposite order. There is no z. Each image is its own
person.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from ethos_data.corpora import labels, mat_images
from ethos_data.corpora.source import Listing, Source, full_path, stem_of
from ethos_data.corpora.video import Video
from ethos_data.storage import files

_LABELS: Final = re.compile(r"(?:^|/)(\d+)_points\.mat$")
_IMAGES: Final = re.compile(r"(?:^|/)COFW_test(_color)?\.mat$")
IMAGES: Final = "IsT"
"""Name of the cell array with the test images."""

_HDF5: Final = b"\x89HDF\r\n\x1a\n"
_HDF5_OFFSET: Final = 512
"""Bytes before the HDF5 data in a file of MATLAB 7.3."""


def _image_file(listing: Listing) -> str | None:
    """Returns the path of the file with the images, in colour if it exists."""
    paths = [path for path in listing.ending(".mat") if _IMAGES.search(path)]
    return min(paths, key=lambda path: ("_color" not in path, path), default=None)


def _label_files(listing: Listing) -> dict[int, str]:
    """Returns the path of each file with landmarks, by the number of its image."""
    found = ((_LABELS.search(path), path) for path in listing.ending(".mat"))
    return dict(sorted((int(match[1]), path) for match, path in found if match))


def detect(listing: Listing) -> bool:
    """Returns whether a corpus contains landmarks of COFW68 and images of COFW."""
    return bool(_image_file(listing) and _label_files(listing))


def find(listing: Listing) -> list[Source]:
    """Returns a source for each file with landmarks."""
    images, label_files = _image_file(listing), _label_files(listing)
    size = listing.entries[images].size // len(label_files) if images else 0
    sources = []
    for number, path in label_files.items():
        source = listing.source(
            path,
            images,
            frames=1,
            label_file=path,
            entry=str(number),
            labels=listing.state(path),
            video=stem_of(path),
            person=stem_of(path),
            problem="" if images else "COFW_test_color.mat does not exist",
        )
        sources.append(dataclasses.replace(source, size=size))
    return sources


def read_image(path: str, number: int) -> np.ndarray:
    """Returns an image of COFW.

    Args:
      path: Path of `COFW_test_color.mat` or `COFW_test.mat`.
      number: Number of the image, from 1.

    Returns:
      uint8 (H, W, 3), RGB.

    Raises:
      ValueError: The file is damaged or does not contain the image.
    """
    with files.opened(path) as file:
        head = file.read(_HDF5_OFFSET + len(_HDF5))
        is_hdf5 = head.startswith(_HDF5) or head.endswith(_HDF5)
        image = _hdf5_image(file, number) if is_hdf5 else None
    if image is None:
        cells = _read_cells(path)
        if number > len(cells):
            raise ValueError(f"contains {len(cells)} images, not {number}")
        image = np.asarray(cells[number - 1])
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f"image {number} is not an image ({image.dtype} {image.shape})"
        )
    return np.ascontiguousarray(image)


def _hdf5_image(file: Any, number: int) -> np.ndarray:
    import h5py

    try:
        with h5py.File(file, "r") as content:
            cells = content[IMAGES]
            references = np.ravel(cells[()])
            if number > len(references):
                raise ValueError(f"contains {len(references)} images, not {number}")
            return np.asarray(content[references[number - 1]]).T
    except (OSError, KeyError, RuntimeError) as error:
        raise ValueError(f"is not a readable .mat file ({error})") from error


@labels.cached
def _read_cells(path: str) -> np.ndarray:
    arrays = mat_images.load(labels.read(path))
    if IMAGES not in arrays:
        raise ValueError(f"has no {IMAGES} with the images")
    return np.ravel(arrays[IMAGES])


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
        points, visible = mat_images.parse(labels.read(label_file))
    path = full_path(corpus_dir, source.pixels)
    with labels.errors_of(path):
        image = read_image(path, int(source.entry))
        yield labels.image_video(
            corpus_dir, source, image, image.tobytes(), points, visible
        )
