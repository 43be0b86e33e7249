"""Rendered heads that keep a model from forgetting, rendered once and then cached."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

from ethos_data import records
from ethos_data.corpora.video import Video
from ethos_data.storage import files, tfrecord
from ethos_data.visibility import HIDDEN, VISIBLE
from pipelines.conversion import frame_records
from pipelines.conversion.options import ConversionOptions

VERSION: Final = 1
"""Number that changes when the rendered heads change."""

PEOPLE: Final = 60
HELD_OUT_PEOPLE: Final = 15
"""Number of people, and how many of them are not used for training."""

FRAMES: Final = 6
"""Number of frames of each person."""

_STEP: Final = 8
"""Distance of two of these frames in the video, so that the pose differs."""

_SIZE: Final = 200
"""Nominal height of a frame, in pixels; see `scene.sample_scene`."""

_SEED: Final = 0xE7405

Progress = Callable[[int, int], None]
"""Callback with the number of finished people and the number of all people."""


@dataclasses.dataclass(frozen=True)
class Heads:
    """Rendered heads with exact landmarks and depth.

    Attributes:
      training: Records to train with.
      held_out: Records of other people, to measure with.
    """

    training: Sequence[records.Record]
    held_out: Sequence[records.Record]


def cache_path(cache_dir: str) -> str:
    """Returns the path of the file with the heads in a cache directory."""
    return os.path.join(cache_dir, f"heads-{VERSION}-{PEOPLE}x{FRAMES}.tfrecord")


def load(cache_dir: str, progress: Progress) -> Heads:
    """Reads the heads from the cache, or renders them and writes the cache.

    A damaged file is written again. Without permission to write, the heads are rendered
    each time.

    Args:
      cache_dir: Directory of the cache.
      progress: Called after each person that is rendered.
    """
    path = cache_path(cache_dir)
    stored: list[records.Record] = []
    with (
        contextlib.suppress(OSError, ValueError),
        files.opened(path) as file,
    ):
        stored = [records.decode(content) for content in tfrecord.read(file)]
    if not stored:
        encoded = [records.encode(record) for record in _render(progress)]
        with contextlib.suppress(OSError):
            files.write(path, map(tfrecord.frame, encoded))
        # The images are those of the file, in the first run as well.
        stored = [records.decode(content) for content in encoded]
    people = {_name(person) for person in range(PEOPLE - HELD_OUT_PEOPLE)}
    return Heads(
        [record for record in stored if record.person_id in people],
        [record for record in stored if record.person_id not in people],
    )


def _name(person: int) -> str:
    return f"head_{person}"


def _render(progress: Progress) -> Iterator[records.Record]:
    """Yields the records of all people, one person after the other."""
    from ethos_data.heads.figure import sample_figure
    from ethos_data.heads.model import HeadModel
    from ethos_data.heads.scene import ANY, render_frames, sample_scene

    model = HeadModel.builtin()
    for person in range(PEOPLE):
        rng = np.random.default_rng((_SEED, person))
        figure = sample_figure(model, rng)
        scene = sample_scene(
            figure, rng, num_frames=FRAMES * _STEP, size=_SIZE, poses=ANY
        )
        frames = list(render_frames(figure, scene.every(_STEP)))
        video = Video(
            path="",
            video_id=_name(person),
            person_id=_name(person),
            frames=np.stack([frame.image for frame in frames]),
            landmarks=np.stack([frame.landmarks for frame in frames]),
            depth=np.stack([frame.depth for frame in frames]),
            frame_numbers=np.arange(FRAMES) * _STEP,
            fingerprint="",
            visible=np.where([f.visible for f in frames], VISIBLE, HIDDEN).astype(
                np.uint8
            ),
            has_z=np.ones(FRAMES, bool),
        )
        for record in frame_records.make_records(video, ConversionOptions()):
            if not isinstance(record, str):  # some faces leave the frame
                yield record
        progress(person + 1, PEOPLE)
