"""Jitter on a still clip that is made of a single frame.

The corpus has no clip in which nothing moves, so that every movement would be the
model's own. Here each frame of the clip is the same picture with new sensor noise, seen
through a window that moves by a source pixel, as a tracker's does; a degradation, too,
draws anew for every frame.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from ethos_data.crop import Window
from ethos_model import metrics
from ethos_model.evaluation.conditions import Condition
from ethos_model.evaluation.samples import Sample

CLIPS: Final = 24
"""An evaluation makes about so many clips, from frames spread over the split."""

FRAMES: Final = 8
"""Frames of a clip."""

NOISE: Final = 2.0
"""Standard deviation of the sensor noise, grey levels of 255."""


def jitter(
    model: Callable[[np.ndarray], Mapping[str, np.ndarray]],
    sample: Sample,
    condition: Condition,
    image_size: int,
    *,
    seed: int = 0,
) -> float:
    """`metrics.jitter` of a model on the still clip of a sample, % of the face size.

    Args:
      model: uint8 (N, S, S, 3) to `landmarks` (N, 68, 3), normalised.
      sample: the frame.
      condition: what is done to every frame of the clip.
      image_size: S.
      seed: of noise, windows and degradation.
    """
    frames, windows = [], []
    for t in range(FRAMES):
        rng = np.random.default_rng((seed, zlib.crc32(sample.video_id.encode()), t))
        noise = rng.normal(0, NOISE, sample.image.shape)
        noisy = np.clip(sample.image + noise, 0, 255).round().astype(np.uint8)
        dx, dy = rng.integers(-1, 2, 2).tolist()
        window = sample.window
        window = Window(window.left + dx, window.top + dy, window.size)
        worse = condition.degrade_source(
            dataclasses.replace(sample, image=noisy), seed + t
        )
        frames.append(
            sample.network_image(
                image_size, image=noisy if worse is None else worse, window=window
            )
        )
        windows.append(window)
    points = model(np.stack(frames))["landmarks"]
    clip = [w.to_source(p) for w, p in zip(windows, points, strict=True)]
    return float(metrics.jitter(np.stack(clip), sample.source_face_size))
