"""Random numbers that depend on a seed and a counter alone, the same on every backend.

Each backend's own generator gives other numbers, so a draw could not be repeated
elsewhere. A hash of the counter (32 bits, the "lowbias32" constants of C. Wellons'
hash-prospector, 2018) is a handful of integer operations, which XLA fuses away.
"""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
from keras import ops

_GOLDEN = 0x9E3779B9  # 2**32 over the golden ratio: spreads counters


_QUANTILES = np.array(
    [statistics.NormalDist().inv_cdf((i + 0.5) / 2**16) for i in range(2**16)],
    np.float32,
)


def _u32(value: int) -> Any:
    return ops.convert_to_tensor(np.uint32(value & 0xFFFFFFFF))


def _mix(x: Any) -> Any:
    """A permutation of uint32 whose bits look random."""
    x = ops.bitwise_xor(x, ops.right_shift(x, _u32(16)))
    x = ops.multiply(x, _u32(0x7FEB352D))
    x = ops.bitwise_xor(x, ops.right_shift(x, _u32(15)))
    x = ops.multiply(x, _u32(0x846CA68B))
    return ops.bitwise_xor(x, ops.right_shift(x, _u32(16)))


def fold(seed: Any, salt: int) -> Any:
    """A new seed out of a seed and a number, for the next user of the same seed.

    Args:
      seed: int, or an integer tensor: a scalar or, as `tf.random.stateless_*` wants
        it, a vector.
      salt: any int.

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
    """One uint32 for each image of a batch: (count,). The count may be a tensor."""
    # The counter is hashed before it meets the seed: seeds s and s + 1 must not give
    # the same numbers one place further on.
    counter = ops.cast(ops.arange(count), "uint32")
    counter = ops.multiply(ops.add(counter, _u32(1)), _u32(_GOLDEN))
    return _mix(ops.bitwise_xor(_mix(counter), fold(seed, 0)))


def uniform(key: Any, stream: int, low: float = 0.0, high: float = 1.0) -> Any:
    """float32 of the shape of the keys, in [low, high).

    Args:
      key: uint32 from `keys`.
      stream: which of the numbers of this key.
      low: least value.
      high: bound of the values.
    """
    bits = _mix(ops.add(key, _u32((stream + 1) * _GOLDEN)))
    # 24 bits are exact in a float32, so every backend gets the same number.
    unit = ops.cast(ops.right_shift(bits, _u32(8)), "float32") * np.float32(2**-24)
    return unit * np.float32(high - low) + np.float32(low)


def normal(key: Any, shape: tuple[int, ...]) -> Any:
    """A field of standard normal numbers for each key.

    Args:
      key: uint32 (B,).
      shape: of one field.

    Returns:
      float32 (B, *shape).
    """
    count = int(np.prod(shape))
    half = (count + 1) // 2
    counter = np.arange(1, half + 1, dtype=np.uint64) * _GOLDEN & 0xFFFFFFFF
    counter = ops.convert_to_tensor(counter.astype(np.uint32)[None])
    bits = _mix(ops.add(counter, key[:, None]))
    # Two quantiles out of each word, to 4.3 sigma. Box and Muller's logarithm and
    # cosine take 20 times as long under XLA on a CPU, and differ between backends.
    low, high = ops.bitwise_and(bits, _u32(0xFFFF)), ops.right_shift(bits, _u32(16))
    which = ops.cast(ops.concatenate([low, high], axis=1)[:, :count], "int32")
    return ops.reshape(ops.take(ops.convert_to_tensor(_QUANTILES), which), (-1, *shape))
