"""The steps that most formats share: check labels, decode an image, make a `Video`."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import posixpath
from collections.abc import Callable, Iterator
from typing import TypeVar

import cv2
import numpy as np

from ethos_data.corpora.npz_video import MIN_SIDE
from ethos_data.corpora.source import Source, full_path
from ethos_data.corpora.video import CorpusError, Video
from ethos_data.errors import reason_of
from ethos_data.storage import files
from ethos_data.topology import NUM_LANDMARKS
from ethos_data.visibility import UNLABELLED, UNSTATED

T = TypeVar("T")

HASH_BYTES = 16


def digest(*parts: bytes) -> str:
    """Returns a hash of `parts`, as 32 hexadecimal digits."""
    result = hashlib.blake2b(digest_size=HASH_BYTES)
    for part in parts:
        result.update(part)
    return result.hexdigest()


@contextlib.contextmanager
def errors_of(path: str) -> Iterator[None]:
    """Converts errors of a file's content and of the system to `CorpusError`.

    Args:
      path: Path of the file that the message names.
    """
    try:
        yield
    except CorpusError:
        raise
    except OSError as error:
        raise CorpusError(path, f"cannot be read ({reason_of(error)})") from error
    except MemoryError as error:
        raise CorpusError(path, "does not fit into memory") from error
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise CorpusError(path, str(error)) from error


def cached(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Returns a function that parses a file once for all sources of a shard.

    A local file is parsed again if it changes. A file in an object store is parsed once
    per process.

    Args:
      parse: Function from the path of a file with the labels of many sources to its
        content.
    """

    @functools.lru_cache(maxsize=4)
    def parse_version(path: str, state: tuple[int, int]) -> T:
        del state  # a part of the key: a file that has changed is parsed again
        return parse(path)

    @functools.wraps(parse)
    def call(path: str) -> T:
        state = (0, 0)
        if files.is_local(path):
            status = os.stat(path)
            state = status.st_size, status.st_mtime_ns
        return parse_version(path, state)

    return call


def read(path: str) -> bytes:
    """Returns the content of a file."""
    with files.opened(path) as file:
        return file.read()


def decode_image(content: bytes) -> np.ndarray:
    """Decodes an image file.

    The orientation in the EXIF data is ignored, because the tools that made these
    corpora ignored it: the labels refer to the pixels as they are stored.

    Returns:
      uint8 (H, W, 3), RGB.

    Raises:
      ValueError: The image cannot be decoded or is too small.
    """
    image = None
    if content:  # OpenCV does not accept an empty buffer
        flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        with contextlib.suppress(cv2.error):
            image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    if image is None:
        raise ValueError("the image cannot be decoded")
    height, width = image.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise ValueError(
            f"has {width} x {height} pixels; each side must have at least {MIN_SIDE}"
        )
    return image


def complete_labels(
    points: np.ndarray, visible: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Checks landmarks and marks the missing ones.

    Args:
      points: (..., 68, 2) or (..., 68, 3), in source pixels. NaN where unknown.
      visible: (..., 68), see `visibility`; None if the format does not state it.

    Returns:
      landmarks float32 (..., 68, 3) in source pixels, NaN where unknown; visible uint8
      (..., 68), see `visibility`; has_z bool (...), whether z of all labelled landmarks
      is known.

    Raises:
      ValueError: `points` has another shape.
    """
    points = np.asarray(points, np.float64)
    if points.ndim < 2 or points.shape[-2] != NUM_LANDMARKS:
        count = points.shape[-2] if points.ndim > 1 else 0
        raise ValueError(f"has {count} landmarks, not {NUM_LANDMARKS}")
    landmarks = np.full((*points.shape[:-1], 3), np.nan, np.float32)
    landmarks[..., : points.shape[-1]] = points
    known = np.isfinite(landmarks[..., :2]).all(axis=-1)
    codes = np.full(known.shape, UNSTATED) if visible is None else np.asarray(visible)
    codes = np.where(known, codes, UNLABELLED).astype(np.uint8)
    landmarks[codes == UNLABELLED] = np.nan
    has_z = (np.isfinite(landmarks[..., 2]) | (codes == UNLABELLED)).all(axis=-1)
    return landmarks, codes, has_z & (codes != UNLABELLED).any(axis=-1)


def read_image(
    corpus_dir: str,
    source: Source,
    points: np.ndarray,
    visible: np.ndarray | None = None,
) -> Video:
    """Reads the image of a source and returns it with its labels.

    Args:
      corpus_dir: Directory of the corpus.
      source: A source with one image.
      points: (68, 2) or (68, 3), in source pixels; see `complete_labels`.
      visible: (68,), see `visibility`; None if the format does not state it.
    """
    content = read(full_path(corpus_dir, source.pixels))
    return image_video(
        corpus_dir, source, decode_image(content), content, points, visible
    )


def image_video(
    corpus_dir: str,
    source: Source,
    image: np.ndarray,
    content: bytes,
    points: np.ndarray,
    visible: np.ndarray | None = None,
) -> Video:
    """Returns a decoded image with its labels.

    Args:
      corpus_dir: Directory of the corpus.
      source: A source with one image.
      image: uint8 (H, W, 3), RGB.
      content: Bytes that change if the image changes.
      points: (68, 2) or (68, 3), in source pixels; see `complete_labels`.
      visible: (68,), see `visibility`; None if the format does not state it.
    """
    landmarks, codes, has_z = complete_labels(points, visible)
    return Video(
        path=full_path(corpus_dir, source.path),
        video_id=source.video_id,
        person_id=source.person_id,
        frames=image[None],
        landmarks=landmarks[None],
        depth=None,
        frame_numbers=np.zeros(1, np.int64),
        fingerprint=digest(content, landmarks.tobytes(), codes.tobytes()),
        visible=codes[None],
        has_z=has_z[None],
    )


def last_name(path: str) -> str:
    """Returns the name of a file without directories and suffix."""
    return posixpath.splitext(posixpath.basename(path))[0]
