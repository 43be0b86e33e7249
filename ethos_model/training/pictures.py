"""Pictures of predictions as training goes: what the figures mean, for the eye."""

from __future__ import annotations

import contextlib
import os
from typing import Any, Final

import cv2
import numpy as np

from ethos_data.drawing import draw_landmarks

_SIDE: Final = 224  # pixels of a picture's cell
_TRUE: Final = (90, 200, 90)
_PREDICTED: Final = (60, 90, 255)  # BGR
_DEPTH_RANGE: Final = (-0.45, 0.35)  # window sides: jaw edge to tip of the nose


def write(path: str, trainer: Any, batch: dict[str, Any], count: int) -> None:
    """Writes a row for each face: clean with true points, degraded with predicted
    ones, restored, true depth, predicted depth.

    Args:
      path: PNG to write; a failure to write is not worth ending a training for.
      trainer: `loop.Trainer`; its averaged network predicts.
      batch: of the validation split.
      count: faces to draw.
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
    with contextlib.suppress(OSError, cv2.error):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        cv2.imwrite(path, np.concatenate(rows))


def _face(image: Any, landmarks: Any, colour: tuple[int, int, int]) -> np.ndarray:
    picture = np.clip(np.asarray(image), 0, 255).astype(np.uint8)[..., ::-1]
    picture = cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR)
    return draw_landmarks(picture, np.asarray(landmarks) * _SIDE - 0.5, edges=colour)


def _grey(values: np.ndarray) -> np.ndarray:
    grey = cv2.resize(np.clip(values, 0, 255).astype(np.uint8), (_SIDE, _SIDE))
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)


def _depth(depth: Any, mask: Any) -> np.ndarray:
    low, high = _DEPTH_RANGE
    return _grey((np.asarray(depth) - low) / (high - low) * 255 * np.asarray(mask))
