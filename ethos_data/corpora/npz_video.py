"""Reads a corpus of npz files with one video each.

The format is that of the corpus "YouTube Faces with Facial Keypoints":

    corpus_dir/any/sub/directories/<Person_Name>_<number>.npz
        colorImages   uint8  (H, W, 3, T)  RGB
        landmarks3D   float  (68, 3, T)    x, y, z in source pixels
        depth         float  (H, W, T)     optional, source pixels, NaN = unknown
        visible       uint8  (68, T)       optional, values of `visibility`
        hasZ          bool   (T,)          optional, whether z is a label

The time axis may also be the first axis, if the shapes are unambiguous. `visible` and
`hasZ` are written by `ethos-export-corpus` for labels that are not complete. `visible`
may also be bool: True for visible landmarks and False for landmarks that something
covers. Landmarks without a label are NaN, and so is z where `hasZ` is False. Other
arrays are ignored. A file that does not have this format raises a `CorpusError`.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import BinaryIO, Final

import numpy as np

from ethos_data import visibility
from ethos_data.corpora.video import (
    CorpusError,
    Video,
    person_id_of,
    select_frames,
    video_id_of,
)
from ethos_data.errors import reason_of
from ethos_data.storage import files
from ethos_data.storage.npz import Header, Npz, NpzError
from ethos_data.topology import NUM_LANDMARKS

SUFFIX: Final = ".npz"
IMAGES: Final = "colorImages"
LANDMARKS: Final = "landmarks3D"
DEPTH: Final = "depth"
VISIBLE: Final = "visible"
HAS_Z: Final = "hasZ"

MIN_SIDE: Final = 8
"""Shortest side of a usable frame, in pixels. A face needs more pixels than this."""


def find_videos(corpus_dir: str) -> list[files.Entry]:
    """Returns all npz files in a directory and its subdirectories, in any order.

    Unfinished files, which an interrupted `ethos-synthesize` can leave, are skipped.
    """
    return [
        entry
        for entry in files.walk(corpus_dir)
        if entry.path.lower().endswith(SUFFIX) and files.TEMPORARY not in entry.path
    ]


def list_videos(corpus_dir: str) -> list[str]:
    """Returns the sorted paths of all npz files in a directory and below."""
    return sorted(
        files.join(corpus_dir, *entry.path.split("/"))
        for entry in find_videos(corpus_dir)
    )


def count_frames(path: str, file: BinaryIO | None = None) -> tuple[int, int, int]:
    """Reads the size of a video from the headers of its arrays.

    Args:
      path: Path of the npz file.
      file: The opened file; None opens `path`.

    Returns:
      Number of frames, and height and width of a frame in pixels.

    Raises:
      CorpusError: The file is damaged, or a header does not describe a video.
    """
    with _corpus_errors(path), _opened(path, file) as opened:
        layout = _read_layout(Npz(opened))
        return layout.total, layout.height, layout.width


def read_video(
    path: str,
    file: BinaryIO | None = None,
    *,
    stride: int = 1,
    max_frames: int | None = None,
) -> Video:
    """Reads and checks one video.

    Example:
      video = read_video("faces/Jane_Doe_3.npz", stride=2)
      print(video.frames.shape)     # (T, H, W, 3)
      print(video.landmarks.shape)  # (T, 68, 3)

    Args:
      path: Path of the npz file. The name of the file is the id of the video.
      file: The opened file; None opens `path`.
      stride: Keep one frame in `stride`, beginning with the first.
      max_frames: Maximum number of frames to keep, evenly spaced; None for no limit.

    Raises:
      CorpusError: The file is damaged or does not contain a video in this format.
    """
    with _corpus_errors(path), _opened(path, file) as opened:
        npz = Npz(opened)
        layout = _read_layout(npz)
        times = select_frames(layout.total, stride, max_frames)
        landmarks = _read(npz, LANDMARKS, layout.landmarks_time_last, times)
        depth = None
        if layout.depth_time_last is not None:
            depth = _read(npz, DEPTH, layout.depth_time_last, times)
            depth = depth.astype(np.float32, copy=False)
        with np.errstate(over="ignore"):
            landmarks = landmarks.astype(np.float32, copy=False)
        visible, has_z = _read_visible(npz, landmarks, times)
        video_id = video_id_of(path)
        return Video(
            path=path,
            video_id=video_id,
            person_id=person_id_of(video_id),
            frames=_read(npz, IMAGES, layout.images_time_last, times),
            landmarks=landmarks,
            depth=depth,
            frame_numbers=times,
            fingerprint=npz.fingerprint,
            visible=visible,
            has_z=has_z,
        )


def has_partial_labels(path: str) -> bool:
    """Returns whether a file states which landmarks are labels.

    Raises:
      CorpusError: The file is damaged.
    """
    with _corpus_errors(path), files.opened(path) as file:
        return VISIBLE in Npz(file)


def _read_visible(
    npz: Npz, landmarks: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Reads `visible` and `hasZ` and marks landmarks that are not finite.

    Args:
      npz: The file.
      landmarks: float32 (T, 68, 3), changed: NaN where there is no label.
      times: int64 (T,), index of each frame in the file.

    Returns:
      The attributes `visible` and `has_z` of `Video`.

    Raises:
      NpzError: An array has another shape or type, or `visible` another value.
    """
    if VISIBLE not in npz:
        return None, None
    stored = npz.read(VISIBLE)
    if stored.ndim != 2 or NUM_LANDMARKS not in stored.shape:
        raise NpzError(f"{VISIBLE} must have shape (68, T), not {stored.shape}")
    if stored.shape[0] == NUM_LANDMARKS:
        stored = stored.T
    _require_whole(VISIBLE, stored)
    if stored.dtype == bool:
        stored = np.where(stored, visibility.VISIBLE, visibility.HIDDEN)
    unknown = stored[(stored < 0) | (stored > visibility.UNSTATED)]
    if len(unknown):
        raise NpzError(f"{VISIBLE} contains {unknown[0]}, not 0, 1, 2 or 3")
    has_z = npz.read(HAS_Z) if HAS_Z in npz else np.ones(len(stored), bool)
    _require_whole(HAS_Z, has_z)
    if len(stored) <= times.max() or has_z.shape != (len(stored),):
        raise NpzError(f"shapes disagree: {VISIBLE} {stored.shape}, {LANDMARKS}")
    known = np.isfinite(landmarks[..., :2]).all(axis=-1)
    codes = np.where(known, stored[times], visibility.UNLABELLED).astype(np.uint8)
    landmarks[codes == visibility.UNLABELLED] = np.nan
    finite = np.isfinite(landmarks[..., 2]) | (codes == visibility.UNLABELLED)
    return codes, has_z[times].astype(bool) & finite.all(axis=-1)


def _read(npz: Npz, name: str, time_last: bool, times: np.ndarray) -> np.ndarray:
    """Reads the frames `times` of an array. The result has time as its first axis."""
    if time_last:
        return npz.read_time_first(name, times)
    array = npz.read(name)
    return array if len(times) == len(array) else array[times]


@contextlib.contextmanager
def _corpus_errors(path: str) -> Iterator[None]:
    """Converts errors of the file and of the system to `CorpusError`."""
    try:
        yield
    except NpzError as error:
        raise CorpusError(path, str(error)) from error
    except OSError as error:
        raise CorpusError(path, f"cannot be read ({reason_of(error)})") from error
    except MemoryError as error:
        raise CorpusError(path, "does not fit into memory") from error


@contextlib.contextmanager
def _opened(path: str, file: BinaryIO | None) -> Iterator[BinaryIO]:
    if file is not None:
        yield file
    else:
        with files.opened(path) as opened:
            yield opened


@dataclasses.dataclass(frozen=True)
class _Layout:
    """Sizes of a video, and the position of the time axis in each array.

    Attributes:
      total: Number of frames.
      height: Height of a frame, in pixels.
      width: Width of a frame, in pixels.
      images_time_last: Whether time is the last axis of the images; else the first.
      landmarks_time_last: The same for the landmarks.
      depth_time_last: The same for the depth; None if the file has no depth.
    """

    total: int
    height: int
    width: int
    images_time_last: bool
    landmarks_time_last: bool
    depth_time_last: bool | None


def _read_layout(npz: Npz) -> _Layout:
    for name in (IMAGES, LANDMARKS):
        if name not in npz:
            names = ", ".join(npz.names)[:120] or "nothing"
            raise NpzError(f"has no {name} (it contains: {names})")
    images, landmarks = npz.header(IMAGES), npz.header(LANDMARKS)
    if images.dtype != np.uint8:
        raise NpzError(f"{IMAGES} must be uint8, not {images.dtype}")
    _require_real(LANDMARKS, landmarks)
    landmarks_time_last, total = _landmark_axes(landmarks.shape)
    images_time_last, height, width = _image_axes(images.shape, total)
    if total == 0:
        raise NpzError("has no frames")
    if min(height, width) < MIN_SIDE:
        raise NpzError(
            f"has frames of {width} x {height} pixels; "
            f"each side must have at least {MIN_SIDE}"
        )
    depth_time_last = None
    if DEPTH in npz:
        depth = npz.header(DEPTH)
        _require_real(DEPTH, depth)
        fits_last = depth.shape == (height, width, total)
        fits_first = depth.shape == (total, height, width)
        if not (fits_last or fits_first):
            raise NpzError(
                f"shapes disagree: {IMAGES} {images.shape}, {DEPTH} {depth.shape}"
            )
        depth_time_last = images_time_last if fits_last and fits_first else fits_last
    return _Layout(
        total, height, width, images_time_last, landmarks_time_last, depth_time_last
    )


def _require_real(name: str, header: Header) -> None:
    if header.dtype.kind not in "fiu" or header.dtype.fields is not None:
        raise NpzError(f"{name} must contain real numbers, not {header.dtype}")


def _require_whole(name: str, array: np.ndarray) -> None:
    if array.dtype.kind not in "biu":
        raise NpzError(f"{name} must contain bool or integers, not {array.dtype}")


def _landmark_axes(shape: tuple[int, ...]) -> tuple[bool, int]:
    """Returns whether time is the last axis, and the number of frames."""
    if len(shape) == 3 and shape[:2] == (NUM_LANDMARKS, 3):
        return True, shape[2]
    if len(shape) == 3 and shape[1:] == (NUM_LANDMARKS, 3):
        return False, shape[0]
    raise NpzError(f"{LANDMARKS} must have shape (68, 3, T), not {shape}")


def _image_axes(shape: tuple[int, ...], total: int) -> tuple[bool, int, int]:
    """Returns whether time is the last axis, and height and width of a frame."""
    last = len(shape) == 4 and shape[2] == 3
    first = len(shape) == 4 and shape[3] == 3
    if not (last or first):
        raise NpzError(f"{IMAGES} must have shape (H, W, 3, T), not {shape}")
    fits_last, fits_first = last and shape[3] == total, first and shape[0] == total
    if fits_last:
        return True, shape[0], shape[1]
    if fits_first:
        return False, shape[1], shape[2]
    frames = shape[3] if last else shape[0]
    raise NpzError(
        f"shapes disagree: {frames} frames in {IMAGES}, {total} in {LANDMARKS}"
    )
