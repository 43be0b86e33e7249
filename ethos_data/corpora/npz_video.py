"""A corpus: npz files, one video each, as YouTube Faces with Facial Keypoints has them.

    corpus_dir/any/sub/folders/<Person_Name>_<number>.npz
        colorImages   uint8  (H, W, 3, T)  RGB
        landmarks3D   float  (68, 3, T)    x, y, z in source pixels
        depth         float  (H, W, T)     optional true depth, pixels, NaN = none

Time may stand first instead, where the shapes leave no doubt. Other arrays are ignored.
A file that does not fit is a `CorpusError` that names the file and the reason.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import posixpath
from typing import BinaryIO, Final

import numpy as np

from ethos_data.errors import EthosError
from ethos_data.storage import files
from ethos_data.storage.npz import Header, Npz, NpzError
from ethos_data.topology import NUM_LANDMARKS

SUFFIX: Final = ".npz"
IMAGES: Final = "colorImages"
LANDMARKS: Final = "landmarks3D"
DEPTH: Final = "depth"

MIN_SIDE: Final = 8
"""Shortest side of a frame that can show a face at all, pixels."""


class CorpusError(EthosError):
    """A video that cannot be used.

    Attributes:
      path: of the file.
      reason: one phrase, without the path.
    """

    def __init__(self, path: str, reason: str):
        super().__init__(path, reason)
        self.path = path
        # Names of a damaged archive may hold anything, and an error is one line.
        self.reason = _printable(reason)

    def __str__(self) -> str:
        return f"{_printable(self.path)}: {self.reason}"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


@dataclasses.dataclass(frozen=True)
class Video:
    """One video of one person.

    Attributes:
      path: where it was read from.
      video_id: the file's name without its ending.
      person_id: `video_id` up to the last underscore.
      frames: uint8 (T, H, W, 3) RGB.
      landmarks: float32 (T, 68, 3) source pixels: x right, y down, pixel centres at
        integers; z in the same pixels, larger = nearer. Not necessarily finite.
      depth: float32 (T, H, W) source pixels, larger = nearer, NaN = none; or None.
      frame_numbers: int64 (T,) place of each frame in the file.
      frames_in_file: how many frames the file holds.
      fingerprint: of the content of the file; see `Npz.fingerprint`.
    """

    path: str
    video_id: str
    person_id: str
    frames: np.ndarray
    landmarks: np.ndarray
    depth: np.ndarray | None
    frame_numbers: np.ndarray
    frames_in_file: int
    fingerprint: str


def video_id_of(path: str) -> str:
    """The file's name without folders and ending."""
    return posixpath.basename(path.replace(os.sep, "/"))[: -len(SUFFIX)]


def person_id_of(video_id: str) -> str:
    """`video_id` up to the last underscore: "Jane_Doe_3" shows "Jane_Doe"."""
    return video_id.rpartition("_")[0] or video_id


def find_videos(corpus_dir: str) -> list[files.Entry]:
    """All npz files under a folder, however deeply nested, in no particular order."""
    every = files.walk(corpus_dir)
    return [entry for entry in every if entry.path.lower().endswith(SUFFIX)]


def list_videos(corpus_dir: str) -> list[str]:
    """Paths of all npz files under a folder, however deeply nested, sorted."""
    found = find_videos(corpus_dir)
    return sorted(files.join(corpus_dir, *one.path.split("/")) for one in found)


def chosen_frames(total: int, stride: int, max_frames: int | None) -> np.ndarray:
    """Which frames of a video are used: int64 (N,), ascending.

    Args:
      total: frames in the file.
      stride: every `stride`-th frame is a candidate, from the first on.
      max_frames: of the candidates so many are taken, evenly spread; None takes all.
    """
    candidates = np.arange(0, total, stride)
    if max_frames is None or len(candidates) <= max_frames:
        return candidates
    return candidates[(np.arange(max_frames) * len(candidates)) // max_frames]


def count_frames(path: str, file: BinaryIO | None = None) -> tuple[int, int, int]:
    """Frames, height and width of a video, from its header alone.

    Raises:
      CorpusError: as `read_video`, as far as the headers tell.
    """
    with _errors_of(path), _opened(path, file) as opened:
        layout = _layout(Npz(opened))
        return layout.total, layout.height, layout.width


def read_video(
    path: str,
    file: BinaryIO | None = None,
    *,
    stride: int = 1,
    max_frames: int | None = None,
) -> Video:
    """Reads and checks one video.

    Args:
      path: of the npz file; names the video.
      file: its opened content, when the path is not one of this machine.
      stride: see `chosen_frames`.
      max_frames: see `chosen_frames`.

    Raises:
      CorpusError: the file is damaged, or is not a video as described above.
    """
    with _errors_of(path), _opened(path, file) as opened:
        npz = Npz(opened)
        layout = _layout(npz)
        times = chosen_frames(layout.total, stride, max_frames)
        landmarks = _read(npz, LANDMARKS, layout.landmarks_last, times)
        depth = None
        if layout.depth_last is not None:
            depth = _read(npz, DEPTH, layout.depth_last, times)
            depth = depth.astype(np.float32, copy=False)
        with np.errstate(over="ignore"):
            landmarks = landmarks.astype(np.float32, copy=False)
        video_id = video_id_of(path)
        return Video(
            path=path,
            video_id=video_id,
            person_id=person_id_of(video_id),
            frames=_read(npz, IMAGES, layout.images_last, times),
            landmarks=landmarks,
            depth=depth,
            frame_numbers=times,
            frames_in_file=layout.total,
            fingerprint=npz.fingerprint,
        )


def _read(npz: Npz, name: str, last: bool, times: np.ndarray) -> np.ndarray:
    if last:
        return npz.read_time_first(name, times)
    array = npz.read(name)
    return array if len(times) == len(array) else array[times]


@contextlib.contextmanager
def _errors_of(path: str):
    """Gives errors of the file the path, and those of the system one line."""
    try:
        yield
    except NpzError as error:
        raise CorpusError(path, str(error)) from error
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        raise CorpusError(path, f"cannot be read ({reason})") from error
    except MemoryError as error:
        raise CorpusError(path, "does not fit into memory") from error


@contextlib.contextmanager
def _opened(path: str, file: BinaryIO | None):
    if file is not None:
        yield file
    else:
        with files.opened(path) as opened:
            yield opened


@dataclasses.dataclass(frozen=True)
class _Layout:
    """Which axis is time in each array (True = the last), and the sizes."""

    total: int
    height: int
    width: int
    images_last: bool
    landmarks_last: bool
    depth_last: bool | None


def _layout(npz: Npz) -> _Layout:
    for name in (IMAGES, LANDMARKS):
        if name not in npz:
            names = ", ".join(npz.names)[:120] or "nothing"
            raise NpzError(f"has no {name} (it holds: {names})")
    images, landmarks = npz.header(IMAGES), npz.header(LANDMARKS)
    if images.dtype != np.uint8:
        raise NpzError(f"{IMAGES} must be uint8, not {images.dtype}")
    _require_real(LANDMARKS, landmarks)
    landmarks_last, total = _landmark_axes(landmarks.shape)
    images_last, height, width = _image_axes(images.shape, total)
    if total == 0:
        raise NpzError("has no frames")
    if min(height, width) < MIN_SIDE:
        raise NpzError(f"has frames of {width} x {height} pixels")
    depth_last = None
    if DEPTH in npz:
        depth = npz.header(DEPTH)
        _require_real(DEPTH, depth)
        fits_last = depth.shape == (height, width, total)
        fits_first = depth.shape == (total, height, width)
        if not (fits_last or fits_first):
            raise NpzError(
                f"shapes disagree: {IMAGES} {images.shape}, {DEPTH} {depth.shape}"
            )
        depth_last = images_last if fits_last and fits_first else fits_last
    return _Layout(total, height, width, images_last, landmarks_last, depth_last)


def _require_real(name: str, header: Header) -> None:
    if header.dtype.kind not in "fiu" or header.dtype.fields is not None:
        raise NpzError(f"{name} must be real numbers, not {header.dtype}")


def _landmark_axes(shape: tuple[int, ...]) -> tuple[bool, int]:
    """Is time last, and how many frames."""
    if len(shape) == 3 and shape[:2] == (NUM_LANDMARKS, 3):
        return True, shape[2]
    if len(shape) == 3 and shape[1:] == (NUM_LANDMARKS, 3):
        return False, shape[0]
    raise NpzError(f"{LANDMARKS} must have shape (68, 3, T), not {shape}")


def _image_axes(shape: tuple[int, ...], total: int) -> tuple[bool, int, int]:
    """Is time last, height and width."""
    last = len(shape) == 4 and shape[2] == 3
    first = len(shape) == 4 and shape[3] == 3
    if not (last or first):
        raise NpzError(f"{IMAGES} must have shape (H, W, 3, T), not {shape}")
    fits_last, fits_first = last and shape[3] == total, first and shape[0] == total
    if fits_last and fits_first and min(shape[:2]) < MIN_SIDE <= shape[1]:
        fits_last = False
    if fits_last:
        return True, shape[0], shape[1]
    if fits_first:
        return False, shape[1], shape[2]
    frames = shape[3] if last else shape[0]
    raise NpzError(
        f"shapes disagree: {frames} frames in {IMAGES}, {total} in {LANDMARKS}"
    )
