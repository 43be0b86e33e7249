"""Clean clips of faces for the training of the fusion network.

A clip has consecutive frames of one person, cut out around the face. A corpus in any of
the formats of `ethos_data.corpora` gives clips. A single image becomes a clip in which
the image moves.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import cv2
import numpy as np

from ethos_data import topology
from ethos_data.corpora import formats
from ethos_data.corpora.source import Listing
from ethos_data.corpora.video import CorpusError, Video
from ethos_data.errors import EthosError
from ethos_data.progress import bar
from ethos_data.storage import files
from ethos_model.footage.fusion.warping import sample

LENGTH: Final = 24
"""Number of frames of a clip."""

CONTEXT: Final = 1.9
"""Side of the region that is kept, divided by the longer side of the face box."""

LARGEST_FACE: Final = 190.0
"""Face size to which larger faces are reduced, in pixels."""

SMALLEST_FACE: Final = 80.0
"""Smaller faces do not have enough detail to learn from, in pixels."""


@dataclasses.dataclass(frozen=True)
class Clip:
    """Clean frames of one face.

    Attributes:
      person: Name of the person.
      frames: uint8 (T, H, W, 3) RGB. T is 1 for a still image.
      landmarks: float32 (T, 68, 3) in pixels of the frames.
    """

    person: str
    frames: np.ndarray
    landmarks: np.ndarray

    @property
    def face_size(self) -> float:
        """Median face size in pixels."""
        return float(np.median(topology.face_size(topology.face_box(self.landmarks))))


def read(corpus_dirs: Sequence[str], *, clips_per_video: int) -> list[list[Clip]]:
    """Reads the clips of some corpora.

    Args:
      corpus_dirs: Directories of corpora in any format of ethos-convert.
      clips_per_video: Maximum number of clips from one video, evenly spaced.

    Returns:
      The clips of each corpus.

    Raises:
      EthosError: A directory does not exist or contains no corpus.
    """
    for corpus_dir in corpus_dirs:
        if files.is_local(corpus_dir) and not os.path.isdir(corpus_dir):
            raise EthosError(f"{corpus_dir}: no such directory")
    groups = []
    for corpus_dir in corpus_dirs:
        clips: list[Clip] = []
        listing = Listing(corpus_dir)
        name = formats.detect(listing)
        sources = formats.find_sources(listing, name, None)
        # A few frames of a labelled video are rather a face that was found by mistake.
        stills = formats.FORMATS[name].images or name == formats.NPZ
        usable = [source for source in sources if not source.problem]
        with bar(len(usable), "videos", description=corpus_dir) as progress:
            for source in usable:
                own: list[Clip] = []  # of this video
                with contextlib.suppress(CorpusError):
                    # Long videos arrive in parts.
                    parts = formats.FORMATS[name].read(corpus_dir, source, 1, None)
                    for part in _longer(parts):
                        own += clips_of(part, stills=stills and not own)
                clips += evenly(own, clips_per_video)
                progress.update()
        groups.append(clips)
    return groups


def _longer(parts: Iterable[Video]) -> Iterator[Video]:
    """Joins parts of a video with large frames until they are long enough for clips."""
    waiting: list[Video] = []
    for part in parts:
        waiting.append(part)
        if sum(len(video.frames) for video in waiting) >= 2 * LENGTH:
            yield _joined(waiting)
            waiting = []
    if waiting:
        yield _joined(waiting)


def _joined(parts: Sequence[Video]) -> Video:
    if len(parts) == 1:
        return parts[0]
    return dataclasses.replace(
        parts[0],
        frames=np.concatenate([part.frames for part in parts]),
        landmarks=np.concatenate([part.landmarks for part in parts]),
        frame_numbers=np.concatenate([part.frame_numbers for part in parts]),
        depth=None,
        visible=None,
        has_z=None,
    )


def evenly(clips: Sequence[Clip], count: int) -> list[Clip]:
    """Returns at most `count` clips, evenly spaced."""
    places = np.linspace(0, len(clips) - 1, min(count, len(clips)))
    return [clips[place] for place in places.round().astype(int)]


def clips_of(video: Video, *, stills: bool) -> list[Clip]:
    """Cuts a video into clips of `LENGTH` consecutive frames.

    Args:
      video: The video.
      stills: Whether a video without so many consecutive frames gives its frames as
        still images.
    """
    numbers = np.flatnonzero(np.isfinite(video.landmarks).all(axis=(1, 2)))
    jumps = np.flatnonzero(np.diff(video.frame_numbers[numbers]) != 1) + 1
    chosen = [
        run[k : k + LENGTH]
        for run in np.split(numbers, jumps)
        for k in range(0, len(run) - LENGTH + 1, LENGTH)
    ]
    if stills and not chosen:
        chosen = [numbers[k : k + 1] for k in range(len(numbers))]
    clips = (_cut(video, frames) for frames in chosen)
    return [clip for clip in clips if clip is not None]


def _cut(video: Video, frames: np.ndarray) -> Clip | None:
    landmarks = video.landmarks[frames]
    boxes = topology.face_box(landmarks)
    size = float(np.median(topology.face_size(boxes)))
    if size < SMALLEST_FACE:
        return None
    x0, y0 = boxes[:, :2].min(axis=0)
    x1, y1 = boxes[:, 2:].max(axis=0)
    margin = (CONTEXT - 1) / 2 * max(x1 - x0, y1 - y0)
    height, width = video.frames.shape[1:3]
    left, top = (int(max(v - margin, 0)) for v in (x0, y0))
    right, bottom = int(min(x1 + margin, width)), int(min(y1 + margin, height))
    images = video.frames[frames, top:bottom, left:right]
    landmarks = landmarks - np.array([left, top, 0], np.float32)
    factor = min(LARGEST_FACE / size, 1)
    if factor < 1:
        shape = (round(images.shape[2] * factor), round(images.shape[1] * factor))
        images = np.stack(
            [cv2.resize(image, shape, interpolation=cv2.INTER_AREA) for image in images]
        )
        landmarks = resized_points(landmarks, factor)
    return Clip(video.person_id, np.ascontiguousarray(images), landmarks)


def resized_points(landmarks: np.ndarray, factor: float) -> np.ndarray:
    """Returns landmarks (..., 3) in an image enlarged by a factor."""
    moved = landmarks * np.float32(factor)
    moved[..., :2] += np.float32((factor - 1) / 2)
    return moved


def moving(clip: Clip, rng: np.random.Generator) -> Clip:
    """Returns a clip of `LENGTH` frames in which a still image moves.

    The image is shifted, turned, enlarged and bent along smooth random paths.

    Args:
      clip: A clip with one frame.
      rng: Random numbers.
    """
    image, points = clip.frames[0], clip.landmarks[0]
    height, width = image.shape[:2]
    size, middle = clip.face_size, points[:, :2].mean(axis=0)
    paths = smooth_paths(rng, LENGTH, 14)
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1)
    offsets = (grid - middle).astype(np.float32) / np.float32(size)
    frames, landmarks = [], []
    for path in paths:
        angle, scale = 0.12 * path[0], 1 + 0.06 * path[1]
        turn = np.array(
            [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
        )
        turn = (turn / scale).astype(np.float32)
        shift = (0.1 * size * path[2:4]).astype(np.float32)
        bend = (0.02 * path[4:]).astype(np.float32)
        rest = offsets - shift / np.float32(size)
        source = rest @ turn.T
        source = source + _bent(source, bend)
        maps = (source * np.float32(size) + middle.astype(np.float32)).astype(
            np.float32
        )
        frames.append(
            sample(image, maps, method=cv2.INTER_CUBIC, border=cv2.BORDER_REFLECT)
        )
        landmarks.append(_landmarks_of(points, maps, shift, scale, angle, middle))
    return Clip(clip.person, np.stack(frames), np.stack(landmarks).astype(np.float32))


def _landmarks_of(
    points: np.ndarray,
    maps: np.ndarray,
    shift: np.ndarray,
    scale: float,
    angle: float,
    middle: np.ndarray,
) -> np.ndarray:
    """Finds where landmarks are in the moved image, by fixed-point iteration."""
    back = scale * np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    )
    places = (points[:, :2] - middle) @ back.T + middle + shift
    for _ in range(4):
        source = sample(maps, places[:, None].astype(np.float32))[:, 0]
        places = places + (points[:, :2] - source) @ back.T
    return np.column_stack([places, points[:, 2]])


def _bent(offsets: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """A smooth displacement of points around a face, in face sizes."""
    x, y = 3 * offsets[..., 0], 3 * offsets[..., 1]
    a = amounts
    return np.stack(
        [
            a[0] * np.sin(x + 6 * a[8]) * np.cos(y)
            + a[1] * np.sin(y)
            + a[2] * x * y / 9,
            a[3] * np.cos(x) * np.sin(y + 6 * a[9])
            + a[4] * np.sin(x)
            + a[5] * x * y / 9,
        ],
        axis=-1,
    ).astype(np.float32)


def smooth_paths(rng: np.random.Generator, length: int, count: int) -> np.ndarray:
    """Returns smooth random paths of unit variance, float64 (length, count)."""
    noise = rng.standard_normal((length + 40, count))
    period = rng.uniform(2, 8)
    smooth = cv2.GaussianBlur(noise, (1, 0), sigmaX=1e-3, sigmaY=period)
    smooth = smooth[20:-20]
    return smooth / max(smooth.std(), 1e-6)


def draw(groups: Sequence[Sequence[Clip]], seed: int, number: int) -> Clip:
    """Returns clip `number` of an endless random order.

    All groups have the same share. No clip of a group repeats before all were drawn.

    Args:
      groups: Groups of clips, none of them empty.
      seed: Random seed.
      number: Number of the draw, from 0.
    """
    place, group = divmod(number, len(groups))
    round_, place = divmod(place, len(groups[group]))
    order = np.random.default_rng((seed, group, round_)).permutation(len(groups[group]))
    return groups[group][order[place]]
