"""Reads images with `.mat` files: AFLW2000-3D, 300W-LP and COFW68.

`NAME.mat` is next to `NAME.jpg`. Which landmarks it contains depends on the corpus:

* AFLW2000-3D: `pt3d_68` (3, 68). x and y in pixels, y points down. z has the same unit
  and is larger for nearer points: 3DDFA, which made the files, projects the head as
  `f * R * vertex + t` with z towards the viewer and changes only
  `y = height + 1 - y` (Zhu et al., CVPR 2016). z is a label.
* 300W-LP: `pt2d` (2, 68). x and y in pixels, y points down. There is no z.
* COFW68: `Points` (68, 2) and `Occ` (68,), 1 for landmarks that something covers
  (Ghiasi and Fowlkes, 2015). The images must be next to the files, with the name of the
  file without `_points`. `cofw68` reads the files as they are distributed.

All coordinates were written by MATLAB, where the centre of the first pixel is (1, 1). 1
is subtracted from x and y. A landmark is missing if it is NaN, or if x and y are -1, as
in `pt2d` of AFLW.

Files named `*_pts.mat` in the directory `landmarks` of 300W-LP contain the same faces
and are ignored. 300W-LP contains several rendered views of each face
(`AFW_134212_1_0.jpg`, `AFW_134212_1_1.jpg`, ...). They are one person: the name without
`_Flip` and up to its last underscore. In the other corpora each image is its own
person.
"""

from __future__ import annotations

import io
import posixpath
from collections.abc import Iterator
from typing import Any

import numpy as np

from ethos_data.corpora import labels
from ethos_data.corpora.source import Listing, Source, full_path, stem_of
from ethos_data.corpora.video import Video, person_id_of
from ethos_data.topology import NUM_LANDMARKS
from ethos_data.visibility import HIDDEN, VISIBLE

SUFFIX = ".mat"


def _label_files(listing: Listing) -> dict[str, str]:
    """Returns the path of each file with labels, by the stem of its image."""
    paths = [
        path
        for path in listing.ending(SUFFIX)
        if not path.endswith("_pts.mat") and "Code" not in path.split("/")
    ]
    return {stem_of(path).removesuffix("_points"): path for path in paths}


def detect(listing: Listing) -> bool:
    """Returns whether a corpus contains `.mat` files."""
    return bool(_label_files(listing))


def find(listing: Listing) -> list[Source]:
    """Returns a source for each image and for each `.mat` file without an image."""
    sources = []
    label_files = _label_files(listing)
    for stem in sorted(label_files.keys() | listing.images.keys()):
        image, path = listing.images.get(stem), label_files.get(stem)
        problem = "" if path else f"has no file {labels.last_name(stem)}{SUFFIX}"
        if not image:
            problem = "has no image of the same name"
        sources.append(
            listing.source(
                image or label_files[stem],
                image,
                frames=1,
                label_file=path or "",
                labels=listing.state(path) if path else "",
                video=stem,
                person=_person(stem),
                problem=problem,
            )
        )
    return sources


def _person(stem: str) -> str:
    """Returns the person of an image: views of one face in 300W-LP are one person."""
    name = posixpath.basename(stem)
    head, _, number = name.removesuffix("_Flip").rpartition("_")
    if "_" in head and number.isdigit():
        return person_id_of(name.removesuffix("_Flip"))
    return stem


def load(content: bytes) -> dict[str, Any]:
    """Returns the arrays of a `.mat` file by name.

    Raises:
      ValueError: The file is damaged or has the format of MATLAB 7.3.
    """
    import scipy.io

    try:
        return scipy.io.loadmat(io.BytesIO(content))
    # scipy raises many classes for damaged files.
    except Exception as error:
        raise ValueError(f"is not a readable .mat file ({error})") from error


def yaw(content: bytes) -> float:
    """Returns the yaw of the head in a file of AFLW2000-3D or 300W-LP, in degrees.

    `Pose_Para` contains pitch, yaw and roll in radians, followed by the translation and
    the scale (Zhu et al., CVPR 2016).

    Raises:
      ValueError: The file is damaged or does not contain the pose.
    """
    pose = np.ravel(load(content).get("Pose_Para", ()))
    if len(pose) < 3 or not np.isfinite(pose[1]):
        raise ValueError("has no Pose_Para with the angles of the head")
    return float(np.degrees(pose[1]))


def parse(content: bytes) -> tuple[np.ndarray, np.ndarray | None]:
    """Parses the content of a `.mat` file.

    Returns:
      float64 (68, 2) or (68, 3), in source pixels, NaN where a landmark is missing; and
      uint8 (68,), see `visibility`, or None if the file does not state it.

    Raises:
      ValueError: The file contains no 68 landmarks.
    """
    arrays = load(content)
    visible = None
    if "pt3d_68" in arrays:
        points = np.array(arrays["pt3d_68"], np.float64).T
    elif "Points" in arrays:
        points = np.array(arrays["Points"], np.float64)
        hidden = np.asarray(arrays.get("Occ", np.zeros(len(points)))).ravel() > 0
        visible = np.where(hidden, HIDDEN, VISIBLE).astype(np.uint8)
    elif "pt2d" in arrays:
        points = np.array(arrays["pt2d"], np.float64).T
    else:
        names = ", ".join(name for name in arrays if not name.startswith("__"))
        raise ValueError(f"has no pt3d_68, pt2d or Points (it contains: {names[:120]})")
    if points.ndim != 2 or points.shape[0] != NUM_LANDMARKS:
        raise ValueError(f"has {len(points)} landmarks, not {NUM_LANDMARKS}")
    if points.shape[1] not in (2, 3):
        raise ValueError(f"has landmarks of shape {points.shape}")
    points[(points[:, :2] == -1).all(axis=1)] = np.nan
    points[:, :2] -= 1
    return points, visible


def read(
    corpus_dir: str, source: Source, stride: int, max_frames: int | None
) -> Iterator[Video]:
    """Yields the image of a source.

    Raises:
      CorpusError: The image or its labels cannot be used.
    """
    del stride, max_frames
    label_file = full_path(corpus_dir, source.label_file)
    with labels.errors_of(label_file):
        points, visible = parse(labels.read(label_file))
    with labels.errors_of(full_path(corpus_dir, source.pixels)):
        yield labels.read_image(corpus_dir, source, points, visible)
