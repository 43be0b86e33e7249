"""Saves pictures, depth and meshes of faces.

Files and directories are written under a temporary name and renamed when they are
complete.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

import cv2
import numpy as np

from ethos_data import depth_codec
from ethos_data.errors import EthosError
from ethos_model.footage.tables.writer import replacing
from ethos_model.predict import Face
from gui.drawing import surface

STILLS: Final = "stills.json"
"""A file in every directory of stills. ETHOS replaces only directories that have it."""

PORTRAITS: Final = "portraits.json"
"""The same for directories of portraits."""


@contextlib.contextmanager
def replacing_directory(
    path: str, marker: str, facts: Mapping[str, Any]
) -> Iterator[str]:
    """Yields a temporary name for a directory of stills or portraits.

    An existing directory of the same kind is replaced.

    Args:
      path: Path of the directory.
      marker: `STILLS` or `PORTRAITS`.
      facts: JSON values that describe the content, stored in the file `marker`.

    Raises:
      EthosError: The directory cannot be written, or contains other files.
    """
    if not _may_replace(path, marker):
        kind = marker.removesuffix(".json")
        raise EthosError(
            f"{path}: is not replaced, because it is not a directory of {kind} "
            f"(no {marker} in it); name another directory"
        )
    with replacing(path) as temporary:
        os.makedirs(temporary)
        save_json(os.path.join(temporary, marker), facts)
        yield temporary


def save_json(path: str, facts: Mapping[str, Any]) -> None:
    """Writes JSON values."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump(dict(facts), file, indent=2)


def _may_replace(directory: str, marker: str) -> bool:
    """Whether a directory is missing, empty, or one of the same kind."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return not names or marker in names


def save_png(path: str, image_rgb: np.ndarray) -> None:
    """Writes a picture, uint8 (H, W, 3) RGB.

    Raises:
      EthosError: The suffix is not .png, or `path` cannot be written.
    """
    _write_image(path, cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR))


def save_depth_png(path: str, face: Face) -> None:
    """Writes the depth as a 16-bit PNG and its scale as `path` + ".json".

    Level 0 means no depth (outside the face). Level v means a depth of
    low + (v - 1) / 65534 * (high - low), in source pixels relative to the mean of the
    eye landmarks; larger is nearer.

    Raises:
      EthosError: The suffix is not .png, or `path` cannot be written.
    """
    inside = surface.face_mask(face) & np.isfinite(face.depth)
    low = float(face.depth[inside].min()) if inside.any() else 0.0
    high = float(face.depth[inside].max()) if inside.any() else 1.0
    high = max(high, low + 1e-6)
    depth = np.where(inside, face.depth, np.nan)
    _write_image(path, depth_codec.encode(depth, low, high))
    window = face.window
    scale = {
        "low": low,
        "high": high,
        "unit": "source pixels relative to the mean of the eyes, larger = nearer",
        "decode": "level 0: none; else low + (level - 1) / 65534 * (high - low)",
        "window": {"left": window.left, "top": window.top, "size": window.size},
    }
    with (
        replacing(path + ".json") as temporary,
        open(temporary, "w", encoding="utf-8") as file,
    ):
        json.dump(scale, file, indent=2)


def _write_image(path: str, image: np.ndarray) -> None:
    if not path.lower().endswith(".png"):
        raise EthosError(f"{path}: pictures are saved as .png")
    encoded, data = cv2.imencode(".png", image)
    if not encoded:
        raise EthosError(f"{path}: the picture cannot be encoded as PNG")
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(data.tobytes())


def save_mesh(path: str, face: Face, frame_rgb: np.ndarray) -> None:
    """Writes the surface of a face as .ply or .obj, coloured from the frame.

    Args:
      path: File to write.
      face: The face.
      frame_rgb: uint8 (H, W, 3) RGB, the frame of the face.

    Raises:
      EthosError: The suffix is unknown, or `path` cannot be written.
    """
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in (".ply", ".obj"):
        raise EthosError(f"{path}: meshes are saved as .ply or .obj")
    mesh = surface.mesh(face, frame_rgb)
    text = _ply(mesh) if suffix == ".ply" else _obj(mesh)
    with replacing(path) as temporary, open(temporary, "w", encoding="ascii") as file:
        file.write(text)


def _ply(mesh: surface.Mesh) -> str:
    lines = ["ply", "format ascii 1.0", "comment ETHOS face, source pixels"]
    lines += [f"element vertex {len(mesh.vertices)}"]
    lines += [f"property float {axis}" for axis in "xyz"]
    lines += [f"property uchar {name}" for name in ("red", "green", "blue")]
    lines += [f"element face {len(mesh.triangles)}"]
    lines += ["property list uchar int vertex_indices", "end_header"]
    for (x, y, z), (r, g, b) in zip(mesh.vertices, mesh.colors, strict=True):
        lines.append(f"{x:.3f} {y:.3f} {z:.3f} {r} {g} {b}")
    lines += [f"3 {a} {b} {c}" for a, b, c in mesh.triangles]
    return "\n".join(lines) + "\n"


def _obj(mesh: surface.Mesh) -> str:
    # Colours after the coordinates are not standard; MeshLab and Blender read them.
    lines = ["# ETHOS face, source pixels"]
    for vertex, color in zip(mesh.vertices, mesh.colors / 255, strict=True):
        lines.append("v " + " ".join(f"{v:.3f}" for v in (*vertex, *color)))
    lines += [f"f {a} {b} {c}" for a, b, c in mesh.triangles + 1]
    return "\n".join(lines) + "\n"
