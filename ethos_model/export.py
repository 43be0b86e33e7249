"""ethos-export: writes what the viewer needs from a training run.

    ethos-export --workdir runs/first --output runs/first/model

The directory holds a SavedModel (serving_default: `image` uint8 [N, S, S, 3] to
landmarks, uncertainty, depth, restored), the same network as model.tflite, both with
weights stored as float16, and ethos_model.json, which says sizes, units, frames of
reference, training data and metrics. No training code is needed to use it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import shutil
import sys
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from ethos_data import next_step
from ethos_data.crop import NETWORK_CONTEXT
from ethos_data.errors import EthosError, cli
from ethos_data.quiet import import_tensorflow, quiet_libraries
from ethos_model.metrics import SIGMA_RATIO
from ethos_model.predict import CARD, FORMAT_VERSION, LITE, SIGNATURE, load_network
from ethos_model.training import checkpoint

_SMALLEST_HALF: Final = 1024
"""Values of a constant from which on it is stored as float16: kernels, not biases."""
_SMALLEST_ROUNDED: Final = 8
"""The same, from which on LiteRT rounds one: 12 cells, but not 3 weights of grey."""

# Largest difference of LiteRT's outputs from the SavedModel's on any point or pixel. On
# 64 faces the weights that ship, exported again, differ by 2e-5 of the window's side in
# landmarks, 4e-6 in depth and 5e-5 in grey values.
_TOLERANCE: Final = dict.fromkeys(
    ("landmarks", "uncertainty", "depth", "restored"), 1e-3
)


def export(
    workdir: str,
    output: str,
    *,
    checkpoint_path: str | None = None,
    name: str = "ethos",
    metrics: dict[str, Any] | None = None,
    litert: bool = True,
    overwrite: bool = False,
) -> str:
    """Exports the averaged weights of a run's best epoch.

    Args:
      workdir: of the run.
      output: directory to write.
      checkpoint_path: another checkpoint than the run's best one.
      name: of the model.
      metrics: to be written into the card, as of ethos-evaluate.
      litert: also write model.tflite.
      overwrite: replace an earlier model.

    Returns:
      The output directory.

    Raises:
      EthosError: no checkpoint, an output that exists or cannot be written, or LiteRT
        disagrees.
    """
    path = checkpoint_path or os.path.join(workdir, checkpoint.BEST)
    if not os.path.exists(path):
        raise EthosError(f"{path}: no checkpoint here; ethos-train writes one")
    output = os.path.normpath(os.path.expanduser(output))
    if os.path.exists(output):
        if not overwrite:
            raise EthosError(f"{output}: exists; --overwrite replaces it")
        if os.listdir(output) and not os.path.exists(os.path.join(output, CARD)):
            raise EthosError(f"{output}: not a model's directory, so not replaced")
    groups, meta = checkpoint.read(path)
    import_tensorflow()
    import tensorflow as tf

    partial = f"{output}.partial-{os.getpid()}"
    try:
        os.makedirs(partial)
        _write_saved_model(partial, path, groups["average"], meta)
        if litert:
            _write_litert(partial)
        card = _card(name, meta, metrics)
        with open(os.path.join(partial, CARD), "w", encoding="utf-8") as file:
            file.write(json.dumps(card, indent=2) + "\n")
        if os.path.exists(output):
            shutil.rmtree(output)
        os.replace(partial, output)
    except (OSError, tf.errors.OpError) as error:
        text = getattr(error, "strerror", None) or str(error)
        raise EthosError(f"{output}: not written: {text.splitlines()[0]}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return output


def _write_saved_model(
    folder: str, path: str, weights: list[np.ndarray], meta: dict[str, Any]
) -> None:
    import keras
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    from ethos_model import network
    from ethos_model.training import batch_norm

    keras.mixed_precision.set_dtype_policy("float32")
    size = meta["config"]["image_size"]
    model = network.build(image_size=size, alpha=meta["config"]["alpha"])
    checkpoint.assign(model.variables, weights, path)
    batch_norm.fold(model)
    _round_weights(model)
    spec = tf.TensorSpec((None, size, size, 3), tf.uint8, name="image")
    factor = _uncertainty_factor(meta)

    @tf.function(input_signature=[spec])
    def calibrated(image: Any) -> dict[str, Any]:
        outputs = model(image, training=False)
        return outputs | {"uncertainty": factor * outputs["uncertainty"]}

    variable = calibrated.get_concrete_function()
    # With constants for variables batch norm folds into the convolutions when the model
    # is loaded: a third less time a face.
    frozen = _with_float16_weights(convert_variables_to_constants_v2(variable))
    names = sorted(variable.structured_outputs)  # the order of a flattened dict

    @tf.function(input_signature=[spec])
    def serve(image: Any) -> dict[str, Any]:
        return dict(zip(names, frozen(image), strict=True))

    module = tf.Module()
    module.serve = serve
    tf.saved_model.save(
        module, folder, signatures={SIGNATURE: serve.get_concrete_function()}
    )


def _round_weights(model: Any) -> None:
    """Rounds to float16 what LiteRT's converter will round, after it has folded too.

    Both files then compute with the same values. The mean face, a bias, moves by up to
    2e-4 of the window's side. In one file alone that became 4e-3 where the second look
    at the points hesitates between two places.
    """
    from ethos_model.network import POINT_SCALE

    bias = model.get_layer("landmark_points").bias  # LiteRT scales it before it rounds
    points = POINT_SCALE * bias.numpy()
    for variable in model.trainable_variables:
        variable.assign(_half(variable.numpy()))
    bias.assign(_half(points) / POINT_SCALE)


def _half(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float16).astype(np.float32)


def _uncertainty_factor(meta: dict[str, Any]) -> float:
    """What makes one stated sigma hold 68.3 % of the validation errors.

    The middle of what clean and degraded faces ask for; 1 where the run did not say.
    """
    row = meta["history"][-1] if meta["history"] else {}
    ratios = (row.get(f"{kind}_{SIGMA_RATIO}") for kind in ("val", "val_degraded"))
    return math.sqrt(math.prod(1.0 if one is None else one for one in ratios))


def _with_float16_weights(function: Any) -> Any:
    """The same concrete function, whose large constants are stored in half the bytes.

    They are cast back once, when the model is loaded: it computes in float32.
    """
    import tensorflow as tf

    graph = function.graph.as_graph_def()
    for node in list(graph.node):
        if node.op != "Const" or node.attr["dtype"].type != tf.float32.as_datatype_enum:
            continue
        value = tf.make_ndarray(node.attr["value"].tensor)
        if value.size < _SMALLEST_HALF:
            # A constant of the network's own, which LiteRT rounds too.
            if value.size >= _SMALLEST_ROUNDED and "ReadVariableOp" not in node.name:
                tensor = tf.make_tensor_proto(_half(value))
                node.attr["value"].tensor.CopyFrom(tensor)
            continue
        half = graph.node.add(op="Const", name=f"{node.name}_float16")
        half.attr["dtype"].type = tf.float16.as_datatype_enum
        tensor = tf.make_tensor_proto(value.astype(np.float16))
        half.attr["value"].tensor.CopyFrom(tensor)
        node.op = "Cast"
        node.input.append(half.name)
        node.attr.clear()
        node.attr["SrcT"].type = tf.float16.as_datatype_enum
        node.attr["DstT"].type = tf.float32.as_datatype_enum
    wrapped = tf.compat.v1.wrap_function(
        lambda: tf.graph_util.import_graph_def(graph, name=""), []
    )
    return wrapped.prune(
        [tensor.name for tensor in function.inputs],
        [tensor.name for tensor in function.outputs],
    )


def _write_litert(folder: str) -> None:
    """Converts the SavedModel, and checks that both say the same."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]  # half the size
    path = os.path.join(folder, LITE)
    with quiet_libraries():
        converted = converter.convert()
    with open(path, "wb") as file:
        file.write(converted)
    _check_agreement(folder)


def _check_agreement(folder: str) -> None:
    """Raises EthosError unless LiteRT's outputs are the SavedModel's."""
    _, network = load_network(folder, "tensorflow")
    _, lite = load_network(folder, "litert")
    for image in _probes(_input_size(folder)):
        wanted, got = network(image), lite(image)
        for name, limit in _TOLERANCE.items():
            worst = float(np.abs(wanted[name] - got[name]).max())
            if not worst <= limit:
                raise EthosError(
                    f"{LITE}: {name} differs by {worst:.2g} from the SavedModel's "
                    f"(limit {limit:g}); export with --no-litert"
                )


def _input_size(folder: str) -> int:
    import tensorflow as tf

    signature = tf.saved_model.load(folder).signatures[SIGNATURE]
    return int(signature.structured_input_signature[1]["image"].shape[1])


def _probes(size: int) -> list[np.ndarray]:
    """Images of smooth blobs and of noise, uint8 (1, S, S, 3)."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
    smooth = np.kron(coarse, np.ones((size // 8 + 1, size // 8 + 1, 1), np.uint8))
    noise = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
    return [smooth[None, :size, :size], noise[None]]


def _card(
    name: str, meta: dict[str, Any], metrics: dict[str, Any] | None
) -> dict[str, Any]:
    config = meta["config"]
    rows = meta["history"]
    empty: dict[str, float] = {}
    last = rows[-1] if rows else empty  # of the weights themselves, as in best.npz
    return {
        "format_version": FORMAT_VERSION,
        "name": name,
        "image_size": config["image_size"],
        "depth_size": config["image_size"],
        "network_context": NETWORK_CONTEXT,
        "label_shift": config.get("label_shift", 0.0),
        "inputs": {
            "image": "uint8 [N, S, S, 3] RGB, S = image_size: the square around the "
            "face box whose side is network_context times the box's longer side"
        },
        "outputs": {
            "landmarks": "float32 [N, 68, 3], iBUG-68, normalised",
            "uncertainty": "float32 [N, 68], one standard deviation of x or y, "
            "normalised",
            "depth": "float32 [N, D, D, 1], D = depth_size, normalised",
            "restored": "float32 [N, D, D, 1], grey (BT.601) in [0, 1]",
        },
        "units": {
            "normalised": "x, y from 0 at the left and top edge of the square to 1 at "
            "the right and bottom edge; z and depth in the same unit, zero at the mean "
            "of the twelve eye points, larger = nearer",
            "uncertainty_factor": "by which the network's deviations were multiplied "
            "so that one of them holds 68.3 % of the errors on validation faces",
            "face_box": "tight box of the 68 landmarks: x0, y0, x1, y1",
            "label_shift": "how far landmarks and depth lie too far right, as the "
            "labels did, in % of sqrt(w h) of the face box; ETHOS' predictor moves "
            "them back",
        },
        "training_data": meta.get("data", {}),
        "training": {
            # Files by their names: where they lay is nobody else's business.
            name: _file_name(value) if name.endswith("_weights") else value
            for name, value in config.items()
            if name not in ("data_dir", "extra_data_dir", "cache_dir", "workdir")
        },
        "trained_steps": meta["step"],
        "uncertainty_factor": _uncertainty_factor(meta),
        "validation": {k: v for k, v in last.items() if k.startswith("val_")},
        "metrics": metrics or {},
    }


def _file_name(path: str) -> str:
    return os.path.basename(os.path.normpath(path)) if path else path


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workdir", required=True, help="of the training run")
    parser.add_argument("--output", required=True, help="directory to write")
    parser.add_argument(
        "--checkpoint", default=None, help="default: best.npz of the workdir"
    )
    parser.add_argument("--name", default="ethos", help="of the model (default: ethos)")
    parser.add_argument(
        "--metrics", default=None, help="card.json of ethos-evaluate, for the card"
    )
    parser.add_argument(
        "--litert",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="also write model.tflite (default: yes)",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an earlier model"
    )
    flags = parser.parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # no start-up lines
    metrics = None
    if flags.metrics:
        try:
            with open(flags.metrics, encoding="utf-8") as file:
                metrics = json.load(file)
        except ValueError as error:
            raise EthosError(f"{flags.metrics}: not JSON: {error}") from None
        if not isinstance(metrics, dict) or "worst" in metrics:  # names people
            raise EthosError(
                f"{flags.metrics}: not for a model's card; ethos-evaluate writes "
                "card.json for it, without paths and people's names"
            )
    output = export(
        flags.workdir,
        flags.output,
        checkpoint_path=flags.checkpoint,
        name=flags.name,
        metrics=metrics,
        litert=flags.litert,
        overwrite=flags.overwrite,
    )
    sizes = {
        name: os.path.getsize(os.path.join(output, name))
        for name in ("saved_model.pb", LITE, CARD)
        if os.path.exists(os.path.join(output, name))
    }
    for name, size in sizes.items():
        print(f"wrote {os.path.join(output, name)} ({size / 1e6:.1f} MB)")
    path = flags.checkpoint or os.path.join(flags.workdir, checkpoint.BEST)
    for line in _next_lines(path, output):
        print(line)
    return 0


def _next_lines(checkpoint_path: str, output: str) -> list[str]:
    """Commands that use an exported model."""
    from ethos_data import dataset_files

    lines = [next_step.line("ethos-view", model=output)]
    data_dir = checkpoint.read(checkpoint_path)[1]["config"]["data_dir"]
    with contextlib.suppress(OSError, EthosError):  # the data set may be gone
        frames = dataset_files.counts(data_dir)
        # A data set of few people may lack some of its splits.
        for split in ("test", "validation", "train"):
            if frames.get(split):
                flags = {"model": output, "data_dir": data_dir, "split": split}
                lines.insert(0, next_step.line("ethos-evaluate", **flags))
                break
    return lines


if __name__ == "__main__":
    sys.exit(main())
