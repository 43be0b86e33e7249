"""A batch of samples under a condition: what a network is shown, and what is true."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from ethos_model.evaluation.conditions import Condition
from ethos_model.evaluation.samples import Sample
from ethos_model.evaluation.scores import Truth, grey


class Shown:
    """N samples under a condition, at the input size of any network.

    Attributes:
      samples: as they are without the condition, except for the window.
    """

    def __init__(
        self, condition: Condition, batch: Sequence[Sample], *, seed: int, number: int
    ) -> None:
        """Degrades the sources.

        Args:
          condition: what is done to every sample.
          batch: the samples.
          seed: of the evaluation.
          number: of the batch in the split, for layers that draw for a whole batch.
        """
        self.samples = [condition.move(sample, seed) for sample in batch]
        self._condition = condition
        self._sources = [condition.degrade_source(s, seed) for s in self.samples]
        self._seed = zlib.crc32(f"{seed}/{condition.key}/{number}".encode()) >> 1

    def images(self, size: int) -> np.ndarray:
        """uint8 (N, size, size, 3): what a network of that input size is shown."""
        cut = [
            sample.network_image(size, image=image)
            for sample, image in zip(self.samples, self._sources, strict=True)
        ]
        face_size = np.array([sample.face_size for sample in self.samples])
        return self._condition.degrade_input(np.stack(cut), face_size, self._seed)

    def truth(self, depth_size: int) -> Truth:
        """What is true, with maps of a side of `depth_size` pixels."""
        maps = [sample.network_depth(depth_size) for sample in self.samples]
        clean = [sample.network_image(depth_size) for sample in self.samples]
        return Truth(
            landmarks=np.stack([sample.landmarks for sample in self.samples]),
            face_size=np.array([sample.face_size for sample in self.samples]),
            depth=np.stack([depth for depth, _ in maps]),
            depth_mask=np.stack([mask for _, mask in maps]),
            grey=grey(np.stack(clean)),
        )
