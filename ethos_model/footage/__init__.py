"""Processing of video without a window: reading, finding, tracking, smoothing, fusing.

The names below are imported when they are used. None of them needs TensorFlow.

Example:
  from ethos_model.footage import follow, to_dataframe

  for frame in follow("clip.mp4"):
      print(frame.timestamp, [person.id for person in frame.people])
  table = to_dataframe(follow("clip.mp4"))  # needs pandas
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ethos_model.footage.finder import Detection, FaceFinder
    from ethos_model.footage.following import FollowedFrame, follow, to_dataframe
    from ethos_model.footage.fusion.face_fusion import FaceFusion, FusedFace
    from ethos_model.footage.measures.outline import with_outline
    from ethos_model.footage.reader import open_video
    from ethos_model.footage.smoothing.offline import smooth_track
    from ethos_model.footage.tracker import FaceTracker, TrackerOptions
    from ethos_model.footage.tracks import TrackedFace

__all__ = [
    "Detection",
    "FaceFinder",
    "FaceFusion",
    "FaceTracker",
    "FollowedFrame",
    "FusedFace",
    "TrackedFace",
    "TrackerOptions",
    "follow",
    "open_video",
    "smooth_track",
    "to_dataframe",
    "with_outline",
]

_MODULES = {
    "Detection": "finder",
    "FaceFinder": "finder",
    "FaceFusion": "fusion.face_fusion",
    "FaceTracker": "tracker",
    "FollowedFrame": "following",
    "FusedFace": "fusion.face_fusion",
    "TrackedFace": "tracks",
    "TrackerOptions": "tracker",
    "follow": "following",
    "open_video": "reader",
    "smooth_track": "smoothing.offline",
    "to_dataframe": "following",
    "with_outline": "measures.outline",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
