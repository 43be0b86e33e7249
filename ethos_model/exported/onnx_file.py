"""Writes the SavedModel of an exported model as an ONNX file, and checks it.

    python -m ethos_model.exported.onnx_file MODEL

writes `MODEL/model.onnx` for a model that `ethos-export` wrote without --onnx; without
MODEL, for the shipped model. Weights are stored as float16, which halves the file, and
are computed in float32. The names of the input and the outputs are those of the
SavedModel, and the first axis is the number of faces.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from ethos_data import options
from ethos_data.errors import EthosError, cli
from ethos_data.quiet import import_tensorflow, quiet_libraries
from ethos_data.storage import files
from ethos_model import predict
from ethos_model.exported.weights import SMALLEST_HALF
from ethos_model.predict import ONNX, SIGNATURE

OPSET: Final = 17
"""Version of the ONNX operators. onnxruntime supports it since version 1.12 (2022)."""


def write(directory: str) -> None:
    """Converts the SavedModel in a directory and writes `model.onnx` next to it.

    Args:
      directory: Directory of an exported model.

    Raises:
      EthosError: The outputs of both files differ by more than `tflite.TOLERANCE`.
      ModuleNotFoundError: A package of the extra `onnx` is not installed.
    """
    import onnxruntime  # noqa: F401  # missing packages are reported before the work
    import tf2onnx

    import_tensorflow()
    import tensorflow as tf

    from ethos_model.exported import tflite

    # The signature has only a weak reference to the loaded model.
    loaded = tf.saved_model.load(directory)
    signature = loaded.signatures[SIGNATURE]
    spec = signature.structured_input_signature[1]["image"]
    function = tf.function(
        lambda image: signature(image=image),
        input_signature=[tf.TensorSpec(spec.shape, spec.dtype, name="image")],
    )
    with quiet_libraries():
        model, _ = tf2onnx.convert.from_function(
            function, input_signature=function.input_signature, opset=OPSET
        )
    store_as_float16(model.graph)
    path = os.path.join(directory, ONNX)
    files.write(path, iter([model.SerializeToString()]))
    tflite.check_agreement(directory, "onnx", "--no-onnx")


def store_as_float16(graph: Any) -> None:
    """Stores the large weights of a graph as float16 and casts them when it is loaded.

    Args:
      graph: `GraphProto`. It is changed in place.
    """
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for weight in graph.initializer:
        if weight.data_type != TensorProto.FLOAT:
            continue
        value = numpy_helper.to_array(weight)
        if value.size < SMALLEST_HALF:
            continue
        name, half = weight.name, f"{weight.name}_float16"
        weight.CopyFrom(numpy_helper.from_array(value.astype(np.float16), half))
        cast = helper.make_node("Cast", [half], [name], f"{name}_cast", to=1)
        casts.append(cast)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


@dataclasses.dataclass(frozen=True)
class Options:
    """The options of the command."""

    model: str | None = options.option(
        None,
        "Directory of an exported model (default: the shipped model)",
        positional=True,
        metavar="MODEL",
        local=True,
    )


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = options.make_parser("python -m ethos_model.exported.onnx_file", __doc__)
    options.add_flags(parser, Options)
    chosen = options.from_flags(Options, parser.parse_args(argv))
    directory = predict.find(chosen.model)
    predict.read_card(directory)
    if not os.access(directory, os.W_OK):
        raise EthosError(f"{directory}: no permission to write here")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    write(directory)
    path = os.path.join(directory, ONNX)
    print(f"wrote {path} ({os.path.getsize(path) / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
