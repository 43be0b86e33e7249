"""Stateless random numbers that are equal on every Keras backend.

The generators of the backends give different numbers, so a draw could not be repeated
on another backend. Here a number is a 32-bit hash of a seed and a counter, with the
"lowbias32" constants of C. Wellons' hash-prospector (2018). XLA fuses these few integer
operations.
"""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
from keras import ops

_GOLDEN = 0x9E3779B9  # 2**32 / golden ratio: neighbouring counters get distant values


_QUANTILES = np.array(
    [statistics.NormalDist().inv_cdf((i + 0.5) / 2**16) for i in range(2**16)],
    np.float32,
)


def _u32(value: int) -> Any:
    return ops.convert_to_tensor(np.uint32(value & 0xFFFFFFFF))


def _mix(x: Any) -> Any:
    """Hashes uint32 values (a permutation whose output bits look random)."""
    x = ops.bitwise_xor(x, ops.right_shift(x, _u32(16)))
    x = ops.multiply(x, _u32(0x7FEB352D))
    x = ops.bitwise_xor(x, ops.right_shift(x, _u32(15)))
    x = ops.multiply(x, _u32(0x846CA68B))
    return ops.bitwise_xor(x, ops.right_shift(x, _u32(16)))


def fold(seed: Any, salt: int) -> Any:
    """Derives a new seed from a seed and a number.

    Args:
      seed: Int, or an integer tensor: a scalar, or a vector as in
        `tf.random.stateless_*`.
      salt: Any int. Different salts give independent seeds.

    Returns:
      uint32 scalar tensor.
    """
    if isinstance(seed, int | np.integer):
        parts = [_u32(int(seed))]
    else:
        seed = ops.cast(ops.reshape(ops.convert_to_tensor(seed), (-1,)), "uint32")
        parts = [seed[i] for i in range(seed.shape[0])]
    state = _mix(_u32(salt * _GOLDEN + 1))
    for part in parts:
        state = _mix(ops.add(ops.bitwise_xor(state, part), _u32(_GOLDEN)))
    return state


def keys(seed: Any, count: Any) -> Any:
    """Derives one key for each image of a batch.

    Args:
      seed: As in `fold`.
      count: Number of images, as an int or a scalar tensor.

    Returns:
      uint32 (count,).
    """
    # The counter is hashed before it is combined with the seed. Otherwise the seeds s
    # and s + 1 would give the same numbers, shifted by one image.
    counter = ops.cast(ops.arange(count), "uint32")
    counter = ops.multiply(ops.add(counter, _u32(1)), _u32(_GOLDEN))
    return _mix(ops.bitwise_xor(_mix(counter), fold(seed, 0)))


def uniform(key: Any, stream: int, low: float = 0.0, high: float = 1.0) -> Any:
    """Draws uniform random numbers.

    Args:
      key: uint32 tensor from `keys`.
      stream: Number of the draw. Different streams of a key are independent.
      low: Smallest value.
      high: Upper limit, not included.

    Returns:
      float32 of the shape of `key`, in [low, high).
    """
    bits = _mix(ops.add(key, _u32((stream + 1) * _GOLDEN)))
    # 24 bits are exact in float32, so every backend computes the same number.
    unit = ops.cast(ops.right_shift(bits, _u32(8)), "float32") * np.float32(2**-24)
    return unit * np.float32(high - low) + np.float32(low)


def normal(key: Any, shape: tuple[int, ...]) -> Any:
    """Draws an array of standard normal numbers for each key.

    Args:
      key: uint32 (B,).
      shape: Shape of the array of one key.

    Returns:
      float32 (B, *shape).
    """
    count = int(np.prod(shape))
    half = (count + 1) // 2
    counter = np.arange(1, half + 1, dtype=np.uint64) * _GOLDEN & 0xFFFFFFFF
    counter = ops.convert_to_tensor(counter.astype(np.uint32)[None])
    bits = _mix(ops.add(counter, key[:, None]))
    # Each 32-bit word selects two of 65,536 quantiles, up to 4.3 sigma. The logarithm
    # and cosine of Box and Muller's method take 20 times as long under XLA on a CPU,
    # and their last bits differ between backends.
    low, high = ops.bitwise_and(bits, _u32(0xFFFF)), ops.right_shift(bits, _u32(16))
    index = ops.cast(ops.concatenate([low, high], axis=1)[:, :count], "int32")
    return ops.reshape(ops.take(ops.convert_to_tensor(_QUANTILES), index), (-1, *shape))
