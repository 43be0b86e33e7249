"""Reads morphable head models in the layout of ICT-FaceKit light.

The npz file contains, for N vertices:

| array | content |
| --- | --- |
| `neutral` (N, 3) | vertices of the mean head in the head frame, in cm |
| `identity` (I, N, 3) | displacements per standard deviation, in cm |
| `expression` (E, N, 3) | displacements at coefficient 1, in cm |
| `expression_names` (E,) | names of the expressions |
| `tri` (F, 3) | triangles, counter-clockwise seen from outside |
| `landmarks68` (68,) | vertices of the 68 landmarks |
| `parts` (N,) | part of each vertex; optional for ICT-FaceKit's own 26,719 vertices |

ICT-FaceKit: Li et al., "Learning Formation of Physically-Based Face Attributes", 2020.
"""

from __future__ import annotations

import os
import zipfile
from typing import Any, Final

import numpy as np

from ethos_data.errors import EthosError
from ethos_data.heads.parts import EYE, FACE, HEAD, MOUTH, NO_PART, SOCKET, TEETH

_ICT_NUM_VERTICES: Final = 26719
_ICT_PARTS: Final = (
    # First vertex, last vertex + 1, and part. Gums and tongue are left out because they
    # are hidden, the inner spheres of the irises because the shader paints irises on
    # the eyeballs, and tear film, occlusion and eyelash strips because they are
    # translucent.
    (0, 9409, FACE),
    (9409, 11248, HEAD),
    (11248, 13294, MOUTH),
    (13294, 14062, SOCKET),
    (17039, 21451, TEETH),
    (21451, 22221, EYE),
    (23021, 23791, EYE),
)

_EYE_RETREAT: Final = 0.12
"""How far an eyeball moves back when its lids close, in cm."""

_EYE_TURN: Final = 20.0
"""How far an eyeball turns at coefficient 1, in degrees."""

_EYE_TURNS: Final = {
    # Turns away from the nose, and up.
    "eyeLookIn": (-1, 0),
    "eyeLookOut": (1, 0),
    "eyeLookUp": (0, 1),
    "eyeLookDown": (0, -1),
}


class HeadFileError(EthosError):
    """A head model's file cannot be used."""

    def __init__(self, path: str | os.PathLike[str], reason: str):
        super().__init__(f"{os.fspath(path)}: {reason}")


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads a head model without the vertices that are not drawn.

    Args:
      path: Path of the npz file.

    Returns:
      The attributes of `HeadModel` by name.

    Raises:
      HeadFileError: The file is missing or is not a head model.
    """
    names = ("neutral", "identity", "expression", "expression_names", "tri")
    try:
        with np.load(path, allow_pickle=False) as data:
            arrays = {name: data[name] for name in (*names, "landmarks68")}
            if "parts" in data:
                arrays["parts"] = data["parts"]
    except FileNotFoundError:
        raise HeadFileError(path, "no such file") from None
    except KeyError as error:
        raise HeadFileError(path, f"no array {error.args[0]}") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or error
        raise HeadFileError(path, f"not a readable npz file: {reason}") from error
    _check(path, arrays)
    return _drawn(arrays, _parts(path, arrays))


def _check(path: str | os.PathLike[str], arrays: dict[str, np.ndarray]) -> None:
    """Raises HeadFileError if an array has a wrong shape or wrong values."""
    neutral, triangles = arrays["neutral"], arrays["tri"]
    count = len(neutral)
    for name in ("identity", "expression"):
        if arrays[name].ndim != 3 or arrays[name].shape[1:] != (count, 3):
            raise HeadFileError(path, f"{name} must have the shape (K, {count}, 3)")
    if neutral.ndim != 2 or neutral.shape[1] != 3 or not np.isfinite(neutral).all():
        raise HeadFileError(path, "neutral must have the shape (N, 3) and be finite")
    landmarks = arrays["landmarks68"]
    for name, array in (("tri", triangles), ("landmarks68", landmarks)):
        is_whole = array.dtype.kind in "iu" and array.size > 0
        if not is_whole or array.min() < 0 or array.max() >= count:
            raise HeadFileError(
                path, f"{name} must contain vertex numbers below {count}"
            )
    if triangles.ndim != 2 or triangles.shape[1] != 3:
        raise HeadFileError(path, "tri must have the shape (F, 3)")
    if landmarks.shape != (68,):
        raise HeadFileError(path, "landmarks68 must have the shape (68,)")


def _parts(path: str | os.PathLike[str], arrays: dict[str, np.ndarray]) -> np.ndarray:
    """The part of each vertex, uint8 (N,). NO_PART for vertices that are not drawn."""
    count = len(arrays["neutral"])
    parts = np.full(count, NO_PART, np.uint8)
    if "parts" in arrays:
        if arrays["parts"].shape != (count,):
            raise HeadFileError(path, f"parts must have the shape ({count},)")
        parts[:] = arrays["parts"]
    elif count == _ICT_NUM_VERTICES:
        for start, stop, part in _ICT_PARTS:
            parts[start:stop] = part
    else:
        raise HeadFileError(
            path,
            f"no array parts. Only a file with ICT-FaceKit's {_ICT_NUM_VERTICES}"
            f" vertices may lack it. Received: {count} vertices",
        )
    if (parts[arrays["landmarks68"]] == NO_PART).any():
        raise HeadFileError(path, "a landmark is a vertex that is not drawn")
    return parts


def _drawn(arrays: dict[str, np.ndarray], parts: np.ndarray) -> dict[str, Any]:
    """The attributes of `HeadModel`, without the vertices whose part is NO_PART."""
    is_drawn = parts != NO_PART
    new_number = np.cumsum(is_drawn) - 1
    neutral, triangles = arrays["neutral"][is_drawn], arrays["tri"]
    expression = arrays["expression"][:, is_drawn].astype(np.float32)
    names = tuple(str(name) for name in arrays["expression_names"])
    if "parts" not in arrays:
        _move_eyes(expression, names, neutral, parts[is_drawn])
    triangles = triangles[is_drawn[triangles].all(axis=1)]
    return {
        "neutral": neutral.astype(np.float32),
        "identity": arrays["identity"][:, is_drawn].astype(np.float32),
        "expression": expression,
        "expression_names": names,
        "triangles": new_number[triangles].astype(np.int32),
        "parts": parts[is_drawn],
        "landmarks68": new_number[arrays["landmarks68"]].astype(np.int32),
    }


def _move_eyes(
    expression: np.ndarray,
    names: tuple[str, ...],
    neutral: np.ndarray,
    parts: np.ndarray,
) -> None:
    """Adds the motion of the eyeballs, which ICT-FaceKit's shapes do not contain.

    The eyeballs turn with the gaze, and move back when the lids close. Without the
    retreat, the lids of some identities would cut through the cornea, because shapes
    are added linearly.

    Args:
      expression: Displacements, float32 (E, V, 3), in cm. They are changed.
      names: Names of the expressions.
      neutral: Vertices of the mean head, (V, 3), in cm.
      parts: Part of each vertex, (V,).
    """
    for name, shape in zip(names, expression, strict=True):
        stem, _, letter = name.partition("_")
        side = 1 if letter == "L" else -1
        is_eye = (parts == EYE) & (side * neutral[:, 0] > 0)
        if stem == "eyeBlink":
            shape[is_eye, 2] -= _EYE_RETREAT
        elif stem in _EYE_TURNS:
            away, up = _EYE_TURNS[stem]
            eyeball = neutral[is_eye]
            low, high = eyeball.min(axis=0), eyeball.max(axis=0)
            radius = (high[0] - low[0]) / 2
            center = ((low[0] + high[0]) / 2, (low[1] + high[1]) / 2, high[2] - radius)
            # For a small angle, the displacement of a rotation is the cross product of
            # the rotation vector (the axis times the angle) and the position.
            rotation = np.radians(_EYE_TURN) * np.array((-up, away * side, 0.0))
            shape[is_eye] += np.cross(rotation, eyeball - center)
