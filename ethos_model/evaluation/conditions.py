"""The conditions under which a model is evaluated.

The kinds of condition are:

    clean     No change.
    source    A fixed degradation of the source frame, before the face is cut out: 4x
              downsampled, a fifth of the light, or 15 px motion blur (source pixels).
    trained   A degradation of the training mix, at severity 1 to 5. It is applied to
              the network's input, as in training.
    unseen    A degradation that is not in the training mix, at severity 1 to 5, such as
              those of `corruptions`, which are applied to the source frame.
    box       No degradation, but a window that is shifted and scaled as if a detector
              had found an inaccurate face box, at severity 1 to 5.

Degradations of the source frame act on the stored crop, which contains every window.
"""

from __future__ import annotations

import dataclasses
import functools
import zlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from ethos_data.crop import Window
from ethos_data.degrade import source
from ethos_data.errors import EthosError
from ethos_model.evaluation.corruptions import CORRUPTIONS
from ethos_model.evaluation.samples import Sample

SEVERITIES: Final = (1, 2, 3, 4, 5)

BOX_ERROR: Final = (0.02, 0.04, 0.07, 0.11, 0.16)
"""Shift of the window in face sizes, and relative change of its size, by severity. The
stored crop (`crop.STORED_CONTEXT`) contains the window at every severity."""

TRAINED: Final = (
    "occlusion",
    "contrast",
    "defocus",
    "motion_blur",
    "overexposure",
    "low_light",
    "noise",
    "low_resolution",
    "jpeg",
)
"""Degradations of `ethos_data.degrade` in the training mix. They are listed here, and
compared with the mix by a test, because importing Keras takes seconds."""


@dataclasses.dataclass(frozen=True, order=True)
class Condition:
    """One way of changing every frame of a split.

    Attributes:
      kind: "clean", "source", "trained", "unseen" or "box".
      name: Name of the degradation.
      severity: 1 to 5; 0 if the degradation has only one strength.
    """

    kind: str
    name: str
    severity: int = 0

    @property
    def key(self) -> str:
        """Unique name, for example `blur15` or `motion_blur-3`."""
        return f"{self.name}-{self.severity}" if self.severity else self.name

    def _generator(self, sample: Sample, seed: int) -> np.random.Generator:
        place = f"{self.key}/{sample.video_id}/{sample.frame}".encode()
        return np.random.default_rng((seed, zlib.crc32(place)))

    def move(self, sample: Sample, seed: int) -> Sample:
        """The sample with the window of an inaccurate face box.

        Args:
          sample: The sample with the window of the true face box.
          seed: Random seed of the evaluation.

        Returns:
          The sample itself, unless the kind of the condition is "box".
        """
        if self.kind != "box":
            return sample
        rng = self._generator(sample, seed)
        error = BOX_ERROR[self.severity - 1]
        angle, exponent = rng.uniform(0, 2 * np.pi), rng.choice((-1, 1))
        shift = error * sample.source_face_size
        old = sample.window
        size = round(old.size * (1 + error) ** exponent)
        left = old.left + shift * np.cos(angle) + (old.size - size) / 2
        top = old.top + shift * np.sin(angle) + (old.size - size) / 2
        # `crop.cut` needs edges that are halfway between two pixels.
        window = Window(round(left + 0.5) - 0.5, round(top + 0.5) - 0.5, size)
        landmarks = window.to_normalized(old.to_source(sample.landmarks))
        return dataclasses.replace(sample, window=window, landmarks=landmarks)

    def degrade_source(self, sample: Sample, seed: int) -> np.ndarray | None:
        """Degrades the stored crop, for conditions that act on the source frame.

        The random draw depends only on the condition, the video, the frame and the
        seed. A frame is therefore degraded in the same way for every model.

        Args:
          sample: The clean sample.
          seed: Random seed of the evaluation.

        Returns:
          uint8, same shape as `sample.image`. None if the condition leaves it clean.
        """
        if self.kind != "source" and self.name not in CORRUPTIONS:
            return None
        rng = self._generator(sample, seed)
        if self.kind == "source":
            return source.CONDITIONS[self.name](sample.image, rng)
        size = sample.source_face_size
        return CORRUPTIONS[self.name](sample.image, size, self.severity, rng)

    def degrade_input(
        self, images: np.ndarray, face_size: np.ndarray, seed: int
    ) -> np.ndarray:
        """Degrades network inputs, for conditions that are Keras layers.

        Args:
          images: uint8 (N, S, S, 3), RGB.
          face_size: (N,), sqrt(w * h) of the face box, normalised.
          seed: Random seed of this batch.

        Returns:
          uint8 (N, S, S, 3).
        """
        if self.kind not in ("trained", "unseen") or self.name in CORRUPTIONS:
            return images
        layer = _layer(self.name, self.severity)
        return np.asarray(layer(images, face_size=face_size, seed=seed))


@functools.cache
def _layer(name: str, severity: int) -> Any:
    from ethos_data import degrade  # Importing Keras takes seconds.

    return degrade.at_severity(name, severity)


CLEAN: Final = Condition("clean", "clean")


def all_conditions() -> tuple[Condition, ...]:
    """All conditions, in the order of evaluation."""
    severities = {
        "trained": TRAINED,
        "unseen": tuple(CORRUPTIONS),
        "box": ("loose_box",),
    }
    return (
        CLEAN,
        *(Condition("source", name) for name in source.CONDITIONS),
        *(
            Condition(kind, name, severity)
            for kind, names in severities.items()
            for name in names
            for severity in SEVERITIES
        ),
    )


def select(words: Sequence[str]) -> tuple[Condition, ...]:
    """The conditions with the given kinds, names or keys. Clean is always included.

    Example:
      select(["source", "motion_blur-3"])

    Args:
      words: Kinds ("source"), names ("motion_blur") or keys ("motion_blur-3").

    Raises:
      EthosError: No condition has this kind, name or key.
    """
    conditions = all_conditions()
    for word in words:
        if not any(word in (c.kind, c.name, c.key) for c in conditions):
            known = sorted({c.kind for c in conditions} | {c.name for c in conditions})
            raise EthosError(f"no condition {word!r}. Known: {', '.join(known)}")
    return tuple(
        c for c in conditions if c == CLEAN or {c.kind, c.name, c.key} & set(words)
    )
