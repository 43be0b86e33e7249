"""Frames whose faces are known, for the benchmarks of the finder and the tracker.

They come from a corpus of npz videos, from clips without labels, or from rendered
people. Reduced faces are pasted into large frames.
"""

from __future__ import annotations

import dataclasses
import os
import zlib
from collections.abc import Iterator, Sequence
from typing import Final

import cv2
import numpy as np

from ethos_data import options
from ethos_data.corpora import npz_video
from ethos_data.corpora.video import person_id_of, video_id_of
from ethos_data.errors import EthosError
from ethos_data.topology import face_box, face_size
from ethos_model.footage.finder import FaceFinder
from ethos_model.footage.reader import open_video
from pipelines.conversion import splits
from pipelines.conversion.options import DEFAULT_SPLITS

LARGE: Final = (1080, 1920)
"""Height and width of a background, in pixels."""

FACES_PER_FRAME: Final = 8
"""Number of faces that are pasted into a large frame."""

RENDERED_PEOPLE: Final = 24


@dataclasses.dataclass(frozen=True)
class Sample:
    """A frame whose faces are known.

    Attributes:
      name: Name of the frame. The random numbers of a degradation depend on it.
      frame: uint8 (H, W, 3) RGB.
      boxes: float64 (N, 4), face boxes in source pixels.
    """

    name: str
    frame: np.ndarray
    boxes: np.ndarray

    @property
    def seed(self) -> int:
        """Seed of the degradations of this frame."""
        return zlib.crc32(self.name.encode())


def corpus_option() -> str | None:
    """The field `corpus` of a benchmark's options; see `samples`."""
    return options.option(
        None, "Directory with npz videos; rendered people if it is not given"
    )


def split_option() -> str:
    """The field `split` of a benchmark's options; see `samples`."""
    return options.option(
        "validation",
        "People of the corpus that are used",
        choices=("train", "validation", "test"),
    )


def samples(corpus: str | None, split: str, limit: int) -> list[Sample]:
    """Returns frames of a corpus, or rendered people without a corpus.

    Args:
      corpus: Directory with npz videos; None for rendered people.
      split: People of the corpus that are used.
      limit: Maximum number of frames.
    """
    if corpus is None:
        return rendered_samples(limit)
    return corpus_samples(corpus, split, limit)


def split_people(paths: Sequence[str]) -> dict[str, str]:
    """Returns the split of each person of a corpus, as `ethos-convert` assigns it."""
    people = {person_id_of(video_id_of(path)) for path in paths}
    return splits.assign(people, DEFAULT_SPLITS, 0, {})


def corpus_samples(directory: str, split: str, limit: int) -> list[Sample]:
    """Reads the middle frame of at most `limit` videos, spread over the split."""
    paths = npz_video.list_videos(directory)
    split_of = split_people(paths)
    chosen = [p for p in paths if split_of[person_id_of(video_id_of(p))] == split]
    if not chosen:
        raise EthosError(f"{directory}: contains no npz video of the split {split}")
    step = max(1, -(-len(chosen) // limit))
    samples = []
    for path in chosen[::step]:
        video = npz_video.read_video(path)
        index = len(video.frames) // 2
        box = np.asarray(face_box(video.landmarks[index]), np.float64)
        name = f"{video_id_of(path)}/{index}"
        samples.append(Sample(name, video.frames[index], box[None]))
    return samples


def rendered_samples(limit: int) -> list[Sample]:
    """Renders people, a few frames of each."""
    from ethos_data.heads.figure import sample_figure
    from ethos_data.heads.model import HeadModel
    from ethos_data.heads.scene import render_frames, sample_scene

    model = HeadModel.builtin()
    people = min(RENDERED_PEOPLE, limit)
    samples = []
    for person in range(people):
        rng = np.random.default_rng((7, person))
        figure = sample_figure(model, rng)
        scene = sample_scene(figure, rng, num_frames=-(-limit // people), size=240)
        for index, rendering in enumerate(render_frames(figure, scene)):
            box = np.asarray(face_box(rendering.landmarks), np.float64)
            name = f"person {person}/{index}"
            samples.append(Sample(name, rendering.image, box[None]))
    return samples[:limit]


def clip_samples(paths: Sequence[str], limit: int) -> Iterator[Sample]:
    """Reads one frame per second of each video and labels its faces."""
    finder = FaceFinder()
    each = max(1, limit // max(len(paths), 1))
    for path in paths:
        next_time, count = 0.0, 0
        with open_video(path) as video:
            while count < each and (frame := video.read()) is not None:
                if frame.timestamp < next_time:
                    continue
                next_time = frame.timestamp + 1.0
                detections = finder.find(frame.image)
                if detections:
                    boxes = np.array([detection.box for detection in detections])
                    name = f"{os.path.basename(path)}/{frame.index}"
                    yield Sample(name, frame.image, boxes)
                    count += 1


def backgrounds(paths: Sequence[str], count: int) -> Iterator[np.ndarray]:
    """Yields large frames without faces of interest, uint8 (1080, 1920, 3) RGB."""
    from ethos_data.heads.background import sample_background

    height, width = LARGE
    if not paths:
        for index in range(count):
            rng = np.random.default_rng((8, index))
            light = np.clip(sample_background(rng, height, width), 0, 1)
            yield (255 * light ** (1 / 2.2)).astype(np.uint8)
        return
    each = -(-count // len(paths))
    for path in paths:
        with open_video(path) as video:
            frames = [frame.image for frame in iter(video.read, None)]
        for index in np.linspace(0, len(frames) - 1, each).astype(int):
            frame = frames[index]
            if frame.shape[0] > frame.shape[1]:
                frame = np.ascontiguousarray(frame.transpose(1, 0, 2))
            yield cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)


def large_sample(
    background: np.ndarray, faces: Sequence[Sample], sizes: tuple[int, int], seed: int
) -> Sample:
    """Pastes reduced faces into a large frame, one in each cell of a grid.

    Args:
      background: uint8 (H, W, 3) RGB.
      faces: Frames with one face to choose from.
      sizes: Smallest and largest face size, in pixels.
      seed: Seed of the choice, the sizes and the positions.
    """
    rng = np.random.default_rng(seed)
    frame = background.copy()
    columns = FACES_PER_FRAME // 2
    cell = np.array([frame.shape[1] // columns, frame.shape[0] // 2])
    boxes = []
    for number in range(FACES_PER_FRAME):
        sample = faces[rng.integers(len(faces))]
        patch, box = _patch(sample, rng.uniform(*sizes))
        height, width = patch.shape[:2]
        room = cell - (width + 8, height + 8)
        corner = cell * (number % columns, number // columns)
        left, top = corner + rng.integers(4, room)
        target = frame[top : top + height, left : left + width]
        weight = _soft_edge(height, width)
        target[:] = (weight * patch + (1 - weight) * target).astype(np.uint8)
        boxes.append(np.add(box, (left, top, left, top)))
    return Sample(f"large {seed}", frame, np.array(boxes))


def _patch(sample: Sample, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Cuts out a face with its surroundings and reduces it to a face size."""
    box = sample.boxes[0]
    scale = size / float(face_size(box))
    centre, extent = (box[:2] + box[2:]) / 2, 1.15 * (box[2:] - box[:2])
    limit = sample.frame.shape[1::-1]
    left, top = np.maximum(centre - extent, 0).astype(int)
    right, bottom = np.minimum(centre + extent, limit).astype(int)
    new = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    patch = cv2.resize(sample.frame[top:bottom, left:right], new, interpolation=method)
    ratio = np.array([new[0] / (right - left), new[1] / (bottom - top)])
    moved = (box.reshape(2, 2) - (left, top) + 0.5) * ratio - 0.5
    return patch, moved.ravel()


def _soft_edge(height: int, width: int) -> np.ndarray:
    """Returns weights, float32 (H, W, 1), that fall to 0 at the border of a patch."""
    border = max(1, min(height, width) // 8)
    weight = np.zeros((height, width), np.float32)
    weight[border:-border, border:-border] = 1
    return cv2.GaussianBlur(weight, (0, 0), border / 2)[..., None]
