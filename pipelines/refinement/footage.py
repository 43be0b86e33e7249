"""Reads the corrected faces of videos and of folders of images as records.

The frames are read as the viewer reads them, because the corrections are in its pixels:
upright, deinterlaced and with square pixels.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterator, Sequence

import numpy as np

from ethos_data import records
from ethos_data.corpora import corrections
from ethos_data.corpora.corrections import CorrectedFace
from ethos_data.corpora.labels import complete_labels
from ethos_data.corpora.video import Video
from ethos_data.errors import EthosError
from ethos_data.storage import files
from ethos_model.footage import reader
from pipelines.conversion import frame_records
from pipelines.conversion.options import ConversionOptions


@dataclasses.dataclass(frozen=True)
class Footage:
    """A video or a folder of images with corrections.

    Attributes:
      path: Path of the video or the folder.
      faces: The corrections, sorted by frame and face.
    """

    path: str
    faces: tuple[CorrectedFace, ...]


def find(paths: Sequence[str]) -> list[Footage]:
    """Finds the corrections of videos and folders.

    Args:
      paths: Videos, folders of images with `corrections.csv`, and folders with videos,
        which are searched with their subfolders.

    Raises:
      EthosError: A path does not exist or has no corrections, or a file is damaged.
    """
    by_path: dict[str, Footage] = {}  # no video twice
    for path in map(files.local_path, paths):
        if not os.path.exists(path):
            raise EthosError(f"{path}: no such file or folder")
        inside = list(_corrected(path))
        if not inside:
            name = os.path.basename(corrections.sidecar_path(path))
            raise EthosError(
                f"{path}: has no corrections ({name}); correct some faces in "
                "ethos-view (C) first"
            )
        for video in inside:
            faces = corrections.read(corrections.sidecar_path(video))
            by_path[os.path.realpath(video)] = Footage(video, _numbered(video, faces))
    return list(by_path.values())


def _corrected(path: str) -> Iterator[str]:
    """Yields the videos and folders of images in a path that have corrections."""
    if os.path.isfile(path):
        if os.path.exists(corrections.sidecar_path(path)):
            yield path
        return
    for parent, directories, names in os.walk(path):
        directories.sort()
        if corrections.FOLDER_NAME in names:
            yield parent
        for name in sorted(names):
            video = os.path.join(parent, name)
            is_video = name.lower().endswith(reader.VIDEO_SUFFIXES)
            if is_video and os.path.exists(corrections.sidecar_path(video)):
                yield video


def _numbered(path: str, faces: Sequence[CorrectedFace]) -> tuple[CorrectedFace, ...]:
    """Gives the faces of a folder the present numbers of their images.

    Raises:
      EthosError: An image does not exist.
    """
    if not os.path.isdir(path):
        return tuple(faces)
    numbers = {os.path.basename(p): n for n, p in enumerate(reader.images_in(path))}
    for face in faces:
        if face.image not in numbers:
            name = face.image or f"number {face.frame}"
            raise EthosError(
                f"{corrections.sidecar_path(path)}: the image {name} does not exist"
            )
    return tuple(dataclasses.replace(f, frame=numbers[f.image]) for f in faces)


def read_records(
    footage: Footage, faces: Sequence[CorrectedFace]
) -> Iterator[tuple[CorrectedFace, records.Record]]:
    """Yields the records of some faces of a video.

    Faces that cannot be used are left out, for example with fewer than 20 landmarks.

    Args:
      footage: The video.
      faces: Some of its faces.

    Raises:
      EthosError: The video cannot be read, or it ends before a corrected frame.
    """
    options = ConversionOptions()
    ordered = sorted(faces, key=lambda face: (face.frame, face.face))
    with reader.open_video(footage.path) as source:
        for frame, group in itertools.groupby(ordered, lambda face: face.frame):
            while source.position < frame and source.skip():
                pass
            shown = source.read() if source.position == frame else None
            if shown is None or shown.index != frame:
                raise EthosError(
                    f"{footage.path}: frame {frame} has corrections but cannot be read"
                )
            for face in group:
                video = _video(footage.path, face, shown.image)
                (record,) = frame_records.make_records(video, options)
                if not isinstance(record, str):
                    yield face, record


def _video(path: str, face: CorrectedFace, image: np.ndarray) -> Video:
    """Returns a video of a single frame."""
    points, codes, has_z = complete_labels(face.points[None], face.visible[None])
    person = f"{path}-face{face.face}"
    return Video(
        path=path,
        video_id=person,
        person_id=person,
        frames=image[None],
        landmarks=points,
        depth=None,
        frame_numbers=np.array([face.frame]),
        fingerprint="",
        visible=codes,
        has_z=has_z,
    )
