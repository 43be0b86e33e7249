"""Jitter on a simulated still clip that is made from a single frame.

The corpus has no clip without movement, in which every movement of the landmarks would
be an error of the model. Each frame of the simulated clip is the same image with new
sensor noise, seen through a window that moves by up to one source pixel, as the window
of a tracker does. A degradation is drawn anew for every frame.
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
"""Approximate number of clips per evaluation, from frames spread over the split."""

FRAMES: Final = 8
"""Number of frames in a clip."""

NOISE: Final = 2.0
"""Standard deviation of the sensor noise, in grey levels (0 to 255)."""


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
      model: Function from uint8 (N, S, S, 3) to `landmarks` (N, 68, 3), normalised.
      sample: Frame that the clip is made from.
      condition: Condition that is applied to every frame of the clip.
      image_size: Side S of the network's input, in pixels.
      seed: Random seed of noise, windows and degradation.
    """
    images, windows = [], []
    for t in range(FRAMES):
        rng = np.random.default_rng((seed, zlib.crc32(sample.video_id.encode()), t))
        noise = rng.normal(0, NOISE, sample.image.shape)
        noisy = np.clip(sample.image + noise, 0, 255).round().astype(np.uint8)
        dx, dy = rng.integers(-1, 2, 2).tolist()
        window = sample.window
        window = Window(window.left + dx, window.top + dy, window.size)
        degraded = condition.degrade_source(
            dataclasses.replace(sample, image=noisy), seed + t
        )
        source = noisy if degraded is None else degraded
        images.append(sample.network_image(image_size, image=source, window=window))
        windows.append(window)
    landmarks = model(np.stack(images))["landmarks"]
    clip = [w.to_source(p) for w, p in zip(windows, landmarks, strict=True)]
    return float(metrics.jitter(np.stack(clip), sample.source_face_size))
