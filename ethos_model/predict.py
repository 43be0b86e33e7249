"""Predicts landmarks, depth and the restored image of the faces in a frame.

    predictor = FacePredictor()                    # the shipped model
    faces = predictor.predict(frame_rgb, boxes)    # uint8 RGB, boxes in source pixels

An exported model is a directory with a SavedModel, `ethos_model.json` and usually
`model.tflite`. The LiteRT file contains the same network. It takes about half of the
time per face and does not import TensorFlow. The SavedModel is used where the package
ai-edge-litert is missing. `model.onnx`, which `ethos-export --onnx` writes,
is the same network for onnxruntime.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

import cv2
import numpy as np

from ethos_data import crop, topology
from ethos_data.errors import EthosError
from ethos_data.storage import files
from ethos_model import runner, upright

CARD: Final = "ethos_model.json"
LITE: Final = "model.tflite"
ONNX: Final = "model.onnx"
FORMAT_VERSION: Final = 1
SIGNATURE: Final = "serving_default"

BACKENDS: Final = ("auto", "litert", "onnx", "tensorflow")
FILES: Final = {"litert": LITE, "onnx": ONNX, "tensorflow": "saved_model.pb"}
"""The file of a model that each backend runs."""

Network = Callable[[np.ndarray], dict[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Face:
    """The model's predictions for one face.

    Attributes:
      landmarks: float32 (68, 3), source pixels. z is zero at the mean of the eye
        landmarks; larger is nearer.
      uncertainty: float32 (68,), standard deviation of x or y, source pixels.
      depth: float32 (D, D), source pixels, zero at the mean of the eye landmarks,
        larger is nearer. It covers the window.
      restored: float32 (D, D), restored grey image, 0 to 1. It covers the window.
      window: The square of the frame around the face. The network received it, or, if
        the face is turned by more than 40 degrees, the same face upright.
      visible: float32 (68,), probability that the frame shows the landmark. None if the
        model does not predict it.
    """

    landmarks: np.ndarray
    uncertainty: np.ndarray
    depth: np.ndarray
    restored: np.ndarray
    window: crop.Window
    visible: np.ndarray | None = None

    @property
    def relative_uncertainty(self) -> float:
        """Median uncertainty of the landmarks, divided by the face size."""
        size = float(topology.face_size(topology.face_box(self.landmarks)))
        return float(np.median(self.uncertainty)) / max(size, 1e-6)


class Predictor(Protocol):
    """The method of `FacePredictor` that other modules use.

    Any object with this method will do; tests use one without a network.
    """

    def predict(
        self, frame_rgb: np.ndarray, boxes: Sequence[np.ndarray]
    ) -> Sequence[Face]: ...


class FacePredictor:
    """Predicts faces with an exported model.

    Example:
      (face,) = FacePredictor().predict(frame_rgb, [(x0, y0, x1, y1)])
      face.landmarks  # (68, 3), source pixels

    Attributes:
      card: Content of `ethos_model.json`.
      backend: "litert", "onnx" or "tensorflow".
    """

    def __init__(self, model_dir: str | None = None, *, backend: str = "auto"):
        """Loads the model. TensorFlow is imported only if it is used.

        Args:
          model_dir: Directory of an exported model; None for the shipped model.
          backend: "litert", "onnx", "tensorflow", or "auto" for LiteRT if it is
            available.

        Raises:
          EthosError: The model is missing or damaged.
        """
        folder = find(model_dir)
        self.card = read_card(folder)
        self.backend, self._network = load_network(folder, backend)
        self._size = int(self.card["image_size"])
        self._context = float(self.card["network_context"])
        self._label_shift = float(self.card.get("label_shift", 0))

    def predict(self, frame_rgb: np.ndarray, boxes: Sequence[Any]) -> list[Face]:
        """Predicts the faces of one frame.

        Args:
          frame_rgb: uint8 (H, W, 3).
          boxes: Face boxes x0, y0, x1, y1, in source pixels. The face box is the tight
            box of the 68 landmarks. It may extend beyond the edge of the frame.

        Returns:
          One `Face` for each box, in the order of the boxes.

        Raises:
          ValueError: The frame is not RGB uint8, or a box is empty or not finite.
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
        outputs = self._run(images)
        faces = [_face(outputs, k, window) for k, window in enumerate(windows)]
        return self._with_upright(frame_rgb, faces)

    def _run(self, images: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        outputs = self._network(np.stack(images))
        return without_label_shift(outputs, self._label_shift)

    def _with_upright(self, frame_rgb: np.ndarray, faces: list[Face]) -> list[Face]:
        """Predicts turned faces again; see `upright`."""
        turned = [upright.turned_window(f.landmarks, self._context) for f in faces]
        seen = {k: window for k, window in enumerate(turned) if window is not None}
        if not seen:
            return faces
        outputs = self._run([w.image(frame_rgb, self._size) for w in seen.values()])
        for index, (k, window) in enumerate(seen.items()):
            faces[k] = _turned_face(outputs, index, window, self._context)
        return faces


def without_label_shift(
    outputs: Mapping[str, np.ndarray], label_shift: float
) -> dict[str, np.ndarray]:
    """Removes the offset of the training labels from landmarks and depth.

    Args:
      outputs: Outputs of the network for N faces, in the normalised frame. They contain
        `landmarks` (N, 68, 3) and `depth` (N, D, D, 1).
      label_shift: Offset of the training labels to the right, in % of the face size.

    Returns:
      All outputs. The arrays of the argument are not changed.
    """
    moved = dict(outputs)
    if not label_shift:
        return moved
    landmarks = outputs["landmarks"]
    offset = label_shift / 100 * topology.face_size(topology.face_box(landmarks))
    moved["landmarks"] = landmarks.copy()
    moved["landmarks"][..., 0] -= offset[:, None]
    size = outputs["depth"].shape[1]
    moved["depth"] = np.stack(
        [
            cv2.warpAffine(
                depth[..., 0],
                np.array([[1, 0, -shift * size], [0, 1, 0]]),
                (size, size),
                borderMode=cv2.BORDER_REPLICATE,
            )[..., None]
            for depth, shift in zip(outputs["depth"], offset, strict=True)
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
        visible=_visible(outputs, index),
    )


def _visible(outputs: Mapping[str, np.ndarray], index: int) -> np.ndarray | None:
    return outputs["visible"][index] if "visible" in outputs else None


def _turned_face(
    outputs: dict[str, np.ndarray],
    index: int,
    turned: upright.TurnedWindow,
    context: float,
) -> Face:
    """The face in a window that is parallel to the frame."""
    landmarks = turned.to_source(outputs["landmarks"][index]).astype(np.float32)
    window = crop.window_around(topology.face_box(landmarks), context)
    size = np.float32(turned.size)
    depth = size * outputs["depth"][index, ..., 0]
    return Face(
        landmarks=landmarks,
        uncertainty=outputs["uncertainty"][index] * size,
        depth=turned.map_in(window, depth),
        restored=turned.map_in(window, outputs["restored"][index, ..., 0]),
        window=window,
        visible=_visible(outputs, index),
    )


def find(model_dir: str | None) -> str:
    """Returns the directory of a model; None stands for the shipped model.

    Raises:
      EthosError: The installation contains no model.
    """
    if model_dir is not None:
        return files.local_path(model_dir)
    shipped = os.path.join(os.path.dirname(__file__), "pretrained")
    if not os.path.exists(os.path.join(shipped, CARD)):
        raise EthosError(
            f"{shipped}: this installation contains no model. Train and export one "
            "(ethos-train, ethos-export) and give its directory with --model"
        )
    return shipped


def read_card(folder: str) -> dict[str, Any]:
    """Reads `ethos_model.json` of an exported model.

    Raises:
      EthosError: The directory does not exist, is not an exported model, or has a
        format that is too new.
    """
    path = os.path.join(folder, CARD)
    try:
        with open(path, encoding="utf-8") as file:
            card = json.load(file)
        version = int(card["format_version"])
        int(card["image_size"]), float(card["network_context"])
    except FileNotFoundError:
        if not os.path.exists(folder):
            raise EthosError(f"{folder}: no such directory") from None
        raise EthosError(
            f"{folder}: not an exported model, because it contains no {CARD}"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EthosError(f"{path}: not the card of a model: {error!r}") from None
    if version > FORMAT_VERSION:
        raise EthosError(f"{path}: format {version} needs a newer version of ETHOS")
    return card


def load_network(folder: str, backend: str = "auto") -> tuple[str, Network]:
    """Loads the network of an exported model as a function of numpy arrays.

    Args:
      folder: Directory of the model.
      backend: One of `BACKENDS`.

    Returns:
      The backend, and a function from uint8 (N, S, S, 3) to the outputs by name.

    Raises:
      EthosError: The backend or its file is missing or damaged.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {BACKENDS}. Received: {backend!r}")
    if backend == "auto":
        exists = os.path.exists(os.path.join(folder, LITE))
        installed = importlib.util.find_spec("ai_edge_litert") is not None
        backend = "litert" if exists and installed else "tensorflow"
    if backend in ("litert", "onnx"):
        path = os.path.join(folder, FILES[backend])
        loaders: dict[str, Callable[[], runner.Run]] = {
            "litert": lambda: runner.litert(path, SIGNATURE),
            "onnx": lambda: runner.onnx(path),
        }
        # Face by face, because a new batch size makes the interpreter allocate again.
        run_each = runner.in_parallel(
            loaders[backend], "image", min(runner.processors(), runner.MAX_WORKERS)
        )
        return backend, lambda images: _joined(run_each([i[None] for i in images]))
    saved = runner.saved_model(folder, SIGNATURE)
    return backend, lambda images: saved(image=images)


def _joined(outputs: Iterable[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The outputs of several batches as one batch."""
    batches = list(outputs)
    return {name: np.concatenate([b[name] for b in batches]) for name in batches[0]}
