"""The mean face: a baseline that does not look at the image.

In the network's window the face box is always in the same place, so the mean face is a
reasonable guess. A model that has collapsed predicts the mean face for every image.
"""

from __future__ import annotations

import dataclasses
import os

import numpy as np

from ethos_data import dataset_files
from ethos_data.depth import depth_map
from ethos_model.evaluation import samples


@dataclasses.dataclass(frozen=True)
class MeanFace:
    """The mean of many faces in the network's window.

    Attributes:
      landmarks: float64 (68, 3), normalised.
      frames: Number of faces in the mean.
      split: Split that the faces come from.
    """

    landmarks: np.ndarray
    frames: int
    split: str

    def depth(self, size: int) -> np.ndarray:
        """Depth of the mean face: float32 (size, size), normalised, NaN outside it."""
        return depth_map(self.landmarks, size)


def mean_face(
    data_dir: str | os.PathLike[str], split: str, *, limit: int | None = 20_000
) -> MeanFace:
    """The mean face of the training split.

    Args:
      data_dir: Directory that `ethos-convert` wrote.
      split: Split to use if there is no training split, usually the evaluated one.
      limit: Maximum number of faces to read. More than 20,000 faces do not change the
        mean noticeably. None reads all faces.
    """
    source = "train" if dataset_files.counts(data_dir).get("train") else split
    faces = samples.read_network_landmarks(data_dir, source, limit=limit)
    return MeanFace(faces.mean(axis=0), len(faces), source)
