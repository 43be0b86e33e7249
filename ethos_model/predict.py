"""From a frame and face boxes to landmarks, depth and the restored face.

    predictor = FacePredictor()                    # the model that ships with ETHOS
    faces = predictor.predict(frame, boxes)        # RGB uint8, boxes in source pixels

An exported model is a directory with a SavedModel, `ethos_model.json` and usually
`model.tflite`. The LiteRT file is the same network four times as fast a face, and its
interpreter starts in 0.2 s where TensorFlow takes 6; the SavedModel serves where the
package ai-edge-litert is missing.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import cv2
import numpy as np

from ethos_data import crop, topology
from ethos_data.errors import EthosError
from ethos_data.quiet import import_tensorflow, quiet_libraries
from ethos_data.storage import files

CARD: Final = "ethos_model.json"
LITE: Final = "model.tflite"
FORMAT_VERSION: Final = 1
SIGNATURE: Final = "serving_default"

BACKENDS: Final = ("auto", "litert", "tensorflow")

Network = Callable[[np.ndarray], dict[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Face:
    """What the model says about one face.

    Attributes:
      landmarks: float32 (68, 3), source pixels; z relative to the eyes' mean, larger =
        nearer.
      uncertainty: float32 (68,), one standard deviation of x or of y, source pixels.
      depth: float32 (D, D), source pixels, zero at the eyes' mean, larger = nearer, on
        the pixels of the window.
      restored: float32 (D, D), the clean grey face in [0, 1], same pixels.
      window: the square of the frame that the network saw.
    """

    landmarks: np.ndarray
    uncertainty: np.ndarray
    depth: np.ndarray
    restored: np.ndarray
    window: crop.Window


class Predictor(Protocol):
    """The method of `FacePredictor` that other modules use.

    Any object with this method will do; tests use one without a network.
    """

    def predict(
        self, frame_rgb: np.ndarray, boxes: Sequence[np.ndarray]
    ) -> Sequence[Face]: ...


class FacePredictor:
    """An exported model at work.

    Attributes:
      card: contents of `ethos_model.json`.
      backend: "litert" or "tensorflow".
    """

    def __init__(self, model_dir: str | None = None, *, backend: str = "auto"):
        """Loads the model; TensorFlow is imported only if it is needed.

        Args:
          model_dir: what ethos-export wrote; None = the model that ships with ETHOS.
          backend: "litert", "tensorflow", or "auto" for the first that is there.

        Raises:
          EthosError: there is no model, or a damaged one.
        """
        folder = find(model_dir)
        self.card = read_card(folder)
        self.backend, self._network = load_network(folder, backend)
        self._size = int(self.card["image_size"])
        self._context = float(self.card["network_context"])
        self._label_shift = float(self.card.get("label_shift", 0))

    def predict(self, frame_rgb: np.ndarray, boxes: Sequence[Any]) -> list[Face]:
        """The faces of one frame.

        Args:
          frame_rgb: uint8 (H, W, 3).
          boxes: (4,) each: x0, y0, x1, y1 of the tight box of a face's 68 landmarks,
            source pixels. A box may reach over the edge of the frame.

        Returns:
          One `Face` for each box, in their order.

        Raises:
          ValueError: the frame is not RGB uint8, or a box is empty or not finite.
        """
        if frame_rgb.dtype != np.uint8 or frame_rgb.shape[2:] != (3,):
            raise ValueError(
                "The frame must be uint8 (H, W, 3). "
                f"Received: {frame_rgb.dtype} {frame_rgb.shape}"
            )
        if not len(boxes):
            return []
        windows = [crop.window_around(np.asarray(b), self._context) for b in boxes]
        images = [crop.resize(crop.cut(frame_rgb, w), self._size) for w in windows]
        outputs = moved_left(self._network(np.stack(images)), self._label_shift)
        return [_face(outputs, k, window) for k, window in enumerate(windows)]


def moved_left(
    outputs: Mapping[str, np.ndarray], label_shift: float
) -> dict[str, np.ndarray]:
    """Landmarks and depth back where the face is, if its labels lay too far right.

    Args:
      outputs: of a network, for N faces: landmarks (N, 68, 3) and depth (N, D, D, 1),
        normalised, among them.
      label_shift: how far it has learnt to be off, % of the face size.

    Returns:
      All outputs; what is there stays as it is.
    """
    moved = dict(outputs)
    if not label_shift:
        return moved
    points = outputs["landmarks"]
    move = label_shift / 100 * topology.face_size(topology.face_box(points))
    moved["landmarks"] = points.copy()
    moved["landmarks"][..., 0] -= move[:, None]
    size = outputs["depth"].shape[1]
    moved["depth"] = np.stack(
        [
            cv2.warpAffine(
                depth[..., 0],
                np.array([[1, 0, -part * size], [0, 1, 0]]),
                (size, size),
                borderMode=cv2.BORDER_REPLICATE,
            )[..., None]
            for depth, part in zip(outputs["depth"], move, strict=True)
        ]
    )
    return moved


def _face(outputs: dict[str, np.ndarray], index: int, window: crop.Window) -> Face:
    size = np.float32(window.size)
    return Face(
        landmarks=window.to_source(outputs["landmarks"][index]).astype(np.float32),
        uncertainty=outputs["uncertainty"][index] * size,
        depth=outputs["depth"][index, ..., 0] * size,
        restored=outputs["restored"][index, ..., 0],
        window=window,
    )


def find(model_dir: str | None) -> str:
    """The directory of a model; None = the one that ships with ETHOS.

    Raises:
      EthosError: there is none.
    """
    if model_dir is not None:
        return files.local_path(model_dir)
    shipped = os.path.join(os.path.dirname(__file__), "pretrained")
    if not os.path.exists(os.path.join(shipped, CARD)):
        raise EthosError(
            f"{shipped}: no model ships with this installation; train one "
            "(ethos-train, ethos-export) and name its directory with --model"
        )
    return shipped


def read_card(folder: str) -> dict[str, Any]:
    """`ethos_model.json` of an exported model.

    Raises:
      EthosError: not an exported model, or one of a later format.
    """
    path = os.path.join(folder, CARD)
    try:
        with open(path, encoding="utf-8") as file:
            card = json.load(file)
        version = int(card["format_version"])
        int(card["image_size"]), float(card["network_context"])
    except FileNotFoundError:
        raise EthosError(
            f"{folder}: no exported model here (no {CARD}); ethos-export writes one"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EthosError(f"{path}: not the card of a model: {error!r}") from None
    if version > FORMAT_VERSION:
        raise EthosError(f"{path}: format {version} needs a newer version of ETHOS")
    return card


def load_network(folder: str, backend: str = "auto") -> tuple[str, Network]:
    """The network of an exported model as a function of numpy arrays.

    Args:
      folder: of the model.
      backend: one of BACKENDS.

    Returns:
      Which backend it is, and a function from uint8 (N, S, S, 3) to the outputs.

    Raises:
      EthosError: the backend or its file is missing or damaged.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {BACKENDS}. Received: {backend!r}")
    if backend == "auto":
        there = os.path.exists(os.path.join(folder, LITE))
        installed = importlib.util.find_spec("ai_edge_litert") is not None
        backend = "litert" if there and installed else "tensorflow"
    if backend == "litert":
        return backend, _load_litert(os.path.join(folder, LITE))
    return backend, _load_tensorflow(folder)


def _load_litert(path: str) -> Network:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        raise EthosError(
            "the LiteRT backend needs the package: pip install ai-edge-litert"
        ) from None
    try:
        # A second thread gains nothing at batch 1 and takes a core from the decoder.
        with quiet_libraries():
            interpreter = Interpreter(path, num_threads=1)
            runner = interpreter.get_signature_runner(SIGNATURE)
    except (OSError, ValueError, RuntimeError) as error:
        raise EthosError(f"{path}: not a LiteRT model: {_first_line(error)}") from None

    def network(images: np.ndarray) -> dict[str, np.ndarray]:
        # One by one: another batch size would make the interpreter plan anew.
        found = [runner(image=image[None]) for image in images]
        return {name: np.concatenate([one[name] for one in found]) for name in found[0]}

    return network


def _load_tensorflow(folder: str) -> Network:
    import_tensorflow()
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(folder)
        signature = loaded.signatures[SIGNATURE]
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise EthosError(f"{folder}: not a SavedModel: {_first_line(error)}") from None

    # The signature holds what was loaded by a weak reference only.
    def network(images: np.ndarray, _loaded: Any = loaded) -> dict[str, np.ndarray]:
        outputs = signature(image=tf.constant(images, tf.uint8))
        return {name: tensor.numpy() for name, tensor in outputs.items()}

    return network


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
