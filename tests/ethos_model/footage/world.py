"""A world of faces at known places, which a fake finder and a fake predictor see.

Each person has a shape and a grey face of their own, so that the real descriptions
distinguish people.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from ethos_data.crop import NETWORK_CONTEXT, window_around
from ethos_data.topology import face_size, iou
from ethos_model.footage.finder import Detection
from ethos_model.footage.regions import Region
from ethos_model.predict import Face
from tests.gui import fakes

SIDE = 32
"""Side of the fake restored face, in pixels."""


@dataclasses.dataclass(frozen=True)
class Seen:
    """A face in the world.

    Attributes:
      person: Number of the person.
      box: float64 (4,), face box in source pixels.
    """

    person: int
    box: np.ndarray


def box_at(x: float, y: float = 40, size: float = 50) -> np.ndarray:
    """Face box with its upper left corner at x, y: float64 (4,)."""
    return np.array([x, y, x + size, y + 1.2 * size], float)


def face_of(person: int, box: np.ndarray, sigma: float) -> Face:
    """The prediction for a face. `sigma` is its uncertainty over the face size."""
    rng = np.random.default_rng(person)
    landmarks = fakes.template() + rng.normal(0, 0.03, (68, 3))
    landmarks[:, :2] -= landmarks[:, :2].min(axis=0)
    landmarks[:, :2] /= landmarks[:, :2].max(axis=0)
    extent = box[2:] - box[:2]
    landmarks[:, :2] = box[:2] + landmarks[:, :2] * extent
    landmarks[:, 2] *= extent.mean()
    landmarks[:, 2] -= landmarks[36:48, 2].mean()
    size = float(face_size(box))
    coarse = rng.random((8, 8)).astype(np.float32)
    restored = np.kron(coarse, np.ones((SIDE // 8, SIDE // 8), np.float32))
    return Face(
        landmarks.astype(np.float32),
        np.full(68, sigma * size, np.float32),
        np.zeros((SIDE, SIDE), np.float32),
        restored,
        window_around(box, NETWORK_CONTEXT),
        fakes.VISIBLE,
    )


class World:
    """Faces at known places. It is its own finder and predictor.

    Attributes:
      faces: The faces. Later ones are in front of earlier ones.
      size: Height and width of the frames, in pixels.
      sigma: Uncertainty of the predictions, divided by the face size.
      score: Score of the detections.
      is_blind: Whether the finder sees nothing.
      searches: Regions of each call of the finder.
    """

    def __init__(self, size: tuple[int, int] = (160, 320)) -> None:
        self.faces: list[Seen] = []
        self.size = size
        self.sigma = 0.02
        self.score = 0.9
        self.is_blind = False
        self.searches: list[list[Region]] = []

    @property
    def frame(self) -> np.ndarray:
        """uint8 (H, W, 3): a plain background, and clothes of each person's colour."""
        rows = np.linspace(20, 90, self.size[0])[:, None, None]
        image = np.broadcast_to(rows, (*self.size, 3)).astype(np.uint8)
        for face in self.visible():
            x0, y0, x1, y1 = np.clip(np.rint(face.box), 0, 10_000).astype(int)
            colour = np.random.default_rng(face.person).integers(20, 200, 3)
            image[y0:y1, x0:x1] = (160, 120, 100)
            image[y1 : 2 * y1 - y0, x0:x1] = colour
        return image

    def show(self, *faces: tuple[int, np.ndarray]) -> np.ndarray:
        """Places people, the last one in front; returns the frame."""
        self.faces = [Seen(person, np.asarray(box, float)) for person, box in faces]
        return self.frame

    def visible(self) -> list[Seen]:
        """The faces that no face in front of them covers for the most part."""
        return [
            face
            for index, face in enumerate(self.faces)
            if all(
                _covered(face.box, other.box) < 0.5 for other in self.faces[index + 1 :]
            )
        ]

    def find(
        self, frame_rgb: np.ndarray, regions: Sequence[Region] | None = None
    ) -> list[Detection]:
        """Finds visible faces of at least 10 searched pixels."""
        self.searches.append(list(regions or []))
        if self.is_blind:
            return []
        return [
            Detection(face.box, self.score)
            for face in self.visible()
            if regions is None
            or any(
                region.contains(box) and face_size(box) * region.scale > 10
                for region in regions
                for box in [self._in_frame(face.box)]
            )
        ]

    def _in_frame(self, box: np.ndarray) -> np.ndarray:
        height, width = self.size
        return np.clip(box, -0.5, np.array([width, height] * 2) - 0.5)

    def predict(self, frame_rgb: np.ndarray, boxes: Sequence[np.ndarray]) -> list[Face]:
        """Predicts the visible face that overlaps each box most."""
        faces = []
        for box in np.asarray(boxes, float):
            overlaps = [float(iou(face.box, box)) for face in self.visible()]
            if overlaps and max(overlaps) > 0.25:
                seen = self.visible()[int(np.argmax(overlaps))]
                faces.append(face_of(seen.person, seen.box, self.sigma))
            else:
                faces.append(face_of(0, box, 0.5))
        return faces


def _covered(box: np.ndarray, other: np.ndarray) -> float:
    """Returns the share of a box that another one covers."""
    sides = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
    return float(np.clip(sides, 0, None).prod() / (box[2:] - box[:2]).prod())
