"""The training data in rounds. A round depends only on the seed and its number."""

from __future__ import annotations

import dataclasses
import math
import multiprocessing
import os
import signal
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent import futures
from concurrent.futures import process
from typing import Any, Final

import cv2
import numpy as np
import threadpoolctl

from ethos_data.errors import EthosError
from ethos_model.fusion_training.clips import Clip, draw
from ethos_model.fusion_training.samples import Sample, samples_of

CLIPS: Final = 8
"""Clips of a round. Their samples are mixed."""

MOMENTS: Final = 4
"""Samples of a clip: after one frame, after all, and between."""

CROPS: Final = 8
"""Crops of a sample."""

CROP: Final = 128
"""Side of a crop in pixels."""

Batch = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class _Stored:
    """A clip whose frames are in a file that all processes read.

    Attributes:
      person: See `Clip`.
      landmarks: See `Clip`.
      shape: Shape of the frames.
      start: Position of the first byte in the file.
    """

    person: str
    landmarks: np.ndarray
    shape: tuple[int, ...]
    start: int


class Films:
    """Computes the samples of clips in processes."""

    def __init__(
        self,
        groups: Sequence[Sequence[Clip]],
        seed: int,
        size: int,
        processes: int,
        directory: str,
    ) -> None:
        """Starts the processes.

        Args:
          groups: The clean clips of each corpus.
          seed: Random seed.
          size: Width and height of the samples.
          processes: Number of processes.
          directory: Directory for a temporary file with all frames.
        """
        self._seed = seed
        self._files = tempfile.TemporaryDirectory(dir=directory)
        path = os.path.join(self._files.name, "frames")
        stored = _store(groups, path)
        # A copy of this process (fork) could wait for a thread that it does not have.
        context = multiprocessing.get_context("spawn")
        self._pool = futures.ProcessPoolExecutor(
            processes, context, _start, (path, stored, seed, size)
        )

    def rounds(self, first: int, last: int, batch_size: int) -> Iterator[list[Batch]]:
        """Yields the batches of each round, while the next round is computed.

        Args:
          first: Number of the first round.
          last: Number after that of the last round.
          batch_size: Number of crops in a batch.
        """
        running = self._submit(first)
        for number in range(first, last):
            try:
                crops = [crop for film in running for crop in film.result()]
                if number + 1 < last:
                    running = self._submit(number + 1)
            except process.BrokenProcessPool:
                raise EthosError(
                    "a process that computes training images died, perhaps for lack of "
                    "memory; use --processes 1"
                ) from None
            rng = np.random.default_rng((self._seed, 2, number))
            yield _batches(crops, rng, batch_size)

    def _submit(self, number: int) -> list[Any]:
        clips = range(CLIPS * number, CLIPS * (number + 1))
        return [self._pool.submit(_film, clip) for clip in clips]

    def close(self) -> None:
        """Ends the processes and removes the file."""
        self._pool.shutdown(cancel_futures=True)
        self._files.cleanup()


def _store(groups: Sequence[Sequence[Clip]], path: str) -> list[list[_Stored]]:
    stored: list[list[_Stored]] = []
    with open(path, "wb") as file:
        for group in groups:
            stored.append([])
            for clip in group:
                shape, start = clip.frames.shape, file.tell()
                stored[-1].append(_Stored(clip.person, clip.landmarks, shape, start))
                file.write(np.ascontiguousarray(clip.frames).data)
    return stored


_work: tuple[list[list[Clip]], int, int] | None = None
"""Clips, seed and size in a process of `Films`."""


def _start(path: str, stored: list[list[_Stored]], seed: int, size: int) -> None:
    global _work
    frames = np.memmap(path, np.uint8, "r")
    groups = [
        [
            Clip(
                clip.person,
                frames[clip.start :][: math.prod(clip.shape)].reshape(clip.shape),
                clip.landmarks,
            )
            for clip in group
        ]
        for group in stored
    ]
    _work = (groups, seed, size)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the main process
    cv2.setNumThreads(1)
    threadpoolctl.threadpool_limits(1)


def _film(number: int) -> list[Sample]:
    """Returns the crops of a clip. float16 halves the time of the transfer."""
    assert _work is not None
    groups, seed, size = _work
    rng = np.random.default_rng((seed, 1, number))
    clip = draw(groups, seed, number)
    return [
        _crop(sample, rng)
        for sample in samples_of(clip, rng, size=size, moments=MOMENTS)
        for _ in range(CROPS)
    ]


def _batches(
    crops: Sequence[Sample], rng: np.random.Generator, batch_size: int
) -> list[Batch]:
    order = rng.permutation(len(crops))
    return [
        stacked([crops[k] for k in order[start : start + batch_size]])
        for start in range(0, len(order) - batch_size + 1, batch_size)
    ]


def _crop(sample: Sample, rng: np.random.Generator) -> Sample:
    top, left = rng.integers(sample.mask.shape[0] - CROP + 1, size=2)
    rows, columns = slice(top, top + CROP), slice(left, left + CROP)
    arrays = (sample.inputs, sample.image, sample.truth, sample.mask)
    return Sample(*(array[rows, columns].astype(np.float16) for array in arrays))


def stacked(samples: Sequence[Sample]) -> Batch:
    """Returns a batch with one array for each field of `Sample`."""
    return {
        "inputs": _stacked(sample.inputs for sample in samples),
        "image": _stacked(sample.image for sample in samples),
        "truth": _stacked(sample.truth[..., None] for sample in samples),
        "mask": _stacked(sample.mask[..., None] for sample in samples),
    }


def _stacked(arrays: Iterable[np.ndarray]) -> np.ndarray:
    return np.stack([array.astype(np.float32) for array in arrays])
