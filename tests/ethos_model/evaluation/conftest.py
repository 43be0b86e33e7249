"""A small converted corpus, written record by record, and a constant model."""

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
FRAMES = 4  # Frames per person in each split.


def template():
    """Landmarks of a frontal face from simple curves: (68, 3), x, y in [-0.5, 0.5]."""
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
    """Rotates landmarks about the vertical axis.

    Args:
      points: (68, 3).
      yaw: Degrees. Positive moves the face's left side, on the right of the image,
        nearer to the camera.
    """
    angle = np.radians(yaw)
    x = points[:, 0] * np.cos(angle) - points[:, 2] * np.sin(angle)
    z = points[:, 0] * np.sin(angle) + points[:, 2] * np.cos(angle)
    return np.column_stack([x, points[:, 1], z])


def make_record(person, frame, *, size=60.0, yaw=0.0, stored=None):
    """A record of a drawn face.

    Args:
      person: Number of the person. Person and frame determine the drawing.
      frame: Number of the frame.
      size: Face size, source pixels.
      yaw: Degrees.
      stored: Side of the stored crop, pixels. None keeps the size in the source.
    """
    rng = np.random.default_rng((person, frame))
    points = turned(template(), yaw) + rng.normal(0, 0.01, (68, 3))
    points = points * size + np.array([150 + person, 120 + frame, 0])
    # The image is grey, because JPEG stores colour at half of the resolution.
    image = rng.integers(0, 60, (240, 300, 1)) + np.full(3, 15 * person)
    image = cv2.GaussianBlur(image.astype(np.uint8), (5, 5), 2)
    for i, j in topology.EDGES:
        ends = [tuple(points[k, :2].round().astype(int).tolist()) for k in (i, j)]
        cv2.line(image, *ends, (240, 240, 240), 2)
    box = topology.face_box(points)
    window = crop.window_around(box, crop.STORED_CONTEXT)
    normalized = window.to_normalized(points)
    stored_crop = crop.cut(image, window)
    return records.Record(
        image=stored_crop if stored is None else crop.resize(stored_crop, stored),
        landmarks=normalized.astype(np.float32),
        depth=depth_map(normalized, records.DEPTH_SIZE, method="delaunay"),
        person_id=f"person {person}",
        video_id=f"person_{person}",
        frame=frame,
        source_size=(240, 300),
        window=window,
        face_size=float(topology.face_size(box)),
    )


def write_split(directory: pathlib.Path, split, all_records):
    """Writes records to two shards. Returns the entry of the split in the metadata."""
    halves = all_records[::2], all_records[1::2]
    for number, half in enumerate(halves):
        path = directory / f"ethos_faces-{split}.tfrecord-{number:05d}-of-00002"
        encoded = [records.encode(record, jpeg_quality=100) for record in half]
        path.write_bytes(b"".join(tfrecord.frame(data) for data in encoded))
    return {"name": split, "shardLengths": [str(len(half)) for half in halves]}


def write_data(
    root: pathlib.Path, change=lambda record: record, version=records.VERSION
):
    """Writes the splits train and test with different people.

    The last frame of each person has a yaw of 40 degrees.

    Args:
      root: Directory of the data set.
      change: Function from each record to the record that is written.
      version: Version of the records.

    Returns:
      `root`.
    """
    directory = root / "ethos_faces" / version
    directory.mkdir(parents=True)
    splits = []
    for offset, split in ((0, "train"), (PEOPLE, "test")):
        all_records = [
            change(
                make_record(
                    offset + person,
                    frame,
                    size=40 + 15 * person,
                    yaw=40.0 * (frame == 3),
                )
            )
            for person in range(PEOPLE)
            for frame in range(FRAMES)
        ]
        splits.append(write_split(directory, split, all_records))
    text = json.dumps({"name": "ethos_faces", "version": version, "splits": splits})
    (directory / "dataset_info.json").write_text(text)
    return root


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """A data set with complete labels; see `write_data`."""
    return write_data(tmp_path_factory.mktemp("data"))


@dataclasses.dataclass
class Constant:
    """A model that predicts the same landmarks for every image."""

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
