"""Writes a SavedModel as a LiteRT file, and checks that both compute the same."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

import numpy as np
import tensorflow as tf

from ethos_data.errors import EthosError
from ethos_data.quiet import quiet_libraries
from ethos_model.predict import FILES, LITE, SIGNATURE, load_network

TOLERANCE: Final = dict.fromkeys(
    ("landmarks", "uncertainty", "visible", "depth", "restored"), 1e-3
)
"""Largest allowed difference of each output between LiteRT and the SavedModel.

Landmarks and depth are in sides of the window, restored in [0, 1]. On 64 faces the
shipped model differs by 2e-5 in landmarks, 4e-6 in depth and 5e-5 in restored.
"""


INT8_TOLERANCE: Final = dict.fromkeys(TOLERANCE, 0.03)
"""Largest allowed difference of each output with int8 weights.

On rendered heads the shipped model differs by 0.008 in landmarks and restored and 0.013
in depth; its mean errors do not change (benchmarks/int8.py).
"""


def write(directory: str, *, int8: bool = False) -> None:
    """Converts the SavedModel in a directory and writes `model.tflite` next to it.

    Args:
      directory: Directory of an exported model.
      int8: Whether to store the weights as int8 instead of float16. Activations are
        quantised when the network runs. Stored ranges of the activations would make it
        faster but double the error.

    Raises:
      EthosError: The outputs of both files differ by more than `TOLERANCE`, or than
        `INT8_TOLERANCE`.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(directory)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if not int8:
        converter.target_spec.supported_types = [tf.float16]  # half the size
    with quiet_libraries():
        content = converter.convert()
    with open(os.path.join(directory, LITE), "wb") as file:
        file.write(content)
    if int8:
        check_agreement(directory, without="--no-int8", tolerance=INT8_TOLERANCE)
    else:
        check_agreement(directory)


def check_agreement(
    directory: str,
    backend: str = "litert",
    without: str = "--no-litert",
    tolerance: Mapping[str, float] = TOLERANCE,
) -> None:
    """Compares the outputs of another file and the SavedModel on two images.

    Args:
      directory: Directory of an exported model.
      backend: The file to compare: "litert" or "onnx".
      without: Flag of ethos-export that avoids the difference.
      tolerance: Largest allowed difference of each output.

    Raises:
      EthosError: An output differs by more than `tolerance`.
    """
    _, saved = load_network(directory, "tensorflow")
    _, other = load_network(directory, backend)
    for image in _test_images(_input_size(directory)):
        expected, actual = saved(image), other(image)
        for name in sorted(expected):  # old models do not predict `visible`
            limit = tolerance[name]
            difference = float(np.abs(expected[name] - actual[name]).max())
            if not difference <= limit:
                raise EthosError(
                    f"{FILES[backend]}: {name} differs from the SavedModel by "
                    f"{difference:.2g} (limit {limit:g}); {without} avoids it"
                )


def _input_size(directory: str) -> int:
    signature = tf.saved_model.load(directory).signatures[SIGNATURE]
    return int(signature.structured_input_signature[1]["image"].shape[1])


def _test_images(size: int) -> list[np.ndarray]:
    """An image of large squares and an image of noise, each uint8 (1, S, S, 3)."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
    squares = np.kron(coarse, np.ones((size // 8 + 1, size // 8 + 1, 1), np.uint8))
    noise = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
    return [squares[None, :size, :size], noise[None]]
