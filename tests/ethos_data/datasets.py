"""Small converted data sets for tests, made from a seed."""

from __future__ import annotations

import json
import pathlib

import cv2
import numpy as np

from ethos_data import crop, records, topology
from ethos_data.storage import tfrecord
from tests.ethos_data import pictures
from tests.ethos_data.videos import face_points

SHARDS = 3


def frame_and_landmarks(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns a source frame and its landmarks at integers, as in the corpus.

    Returns:
      frame: uint8 (240, 260, 3). A part of the face may be outside the frame.
      landmarks: float64 (68, 3), in source pixels.
    """
    rng = np.random.default_rng(number)
    half = 14 + 6 * (number % 8)  # faces of about 28 to 112 pixels
    frame = cv2.resize(pictures.photograph(64, number), (260, 240))
    landmarks = face_points() * half
    landmarks[:, :2] += np.array([130, 120]) + rng.uniform(-30, 30, 2)
    return frame, np.round(landmarks)


def make_record(
    number: int, image_size: int = 320, uniform: bool = False
) -> records.Record:
    """Returns a record with a plane as depth map, unknown in its upper 20 rows.

    Args:
      number: Seed of the frame, and index of the frame in its video.
      image_size: Largest width and height of the stored image, in pixels.
      uniform: Whether the image has the grey level 10 * `number` everywhere.
    """
    frame, landmarks = frame_and_landmarks(number)
    if uniform:
        frame = np.full_like(frame, 10 * number)
    box = topology.face_box(landmarks)
    window = crop.window_around(box, crop.STORED_CONTEXT)
    image = crop.cut(frame, window)
    image = crop.resize(image, min(image_size, len(image)))
    at = (np.arange(96) + 0.5) / 96
    depth = (0.2 * at[:, None] - 0.1 * at).astype(np.float32)
    depth[:20] = np.nan
    return records.Record(
        image=image,
        landmarks=window.to_normalized(landmarks).astype(np.float32),
        depth=depth,
        person_id=f"Person_{number % 5}",
        video_id=f"Person_{number % 5}_{number}",
        frame=number,
        source_size=frame.shape[:2],
        window=window,
        face_size=float(topology.face_size(box)),
    )


def write(
    directory: pathlib.Path, examples: list[records.Record], split: str = "train"
) -> None:
    """Writes a split in three shards; see `stored_order`."""
    directory.mkdir(parents=True, exist_ok=True)
    encoded = [records.encode(example) for example in examples]
    parts = [encoded[k::SHARDS] for k in range(SHARDS)]
    for k, part in enumerate(parts):
        name = f"{records.NAME}-{split}.tfrecord-{k:05d}-of-{SHARDS:05d}"
        (directory / name).write_bytes(b"".join(map(tfrecord.frame, part)))
    lengths = [str(len(part)) for part in parts]
    info = {"splits": [{"name": split, "shardLengths": lengths}]}
    (directory / "dataset_info.json").write_text(json.dumps(info))


def stored_order(count: int) -> list[int]:
    """Returns the order in which `write` stores `count` examples."""
    return [i for k in range(SHARDS) for i in range(count)[k::SHARDS]]
