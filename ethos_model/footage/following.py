"""Follows the people of a video: the Python counterpart of `ethos-annotate`.

Each frame is returned without the frames after it, as with `--no-refine`.

from ethos_model.footage import follow, to_dataframe

for frame in follow("clip.mp4"):
    print(frame.timestamp, [person.id for person in frame.people])
table = to_dataframe(follow("clip.mp4"))
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from ethos_model.footage.detectors import YUNET
from ethos_model.footage.finder import FaceFinder
from ethos_model.footage.reader import Damage, open_video
from ethos_model.footage.tables.arrays import flat_arrays
from ethos_model.footage.tables.recording import Recording
from ethos_model.footage.tracker import FaceTracker, TrackerOptions
from ethos_model.footage.tracks import TrackedFace, measured
from ethos_model.predict import FacePredictor

if TYPE_CHECKING:
    import pandas


@dataclasses.dataclass(frozen=True, eq=False)
class FollowedFrame:
    """One frame of a video with the people in it.

    Attributes:
      index: Number of the frame in the video, from 0.
      timestamp: Seconds since the first frame.
      image: uint8 (H, W, 3) RGB, upright, with square pixels.
      people: The tracked faces with their measures. A person keeps the number `id`
        while tracked.
      damage: What could not be read of the video up to this frame; None for nothing.
    """

    index: int
    timestamp: float
    image: np.ndarray
    people: tuple[TrackedFace, ...]
    damage: Damage | None = None


def follow(
    path: str,
    *,
    model: str | None = None,
    detector: str = YUNET,
    search: str = "fast",
    options: TrackerOptions | None = None,
    fields: bool = False,
) -> Iterator[FollowedFrame]:
    """Yields the frames of a video with the people in them.

    Example:
      for frame in follow("clip.mp4"):
          for person in frame.people:
              print(frame.timestamp, person.id, person.measures.pose.yaw)

    Args:
      path: Video file, image, directory of images, camera or URL; see `open_video`.
      model: Directory of an exported model; None for the model shipped with ETHOS.
      detector: Name of the face detector; see `FaceFinder`.
      search: "fast" or "thorough"; see `TrackerOptions`. Not used with `options`.
      options: Options of the tracker, for example of its smoothing.
      fields: Process both fields of each frame of interlaced video.

    Raises:
      EthosError: The video, the model or the detector cannot be opened. The error is
        raised when the first frame is requested.
    """
    with open_video(path, fields=fields) as source:
        predictor = FacePredictor(model)
        finder = FaceFinder(detector, predictor=predictor)
        options = options or TrackerOptions(search=search)
        tracker = FaceTracker(predictor, finder, options)
        while (frame := source.read()) is not None:
            faces = tracker.update(frame.image, frame.timestamp)
            people = tuple(measured(frame.image, face) for face in faces)
            yield FollowedFrame(
                frame.index, frame.timestamp, frame.image, people, source.damage
            )


def to_dataframe(frames: Iterable[FollowedFrame]) -> pandas.DataFrame:
    """Returns one row for each face in each frame.

    Example:
      table = to_dataframe(follow("clip.mp4"))
      table[table.face == 1].plot(x="time_s", y="yaw")

    Args:
      frames: Result of `follow`, or some of its frames. Their images are not kept.

    Returns:
      A table with the columns of `ethos-annotate --csv`. `attrs["damage"]` is the
      damage of the video as text; "" for none.

    Raises:
      ModuleNotFoundError: pandas is not installed.
    """
    import pandas

    recording = Recording()
    damage = None
    for frame in frames:
        recording.add(frame.index, frame.timestamp, frame.people)
        damage = frame.damage
    recording.mark_blinks()
    table = pandas.DataFrame(flat_arrays(recording.rows))
    table.attrs["damage"] = "" if damage is None else str(damage)
    return table
