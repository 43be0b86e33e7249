"""A batch of samples under a condition: network inputs and ground truth."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from ethos_model.evaluation.conditions import Condition
from ethos_model.evaluation.samples import Sample
from ethos_model.evaluation.scores import Truth, grey


class DegradedBatch:
    """N samples under a condition, at the input size of any network.

    Attributes:
      samples: The clean samples. Their windows are those of the condition.
    """

    def __init__(
        self, condition: Condition, batch: Sequence[Sample], *, seed: int, number: int
    ) -> None:
        """Degrades the source crops.

        Args:
          condition: Condition that is applied to every sample.
          batch: Clean samples.
          seed: Random seed of the evaluation.
          number: Index of the batch in the split. Layers that draw once per batch get a
            different seed for each batch.
        """
        self.samples = [condition.move(sample, seed) for sample in batch]
        self._condition = condition
        self._sources = [condition.degrade_source(s, seed) for s in self.samples]
        self._seed = zlib.crc32(f"{seed}/{condition.key}/{number}".encode()) >> 1

    def images(self, size: int) -> np.ndarray:
        """Input of a network: uint8 (N, size, size, 3), RGB."""
        inputs = [
            sample.network_image(size, image=image)
            for sample, image in zip(self.samples, self._sources, strict=True)
        ]
        face_size = np.array([sample.face_size for sample in self.samples])
        return self._condition.degrade_input(np.stack(inputs), face_size, self._seed)

    def truth(self, depth_size: int) -> Truth:
        """Ground truth, with depth maps and clean images of `depth_size` pixels."""
        maps = [sample.network_depth(depth_size) for sample in self.samples]
        clean = [sample.network_image(depth_size) for sample in self.samples]
        return Truth(
            landmarks=np.stack([sample.landmarks for sample in self.samples]),
            known=np.stack([sample.known for sample in self.samples]),
            has_z=np.array([sample.has_z for sample in self.samples]),
            face_size=np.array([sample.face_size for sample in self.samples]),
            depth=np.stack([depth for depth, _ in maps]),
            depth_mask=np.stack([mask for _, mask in maps]),
            grey=grey(np.stack(clean)),
        )
