"""Writes faces as a corpus in the formats that the readers of this package read.

The image of a face is the stored window of its record. Landmarks are in pixels of this
image: x points right, y points down, the centre of the first pixel is (0, 0), and z is
in the same pixels, larger is nearer, zero at the mean of the eye landmarks. Landmarks
and z that are not labels are left out, so that reading the corpus gives equal labels.
"""

from __future__ import annotations

import collections
import csv
import dataclasses
import json
import os
from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np

from ethos_data import topology
from ethos_data.corpora import npz_video
from ethos_data.records import Record
from ethos_data.visibility import UNLABELLED, UNSTATED, VISIBLE

DECIMALS: Final = 4
"""Number of decimals of a coordinate in text formats, in pixels."""


@dataclasses.dataclass(frozen=True)
class Face:
    """A face to write.

    Attributes:
      record: The record of the face.
      jpeg: The image of the record, as it is stored.
      split: Name of the split of the record.
    """

    record: Record
    jpeg: bytes
    split: str

    @property
    def visible(self) -> np.ndarray:
        """uint8 (68,), see `visibility`."""
        if self.record.visible is None:
            return np.full(topology.NUM_LANDMARKS, UNSTATED, np.uint8)
        return self.record.visible

    @property
    def landmarks(self) -> np.ndarray:
        """float64 (68, 3), in pixels of the image. NaN where there is no label."""
        side = len(self.record.image)
        points = self.record.landmarks.astype(np.float64) * side
        points[:, :2] -= 0.5
        points[self.visible == UNLABELLED] = np.nan
        if not self.record.has_z:
            points[:, 2] = np.nan
        return points


class _Names:
    """Gives each name a different form that is valid as the name of a file."""

    def __init__(self) -> None:
        self._by_name: dict[str, str] = {}
        self._used: set[str] = set()

    def __call__(self, name: str) -> str:
        if name not in self._by_name:
            valid = name.replace("/", "_").replace("\0", "_").lstrip(".") or "_"
            unique, number = valid, 1
            while unique in self._used:
                number += 1
                unique = f"{valid}-{number}"
            self._used.add(unique)
            self._by_name[name] = unique
        return self._by_name[name]


class _Images:
    """Writes images to `<split>/<person>/<video>_<frame>.jpg`."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._people, self._videos = _Names(), _Names()

    def write(self, face: Face) -> str:
        """Writes the image of a face. Returns its path relative to the directory."""
        record = face.record
        name = f"{self._videos(record.video_id)}_{record.frame:06d}.jpg"
        relative = f"{face.split}/{self._people(record.person_id)}/{name}"
        path = os.path.join(self._directory, relative)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(face.jpeg)
        return relative


def write_pts(faces: Iterable[Face], directory: str) -> None:
    """Writes an image and a `.pts` file for each face; see `pts_images`.

    The file contains no z and no flags of visibility.
    """
    images = _Images(directory)
    for face in faces:
        relative = images.write(face)
        points = face.landmarks[:, :2] + 1
        lines = [f"{x:.{DECIMALS}f} {y:.{DECIMALS}f}" for x, y in points]
        text = ["version: 1", f"n_points: {len(lines)}", "{", *lines, "}", ""]
        path = os.path.join(directory, os.path.splitext(relative)[0] + ".pts")
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join(text))


def write_csv(faces: Iterable[Face], directory: str) -> None:
    """Writes images and `labels.csv` with a row for each face; see `csv_images`."""
    images = _Images(directory)
    numbers = range(topology.NUM_LANDMARKS)
    header = ["image", "person"]
    header += [f"{name}{i}" for i in numbers for name in ("x", "y", "z", "visible")]
    path = os.path.join(directory, "labels.csv")
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for face in faces:
            row = [images.write(face), face.record.person_id]
            for point, code in zip(face.landmarks, face.visible, strict=True):
                row += ["" if np.isnan(v) else f"{v:.{DECIMALS}f}" for v in point]
                row.append(str(code))
            writer.writerow(row)


def write_coco(faces: Iterable[Face], directory: str) -> None:
    """Writes images and `annotations.json`; see `coco_keypoints`. There is no z."""
    writer = _Images(directory)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, face in enumerate(faces, start=1):
        side = len(face.record.image)
        xy, v = face.landmarks[:, :2], np.minimum(face.visible, VISIBLE)
        keypoints = np.column_stack([np.nan_to_num(xy), v]).round(DECIMALS)
        low, high = np.nanmin(xy, axis=0), np.nanmax(xy, axis=0)
        box = np.concatenate([low, high - low]).round(DECIMALS).tolist()
        images.append(
            {
                "id": number,
                "file_name": writer.write(face),
                "width": side,
                "height": side,
            }
        )
        annotations.append(
            {
                "id": number,
                "image_id": number,
                "category_id": 1,
                "person_id": face.record.person_id,
                "keypoints": keypoints.ravel().tolist(),
                "num_keypoints": int(np.count_nonzero(v)),
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": 0,
            }
        )
    category = {
        "id": 1,
        "name": "face",
        "supercategory": "person",
        "keypoints": [str(i) for i in range(topology.NUM_LANDMARKS)],
        # COCO counts the ends of a line from 1.
        "skeleton": [[a + 1, b + 1] for a, b in topology.EDGES],
    }
    document = {"images": images, "annotations": annotations, "categories": [category]}
    path = os.path.join(directory, "annotations.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file)


def write_npz(faces: Iterable[Face], directory: str) -> None:
    """Writes a file `<split>/<person>_<number>.npz` for each video; see `npz_video`.

    The frames of a video get the size of the largest of them. Smaller images are in the
    top left corner of a black frame. Depth is not written, because a conversion derives
    it from the landmarks again.

    Args:
      faces: The faces. All faces of a video must follow each other.
      directory: Directory to write.
    """
    people = _Names()
    count: collections.Counter[str] = collections.Counter()
    video: list[Face] = []

    def write_video() -> None:
        record = video[0].record
        person = people(record.person_id)
        count[person] += 1
        path = os.path.join(
            directory, video[0].split, f"{person}_{count[person]}{npz_video.SUFFIX}"
        )
        os.makedirs(os.path.dirname(path), exist_ok=True)
        np.savez_compressed(path, allow_pickle=False, **_npz_arrays(video))

    for face in faces:
        if video and video[0].record.video_id != face.record.video_id:
            write_video()
            video.clear()
        video.append(face)
    if video:
        write_video()


def _npz_arrays(video: list[Face]) -> dict[str, np.ndarray]:
    """Returns the arrays of a video, with time as the last axis."""
    side = max(len(face.record.image) for face in video)
    frames = np.zeros((len(video), side, side, 3), np.uint8)
    for frame, face in zip(frames, video, strict=True):
        own = len(face.record.image)
        frame[:own, :own] = face.record.image
    landmarks = np.stack([face.landmarks for face in video])
    arrays: dict[str, np.ndarray] = {
        npz_video.IMAGES: np.moveaxis(frames, 0, -1),
        npz_video.LANDMARKS: np.moveaxis(landmarks.astype(np.float32), 0, -1),
    }
    if any(face.record.visible is not None for face in video):
        arrays[npz_video.VISIBLE] = np.stack([face.visible for face in video], -1)
        arrays[npz_video.HAS_Z] = np.array([face.record.has_z for face in video])
    return arrays


WRITERS: Final[dict[str, Callable[[Iterable[Face], str], None]]] = {
    "coco": write_coco,
    "pts": write_pts,
    "npz": write_npz,
    "csv": write_csv,
}
"""Functions that write faces to a directory, by the name of the format."""
