"""The conditions under which a model is evaluated.

clean     the frame as it is
source    one fixed degradation of the source frame, before the face is cut out:
          the columns of the published comparison (4x downsampled, a fifth of the
          light, 15 px motion blur; lengths in source pixels)
trained   the layers of `ethos_data.degrade` that training draws from, at severities
          1 to 5, on the network's input as in training
unseen    what training never sees, at severities 1 to 5: the other layers, on the
          network's input, and `corruptions`, on the source frame
box       the frame as it is, seen through a window that is displaced and scaled as if
          a detector or tracker had missed the face box, at severities 1 to 5
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
"""By severity: how far the window is displaced, in face sizes, and by which part it is
scaled, up or down. STORED_CONTEXT leaves room for all of it."""


@dataclasses.dataclass(frozen=True, order=True)
class Condition:
    """One thing that is done to every frame of a split.

    Attributes:
      kind: "clean", "source", "trained", "unseen" or "box".
      name: of the degradation.
      severity: 1 to 5; 0 where there is only one strength.
    """

    kind: str
    name: str
    severity: int = 0

    @property
    def key(self) -> str:
        """`blur15`, `motion_blur-3`."""
        return f"{self.name}-{self.severity}" if self.severity else self.name

    def _generator(self, sample: Sample, seed: int) -> np.random.Generator:
        place = f"{self.key}/{sample.video_id}/{sample.frame}".encode()
        return np.random.default_rng((seed, zlib.crc32(place)))

    def move(self, sample: Sample, seed: int) -> Sample:
        """The sample in the window of a face box that is not quite right."""
        if self.kind != "box":
            return sample
        rng = self._generator(sample, seed)
        part = BOX_ERROR[self.severity - 1]
        angle, grows = rng.uniform(0, 2 * np.pi), rng.choice((-1, 1))
        shift = part * sample.source_face_size
        old = sample.window
        size = round(old.size * (1 + part) ** grows)
        left = old.left + shift * np.cos(angle) + (old.size - size) / 2
        top = old.top + shift * np.sin(angle) + (old.size - size) / 2
        # Edges between pixels, as `crop.cut` wants them.
        window = Window(round(left + 0.5) - 0.5, round(top + 0.5) - 0.5, size)
        points = window.to_normalized(old.to_source(sample.landmarks))
        return dataclasses.replace(sample, window=window, landmarks=points)

    def degrade_source(self, sample: Sample, seed: int) -> np.ndarray | None:
        """The stored crop as a worse camera would have seen it.

        The draw depends on the condition, the video and the frame alone, so a frame is
        degraded alike for every model and in every order.

        Returns:
          uint8 of the shape of `sample.image`; None if it stays as it is.
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
        """The layers of `ethos_data.degrade`, on a batch of the network's inputs.

        Args:
          images: uint8 (N, S, S, 3).
          face_size: (N,) normalised.
          seed: of this batch.

        Returns:
          uint8 (N, S, S, 3).
        """
        if self.kind not in ("trained", "unseen") or self.name in CORRUPTIONS:
            return images
        layer = _layer(self.name, self.severity)
        return np.asarray(layer(images, face_size=face_size, seed=seed))


@functools.cache
def _layer(name: str, severity: int) -> Any:
    from ethos_data import degrade  # Keras takes seconds to import

    return degrade.at_severity(name, severity)


CLEAN: Final = Condition("clean", "clean")


def all_conditions() -> tuple[Condition, ...]:
    """Everything: some sixty passes over the split."""
    from ethos_data.degrade import mixture, severity

    held_back = [n for n in severity.SEVERITY if n not in mixture.TRAINING]
    return (
        CLEAN,
        *(Condition("source", name) for name in source.CONDITIONS),
        *(Condition("trained", n, s) for n in mixture.TRAINING for s in SEVERITIES),
        *(
            Condition("unseen", n, s)
            for n in (*held_back, *CORRUPTIONS)
            for s in SEVERITIES
        ),
        *(Condition("box", "loose_box", s) for s in SEVERITIES),
    )


def select(wanted: Sequence[str]) -> tuple[Condition, ...]:
    """Conditions by kind or name; clean always comes along.

    Args:
      wanted: kinds ("source"), names ("motion_blur") or keys ("motion_blur-3").

    Raises:
      EthosError: there is no such condition.
    """
    known = all_conditions()
    for word in wanted:
        if not any(word in (c.kind, c.name, c.key) for c in known):
            names = sorted({c.kind for c in known} | {c.name for c in known})
            raise EthosError(f"no condition {word!r}; known: {', '.join(names)}")
    return tuple(
        c for c in known if c == CLEAN or {c.kind, c.name, c.key} & set(wanted)
    )
