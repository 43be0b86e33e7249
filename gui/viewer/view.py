"""A frame with its faces, as it goes from the engine to the painter and the window."""

from __future__ import annotations

import dataclasses

import numpy as np

from ethos_model.footage.reader import Frame
from ethos_model.footage.tracks import TrackedFace
from gui.viewer.live_fusion import LivePortrait


@dataclasses.dataclass(frozen=True)
class View:
    """A frame with its faces.

    Attributes:
      frame: The frame as decoded.
      image: uint8 (H, W, 3) RGB, the frame as the model received it.
      faces: Faces in `image`, with their measures.
      reference: Faces in the clean frame, if `compared`.
      compared: Whether the frame is degraded and compared with the clean frame.
      phase: Phase of the engine: LOADING, READY or NO_MODEL.
      timings: Duration of each stage, in milliseconds.
      fps: Frames per second that were processed in the last seconds.
      skipped: Number of faces that were found but not tracked.
      error: Why the model failed on this frame, or "".
      numbering: Changes when the numbers of the people start again at 1: with another
        video or model, and after an error.
      renumbered: See `Reply`.
      portrait: See `Reply`.
      video: Number of the video; see `PlayerState`.
      marks: "corrected" or "interpolated" for the number of each face whose landmarks
        the user has corrected.
      model: The faces as the model found them, if `marks` is not empty; else None.
    """

    frame: Frame
    image: np.ndarray
    faces: list[TrackedFace]
    reference: list[TrackedFace]
    compared: bool
    phase: str
    timings: dict[str, float]
    fps: float
    skipped: int = 0
    error: str = ""
    numbering: int = 0
    renumbered: dict[int, int] = dataclasses.field(default_factory=dict)
    portrait: LivePortrait | None = None
    video: int = 0
    marks: dict[int, str] = dataclasses.field(default_factory=dict)
    model: list[TrackedFace] | None = None

    @property
    def found(self) -> list[TrackedFace]:
        """The faces as the model found them."""
        return self.faces if self.model is None else self.model
