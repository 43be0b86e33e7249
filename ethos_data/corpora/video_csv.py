"""Reads videos with a CSV file of OpenFace, DeepLabCut or ETHOS.

The CSV file is next to the video and has its name: `clip.mp4` with `clip.csv`
(OpenFace, `ethos-annotate --csv clip.csv`) or with `clipDLC*.csv`, for example
`clipDLC_resnet50_projectshuffle1_100000.csv` (DeepLabCut). If the video has
corrections, in `clip.corrections.csv`, only these are read; see `corrections`.

| tool | landmarks | frames from | faces | left out |
| --- | --- | --- | --- | --- |
| OpenFace | `x_0`, `y_0` to `x_67`, `y_67` | 1 | `face_id` | rows with `success` 0 |
| ETHOS | `x0`, `y0`, `z0` to `x67`, `y67`, `z67` | 0 | `face` | rows with `unsure` 1 |
| ETHOS, corrections | `x0`, `y0` to `x67`, `y67`, and `visible` | 0 | `face` | - |
| DeepLabCut | 68 body parts with `x`, `y`, `likelihood` | 0 | `individuals` | - |

x and y are in pixels of the video, y points down, and the centre of the first pixel is
(0, 0). z of ETHOS is in the same pixels, larger is nearer, and is a label. `X_0`, `Y_0`
and `Z_0` of OpenFace are the fit of its own shape model, in millimetres. They are not
used, so OpenFace and DeepLabCut have no z. A body part of DeepLabCut has no label if
its likelihood is below 0.6, the default `pcutoff` of DeepLabCut. The 68 body parts are
named with their number (`0`, `p12`, `landmark_67`) or are in the order of the 68
landmarks.

Each face is one person and one video. Their id is the path of the video without its
suffix, followed by `-face` and the id of the face if the table contains several faces.
"""

from __future__ import annotations

import collections
import posixpath
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Final

import numpy as np

from ethos_data.corpora import corrections, labels, table
from ethos_data.corpora.labelled_video import Track
from ethos_data.corpora.labelled_video import read as read_video
from ethos_data.corpora.source import (
    VIDEO_SUFFIXES,
    Listing,
    Source,
    full_path,
    stem_of,
)
from ethos_data.corpora.video import CorpusError, Video
from ethos_data.topology import NUM_LANDMARKS
from ethos_data.visibility import UNSTATED

SUFFIX: Final = ".csv"
MIN_LIKELIHOOD: Final = 0.6
"""Default `pcutoff` of DeepLabCut, below which it does not draw a body part."""

_DEEPLABCUT: Final = "DLC"
"""Begins what DeepLabCut appends to the name of a video."""

_HEADS: Final = ("scorer", "individuals", "bodyparts", "coords")
"""First cells of the header rows of DeepLabCut. `individuals` is optional."""


def _pairs(listing: Listing) -> dict[str, str | None]:
    """Returns the CSV file of each video, or None.

    Corrections have precedence, then the shortest name.
    """
    videos = {video: stem_of(video) for video in listing.ending(*VIDEO_SUFFIXES)}
    stems = frozenset(videos.values())
    tables = collections.defaultdict(list)
    for path in listing.ending(SUFFIX):
        tables[_stem_of_video(path, stems)].append(path)
    return {
        video: min(tables[stem], key=_precedence, default=None)
        for video, stem in videos.items()
    }


def _stem_of_video(path: str, stems: Collection[str]) -> str | None:
    """Returns the stem of the video to which a table belongs.

    Args:
      path: Path of the table.
      stems: Paths of the videos without their suffixes.

    Returns:
      The longest that fits. None if the table belongs to no video.
    """
    if corrections.is_sidecar(path):
        stem = path.removesuffix(corrections.SUFFIX)
        return stem if stem in stems else None
    directory, name = posixpath.split(stem_of(path))
    while (stem := posixpath.join(directory, name)) not in stems:
        name = name.rpartition(_DEEPLABCUT)[0]
        if not name:
            return None
    return stem


def _precedence(path: str) -> tuple[bool, int, str]:
    return not corrections.is_sidecar(path), len(path), path


def detect(listing: Listing) -> bool:
    """Returns whether a corpus contains a video with a CSV file."""
    return any(_pairs(listing).values())


def find(listing: Listing) -> list[Source]:
    """Returns a source for each face in the tables, and for each video without one."""
    sources = []
    for video, path in _pairs(listing).items():
        if path is None:
            reason = f"has no table {labels.last_name(video)}{SUFFIX}"
            sources.append(listing.source(video, video, problem=reason))
            continue
        try:
            with labels.errors_of(path):
                tracks = _read_tracks(listing.path(path))
        except CorpusError as error:
            reason = f"{posixpath.basename(path)} {error.reason}"
            sources.append(listing.source(video, video, problem=reason))
            continue
        for face, track in tracks.items():
            several = len(tracks) > 1
            name = f"{stem_of(video)}-face{face}" if several else stem_of(video)
            visible = b"" if track.visible is None else track.visible.tobytes()
            sources.append(
                listing.source(
                    f"{video}#{face}" if several else video,
                    video,
                    frames=len(track.frames),
                    label_file=path,
                    entry=face,
                    labels=labels.digest(
                        track.frames.tobytes(), track.points.tobytes(), visible
                    ),
                    video=name,
                    person=name,
                )
            )
    return sources


@labels.cached
def _read_tracks(path: str) -> dict[str, Track]:
    return parse(labels.read(path))


def parse(content: bytes) -> dict[str, Track]:
    """Parses a table.

    Returns:
      The landmarks of each face, by the id of the face.

    Raises:
      ValueError: The table has another format or no row with a face.
    """
    rows = list(table.rows_of(content))
    if not rows:
        raise ValueError("is empty")
    if rows[0] and rows[0][0].strip() == _HEADS[0]:
        tracks = _parse_deeplabcut(rows)
    else:
        tracks = _parse_rows(rows)
    if not tracks:
        raise ValueError("has no row with a face")
    return tracks


def _parse_rows(rows: Sequence[Sequence[str]]) -> dict[str, Track]:
    """Parses a table of OpenFace or ETHOS: a row for each face in each frame."""
    names = [name.strip() for name in rows[0]]
    if "frame" not in names:
        raise ValueError("has no column frame")
    columns = table.find_columns(names)
    frame = names.index("frame")
    first = 1 if "success" in names else 0  # OpenFace counts frames from 1
    face = next((names.index(n) for n in ("face", "face_id") if n in names), None)
    rejected = {
        names.index(name): value
        for name, value in (("success", 0), ("unsure", 1))
        if name in names
    }
    tracks: dict[str, list[tuple[int, np.ndarray, np.ndarray | None]]] = {}
    for number, row in enumerate(rows[1:], start=2):
        if not any(row):
            continue
        try:
            if any(float(row[c]) == value for c, value in rejected.items()):
                continue
            name = "0" if face is None else str(row[face]).strip()
            landmarks = table.landmarks_of(row, columns)
            index = int(float(row[frame])) - first
        except (ValueError, IndexError) as error:
            raise ValueError(f"line {number}: {error}") from error
        tracks.setdefault(name, []).append((index, *landmarks))
    return {name: _track(samples) for name, samples in tracks.items()}


def _track(samples: list[tuple[int, np.ndarray, np.ndarray | None]]) -> Track:
    by_frame = {frame: (points, visible) for frame, points, visible in samples}
    frames = np.array(sorted(by_frame), np.int64)
    points = np.stack([by_frame[frame][0] for frame in frames.tolist()])
    codes = [by_frame[frame][1] for frame in frames.tolist()]
    known = [code for code in codes if code is not None]
    return Track(frames, points, np.stack(known) if len(known) == len(codes) else None)


def _parse_deeplabcut(rows: Sequence[Sequence[str]]) -> dict[str, Track]:
    """Parses a table of DeepLabCut: header rows, then a row for each frame."""
    heads = {row[0].strip(): row for row in rows[:4] if row and row[0] in _HEADS}
    for name in ("bodyparts", "coords"):
        if name not in heads:
            raise ValueError(f"has no header row {name}")
    body = [row for row in rows[len(heads) :] if row and row[0].strip().isdigit()]
    frames = np.array([int(row[0]) for row in body], np.int64)
    order = np.argsort(frames, kind="stable")
    individuals = heads.get("individuals", ["0"] * len(heads["coords"]))
    tracks = {}
    for individual in dict.fromkeys(individuals[1:]):
        columns = [c for c, n in enumerate(individuals) if c and n == individual]
        by_part: dict[str, dict[str, int]] = {}
        for column in columns:
            part = by_part.setdefault(heads["bodyparts"][column], {})
            part[heads["coords"][column].strip()] = column
        parts = [by_part[name] for name in _part_order(list(by_part))]

        def values(coordinate: str, parts: list = parts) -> np.ndarray:
            cells = [
                [
                    table.number(r[p[coordinate]]) if coordinate in p else 1
                    for p in parts
                ]
                for r in body
            ]
            return np.array(cells, np.float64).reshape(len(body), NUM_LANDMARKS)[order]

        points = np.stack([values("x"), values("y")], axis=-1)
        points[values("likelihood") < MIN_LIKELIHOOD] = np.nan
        has_face = np.isfinite(points).all(axis=-1).any(axis=-1)
        if has_face.any():
            visible = np.full(points.shape[:2], UNSTATED, np.uint8)[has_face]
            tracks[individual] = Track(
                frames[order][has_face], points[has_face], visible
            )
    return tracks


def _part_order(names: Sequence[str]) -> list[str]:
    """Returns the body parts in the order of the 68 landmarks.

    Raises:
      ValueError: There are not 68 body parts.
    """
    numbered = {}
    for name in names:
        if match := re.search(r"(\d+)$", name):
            numbered[int(match[1])] = name
    if set(range(NUM_LANDMARKS)) <= numbered.keys():
        return [numbered[index] for index in range(NUM_LANDMARKS)]
    if len(names) != NUM_LANDMARKS:
        raise ValueError(f"has {len(names)} body parts, not {NUM_LANDMARKS}")
    return list(names)


def read(
    corpus_dir: str, source: Source, stride: int, max_frames: int | None
) -> Iterator[Video]:
    """Yields a face of a video in parts.

    Raises:
      CorpusError: The video or its labels cannot be used.
    """
    with labels.errors_of(full_path(corpus_dir, source.path)):
        track = _read_tracks(full_path(corpus_dir, source.label_file))[source.entry]
        yield from read_video(corpus_dir, source, track, stride, max_frames)
