"""The mean head of the depth prior: 68 landmarks in 3D and their variation.

`ethos_data.depth` needs numba, which the light installation does not have. This module
reads the landmarks of the same file with numpy only.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
from typing import Final

import numpy as np

from ethos_data import topology

NUM_SHAPES: Final = 40
"""Number of shape components. With exact landmarks, more components reduce the error of
the yaw. With the landmarks of the network, 20, 40 and 81 components gave the same."""


@dataclasses.dataclass(frozen=True, eq=False)
class Head:
    """A linear Gaussian model of the 68 landmarks of a head.

    Head frame: x points to the right of a viewer who looks into the face, y points up,
    z points towards the viewer. The unit is the face size of the mean head,
    sqrt(width * height) of its face box, about 143 mm. The origin is the centre of the
    landmarks that expressions hardly move. In the mean head it is 29 mm below and
    11 mm behind the midpoint of the eyes.

    Attributes:
      mean: float64 (68, 3), mean positions of the landmarks.
      shapes: float64 (K, 68, 3), displacements per standard deviation of K independent
        components. They contain the differences between people and between expressions.
    """

    mean: np.ndarray
    shapes: np.ndarray

    def landmarks(self, coefficients: np.ndarray) -> np.ndarray:
        """Computes the landmarks of a person with an expression.

        Args:
          coefficients: float (K,), in standard deviations.

        Returns:
          float64 (68, 3), in the head frame.
        """
        flat = coefficients @ self.shapes.reshape(len(self.shapes), -1)
        return self.mean + flat.reshape(self.mean.shape)


@functools.cache
def load() -> Head:
    """Reads the head from the weights of the depth prior. Later calls are free."""
    path = importlib.resources.files("ethos_data") / "assets" / "depth_prior.npz"
    with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
        mean, basis = data["mean"], data["basis"].astype(np.float64)
    # The file sorts its components by how much they vary between the frames of a video.
    # The first of these contain most of the variance of the surface.
    flat = basis.reshape(len(basis), -1)
    _, axes = np.linalg.eigh(flat @ flat.T)  # in ascending order
    count = topology.NUM_LANDMARKS
    return Head(
        mean=mean[:count].astype(np.float64),
        shapes=np.tensordot(axes[:, : -NUM_SHAPES - 1 : -1].T, basis[:, :count], 1),
    )
