"""A tiny converted corpus, written record by record, and models with known errors."""

import dataclasses
import json
import pathlib

import cv2
import numpy as np
import pytest

from ethos_data import crop, records, topology
from ethos_data.depth import depth_map
from ethos_data.storage import tfrecord

PEOPLE = 5
FRAMES = 4  # of each person, in each split


def template():
    """A flat frontal face by plain geometry, (68, 3): x, y about [-0.5, 0.5]."""
    points = np.zeros((68, 3))
    jaw = np.linspace(np.pi, 0, 17)
    points[:17, 0], points[:17, 1] = 0.5 * np.cos(jaw), 0.6 * np.sin(jaw)
    for name, cx, cy, rx, ry in (
        ("right_eyebrow", -0.22, -0.15, 0.12, 0.03),
        ("left_eyebrow", 0.22, -0.15, 0.12, 0.03),
        ("nose_base", 0, 0.17, 0.08, 0.02),
    ):
        indices = topology.GROUPS[name]
        along = np.linspace(-1, 1, len(indices))
        points[indices, 0] = cx + rx * along
        points[indices, 1] = cy - ry * (1 - along**2)
    points[27:31, 1] = np.linspace(-0.05, 0.12, 4)
    for name, cx, cy, rx, ry in (
        ("right_eye", -0.2, -0.04, 0.08, 0.03),
        ("left_eye", 0.2, -0.04, 0.08, 0.03),
        ("outer_lip", 0, 0.33, 0.14, 0.06),
        ("inner_lip", 0, 0.33, 0.1, 0.03),
    ):
        indices = topology.GROUPS[name]
        angle = np.pi + 2 * np.pi * np.arange(len(indices)) / len(indices)
        points[indices, 0] = cx + rx * np.cos(angle)
        points[indices, 1] = cy + ry * np.sin(angle)
    points[:, 2] = 0.35 * np.sqrt(np.clip(0.5 - (points[:, :2] ** 2).sum(1), 0, None))
    return points


def turned(points, yaw):
    """Turned about the vertical axis by `yaw` degrees; positive: the face's left side,
    on the right of the picture, comes nearer."""
    angle = np.radians(yaw)
    x = points[:, 0] * np.cos(angle) - points[:, 2] * np.sin(angle)
    z = points[:, 0] * np.sin(angle) + points[:, 2] * np.cos(angle)
    return np.column_stack([x, points[:, 1], z])


def make_record(person, frame, *, size=60.0, yaw=0.0, stored=None):
    """A record of a drawn face.

    Args:
      person, frame: numbers that decide the looks.
      size: of the face, source pixels.
      yaw: degrees.
      stored: side of the stored picture, pixels; None = as in the source.
    """
    rng = np.random.default_rng((person, frame))
    points = turned(template(), yaw) + rng.normal(0, 0.01, (68, 3))
    points = points * size + np.array([150 + person, 120 + frame, 0])
    # Grey, because JPEG stores colour at half the resolution.
    picture = rng.integers(0, 60, (240, 300, 1)) + np.full(3, 15 * person)
    picture = cv2.GaussianBlur(picture.astype(np.uint8), (5, 5), 2)
    for i, j in topology.EDGES:
        ends = [tuple(points[k, :2].round().astype(int).tolist()) for k in (i, j)]
        cv2.line(picture, *ends, (240, 240, 240), 2)
    box = topology.face_box(points)
    window = crop.window_around(box, crop.STORED_CONTEXT)
    normalized = window.to_normalized(points)
    image = crop.cut(picture, window)
    return records.Record(
        image=image if stored is None else crop.resize(image, stored),
        landmarks=normalized.astype(np.float32),
        depth=depth_map(normalized, records.DEPTH_SIZE, method="delaunay"),
        person_id=f"person {person}",
        video_id=f"person_{person}",
        frame=frame,
        source_size=(240, 300),
        window=window,
        face_size=float(topology.face_size(box)),
    )


def write_split(folder: pathlib.Path, split, every):
    """Writes records as two shards and returns the split's entry in the metadata."""
    halves = every[::2], every[1::2]
    for number, half in enumerate(halves):
        path = folder / f"ethos_faces-{split}.tfrecord-{number:05d}-of-00002"
        encoded = [records.encode(one, jpeg_quality=100) for one in half]
        path.write_bytes(b"".join(tfrecord.frame(one) for one in encoded))
    return {"name": split, "shardLengths": [str(len(half)) for half in halves]}


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """Train and test of other people; the last frame of each is turned by 40°."""
    root = tmp_path_factory.mktemp("data")
    folder = root / "ethos_faces" / "1.0.0"
    folder.mkdir(parents=True)
    splits = []
    for offset, split in ((0, "train"), (PEOPLE, "test")):
        every = [
            make_record(
                offset + person, frame, size=40 + 15 * person, yaw=40.0 * (frame == 3)
            )
            for person in range(PEOPLE)
            for frame in range(FRAMES)
        ]
        splits.append(write_split(folder, split, every))
    text = json.dumps({"name": "ethos_faces", "version": "1.0.0", "splits": splits})
    (folder / "dataset_info.json").write_text(text)
    return root


@dataclasses.dataclass
class Constant:
    """A model that looks at nothing: the same points for every image."""

    landmarks: np.ndarray
    sigma: float = 0.02

    def __call__(self, images):
        count, size = images.shape[:2]
        maps = np.zeros((count, size, size, 1), np.float32)
        return {
            "landmarks": np.repeat(self.landmarks[None], count, 0).astype(np.float32),
            "uncertainty": np.full((count, 68), self.sigma, np.float32),
            "depth": maps,
            "restored": maps + 0.5,
        }
