"""The multi-task face network: build, train, evaluate, export, predict.

Example:
  from ethos_model import FacePredictor

  (face,) = FacePredictor().predict(frame_rgb, [face_box])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ethos_model.predict import Face, FacePredictor

__all__ = ["Face", "FacePredictor"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("ethos_model.predict"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
