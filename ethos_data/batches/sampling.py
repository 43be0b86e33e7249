"""Takes the network's windows out of stored crops: a batch in one call.

In numba: a batch costs one call of Python, which holds no lock, so that threads of the
input pipeline work side by side, and an image costs a little less than OpenCV's
warpAffine. The kernels read flat memory and write the batch; nothing is copied between.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from ethos_data import records
from ethos_data.compilation import compiled

_MOST_SAMPLES: Final = 16
"""Samples along each axis of a pixel: with more, a sum of 8-bit values would leave the
16 bits that a channel has. Crops are stored at a few hundred pixels, so it takes 10."""

_ALIGNMENT: Final = 64
"""Bytes. TensorFlow takes over an array that is so aligned and copies any other."""

_PART: Final = np.float32(2.0**-16)

_u64 = np.uint64
_HALF: Final = _u64(0x0000_0080_0080_0080)
_LOW_BYTES: Final = _u64(0x0000_00FF_00FF_00FF)


def sample_images(
    pixels: np.ndarray,
    starts: np.ndarray,
    sides: np.ndarray,
    matrices: np.ndarray,
    size: int,
) -> np.ndarray:
    """The windows of images: bilinear where they grow, area-averaged where they shrink.

    Args:
      pixels: uint8 (P,), square RGB images one after the other.
      starts: int64 (B,), where in `pixels` each image begins.
      sides: int64 (B,), of the images, pixels.
      matrices: float64 (B, 2, 3) from `augment.to_pixels`: the windows' pixels to the
        images'.
      size: side of the results, pixels.

    Returns:
      uint8 (B, size, size, 3), 0 outside of an image.
    """
    result = empty((len(starts), size, size, 3), np.uint8)
    _sample_images(pixels, starts, sides, np.ascontiguousarray(matrices), result)
    return result


def sample_depths(
    values: np.ndarray,
    rows: np.ndarray,
    matrices: np.ndarray,
    size: int,
    window_sides: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The windows of depth maps with holes, bilinear.

    Args:
      values: uint16 (N, K, K) as `records.depth_to_values` makes them, 0 = no depth.
      rows: int64 (B,), which of the maps are wanted.
      matrices: float64 (B, 2, 3) from `augment.to_pixels`: the windows' pixels to the
        maps'.
      size: side of the results, pixels.
      window_sides: float64 (B,), sides of the windows in the crops' unit.

    Returns:
      depth float32 (B, size, size, 1) in the windows' unit, 0 where there is none, and
      its mask, float32, 1 where all that a value was interpolated from is known.
    """
    shape = (len(rows), size, size, 1)
    depth, known = empty(shape, np.float32), empty(shape, np.float32)
    low, high = records.DEPTH_RANGE
    step = (high - low) / records.DEPTH_STEPS
    _sample_depths(
        values,
        rows,
        np.ascontiguousarray(matrices),
        (step / window_sides).astype(np.float32),
        ((low - step) / window_sides).astype(np.float32),
        depth,
        known,
    )
    return depth, known


def empty(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """As `np.empty`, where TensorFlow will take the array over."""
    count = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(count + _ALIGNMENT, np.uint8)
    first = -memory.ctypes.data % _ALIGNMENT
    return memory[first : first + count].view(dtype).reshape(shape)


@compiled
def _sample_images(pixels, starts, sides, matrices, result):
    size = result.shape[1]
    region = np.empty(0, np.uint64)
    for b in range(len(starts)):
        matrix = matrices[b]
        # Every pixel is the mean of its area, as in `crop.resize`: sampled at the
        # image's own resolution or finer, then averaged in whole blocks. On YouTube
        # Faces that is 1-7 % softer than `crop.resize` (mean Laplacian); without the
        # averaging 7-19 % sharper, by aliasing; resized first 9-20 % softer.
        shrink = math.hypot(matrix[0, 0], matrix[1, 0])
        fold = min(max(1, math.ceil(shrink)), _MOST_SAMPLES)
        left, top, width, height = _touched(matrix, size)
        if region.size < width * height:
            region = np.empty(width * height, np.uint64)
        _spread(pixels, starts[b], sides[b], left, top, width, height, region)
        # From a sample to the next, and where the first of all lies.
        fine = matrix[:, :2] / fold
        first = matrix[:, 2] - (matrix[:, :2] - fine).sum(axis=1) / 2
        first -= np.array([left, top])
        # Constants let the compiler unroll the common cases.
        if fold == 1:
            _fill(region, width, fine, first, 1, result[b])
        elif fold == 2:
            _fill(region, width, fine, first, 2, result[b])
        else:
            _fill(region, width, fine, first, fold, result[b])


@compiled
def _touched(matrix, size):
    """The pixels that a window can touch: left, top, width, height."""
    bounds = np.empty((2, 2), np.int64)
    for axis in range(2):
        across, down, start = matrix[axis]
        # The window's edges lie half a pixel outside of its first and last pixel.
        a, b = -0.5 * (across + down), (size - 0.5) * (across + down)
        c = size * across + a
        d = size * down + a
        # Some more, for `_fill` rounds; no index is checked there.
        bounds[axis, 0] = math.floor(start + min(a, b, c, d) - 1 / 256)
        bounds[axis, 1] = math.floor(start + max(a, b, c, d) + 1 / 256) + 2
    (left, right), (top, bottom) = bounds
    return left, top, right - left, bottom - top


@compiled
def _spread(pixels, start, side, left, top, width, height, region):
    """A part of an image with 16 bits a channel, zeros where there is no image."""
    # Unsigned indices all through: signed ones might count from the end, and asking
    # whether they do took half of the time.
    begin, end = max(left, 0), min(left + width, side)
    for y in range(height):
        row = _u64(y * width)
        if not (0 <= top + y < side and begin < end):
            for x in range(width):
                region[row + _u64(x)] = 0
            continue
        for x in range(begin - left):
            region[row + _u64(x)] = 0
        source = _u64(start + ((top + y) * side + begin) * 3)
        target = row + _u64(begin - left)
        for x in range(end - begin):
            at = source + _u64(3 * x)
            region[target + _u64(x)] = (
                _u64(pixels[at])
                | _u64(pixels[at + _u64(1)]) << _u64(16)
                | _u64(pixels[at + _u64(2)]) << _u64(32)
            )
        for x in range(end - left, width):
            region[row + _u64(x)] = 0


@compiled(inline="always")
def _fill(region, width, fine, first, fold, result):
    """Samples a region `fold` x `fold` times a pixel, from `first` on."""
    size = result.shape[0]
    down_x, down_y = _fixed(fine[0, 1]), _fixed(fine[1, 1])
    right_x, right_y = _fixed(fine[0, 0]), _fixed(fine[1, 0])
    # Rounded to the 1/256 of a pixel that weights have.
    start_x, start_y = _fixed(first[0] + 1 / 512), _fixed(first[1] + 1 / 512)
    count = fold * fold
    share = _u64((65536 + count - 1) // count)
    half = _u64(count // 2)
    byte, bits = _u64(255), _u64(16)
    for row in range(size):
        x, y = start_x + row * fold * down_x, start_y + row * fold * down_y
        for column in range(size):
            if fold == 1:
                mean = _bilinear(region, width, x, y)
                red, green = mean & byte, mean >> bits & byte
                blue = mean >> _u64(32)
            else:
                total = _u64(0)
                for j in range(fold):
                    for i in range(fold):
                        total += _bilinear(
                            region,
                            width,
                            x + i * right_x + j * down_x,
                            y + i * right_y + j * down_y,
                        )
                red = ((total & _u64(65535)) + half) * share >> bits
                green = ((total >> bits & _u64(65535)) + half) * share >> bits
                blue = ((total >> _u64(32)) + half) * share >> bits
            result[row, column, 0] = red
            result[row, column, 1] = green
            result[row, column, 2] = blue
            x += fold * right_x
            y += fold * right_y


@compiled(inline="always")
def _fixed(value):
    """Pixels with 32 bits behind the point."""
    return np.int64(math.floor(value * 4294967296.0))


@compiled(inline="always")
def _bilinear(region, width, x, y):
    """Three channels at once, 16 bits each, the weights' sum 256: no sum overflows."""
    right, down = x >> 24 & 255, y >> 24 & 255
    both = (right * down + 128) >> 8
    at = _u64((y >> 32) * width + (x >> 32))
    below = at + _u64(width)
    total = (
        region[at] * _u64(256 - right - down + both)
        + region[at + _u64(1)] * _u64(right - both)
        + region[below] * _u64(down - both)
        + region[below + _u64(1)] * _u64(both)
    )
    return (total + _HALF) >> _u64(8) & _LOW_BYTES


@compiled
def _sample_depths(values, rows, matrices, scales, offsets, depth, known):
    size, side = depth.shape[1], values.shape[1]
    for b in range(len(rows)):
        stored, matrix = values[rows[b]].ravel(), matrices[b]
        deep, mask = depth[b].ravel(), known[b].ravel()
        scale, offset = scales[b], offsets[b]
        right_x, right_y = _fixed(matrix[0, 0]), _fixed(matrix[1, 0])
        for row in range(size):
            # Rounded to 2^-16 of a pixel: what lies on one needs none beside it.
            x = _fixed(matrix[0, 1] * row + matrix[0, 2] + 2.0**-17)
            y = _fixed(matrix[1, 1] * row + matrix[1, 2] + 2.0**-17)
            for column in range(size):
                left, top = x >> 32, y >> 32
                right, down = left, top
                across, below = x >> 16 & 65535, y >> 16 & 65535
                if across:
                    right += 1
                if below:
                    down += 1
                x += right_x
                y += right_y
                place = _u64(row * size + column)
                deep[place] = 0
                mask[place] = 0
                if left < 0 or top < 0 or right >= side or down >= side:
                    continue
                upper, lower = top * side, down * side
                first, second = stored[_u64(upper + left)], stored[_u64(upper + right)]
                third, fourth = stored[_u64(lower + left)], stored[_u64(lower + right)]
                if first and second and third and fourth:
                    part = np.float32(across) * _PART
                    high = np.float32(first) + part * (
                        np.float32(second) - np.float32(first)
                    )
                    low = np.float32(third) + part * (
                        np.float32(fourth) - np.float32(third)
                    )
                    value = high + np.float32(below) * _PART * (low - high)
                    deep[place] = offset + scale * value
                    mask[place] = 1
