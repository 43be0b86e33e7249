"""The settings of a refinement."""

from __future__ import annotations

import dataclasses
from typing import Final

SMOOTHNESS: Final = 0.98
"""Decay per step of the averaged weights, at most."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings of a refinement. The defaults were chosen with `benchmarks.refine`.

    Attributes:
      steps: Number of training steps.
      batch_size: Number of images in a step.
      heads_share: Share of the images of a step that are rendered heads.
      learning_rate: Highest learning rate of AdamW. It decays to zero along a cosine.
      warmup_share: Share of the steps in which the learning rate rises from zero.
      depth_weight: Weight of the depth loss.
      restored_weight: Weight of the loss of the restored image.
      visible_weight: Weight of the loss of the visibility.
      clip_norm: Maximum norm of the gradient.
      seed: Random seed of order, augmentation and degradation.
    """

    steps: int = 120
    batch_size: int = 16
    heads_share: float = 0.375
    learning_rate: float = 5e-4
    warmup_share: float = 0.1
    depth_weight: float = 1.0
    restored_weight: float = 0.5
    visible_weight: float = 0.2
    clip_norm: float = 5.0
    seed: int = 0

    @property
    def heads(self) -> int:
        """Number of rendered heads in a step."""
        return round(self.heads_share * self.batch_size)
