"""Low resolution: the face was small in its frame and was scaled up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import keras
import numpy as np
from keras import ops

from ethos_data.degrade.base import Degradation, Parameters, as_range, log_uniform

WAYS_UP: Final = ("nearest", "linear", "cubic")
_CUBIC_A: Final = -0.75  # OpenCV's constant of the cubic kernel of Keys (1981)


@keras.saving.register_keras_serializable("ethos")
class LowResolution(Degradation):
    """Averages areas down to a smaller picture and interpolates back up.

    Args:
      face_pixels: how large the face is in the smaller picture, sqrt(w * h) in pixels:
        a number or (low, high), drawn evenly in the logarithm. A face that is smaller
        already stays as it is.
      ways_up: out of "nearest", "linear" and "cubic"; one is drawn for each image.
    """

    def __init__(
        self,
        face_pixels: Any = (10, 60),
        *,
        ways_up: Sequence[str] = WAYS_UP,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.face_pixels = as_range("face_pixels", face_pixels, 1.0)
        self.ways_up = tuple(ways_up)
        if not self.ways_up or not set(self.ways_up) <= set(WAYS_UP):
            raise ValueError(f"ways_up must be of {WAYS_UP}. Received: {ways_up}")

    def draw_parameters(
        self, uniform: Callable[..., Any], face_size: Any
    ) -> Parameters:
        pixels = log_uniform(uniform, self.face_pixels)
        ways = np.array([WAYS_UP.index(way) for way in self.ways_up], np.int32)
        way = ops.cast(uniform(0, len(ways)), "int32")
        return {
            # How many pixels the smaller picture has along the image's longer side.
            "pixels": pixels / face_size,
            "way": ops.take(ops.convert_to_tensor(ways), way),
        }

    def degrade(self, images: Any, parameters: Parameters) -> Any:
        height, width = images.shape[1:3]
        part = parameters["pixels"] / max(height, width)
        down_up = [resampling(n, n * part, parameters["way"]) for n in (height, width)]
        rows = ops.matmul(down_up[0], ops.reshape(images, (-1, height, width * 3)))
        columns = ops.reshape(rows, (-1, height, width, 3))
        # Channels ride along with the rows, so that one product serves them all.
        columns = ops.reshape(
            ops.transpose(columns, (0, 2, 1, 3)), (-1, width, height * 3)
        )
        both = ops.reshape(ops.matmul(down_up[1], columns), (-1, width, height, 3))
        small_enough = (part >= 1)[:, None, None, None]
        return ops.where(small_enough, images, ops.transpose(both, (0, 2, 1, 3)))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "face_pixels": self.face_pixels,
            "ways_up": self.ways_up,
        }


def resampling(size: int, small: Any, way: Any) -> Any:
    """The matrices that scale `size` samples down and back up.

    Args:
      size: of the image, pixels.
      small: (B,) size of the smaller picture, pixels; rounded, 2 at least.
      way: int32 (B,), index in `WAYS_UP`.

    Returns:
      float32 (B, size, size), rows of sum 1.
    """
    small = ops.clip(ops.round(small), 2, size)[:, None, None]
    factor = size / small
    sample = np.arange(size, dtype=np.float32)
    # Down: row k holds how much of its area [k, k + 1] * factor each pixel covers.
    first, last = sample[:, None] * factor, (sample[:, None] + 1) * factor
    covered = ops.minimum(last, sample + 1) - ops.maximum(first, sample)
    down = ops.maximum(covered, 0) / factor
    # Up: where the pixels' centres lie among the samples of the smaller picture.
    place = (sample[:, None] + 0.5) / factor - 0.5
    below = ops.floor(place)
    t = place - below
    early = ops.cast(t < 0.5, "float32")
    taps = {
        "nearest": (0 * t, early, 1 - early, 0 * t),
        "linear": (0 * t, 1 - t, t, 0 * t),
        "cubic": (_cubic(t + 1), _cubic(t), _cubic(1 - t), _cubic(2 - t)),
    }
    up = 0
    for k in range(4):
        weights = [taps[name][k] for name in WAYS_UP]
        chosen = ops.where(
            way[:, None, None] == 0,
            weights[0],
            ops.where(way[:, None, None] == 1, weights[1], weights[2]),
        )
        # Beyond the border its last sample is repeated.
        at = ops.clip(below + (k - 1), 0, small - 1)
        up = up + ops.where(at == sample, chosen, 0.0)
    return ops.matmul(up, down)


def _cubic(distance: Any) -> Any:
    a = _CUBIC_A
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = a * (((distance - 5) * distance + 8) * distance - 4)
    return ops.where(distance <= 1, near, far)
