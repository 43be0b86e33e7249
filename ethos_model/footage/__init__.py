"""Processing of video without a window: reading, finding, tracking, smoothing.

The names below are imported when they are used. None of them needs TensorFlow.

Example:
  from ethos_model import FacePredictor
  from ethos_model.footage import FaceFinder, FaceTracker, open_video

  tracker = FaceTracker(FacePredictor(), FaceFinder())
  with open_video("clip.mp4") as video:
      while (frame := video.read()) is not None:
          faces = tracker.update(frame.image, frame.timestamp)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ethos_model.footage.finder import Detection, FaceFinder
    from ethos_model.footage.reader import open_video
    from ethos_model.footage.tracker import FaceTracker, TrackedFace

__all__ = ["Detection", "FaceFinder", "FaceTracker", "TrackedFace", "open_video"]

_MODULES = {
    "Detection": "finder",
    "FaceFinder": "finder",
    "FaceTracker": "tracker",
    "TrackedFace": "tracker",
    "open_video": "reader",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
