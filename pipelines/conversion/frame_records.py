"""Makes a record from each frame of a video: crop, normalised landmarks and depth."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import cv2
import numpy as np

from ethos_data import crop, depth, records, topology
from ethos_data.corpora.video import Video
from ethos_data.depth import completion
from ethos_data.errors import reason_of
from ethos_data.visibility import UNLABELLED
from pipelines.conversion.options import ConversionOptions

MIN_FACE_SIDE: Final = 4.0
"""Smallest longer side of a face box, in source pixels."""

MAX_FACE_SPREAD: Final = 1.5
"""Largest extent of the landmarks along an axis, relative to the longer side of the
frame."""

_RIGHT: Final = np.flatnonzero(np.arange(topology.NUM_LANDMARKS) < topology.MIRROR)
_LEFT: Final = topology.MIRROR[_RIGHT]


def make_records(
    video: Video, options: ConversionOptions
) -> Iterator[records.Record | str]:
    """Makes the record of each frame.

    The landmarks of all frames are processed in one call. On arrays of 68 landmarks, a
    numpy call takes as long for a hundred frames as for one frame.

    Args:
      video: The video.
      options: Size of the stored images and the method for missing depth.

    Yields:
      For each frame of `video.frames`, in order, its record or the reason why the frame
      is rejected.
    """
    landmarks = video.landmarks.astype(np.float64)
    has_z = np.ones(len(landmarks), bool)
    few = np.zeros(len(landmarks), bool)
    if video.visible is not None and video.has_z is not None:
        has_z, known = video.has_z, video.visible > UNLABELLED
        landmarks = completion.complete(landmarks, known, has_z)
        few = np.count_nonzero(known, axis=1) < completion.MIN_KNOWN
    problems = find_problems(landmarks, *video.frames.shape[1:3])
    for index in np.flatnonzero(few).tolist():
        problems[index] = f"fewer than {completion.MIN_KNOWN} landmarks"
    usable = np.array([problem is None for problem in problems], bool)
    boxes = topology.face_box(landmarks[usable])
    edges = crop.windows_around(boxes, crop.STORED_CONTEXT)
    windows = [crop.Window(*left_top_size) for left_top_size in edges.tolist()]
    normalized = crop.to_normalized_each(landmarks[usable], windows)
    sizes = topology.face_size(boxes).tolist()
    depth_maps: Iterable[np.ndarray | Exception | None] = itertools.repeat(
        None, len(normalized)
    )
    if video.depth is None:
        chosen = usable & has_z
        chosen_windows = itertools.compress(windows, has_z[usable])
        depth_maps = _derive_depth(
            landmarks[chosen], list(chosen_windows), options.depth_method
        )
    # Depth that follows from an estimated z is unknown, so it has no loss.
    depth_maps = _only_where(has_z[usable], depth_maps)
    faces = zip(windows, normalized, sizes, depth_maps, strict=True)
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


def _only_where(
    known: np.ndarray, depth_maps: Iterable[np.ndarray | Exception | None]
) -> Iterator[np.ndarray | Exception | None]:
    """Yields a depth map for each frame. Nothing in it is known where `known` is False.

    Args:
      known: bool (T,).
      depth_maps: A depth map for each frame where `known` is True.
    """
    unknown = np.full((records.DEPTH_SIZE, records.DEPTH_SIZE), np.nan, np.float32)
    available = iter(depth_maps)
    for frame_known in known:
        yield next(available) if frame_known else unknown


def _derive_depth(
    landmarks: np.ndarray, windows: Sequence[crop.Window], method: str
) -> Iterator[np.ndarray | Exception]:
    """Derives a depth map from the landmarks of each frame of a video.

    Args:
      landmarks: float64 (T, 68, 3), in source pixels, of one person in order of time.
      windows: T windows.
      method: Name of a method in `depth.METHODS`.

    Yields:
      For each frame its depth map, float32 (96, 96), or the error that prevented it.
    """
    size = records.DEPTH_SIZE
    done = 0
    try:
        maps = depth.video_depth_maps(landmarks, windows, size, method=method)
        for depth_map in maps:
            yield depth_map
            done += 1
    except (ValueError, ArithmeticError):
        # Process the other frames separately, to keep those without an error.
        for points, window in zip(landmarks[done:], windows[done:], strict=True):
            try:
                normalized = window.to_normalized(points)
                yield depth.depth_map(normalized, size, method=method)
            except (ValueError, ArithmeticError) as error:
                yield error


def _make_record(
    video: Video,
    index: int,
    window: crop.Window,
    normalized: np.ndarray,
    face_size: float,
    depth_map: np.ndarray | Exception | None,
    options: ConversionOptions,
) -> records.Record:
    image = crop.cut(video.frames[index], window)
    if len(image) > options.image_size:
        image = crop.resize(image, options.image_size)
    if isinstance(depth_map, Exception):
        raise depth_map
    if depth_map is None:
        assert video.depth is not None
        eyes = float(video.landmarks[index, topology.EYES, 2].mean(dtype=np.float64))
        depth_map = resample_depth(video.depth[index], window, eyes)
    return records.Record(
        image=image,
        landmarks=normalized.astype(np.float32),
        depth=depth_map,
        person_id=video.person_id,
        video_id=video.video_id,
        frame=int(video.frame_numbers[index]),
        source_size=video.frames.shape[1:3],
        window=window,
        face_size=face_size,
        visible=None if video.visible is None else video.visible[index],
        has_z=video.has_z is None or bool(video.has_z[index]),
    )


def find_problems(landmarks: np.ndarray, height: int, width: int) -> list[str | None]:
    """Checks the landmarks of each frame.

    Args:
      landmarks: float64 (T, 68, 3), in source pixels.
      height: Height of the frames, in pixels.
      width: Width of the frames, in pixels.

    Returns:
      For each frame the reason why its landmarks are unusable, or None.
    """
    with np.errstate(invalid="ignore"):
        extent = landmarks.max(axis=1) - landmarks.min(axis=1)
    x, y = landmarks[..., 0], landmarks[..., 1]
    inside = (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)
    longer, shorter = extent[:, :2].max(axis=1), extent[:, :2].min(axis=1)
    checks = {
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
    for reason, failed in checks.items():
        for index in np.flatnonzero(failed):
            problems[index] = problems[index] or reason  # the first reason stays
    return problems


def resample_depth(
    source_depth: np.ndarray, window: crop.Window, eyes: float
) -> np.ndarray:
    """Resamples the true depth of a frame to the pixels of the stored depth map.

    Args:
      source_depth: float32 (H, W), in source pixels. Larger is nearer. NaN means
        unknown.
      window: The stored window.
      eyes: Mean z of the eye landmarks, in source pixels.

    Returns:
      float32 (96, 96), in normalised units. Zero is the mean z of the eye landmarks.
      NaN means unknown.
    """
    part = crop.cut(np.asarray(source_depth, np.float32), window, fill=np.nan)
    known = np.isfinite(part)
    size = records.DEPTH_SIZE
    weight = crop.resize(known.astype(np.float32), size)
    value = crop.resize(np.where(known, part - np.float32(eyes), 0), size)
    # A pixel at the edge of the face is the mean of the known source pixels.
    with np.errstate(divide="ignore", invalid="ignore"):
        value = value / weight / np.float32(window.size)
    return np.where(weight >= 0.5, value, np.float32(np.nan))


def yaw(landmarks: np.ndarray) -> np.ndarray:
    """Angle by which each head is turned to the side.

    The mean vector from the landmarks of one side of the face to their mirror images is
    parallel to the line through both ears. The angle is the slope of this vector in z.

    Args:
      landmarks: float (..., 68, 3), in any unit. Larger z is nearer.

    Returns:
      float (...), in degrees. Positive values are turned to the person's own left.
    """
    across = landmarks[..., _LEFT, :] - landmarks[..., _RIGHT, :]
    x, _, z = np.moveaxis(across.mean(axis=-2), -1, 0)
    return np.degrees(np.arctan2(-z, x))
