"""One shard: read its videos, encode their frames, shuffle them, write them, say so.

This is all that a worker does, and it needs nothing from any other shard. The receipt,
written after the shard itself, is what makes a shard finished: a job that was killed
finds the receipts and goes on with the rest. No TensorFlow and no Beam here: a Beam
transform is made of it in `worker.py`.
"""

from __future__ import annotations

import collections
import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import cv2
import google_crc32c
import numpy as np
import threadpoolctl
from numpy.typing import ArrayLike

from ethos_data import crop, records, topology
from ethos_data import depth as depth_lib
from ethos_data.corpora import npz_video
from ethos_data.corpora.video import CorpusError, Video
from ethos_data.errors import EthosError, reason_of
from ethos_data.storage import files, tfrecord
from pipelines import plan

STATE: Final = ".ethos"
"""Folder, beside the shards, of the plan and the receipts."""

MIN_FACE_SIDE: Final = 4.0
"""Longer side of a face box that is still a face, pixels."""

MAX_FACE_SPREAD: Final = 1.5
"""Longer side of a face box over that of the frame: beyond, it is no face."""

FACE_SIZE_EDGES: Final = (0, 40, 60, 80, 120, 160, 240)
"""Lower edges of the histogram of face sizes, source pixels; the last bin is open."""

YAW_EDGES: Final = tuple(range(-90, 90, 15))
"""Lower edges of the histogram of yaw, degrees, each bin 15 wide."""


_DEPTHS_AT_ONCE: Final = 64
"""Depth maps that are in memory at the same time, 37 kB each."""

_RIGHT: Final = np.flatnonzero(np.arange(topology.NUM_LANDMARKS) < topology.MIRROR)
_LEFT: Final = topology.MIRROR[_RIGHT]


class ShardError(EthosError):
    """A shard could not be written: the job cannot go on."""


def receipt_path(version_dir: str, shard: plan.Shard) -> str:
    return files.join(version_dir, STATE, f"{shard.key}.json")


def process(
    shard: plan.Shard, corpus_dir: str, version_dir: str, options: plan.Options
) -> dict[str, Any]:
    """Writes one shard and its receipt, and returns the receipt.

    Raises:
      ShardError: the shard cannot be written.
    """
    receipt = _Receipt(shard)
    examples = []
    # With several threads BLAS sums in another order, and the last bits of derived
    # depth would depend on the machine's cores; on arrays this small it is slower too.
    with threadpoolctl.threadpool_limits(1):
        for member in shard.members:
            examples += receipt.count(member, corpus_dir, options)
    # Independent of the order of files, so that equal members make equal bytes.
    examples.sort(key=lambda example: example[0])
    try:
        # Even without a record: readers count on shards 0 to N - 1.
        path = files.join(version_dir, shard.name)
        files.write(path, receipt.watch(e for _, e in examples))
        data = receipt.to_json()
        text = json.dumps(data, sort_keys=True).encode()
        files.write(receipt_path(version_dir, shard), iter([text]))
    except OSError as error:
        place = files.join(version_dir, shard.name)
        raise ShardError(f"{place}: cannot be written ({reason_of(error)})") from error
    return data


class _Receipt:
    """Collects what is known of a shard while it is made."""

    def __init__(self, shard: plan.Shard):
        self._shard = shard
        self._videos: list[dict[str, Any]] = []
        self._face_sizes: list[float] = []
        self._yaws: list[float] = []
        self._records = 0
        self._bytes = 0
        self._crc = 0

    def count(
        self, member: plan.Member, corpus_dir: str, options: plan.Options
    ) -> list[tuple[bytes, bytes]]:
        """Encodes the frames of one file and notes what became of them.

        Returns:
          Place in the shuffled shard, and framed record, of every good frame.
        """
        source = member.source
        entry: dict[str, Any] = {
            "path": source.path,
            "bytes": source.size,
            "video_id": source.video_id,
            "person_id": source.person_id,
            "frames": 0,
            "written": 0,
            "rejected_frames": {},
        }
        self._videos.append(entry)
        path = files.join(corpus_dir, *source.path.split("/"))
        try:
            video = read_video(path, member, options)
        except CorpusError as error:
            entry["rejected"] = error.reason
            entry["retry"] = isinstance(error.__cause__, (OSError, MemoryError))
            return []
        examples = []
        points = []
        reasons: collections.Counter[str] = collections.Counter()
        for record in make_records(video, options):
            if isinstance(record, str):
                reasons[record] += 1
                continue
            encoded = records.encode(record, jpeg_quality=options.jpeg_quality)
            place = f"{options.seed}\0{video.video_id}\0{record.frame}".encode()
            place = hashlib.blake2b(place, digest_size=8).digest()
            examples.append((place, tfrecord.frame(encoded)))
            points.append(record.landmarks)
            self._face_sizes.append(record.face_size)
        if points:
            self._yaws += yaw(np.stack(points)).tolist()
        entry["fingerprint"] = video.fingerprint
        entry["frames"] = len(video.frame_numbers)
        entry["written"] = len(examples)
        entry["rejected_frames"] = dict(sorted(reasons.items()))
        if not examples:
            text = ", ".join(f"{n} {reason}" for reason, n in sorted(reasons.items()))
            entry["rejected"] = f"has no usable frame ({text})"
        return examples

    def watch(self, examples: Iterable[bytes]) -> Iterator[bytes]:
        """Passes framed records on, and keeps their count, size and checksum."""
        for example in examples:
            self._records += 1
            self._bytes += len(example)
            self._crc = google_crc32c.extend(self._crc, example)
            yield example

    def to_json(self) -> dict[str, Any]:
        return {
            "key": self._shard.key,
            "split": self._shard.split,
            "records": self._records,
            "bytes": self._bytes,
            "crc32c": f"{self._crc:08x}",
            "videos": self._videos,
            "face_sizes": _counts(self._face_sizes, (*FACE_SIZE_EDGES, np.inf)),
            "yaws": _counts(np.clip(self._yaws, -90, 89), (*YAW_EDGES, 90)),
        }


def _counts(values: ArrayLike, edges: Sequence[float]) -> list[int]:
    return np.histogram(values, edges)[0].tolist()


def read_video(path: str, member: plan.Member, options: plan.Options) -> Video:
    """Reads a planned file from wherever it lies.

    Raises:
      CorpusError: it cannot be used.
    """
    try:
        with files.opened(path) as file:
            video = npz_video.read_video(
                path,
                file,
                stride=options.frame_stride,
                max_frames=member.max_frames,
            )
            video.video_id.encode()
            return video
    except UnicodeEncodeError as error:
        raise CorpusError(path, "has a name that is not UTF-8") from error
    except OSError as error:
        reason = f"cannot be read ({reason_of(error)})"
        raise CorpusError(path, reason) from error


def make_records(video: Video, options: plan.Options) -> Iterator[records.Record | str]:
    """The record of each frame, or why there is none.

    What concerns 68 points is worked out for all frames at once: on arrays this small,
    a call of numpy's costs as much for a hundred frames as for one.

    Args:
      video: see `corpora.video.Video`.
      options: see `plan.Options`.

    Yields:
      One for each frame of `video.frames`, in their order.
    """
    landmarks = video.landmarks.astype(np.float64)
    problems = unusable(landmarks, *video.frames.shape[1:3])
    good = np.array([problem is None for problem in problems], bool)
    boxes = topology.face_box(landmarks[good])
    edges = crop.windows_around(boxes, crop.STORED_CONTEXT)
    windows = [crop.Window(*one) for one in edges.tolist()]
    points = crop.to_normalized_each(landmarks[good], windows)
    sizes = topology.face_size(boxes).tolist()
    depths: Iterable[np.ndarray | Exception | None] = itertools.repeat(
        None, len(points)
    )
    if video.depth is None:
        depths = _derived_depths(points, options.depth_method)
    faces = zip(windows, points, sizes, depths, strict=True)
    for index, problem in enumerate(problems):
        if problem is not None:
            yield problem
            continue
        try:
            record = _make_record(video, index, *next(faces), options)
        except (ValueError, ArithmeticError, cv2.error) as error:
            yield f"frames failed: {reason_of(error)}"
        else:
            yield record


def _derived_depths(
    points: np.ndarray, method: str
) -> Iterator[np.ndarray | Exception]:
    """float32 (96, 96), or why there is none, for each of (T, 68, 3) landmarks."""
    size = records.DEPTH_SIZE
    for start in range(0, len(points), _DEPTHS_AT_ONCE):
        some = points[start : start + _DEPTHS_AT_ONCE]
        try:
            yield from depth_lib.depth_maps(some, size, method=method)
        except (ValueError, ArithmeticError):
            for one in some:  # to keep the others
                try:
                    yield depth_lib.depth_map(one, size, method=method)
                except (ValueError, ArithmeticError) as error:
                    yield error


def _make_record(
    video: Video,
    index: int,
    window: crop.Window,
    normalized: np.ndarray,
    face_size: float,
    depth: np.ndarray | Exception | None,
    options: plan.Options,
) -> records.Record:
    image = crop.cut(video.frames[index], window)
    if len(image) > options.image_size:
        image = crop.resize(image, options.image_size)
    if isinstance(depth, Exception):
        raise depth
    if depth is None:
        assert video.depth is not None
        eyes = float(video.landmarks[index, topology.EYES, 2].mean(dtype=np.float64))
        depth = resampled_depth(video.depth[index], window, eyes)
    return records.Record(
        image=image,
        landmarks=normalized.astype(np.float32),
        depth=depth,
        person_id=video.person_id,
        video_id=video.video_id,
        frame=int(video.frame_numbers[index]),
        source_size=video.frames.shape[1:3],
        window=window,
        face_size=face_size,
    )


def unusable(landmarks: np.ndarray, height: int, width: int) -> list[str | None]:
    """Why the landmarks of each frame are of no use; None if they are of use.

    Args:
      landmarks: float64 (T, 68, 3), source pixels.
      height: of the frames, pixels.
      width: of the frames, pixels.
    """
    with np.errstate(invalid="ignore"):
        extent = landmarks.max(axis=1) - landmarks.min(axis=1)
    x, y = landmarks[..., 0], landmarks[..., 1]
    inside = (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)
    longer, shorter = extent[:, :2].max(axis=1), extent[:, :2].min(axis=1)
    verdicts = {
        "landmarks not finite": ~np.isfinite(landmarks).all(axis=(1, 2)),
        "landmarks without extent": (longer < MIN_FACE_SIDE) | (shorter <= 0),
        "landmarks spread wider than the frame": (
            extent.max(axis=1) > MAX_FACE_SPREAD * max(height, width)
        ),
        "landmarks mostly off the frame": (
            2 * np.count_nonzero(inside, axis=1) < landmarks.shape[1]
        ),
    }
    problems: list[str | None] = [None] * len(landmarks)
    for reason, applies in verdicts.items():  # the first that applies is told
        for index in np.flatnonzero(applies):
            problems[index] = problems[index] or reason
    return problems


def resampled_depth(depth: np.ndarray, window: crop.Window, eyes: float) -> np.ndarray:
    """True depth on the pixels of the stored map.

    Args:
      depth: float32 (H, W), source pixels, larger = nearer, NaN = none.
      window: the stored window.
      eyes: z of the mean of the eye points, source pixels.

    Returns:
      float32 (96, 96), normalised units, zero at the eyes' mean, NaN = none.
    """
    part = crop.cut(np.asarray(depth, np.float32), window, fill=np.nan)
    known = np.isfinite(part)
    size = records.DEPTH_SIZE
    weight = crop.resize(known.astype(np.float32), size)
    value = crop.resize(np.where(known, part - np.float32(eyes), 0), size)
    # A pixel at the edge of the face is the mean of what is known under it.
    with np.errstate(divide="ignore", invalid="ignore"):
        value = value / weight / np.float32(window.size)
    return np.where(weight >= 0.5, value, np.float32(np.nan))


def yaw(landmarks: np.ndarray) -> np.ndarray:
    """How far heads are turned, degrees (...), positive towards their own left.

    The mean vector from the points of one side of the face to their mirror images runs
    along the line through both ears; its slope in depth is the turn.

    Args:
      landmarks: (..., 68, 3), any unit, z larger = nearer.
    """
    across = landmarks[..., _LEFT, :] - landmarks[..., _RIGHT, :]
    x, _, z = np.moveaxis(across.mean(axis=-2), -1, 0)
    return np.degrees(np.arctan2(-z, x))
