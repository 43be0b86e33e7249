"""JPEG compression: blocks, ringing and blurred colour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import keras
import numpy as np
from keras import ops

from ethos_data.degrade.base import Degradation, Parameters, as_range

# Tables K.1 and K.2 of the JPEG standard (ITU-T T.81, 1992).
_LUMINANCE: Final = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.float32,
)
_CHROMINANCE: Final = np.full((8, 8), 99, np.float32)
_CHROMINANCE[:4, :4] = [
    [17, 18, 24, 47],
    [18, 21, 26, 66],
    [24, 26, 56, 99],
    [47, 66, 99, 99],
]

# R, G, B to Y, Cb, Cr, from JFIF 1.02.
_TO_YCC: Final = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]],
    np.float32,
)
_TO_RGB: Final = np.linalg.inv(_TO_YCC).astype(np.float32)


def _dct() -> np.ndarray:
    """The orthonormal 8 x 8 matrix of the discrete cosine transform (type II)."""
    k, n = np.mgrid[:8, :8]
    basis = np.cos((2 * n + 1) * k * np.pi / 16) / 2
    basis[0] /= np.sqrt(2)
    return basis.astype(np.float32)


_DCT: Final = _dct()


@keras.saving.register_keras_serializable("ethos")
class Jpeg(Degradation):
    """Applies the losses of a baseline JPEG coder with 4:2:0 chroma subsampling.

    The entropy coder is left out, because it loses nothing.

    Args:
      quality: Quality on the scale of the Independent JPEG Group, 1 to 100: a number or
        (low, high), drawn uniformly and rounded.
    """

    def __init__(self, quality: Any = (6, 60), **kwargs: Any):
        super().__init__(**kwargs)
        self.quality = as_range("quality", quality, 1.0)

    def draw_parameters(
        self, uniform: Callable[..., Any], face_size: Any
    ) -> Parameters:
        low, high = self.quality
        # The quality of a JPEG coder is an integer.
        return {"quality": ops.round(uniform(low, high))}

    def degrade(self, images: Any, parameters: Parameters) -> Any:
        height, width = images.shape[1:3]
        # Extend to full 16 x 16 blocks by repeating the border, as libjpeg does.
        rows, columns = -height % 16, -width % 16
        padded = images
        if rows:
            padded = ops.concatenate([padded] + [padded[:, -1:]] * rows, axis=1)
        if columns:
            padded = ops.concatenate([padded] + [padded[:, :, -1:]] * columns, axis=2)
        # A JPEG coder rounds to integers after each step.
        ycc = ops.round(ops.matmul(padded, _TO_YCC.T))
        luma = _coded(ycc[..., 0] - 128.0, _steps(parameters, _LUMINANCE)) + 128.0
        chroma = ops.transpose(ycc[..., 1:], (0, 3, 1, 2))
        h, w = chroma.shape[2:]
        chroma = ops.reshape(chroma, (-1, h // 2, 2, w // 2, 2))
        chroma = ops.round(ops.mean(chroma, axis=(2, 4)))
        steps = ops.repeat(_steps(parameters, _CHROMINANCE), 2, axis=0)
        chroma = _fancy_up(_fancy_up(_coded(chroma, steps), 1), 2)
        chroma = ops.transpose(ops.reshape(chroma, (-1, 2, h, w)), (0, 2, 3, 1))
        ycc = ops.concatenate([luma[..., None], chroma], axis=-1)
        return ops.round(ops.matmul(ycc, _TO_RGB.T))[:, :height, :width]

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"quality": self.quality}


def _steps(parameters: Parameters, table: np.ndarray) -> Any:
    """Scales a quantisation table as libjpeg does. Returns (B, 1, 8, 1, 8)."""
    quality = ops.maximum(parameters["quality"], 1.0)
    scale = ops.where(quality < 50, 5000.0 / quality, 200.0 - 2.0 * quality)
    steps = (table * ops.floor(scale)[:, None, None] + 50.0) / 100.0
    return ops.clip(ops.floor(steps), 1, 255)[:, None, :, None, :]


def _coded(plane: Any, steps: Any) -> Any:
    """Quantises the DCT coefficients of the 8 x 8 blocks of a plane (B, H, W)."""
    height, width = plane.shape[1:]
    blocks = ops.reshape(plane, (-1, height // 8, 8, width // 8, 8))
    blocks = _along_rows(ops.matmul(blocks, _DCT.T), _DCT)
    blocks = ops.round(blocks / steps) * steps
    blocks = ops.matmul(_along_rows(blocks, _DCT.T), _DCT)
    return ops.round(ops.clip(ops.reshape(blocks, (-1, height, width)), -128, 127))


def _along_rows(blocks: Any, matrix: np.ndarray) -> Any:
    """Computes matrix @ block for all blocks of (B, h, 8, w, 8)."""
    _, h, _, w, _ = blocks.shape
    flat = ops.reshape(blocks, (-1, h, 8, w * 8))
    return ops.reshape(ops.matmul(matrix, flat), (-1, h, 8, w, 8))


def _fancy_up(plane: Any, axis: int) -> Any:
    """Doubles an axis with the weights 3/4 and 1/4 (libjpeg's "fancy upsampling")."""
    size = plane.shape[axis]

    def part(start: int, stop: int) -> Any:
        index = [slice(None)] * 3
        index[axis] = slice(start, stop)
        return plane[tuple(index)]

    before = ops.concatenate([part(0, 1), part(0, size - 1)], axis=axis)
    after = ops.concatenate([part(1, size), part(size - 1, size)], axis=axis)
    pair = ops.stack([0.75 * plane + 0.25 * before, 0.75 * plane + 0.25 * after],
                     axis=axis + 1)  # fmt: skip
    shape = list(plane.shape)
    shape[0], shape[axis] = -1, 2 * size
    return ops.reshape(pair, shape)
