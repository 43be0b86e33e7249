"""Saves what was seen: landmarks as tables, depth as pictures and meshes.

Every file is written aside and renamed when it is whole, so that a name never stands
for half a file.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from typing import Any, Final

import cv2
import numpy as np

from ethos_data.errors import EthosError
from ethos_model.footage.tracker import TrackedFace
from ethos_model.predict import Face
from gui.drawing import surface

TABLE_SUFFIXES: Final = (".csv", ".json", ".npz")

STILLS: Final = "stills.json"
"""Lies in every folder of stills, and in no other that ETHOS would replace."""

DEPTH_STEPS: Final = 65534
"""Levels of a 16-bit depth PNG; level 0 is no depth."""


@contextlib.contextmanager
def aside(path: str) -> Iterator[str]:
    """A temporary name in the folder of `path`, renamed to it when all went well.

    Raises:
      EthosError: the folder is missing or may not be written.
    """
    folder, name = os.path.split(os.path.abspath(path))
    stem, suffix = os.path.splitext(name)
    temporary = os.path.join(folder, f".{stem}.{uuid.uuid4().hex[:8]}{suffix}")
    try:
        os.makedirs(folder, exist_ok=True)
        with open(temporary, "wb"):
            pass
    except OSError as error:
        raise EthosError(f"{path}: cannot be written ({error.strerror})") from None
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise EthosError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)


@contextlib.contextmanager
def stills_aside(path: str, facts: dict[str, Any]) -> Iterator[str]:
    """A temporary folder of stills that gets its name when all went well.

    An earlier folder of stills of this name is replaced.

    Args:
      path: of the folder.
      facts: of what the stills are, for the STILLS file in it.

    Raises:
      EthosError: it cannot be written, or holds what ETHOS did not put there.
    """
    folder, name = os.path.split(os.path.abspath(path))
    temporary = os.path.join(folder, f".{name}.part")
    for place in (path, temporary):
        if not _may_replace(place):
            raise EthosError(
                f"{place}: is no folder of stills (no {STILLS} in it), so it is not "
                "replaced; name another one"
            )
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        os.makedirs(temporary)
        with open(os.path.join(temporary, STILLS), "w", encoding="utf-8") as file:
            json.dump(facts, file, indent=2)
    except OSError as error:
        raise EthosError(f"{path}: cannot be written ({error.strerror})") from None
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        os.replace(temporary, path)
    except OSError as error:
        raise EthosError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _may_replace(folder: str) -> bool:
    """Whether a folder is not there, empty, or one of stills."""
    try:
        inside = os.listdir(folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return not inside or STILLS in inside


@contextlib.contextmanager
def table_aside(path: str) -> Iterator[str]:
    """`aside` for a landmark table.

    Raises:
      EthosError: another suffix, or the place cannot be written.
    """
    if os.path.splitext(path)[1].lower() not in TABLE_SUFFIXES:
        raise EthosError(f"{path}: landmarks are saved as .csv, .json or .npz")
    with aside(path) as temporary:
        yield temporary


class LandmarkTable:
    """Landmarks of many frames, saved as CSV, JSON or NPZ by the name of the file.

    Source pixels throughout, z relative to the mean of the eye points, larger = nearer;
    `sigma` is one standard deviation of a coordinate.
    """

    def __init__(self, video: str = "", model: str = "") -> None:
        self._video, self._model = video, model
        self._rows: list[tuple[int, float, TrackedFace]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, index: int, timestamp: float, faces: list[TrackedFace]) -> None:
        """Takes the faces of one frame; a frame without faces leaves no row."""
        # Depth and restored pictures of a long video would fill the memory.
        self._rows += [(index, timestamp, _slim(face)) for face in faces]

    def write(self, path: str) -> None:
        """Writes into a file of `table_aside`."""
        writers = {".csv": self._csv, ".json": self._json, ".npz": self._npz}
        writers[os.path.splitext(path)[1].lower()](path)

    def _csv(self, path: str) -> None:
        header = ["frame", "time_s", "face", "unsure", "score"]
        header += [f"{c}{i}" for i in range(68) for c in ("x", "y", "z", "sigma")]
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            for index, timestamp, face in self._rows:
                values = np.column_stack([face.face.landmarks, face.face.uncertainty])
                writer.writerow(
                    [index, f"{timestamp:.4f}", face.id, int(face.unsure)]
                    + [f"{face.score:.3f}"]
                    + [f"{v:.3f}" for v in values.ravel()]
                )

    def _json(self, path: str) -> None:
        frames: dict[int, dict[str, Any]] = {}
        for index, timestamp, face in self._rows:
            frame = frames.setdefault(
                index, {"frame": index, "time_s": round(timestamp, 4), "faces": []}
            )
            frame["faces"].append(
                {
                    "face": face.id,
                    "unsure": face.unsure,
                    "score": round(face.score, 3),
                    "landmarks": np.round(
                        face.face.landmarks.astype(float), 3
                    ).tolist(),
                    "sigma": np.round(face.face.uncertainty.astype(float), 3).tolist(),
                }
            )
        document = {
            "video": self._video,
            "model": self._model,
            "units": "source pixels; z relative to the eyes' mean, larger = nearer",
            "frames": list(frames.values()),
        }
        with open(path, "w", encoding="utf-8") as file:
            json.dump(document, file, allow_nan=True)

    def _npz(self, path: str) -> None:
        faces = [face for _, _, face in self._rows]
        np.savez_compressed(
            path,
            frame=np.array([row[0] for row in self._rows], np.int64),
            time_s=np.array([row[1] for row in self._rows], np.float64),
            face=np.array([face.id for face in faces], np.int64),
            unsure=np.array([face.unsure for face in faces], bool),
            score=np.array([face.score for face in faces], np.float32),
            landmarks=_stack([face.face.landmarks for face in faces], (68, 3)),
            sigma=_stack([face.face.uncertainty for face in faces], (68,)),
        )


def _stack(arrays: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    if not arrays:
        return np.zeros((0, *shape), np.float32)
    return np.stack(arrays).astype(np.float32)


def _slim(face: TrackedFace) -> TrackedFace:
    nothing = np.zeros((0, 0), np.float32)
    slim = dataclasses.replace(face.face, depth=nothing, restored=nothing)
    return dataclasses.replace(face, face=slim)


def save_png(path: str, image_rgb: np.ndarray) -> None:
    """Writes uint8 (H, W, 3) RGB."""
    _write_image(path, cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR))


def save_depth_png(path: str, face: Face) -> None:
    """Writes depth as 16-bit PNG and, beside it, PATH.json with what the levels mean.

    Level 0 is no depth (outside of the face); level v is low + (v - 1) / 65534 *
    (high - low) source pixels relative to the mean of the eyes, larger = nearer.
    """
    inside = surface.face_mask(face) & np.isfinite(face.depth)
    depth = np.where(inside, face.depth, 0).astype(np.float64)
    low = float(depth[inside].min()) if inside.any() else 0.0
    high = float(depth[inside].max()) if inside.any() else 1.0
    span = max(high - low, 1e-6)
    level = 1 + np.round((depth - low) / span * DEPTH_STEPS)
    _write_image(path, np.where(inside, level, 0).astype(np.uint16))
    window = face.window
    document = {
        "low": low,
        "high": low + span,
        "unit": "source pixels relative to the mean of the eyes, larger = nearer",
        "decode": "level 0: none; else low + (level - 1) / 65534 * (high - low)",
        "window": {"left": window.left, "top": window.top, "size": window.size},
    }
    with aside(path + ".json") as temporary, open(temporary, "w") as file:
        json.dump(document, file, indent=2)


def _write_image(path: str, image: np.ndarray) -> None:
    if not path.lower().endswith(".png"):
        raise EthosError(f"{path}: pictures are saved as .png")
    ok, data = cv2.imencode(".png", image)
    if not ok:
        raise EthosError(f"{path}: the picture cannot be encoded")
    with aside(path) as temporary, open(temporary, "wb") as file:
        file.write(data.tobytes())


def save_mesh(path: str, face: Face, frame_rgb: np.ndarray) -> None:
    """Writes the face's surface as .ply or .obj, coloured from the frame.

    Source pixels; x right, y up, z to the viewer.
    """
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in (".ply", ".obj"):
        raise EthosError(f"{path}: meshes are saved as .ply or .obj")
    shape = surface.mesh(face, frame_rgb)
    text = _ply(shape) if suffix == ".ply" else _obj(shape)
    with aside(path) as temporary, open(temporary, "w", encoding="ascii") as file:
        file.write(text)


def _ply(shape: surface.Mesh) -> str:
    lines = ["ply", "format ascii 1.0", "comment ETHOS face, source pixels"]
    lines += [f"element vertex {len(shape.vertices)}"]
    lines += [f"property float {axis}" for axis in "xyz"]
    lines += [f"property uchar {name}" for name in ("red", "green", "blue")]
    lines += [f"element face {len(shape.triangles)}"]
    lines += ["property list uchar int vertex_indices", "end_header"]
    for (x, y, z), (r, g, b) in zip(shape.vertices, shape.colors, strict=True):
        lines.append(f"{x:.3f} {y:.3f} {z:.3f} {r} {g} {b}")
    lines += [f"3 {a} {b} {c}" for a, b, c in shape.triangles]
    return "\n".join(lines) + "\n"


def _obj(shape: surface.Mesh) -> str:
    # Colours after the coordinates: no standard, but MeshLab and Blender read them.
    lines = ["# ETHOS face, source pixels"]
    for vertex, color in zip(shape.vertices, shape.colors / 255, strict=True):
        lines.append("v " + " ".join(f"{v:.3f}" for v in (*vertex, *color)))
    lines += [f"f {a} {b} {c}" for a, b, c in shape.triangles + 1]
    return "\n".join(lines) + "\n"
