"""Writes a network as a SavedModel with weights stored as float16."""

from __future__ import annotations

from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from ethos_model import network
from ethos_model.exported.weights import SMALLEST_HALF
from ethos_model.predict import SIGNATURE
from ethos_model.training import batch_norm

_SMALLEST_ROUNDED: Final = 8
"""Number of values from which LiteRT rounds a constant to float16. It rounds the grid
of 12 cells of the landmark head, but not the three luma weights."""


def write(directory: str, model: keras.Model, uncertainty_factor: float) -> None:
    """Writes a SavedModel.

    Args:
      directory: Directory to write to.
      model: Network from `network.build`. Its batch norms are folded and its weights
        rounded in place.
      uncertainty_factor: Factor of the output `uncertainty`.
    """
    batch_norm.fold(model)
    round_weights(model)
    size = model.input.shape[1]
    image_spec = tf.TensorSpec((None, size, size, 3), tf.uint8, name="image")

    @tf.function(input_signature=[image_spec])
    def calibrated(image: Any) -> dict[str, Any]:
        outputs = model(image, training=False)
        return outputs | {"uncertainty": uncertainty_factor * outputs["uncertainty"]}

    # If the weights are constants, TensorFlow folds the batch norms when it loads the
    # model, and a face takes a third less time.
    with_variables = calibrated.get_concrete_function()
    frozen = _with_float16_weights(convert_variables_to_constants_v2(with_variables))
    names = sorted(with_variables.structured_outputs)  # the order of a flattened dict

    @tf.function(input_signature=[image_spec])
    def serve(image: Any) -> dict[str, Any]:
        return dict(zip(names, frozen(image), strict=True))

    module = tf.Module()
    module.serve = serve
    tf.saved_model.save(
        module, directory, signatures={SIGNATURE: serve.get_concrete_function()}
    )


def round_weights(model: keras.Model) -> None:
    """Rounds the weights that LiteRT's converter would round to float16.

    The converter rounds after it has folded constants, so the mean face, a bias, moves
    by up to 2e-4 of the window. If only one of the two files had this rounding, the
    landmarks of the files would differ by up to 4e-3 where the second stage of the
    landmark head decides between two places.

    Args:
      model: Network from `network.build` with folded batch norms. Changed in place.
    """
    bias = model.get_layer("landmark_points").bias
    points = network.POINT_SCALE * bias.numpy()  # the converter folds this product
    for variable in model.trainable_variables:
        variable.assign(_rounded(variable.numpy()))
    bias.assign(_rounded(points) / network.POINT_SCALE)


def _rounded(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float16).astype(np.float32)


def _with_float16_weights(function: Any) -> Any:
    """The same function with its large constants stored as float16.

    They are cast back to float32 once, when the model is loaded.
    """
    graph = function.graph.as_graph_def()
    for node in list(graph.node):
        if node.op == "Const" and (
            node.attr["dtype"].type == tf.float32.as_datatype_enum
        ):
            _store_as_float16(graph, node)
    wrapped = tf.compat.v1.wrap_function(
        lambda: tf.graph_util.import_graph_def(graph, name=""), []
    )
    return wrapped.prune(
        [tensor.name for tensor in function.inputs],
        [tensor.name for tensor in function.outputs],
    )


def _store_as_float16(graph: Any, node: Any) -> None:
    """Replaces a float32 constant of a graph by a float16 constant and a cast."""
    value = tf.make_ndarray(node.attr["value"].tensor)
    if value.size < SMALLEST_HALF:
        # LiteRT also rounds constants that are not weights.
        if value.size >= _SMALLEST_ROUNDED and "ReadVariableOp" not in node.name:
            rounded = tf.make_tensor_proto(_rounded(value))
            node.attr["value"].tensor.CopyFrom(rounded)
        return
    half = graph.node.add(op="Const", name=f"{node.name}_float16")
    half.attr["dtype"].type = tf.float16.as_datatype_enum
    half.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value.astype(np.float16)))
    node.op = "Cast"
    node.input.append(half.name)
    node.attr.clear()
    node.attr["SrcT"].type = tf.float16.as_datatype_enum
    node.attr["DstT"].type = tf.float32.as_datatype_enum
