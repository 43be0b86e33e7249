"""Drawn faces, a finder of their colour, and a predictor without a network.

With these the tests of the window and of the tracker are fast and exact.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from ethos_data.crop import NETWORK_CONTEXT, window_around
from ethos_data.errors import EthosError
from ethos_model.footage.finder import Detection
from ethos_model.footage.fusion.face_fusion import FaceFusion
from ethos_model.footage.regions import Region
from ethos_model.footage.tracks import TrackedFace
from ethos_model.predict import Face
from gui.viewer.session import Loaded, Setup

SKIN = (230, 170, 60)
"""RGB of drawn faces. Nothing else in the test videos has a similar colour."""

VISIBLE = np.where(np.arange(68) < 5, 0.1, 0.9).astype(np.float32)
"""Stated visibility of the landmarks: the first five are probably hidden."""


def template() -> np.ndarray:
    """A frontal face in a box from (0, 0) to (1, 1), float64 (68, 3)."""
    landmarks = np.zeros((68, 3))
    angle = np.linspace(np.pi, 0, 17)  # jaw: half an ellipse
    landmarks[:17, 0] = 0.5 + 0.5 * np.cos(angle)
    landmarks[:17, 1] = 0.3 + 0.7 * np.sin(angle)
    landmarks[:17, 2] = -0.4 * np.abs(np.cos(angle))
    for start, x0 in ((17, 0.12), (22, 0.58)):  # eyebrows
        brow = landmarks[start : start + 5]
        brow[:, 0] = x0 + 0.3 * np.linspace(0, 1, 5)
        brow[:, 1] = 0.08 - 0.08 * np.sin(np.linspace(0, np.pi, 5))
    landmarks[27:31] = [(0.5, 0.25 + 0.1 * i, 0.1 + 0.04 * i) for i in range(4)]
    landmarks[31:36] = [(0.4 + 0.05 * i, 0.62, 0.1) for i in range(5)]
    for start, x in ((36, 0.28), (42, 0.72)):  # eyes
        turn = np.pi - np.arange(6) * np.pi / 3
        landmarks[start : start + 6, 0] = x + 0.09 * np.cos(turn)
        landmarks[start : start + 6, 1] = 0.25 - 0.035 * np.sin(turn)
    for start, count, width, height in ((48, 12, 0.18, 0.07), (60, 8, 0.12, 0.03)):
        turn = np.pi - np.arange(count) * 2 * np.pi / count
        landmarks[start : start + count, 0] = 0.5 + width * np.cos(turn)
        landmarks[start : start + count, 1] = 0.78 - height * np.sin(turn)
    landmarks[:, :2] -= landmarks[:, :2].min(axis=0)
    landmarks[:, :2] /= landmarks[:, :2].max(axis=0)
    return landmarks


def draw_face(image: np.ndarray, box: Sequence[float]) -> None:
    """Fills a face box (x0, y0, x1, y1) with skin, in place."""
    x0, y0, x1, y1 = (round(float(v)) for v in box)
    cv2.rectangle(image, (x0, y0), (x1, y1), SKIN, -1)


def skin_boxes(frame: np.ndarray) -> list[np.ndarray]:
    """Boxes of the areas of skin, largest first. Degraded skin counts as well."""
    pixels = frame.astype(np.int32)
    total = np.maximum(pixels.sum(axis=-1), 1)
    share = pixels / total[..., None]
    skin_share = np.array(SKIN) / sum(SKIN)
    near = (np.abs(share - skin_share).sum(axis=-1) < 0.12) & (total > 12)
    count, _, stats, _ = cv2.connectedComponentsWithStats(near.astype(np.uint8))
    areas = [stats[i] for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] > 60]
    areas.sort(key=lambda area: -area[cv2.CC_STAT_AREA])
    return [np.array([x, y, x + w - 1, y + h - 1], float) for x, y, w, h, _ in areas]


class FakeFinder:
    """Finds skin.

    Attributes:
      calls: Number of searched frames.
    """

    def __init__(self) -> None:
        self.calls = 0

    def find(
        self, frame_rgb: np.ndarray, regions: Sequence[Region] | None = None
    ) -> list[Detection]:
        self.calls += 1
        return [Detection(box, 0.99) for box in skin_boxes(frame_rgb)]


class FakePredictor:
    """Puts the template onto the skin near a box. Without skin it is unsure.

    Attributes:
      side: Width and height of depth and restored face, in pixels.
      sigma: Uncertainty over the face size.
      calls: Number of calls of `predict`.
    """

    def __init__(self, side: int = 32) -> None:
        self.side = side
        self.sigma = 0.02
        self.calls = 0

    def predict(self, frame_rgb: np.ndarray, boxes: Sequence[np.ndarray]) -> list[Face]:
        self.calls += 1
        skins = skin_boxes(frame_rgb)
        return [self._face(np.asarray(box, float), skins) for box in boxes]

    def _face(self, box: np.ndarray, skins: list[np.ndarray]) -> Face:
        center = (box[:2] + box[2:]) / 2
        near = [
            skin
            for skin in skins
            if (np.abs((skin[:2] + skin[2:]) / 2 - center) < box[2:] - box[:2]).all()
        ]
        target = near[0] if near else box
        extent = target[2:] - target[:2]
        landmarks = template()
        landmarks[:, :2] = target[:2] + landmarks[:, :2] * extent
        landmarks[:, 2] *= extent.mean()
        landmarks[:, 2] -= landmarks[36:48, 2].mean()
        size = float(np.sqrt(extent.prod()))
        sigma = self.sigma if near else 0.5
        window = window_around(target, NETWORK_CONTEXT)
        grid = (np.arange(self.side) + 0.5) / self.side - 0.5
        bowl = 0.2 - grid[:, None] ** 2 - 2 * grid[None] ** 2
        return Face(
            landmarks.astype(np.float32),
            np.full(68, sigma * size, np.float32),
            (bowl * window.size).astype(np.float32),
            np.tile(np.linspace(0, 1, self.side, dtype=np.float32), (self.side, 1)),
            window,
            VISIBLE,
        )


GAP = range(20, 26)
"""Frames of `write_video` in which `Blind` sees nothing."""


class Distracted(FakePredictor):
    """Is uncertain the first time that it reads the first frame of `GAP`.

    A tracker loses the face there, although it can be found by looking again.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_new = True

    def predict(self, frame_rgb: np.ndarray, boxes: Sequence[np.ndarray]) -> list[Face]:
        is_distracted = self._is_new and index_of(frame_rgb) == GAP[0]
        self.sigma = 0.5 if is_distracted else 0.02
        self._is_new = self._is_new and not is_distracted
        return super().predict(frame_rgb, boxes)


class Blind(FakeFinder):
    """Sees nothing in the frames of `GAP`."""

    def find(
        self, frame_rgb: np.ndarray, regions: Sequence[Region] | None = None
    ) -> list[Detection]:
        found = super().find(frame_rgb, regions)
        return [] if index_of(frame_rgb) in GAP else found


class MeanNetwork:
    """Returns the mean of the frames as the face from many frames."""

    def __call__(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return inputs[..., 3:6], np.full(inputs.shape[:2], 0.05, np.float32)


def fake_fusion(network: Any = None) -> FaceFusion:
    """A small `FaceFusion` without the shipped network."""
    return FaceFusion(64, network=network or MeanNetwork())


def renumbered(face: TrackedFace, number: int) -> TrackedFace:
    """The same face with the number of another person."""
    return dataclasses.replace(face, id=number)


def load(setup: Setup) -> Loaded:
    """A factory for the engine. It accepts only directories that contain "fake.txt"."""
    if setup.model_dir and not os.path.exists(f"{setup.model_dir}/fake.txt"):
        raise EthosError(f"{setup.model_dir}: not an exported ETHOS model")
    name = os.path.basename(setup.model_dir) if setup.model_dir else "fake model"
    return Loaded(FakePredictor(), FakeFinder(), name, fake_fusion)


def face_box_at(index: int) -> tuple[float, float, float, float]:
    """Box of the face in a frame of `write_video`: x0, y0, x1, y1 in pixels."""
    x = 60 + 2 * index
    return (x, 40, x + 50, 100)


def index_of(frame_rgb: np.ndarray) -> int:
    """Number of a frame of `write_video`, from the place of its face; -1 without."""
    boxes = skin_boxes(frame_rgb)
    return round((boxes[0][0] - 60) / 2) if boxes else -1


def write_video(
    path: str,
    frames: int = 40,
    *,
    size: tuple[int, int] = (240, 160),
    fps: float = 25.0,
    faceless: Sequence[int] = (),
    codec: str = "MJPG",
) -> str:
    """Writes a video of a face that moves to the right.

    Args:
      path: File to write.
      frames: Number of frames.
      size: Width and height, in pixels.
      fps: Frames per second.
      faceless: Numbers of the frames without a face.
      codec: Four-character code of the codec.

    Returns:
      `path`.
    """
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*codec), fps, size)
    assert writer.isOpened(), path
    for index in range(frames):
        image = np.full((size[1], size[0], 3), (40, 60, 90), np.uint8)
        if index not in faceless:
            draw_face(image, face_box_at(index))
        writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    writer.release()
    return path
