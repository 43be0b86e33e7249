"""Samples the network's windows from stored crops, a whole batch in one call.

The kernels are compiled by numba and release the interpreter's lock, so the threads of
the input pipeline run in parallel. They read the decoded examples and write the batch
without intermediate copies. An image takes slightly less time than in
`cv2.warpAffine`.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from ethos_data import depth_codec, records
from ethos_data.compilation import compiled

_MAX_SAMPLES: Final = 16
"""Maximum number of samples along each axis of a pixel. The sum of more samples of
8 bits would not fit into the 16 bits of a channel. Crops of a few hundred pixels need
at most 10."""

_ALIGNMENT: Final = 64
"""Alignment of an array that TensorFlow uses without copying it, in bytes."""

_FRACTION: Final = np.float32(2.0**-16)

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
    """Samples windows of images: bilinear to enlarge, area averaging to shrink.

    Args:
      pixels: uint8 (P,), square RGB images one after the other.
      starts: int64 (B,), index in `pixels` of the first byte of each image.
      sides: int64 (B,), width and height of each image, in pixels.
      matrices: float64 (B, 2, 3), maps from pixels of the windows to pixels of the
        images; see `augment.to_pixels`.
      size: Width and height of the windows, in pixels.

    Returns:
      uint8 (B, size, size, 3), 0 outside an image.
    """
    result = aligned_empty((len(starts), size, size, 3), np.uint8)
    _sample_images(pixels, starts, sides, np.ascontiguousarray(matrices), result)
    return result


def sample_depths(
    levels: np.ndarray,
    rows: np.ndarray,
    matrices: np.ndarray,
    size: int,
    window_sides: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Samples windows of depth maps that are partly unknown, with bilinear weights.

    Args:
      levels: uint16 (N, K, K), levels of `depth_codec` in `records.DEPTH_RANGE`.
      rows: int64 (B,), row in `levels` of each window.
      matrices: float64 (B, 2, 3), maps from pixels of the windows to pixels of the
        depth maps; see `augment.to_pixels`.
      size: Width and height of the windows, in pixels.
      window_sides: float64 (B,), sides of the windows, in sides of the crops.

    Returns:
      depth: float32 (B, size, size, 1), in sides of the window, 0 where it is unknown.
      mask: float32 (B, size, size, 1), 1 where all levels that contribute are known.
    """
    shape = (len(rows), size, size, 1)
    depth, mask = aligned_empty(shape, np.float32), aligned_empty(shape, np.float32)
    low, high = records.DEPTH_RANGE
    step = (high - low) / depth_codec.STEPS
    _sample_depths(
        levels,
        rows,
        np.ascontiguousarray(matrices),
        (step / window_sides).astype(np.float32),
        ((low - step) / window_sides).astype(np.float32),
        depth,
        mask,
    )
    return depth, mask


def aligned_empty(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Returns an uninitialised array that TensorFlow can use without copying it."""
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
        # Each pixel of the result is the mean of its area, as in `crop.resize`. The
        # image is sampled at its own resolution or finer, and blocks of fold x fold
        # samples are averaged. On YouTube Faces the result is 1 to 7 % softer than
        # that of `crop.resize` (mean Laplacian). Without averaging it would be 7 to
        # 19 % sharper because of aliasing; resizing first would make it 9 to 20 %
        # softer.
        shrink = math.hypot(matrix[0, 0], matrix[1, 0])
        fold = min(max(1, math.ceil(shrink)), _MAX_SAMPLES)
        left, top, width, height = _bounds(matrix, size)
        if region.size < width * height:
            region = np.empty(width * height, np.uint64)
        _unpack(pixels, starts[b], sides[b], left, top, width, height, region)
        # The step from a sample to the next, and the position of the first sample.
        fine = matrix[:, :2] / fold
        first = matrix[:, 2] - (matrix[:, :2] - fine).sum(axis=1) / 2
        first -= np.array([left, top])
        # With a constant, the compiler unrolls the loops of the two common cases.
        if fold == 1:
            _fill(region, width, fine, first, 1, result[b])
        elif fold == 2:
            _fill(region, width, fine, first, 2, result[b])
        else:
            _fill(region, width, fine, first, fold, result[b])


@compiled
def _bounds(matrix, size):
    """Returns left, top, width, height of the pixels that a window can read."""
    bounds = np.empty((2, 2), np.int64)
    for axis in range(2):
        across, down, start = matrix[axis]
        # The edges of the window are half a pixel outside its first and last pixel.
        a, b = -0.5 * (across + down), (size - 0.5) * (across + down)
        c = size * across + a
        d = size * down + a
        # The margin covers the rounding in `_fill`, which does not check its indices.
        bounds[axis, 0] = math.floor(start + min(a, b, c, d) - 1 / 256)
        bounds[axis, 1] = math.floor(start + max(a, b, c, d) + 1 / 256) + 2
    (left, right), (top, bottom) = bounds
    return left, top, right - left, bottom - top


@compiled
def _unpack(pixels, start, side, left, top, width, height, region):
    """Copies a part of an image to 16 bits per channel, with zeros outside the image.

    All indices are unsigned. numba checks whether a signed index counts from the end,
    and this check took half of the time.
    """
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
    """Averages `fold` x `fold` samples of a region for each pixel of the result."""
    size = result.shape[0]
    down_x, down_y = _fixed(fine[0, 1]), _fixed(fine[1, 1])
    right_x, right_y = _fixed(fine[0, 0]), _fixed(fine[1, 0])
    # The weights have 8 bits. Half a step is added so that they are rounded.
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
    """Converts pixels to fixed-point numbers with 32 fractional bits."""
    return np.int64(math.floor(value * 4294967296.0))


@compiled(inline="always")
def _bilinear(region, width, x, y):
    """Interpolates the three channels of a pixel at once.

    Each channel has 16 bits. The weights sum to 256, so no channel overflows.
    """
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
def _sample_depths(levels, rows, matrices, scales, offsets, depth, mask):
    size, side = depth.shape[1], levels.shape[1]
    for b in range(len(rows)):
        stored, matrix = levels[rows[b]].ravel(), matrices[b]
        flat_depth, flat_mask = depth[b].ravel(), mask[b].ravel()
        scale, offset = scales[b], offsets[b]
        right_x, right_y = _fixed(matrix[0, 0]), _fixed(matrix[1, 0])
        for row in range(size):
            # Rounded to 2^-16 pixel, so that a sample exactly on a pixel has weight 0
            # for the neighbours of the pixel, which may be unknown.
            x = _fixed(matrix[0, 1] * row + matrix[0, 2] + 2.0**-17)
            y = _fixed(matrix[1, 1] * row + matrix[1, 2] + 2.0**-17)
            for column in range(size):
                left, top = x >> 32, y >> 32
                right, bottom = left, top
                across, down = x >> 16 & 65535, y >> 16 & 65535
                if across:
                    right += 1
                if down:
                    bottom += 1
                x += right_x
                y += right_y
                place = _u64(row * size + column)
                flat_depth[place] = 0
                flat_mask[place] = 0
                if left < 0 or top < 0 or right >= side or bottom >= side:
                    continue
                upper, lower = top * side, bottom * side
                first, second = stored[_u64(upper + left)], stored[_u64(upper + right)]
                third, fourth = stored[_u64(lower + left)], stored[_u64(lower + right)]
                if first and second and third and fourth:
                    weight = np.float32(across) * _FRACTION
                    high = np.float32(first) + weight * (
                        np.float32(second) - np.float32(first)
                    )
                    low = np.float32(third) + weight * (
                        np.float32(fourth) - np.float32(third)
                    )
                    level = high + np.float32(down) * _FRACTION * (low - high)
                    flat_depth[place] = offset + scale * level
                    flat_mask[place] = 1
