"""The mean face: what somebody who never looks at the picture would answer.

Every number of a report stands beside it. In the network's window the face box is
always in the same place, so the mean face is already a fair guess; a model that has
collapsed answers just this.
"""

from __future__ import annotations

import dataclasses
import os

import numpy as np

from ethos_data.depth import depth_map
from ethos_model.evaluation import samples


@dataclasses.dataclass(frozen=True)
class MeanFace:
    """The mean of many faces, in the network's window.

    Attributes:
      landmarks: float64 (68, 3), normalised.
      frames: how many faces it is the mean of.
      split: where they come from.
    """

    landmarks: np.ndarray
    frames: int
    split: str

    def depth(self, size: int) -> np.ndarray:
        """Its depth: float32 (size, size), normalised units, NaN outside the face."""
        return depth_map(self.landmarks, size)


def mean_face(
    data_dir: str | os.PathLike[str], split: str, *, limit: int | None = 20_000
) -> MeanFace:
    """The mean face of the people in "train", as a model would have learned it.

    Args:
      data_dir: what `ethos-convert` wrote.
      split: the split under evaluation, which stands in where there is no "train".
      limit: reads at most so many faces; a mean of 20,000 does not move any more.
    """
    from ethos_data import dataset_files

    source = "train" if dataset_files.counts(data_dir).get("train") else split
    faces = samples.read_network_landmarks(data_dir, source, limit=limit)
    return MeanFace(faces.mean(axis=0), len(faces), source)
