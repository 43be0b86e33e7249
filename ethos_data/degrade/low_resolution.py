"""Low resolution: the image is reduced and enlarged again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import keras
import numpy as np
from keras import ops

from ethos_data.degrade.base import Degradation, Parameters, as_range, log_uniform

INTERPOLATIONS: Final = ("nearest", "linear", "cubic")
_CUBIC_A: Final = -0.75  # parameter a of the kernel of Keys (1981), as in OpenCV


@keras.saving.register_keras_serializable("ethos")
class LowResolution(Degradation):
    """Reduces the image by area averaging and enlarges it again by interpolation.

    Args:
      face_pixels: Face size in the reduced image, in pixels: a number or (low, high).
        Its logarithm is drawn uniformly. An image whose face is already smaller does
        not change.
      interpolations: Methods for enlarging: "nearest", "linear" and "cubic". One of
        them is drawn for each image.
    """

    def __init__(
        self,
        face_pixels: Any = (10, 60),
        *,
        interpolations: Sequence[str] = INTERPOLATIONS,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.face_pixels = as_range("face_pixels", face_pixels, 1.0)
        self.interpolations = tuple(interpolations)
        if not self.interpolations or not set(self.interpolations) <= set(
            INTERPOLATIONS
        ):
            raise ValueError(
                f"interpolations must be of {INTERPOLATIONS}. "
                f"Received: interpolations={interpolations}"
            )

    def draw_parameters(
        self, uniform: Callable[..., Any], face_size: Any
    ) -> Parameters:
        pixels = log_uniform(uniform, self.face_pixels)
        indices = np.array(
            [INTERPOLATIONS.index(name) for name in self.interpolations], np.int32
        )
        choice = ops.cast(uniform(0, len(indices)), "int32")
        return {
            # Number of pixels along the longer side of the reduced image.
            "pixels": pixels / face_size,
            "interpolation": ops.take(ops.convert_to_tensor(indices), choice),
        }

    def degrade(self, images: Any, parameters: Parameters) -> Any:
        height, width = images.shape[1:3]
        scale = parameters["pixels"] / max(height, width)
        down_up = [
            resampling(size, size * scale, parameters["interpolation"])
            for size in (height, width)
        ]
        rows = ops.matmul(down_up[0], ops.reshape(images, (-1, height, width * 3)))
        columns = ops.reshape(rows, (-1, height, width, 3))
        # Rows and channels share one axis, so that one product resamples all channels.
        columns = ops.reshape(
            ops.transpose(columns, (0, 2, 1, 3)), (-1, width, height * 3)
        )
        both = ops.reshape(ops.matmul(down_up[1], columns), (-1, width, height, 3))
        unchanged = (scale >= 1)[:, None, None, None]
        return ops.where(unchanged, images, ops.transpose(both, (0, 2, 1, 3)))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "face_pixels": self.face_pixels,
            "interpolations": self.interpolations,
        }


def resampling(size: int, small: Any, interpolation: Any) -> Any:
    """Builds the matrices that reduce `size` samples and enlarge them again.

    Args:
      size: Size of the image along one axis, in pixels.
      small: float32 (B,), size of the reduced image in pixels. It is rounded and is at
        least 2.
      interpolation: int32 (B,), index in `INTERPOLATIONS`.

    Returns:
      float32 (B, size, size). Each row sums to 1.
    """
    small = ops.clip(ops.round(small), 2, size)[:, None, None]
    factor = size / small
    sample = np.arange(size, dtype=np.float32)
    # Reduction: row k contains the part of the interval [k, k + 1] * factor that each
    # pixel covers.
    first, last = sample[:, None] * factor, (sample[:, None] + 1) * factor
    covered = ops.minimum(last, sample + 1) - ops.maximum(first, sample)
    down = ops.maximum(covered, 0) / factor
    # Enlargement: positions of the pixel centres among the samples of the reduced
    # image.
    position = (sample[:, None] + 0.5) / factor - 0.5
    below = ops.floor(position)
    t = position - below
    nearer_below = ops.cast(t < 0.5, "float32")
    taps = {
        "nearest": (0 * t, nearer_below, 1 - nearer_below, 0 * t),
        "linear": (0 * t, 1 - t, t, 0 * t),
        "cubic": (_cubic(t + 1), _cubic(t), _cubic(1 - t), _cubic(2 - t)),
    }
    up = 0
    for k in range(4):
        weights = [taps[name][k] for name in INTERPOLATIONS]
        chosen = ops.where(
            interpolation[:, None, None] == 0,
            weights[0],
            ops.where(interpolation[:, None, None] == 1, weights[1], weights[2]),
        )
        # The sample at the border is repeated beyond it.
        index = ops.clip(below + (k - 1), 0, small - 1)
        up = up + ops.where(index == sample, chosen, 0.0)
    return ops.matmul(up, down)


def _cubic(distance: Any) -> Any:
    """Weight of a sample at a distance of 0 to 2 samples."""
    a = _CUBIC_A
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = a * (((distance - 5) * distance + 8) * distance - 4)
    return ops.where(distance <= 1, near, far)
