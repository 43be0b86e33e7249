"""Pictures of predictions on validation faces, drawn during training."""

from __future__ import annotations

import contextlib
from typing import Any, Final

import cv2
import numpy as np

from ethos_data import drawing
from ethos_data.storage import files

_SIDE: Final = 224  # pixels of a cell
_TRUE: Final = (90, 200, 90)  # BGR
_PREDICTED: Final = (60, 90, 255)  # BGR
_DEPTH_RANGE: Final = (-0.45, 0.35)  # window sides: edge of the jaw to tip of the nose


def write(path: str, trainer: Any, batch: dict[str, Any], count: int) -> None:
    """Writes a picture with a row of five cells for each face.

    The cells are: clean image with true landmarks, degraded image with predicted
    landmarks, restored image, true depth, predicted depth.

    Args:
      path: PNG file to write. An error does not end the training.
      trainer: `loop.Trainer`, whose averaged network predicts.
      batch: Batch of the validation split.
      count: Maximum number of faces.
    """
    batch = {name: value[:count] for name, value in batch.items()}
    images = np.asarray(trainer.degrade(batch, "validation", 0))
    outputs = trainer.average(images, training=False)
    rows = []
    for index in range(images.shape[0]):
        cells = (
            _face(batch["image"][index], batch["landmarks"][index], _TRUE),
            _face(images[index], outputs["landmarks"][index], _PREDICTED),
            _grey(np.asarray(outputs["restored"][index]) * 255),
            _depth(batch["depth"][index], batch["depth_mask"][index]),
            _depth(outputs["depth"][index], 1.0),
        )
        rows.append(np.concatenate(cells, axis=1))
    with contextlib.suppress(OSError, cv2.error), files.replacing(path) as temporary:
        cv2.imwrite(temporary, np.concatenate(rows))


def _face(image: Any, landmarks: Any, colour: tuple[int, int, int]) -> np.ndarray:
    picture = np.clip(np.asarray(image), 0, 255).astype(np.uint8)[..., ::-1]
    picture = cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR)
    pixels = np.asarray(landmarks)[:, :2] * _SIDE - 0.5
    return drawing.draw_landmarks(picture, pixels, edges=colour)


def _grey(values: np.ndarray) -> np.ndarray:
    """Converts grey values in [0, 255] to a BGR cell."""
    grey = cv2.resize(np.clip(values, 0, 255).astype(np.uint8), (_SIDE, _SIDE))
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)


def _depth(depth: Any, mask: Any) -> np.ndarray:
    """Converts depth in window sides to a cell; black where the mask is 0."""
    low, high = _DEPTH_RANGE
    return _grey((np.asarray(depth) - low) / (high - low) * 255 * np.asarray(mask))
