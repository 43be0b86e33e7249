"""Reads CSV files that name an image and its landmarks in each row.

    image,person,x0,y0,x1,y1,...,x67,y67
    photos/1.jpg,Jane_Doe,30.5,99.25,...

| column | content |
| --- | --- |
| `image` (or `file`, `filename`, `image_path`) | Path of the image, relative to the CSV file or to any directory of the corpus. |
| `x0`, `y0` to `x67`, `y67` (or `x_0`, ...) | Landmarks in pixels. y points down; the centre of the first pixel is (0, 0). Empty for a missing landmark. |
| `z0` to `z67` (optional) | z in the same pixels, larger is nearer. z is a label if it is given for all landmarks of the row. |
| `visible0` to `visible67` (optional) | 0: no label, 1: something covers the landmark, 2: visible. |
| `person` (or `person_id`, `subject`; optional) | Name of the person. |

Without a column for the person, each row is its own person. The id of the video is the
name of the image with the number of the row, counted from 1 after the header.

`corrections.csv` contains corrections of the images in its directory; see
`corrections`. An image with corrections is read from this file only. Its rows in other
tables are listed as rejected.
"""  # noqa: E501

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Final

from ethos_data.corpora import corrections, labels, table
from ethos_data.corpora.source import Listing, Source, full_path, stem_of
from ethos_data.corpora.video import CorpusError, Video

SUFFIX: Final = ".csv"
IMAGE_COLUMNS: Final = ("image", "file", "filename", "image_path")
PERSON_COLUMNS: Final = ("person", "person_id", "subject")

_PEEK_BYTES: Final = 1 << 14


def _column(header: list[str], names: tuple[str, ...]) -> int | None:
    """Returns the first column with one of `names`, or None."""
    lower = [name.strip().lower() for name in header]
    return next((lower.index(name) for name in names if name in lower), None)


def _files(listing: Listing) -> list[str]:
    """Returns the paths of the CSV files that have a column with image names."""
    return [
        path
        for path in listing.ending(SUFFIX)
        if _column(
            next(table.rows_of(listing.read(path, _PEEK_BYTES)), []), IMAGE_COLUMNS
        )
        is not None
    ]


def _is_corrections(path: str) -> bool:
    return posixpath.basename(path) == corrections.FOLDER_NAME


def detect(listing: Listing) -> bool:
    """Returns whether a corpus contains a CSV file with image names."""
    return bool(_files(listing))


def find(listing: Listing) -> list[Source]:
    """Returns a source for each row of the CSV files."""
    sources = []
    corrected: set[str | None] = set()
    # Files with corrections come first, so that all corrected images are known.
    for path in sorted(_files(listing), key=lambda path: not _is_corrections(path)):
        try:
            with labels.errors_of(path):
                rows = list(table.rows_of(listing.read(path)))
                table.find_columns(rows[0])
        except CorpusError as error:
            sources.append(listing.source(path, path, problem=error.reason))
            continue
        image_column = _column(rows[0], IMAGE_COLUMNS) or 0
        person_column = _column(rows[0], PERSON_COLUMNS)
        for number, row in enumerate(rows[1:], start=1):
            if not any(row):
                continue
            name = row[image_column] if image_column < len(row) else ""
            image = listing.find(name, path) if name else None
            problem = "" if image else f"the image {name} does not exist"
            if _is_corrections(path):
                corrected.add(image)
            elif image in corrected:
                problem = f"{corrections.FOLDER_NAME} contains labels of this image"
            video = f"{stem_of(image or name)}-{number}"
            person = ""
            if person_column is not None and person_column < len(row):
                person = _utf8(row[person_column])
            sources.append(
                listing.source(
                    f"{path}#{number}",
                    image,
                    frames=1,
                    label_file=path,
                    entry=str(number),
                    labels=labels.digest(_bytes("\0".join(row))),
                    video=video,
                    person=person or video,
                    problem=problem,
                )
            )
    return sources


def _bytes(text: str) -> bytes:
    """Returns a text of a table as the bytes that the file contains."""
    return text.encode("utf-8", "surrogateescape")


def _utf8(text: str) -> str:
    r"""Returns a text of a table in which a byte that is not UTF-8 is `\xe9`."""
    return _bytes(text).decode("utf-8", "backslashreplace")


def states_people(listing: Listing) -> bool:
    """Returns whether all CSV files have a column with the person."""
    return all(
        _column(
            next(table.rows_of(listing.read(path, _PEEK_BYTES)), []), PERSON_COLUMNS
        )
        is not None
        for path in _files(listing)
    )


@labels.cached
def _read_rows(path: str) -> list[list[str]]:
    return list(table.rows_of(labels.read(path)))


def read(
    corpus_dir: str, source: Source, stride: int, max_frames: int | None
) -> Iterator[Video]:
    """Yields the image of a row.

    Raises:
      CorpusError: The image or its labels cannot be used.
    """
    del stride, max_frames
    with labels.errors_of(full_path(corpus_dir, source.path)):
        rows = _read_rows(full_path(corpus_dir, source.label_file))
        columns = table.find_columns(rows[0])
        points, visible = table.landmarks_of(rows[int(source.entry)], columns)
        yield labels.read_image(corpus_dir, source, points, visible)
