"""A head that can be rendered: neutral mesh, identity and expression shapes, landmarks.

The head's frame of reference: centimetres, x to the right of a viewer who looks into
the face, y up, z towards the viewer. Triangles run counter-clockwise seen from outside.

    model = HeadModel.builtin()  # this project's own geometry, no file
    model = HeadModel.load("ict_facekit_light.npz")  # a morphable model
    rng = np.random.default_rng(0)
    vertices = model.vertices(model.sample_identity(rng), model.sample_expression(rng))
"""

from __future__ import annotations

import dataclasses
import functools
import os
import zipfile
from collections.abc import Mapping
from typing import Final

import numpy as np

from ethos_data.errors import EthosError
from ethos_data.heads.parts import EYE, FACE, HEAD, MOUTH, SOCKET, TEETH

MAX_SIGMA: Final = 2.2
"""Identity coefficients are drawn from a normal distribution cut off here: beyond, the
hundred shapes of a morphable model fold into faces that nobody has."""

_ICT_NUM_VERTICES: Final = 26719
_ICT_PARTS: Final = (
    # Vertex ranges of ICT-FaceKit light that are worth drawing. Left out: gums and
    # tongue (hidden), the inner spheres of the irises (the shader paints them on the
    # eyeball), tear film, occlusion and eyelash strips (they are translucent).
    (0, 9409, FACE),
    (9409, 11248, HEAD),
    (11248, 13294, MOUTH),
    (13294, 14062, SOCKET),
    (17039, 21451, TEETH),
    (21451, 22221, EYE),
    (23021, 23791, EYE),
)

_EYE_RETREAT: Final = 0.12
"""How far an eyeball draws back when its lids close, cm."""

_MOODS: Final[tuple[Mapping[str, float], ...]] = (
    # Upper ends of the coefficients, by the stem of the expression's name.
    {},
    {"mouthSmile": 1.0, "cheekSquint": 0.8, "eyeSquint": 0.4, "mouthUpperUp": 0.3},
    {"mouthSmile": 0.9, "jawOpen": 0.45, "cheekSquint": 0.7, "mouthUpperUp": 0.5},
    {"jawOpen": 0.5, "mouthFunnel": 0.4, "mouthLowerDown": 0.5},
    {"jawOpen": 0.3, "mouthStretch": 0.5, "mouthLowerDown": 0.4},
    {"mouthPucker": 0.9, "mouthFunnel": 0.3},
    {"mouthFrown": 0.8, "browDown": 0.8, "mouthPress": 0.5, "eyeSquint": 0.4},
    {"browInnerUp": 0.9, "browOuterUp": 0.9, "eyeWide": 0.7, "jawOpen": 0.6},
    {"browDown": 0.9, "noseSneer": 0.7, "mouthUpperUp": 0.5, "eyeSquint": 0.6},
    {"cheekPuff": 0.7, "mouthClose": 0.1, "mouthPress": 0.5},
    {"mouthLeft": 0.6, "jawLeft": 0.5},
    {"mouthRight": 0.6, "jawRight": 0.5},
)


class HeadError(EthosError):
    """A head model's file that cannot be used."""

    def __init__(self, path: str | os.PathLike[str], reason: str):
        super().__init__(f"{os.fspath(path)}: {reason}")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class HeadModel:
    """A linear model of heads with V vertices.

    Attributes:
      neutral: float32 (V, 3), cm.
      identity: float32 (I, V, 3), cm per standard deviation.
      expression: float32 (E, V, 3), cm at coefficient 1.
      expression_names: E names; the side of a one-sided one ends it, `_L` or `_R`.
      triangles: int32 (F, 3), counter-clockwise from outside.
      parts: uint8 (V,), one of FACE, HEAD, MOUTH, SOCKET, TEETH, EYE.
      landmarks68: int32 (68,), the vertices that are the iBUG points.
    """

    neutral: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    expression_names: tuple[str, ...]
    triangles: np.ndarray
    parts: np.ndarray
    landmarks68: np.ndarray

    @property
    def num_identity(self) -> int:
        return len(self.identity)

    @property
    def num_expression(self) -> int:
        return len(self.expression)

    @staticmethod
    def builtin() -> HeadModel:
        """The project's own head. It is sculpted once per process (about a second)."""
        return _builtin()

    @staticmethod
    def load(path: str | os.PathLike[str]) -> HeadModel:
        """Reads a morphable head in the layout of ICT-FaceKit light.

        Args:
          path: npz with `neutral` (N, 3), `identity` (I, N, 3), `expression` (E, N, 3),
            `expression_names` (E,), `tri` (F, 3), `landmarks68` (68,) and, unless it
            has ICT-FaceKit's 26,719 vertices, `parts` (N,).

        Raises:
          HeadError: the file is not such a model.
        """
        names = ("neutral", "identity", "expression", "expression_names", "tri")
        try:
            with np.load(path, allow_pickle=False) as data:
                arrays = {name: data[name] for name in (*names, "landmarks68")}
                if "parts" in data:
                    arrays["parts"] = data["parts"]
        except KeyError as error:
            raise HeadError(path, f"no array {error.args[0]}") from error
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise HeadError(path, f"not a readable npz file ({error})") from error
        return _from_arrays(path, arrays)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model so that `load` reads it back."""
        np.savez_compressed(
            path,
            neutral=self.neutral,
            identity=self.identity,
            expression=self.expression,
            expression_names=np.array(self.expression_names),
            tri=self.triangles,
            landmarks68=self.landmarks68,
            parts=self.parts,
        )

    def vertices(self, identity: np.ndarray, expression: np.ndarray) -> np.ndarray:
        """The vertices of one head.

        Args:
          identity: (<= I,) coefficients, standard normal; missing ones are 0.
          expression: (E,) coefficients in [0, 1].

        Returns:
          float32 (V, 3), cm.
        """
        shape = self.neutral + np.einsum(
            "k,kvc->vc",
            np.asarray(identity, np.float32),
            self.identity[: len(identity)],
        )
        return self.expressed(shape, expression)

    def expressed(self, shape: np.ndarray, expression: np.ndarray) -> np.ndarray:
        """Adds an expression to a person's own (V, 3) shape."""
        result = np.array(shape, np.float32)
        scratch = np.empty_like(result)
        # Most coefficients are 0 in most frames; skipping them is the speed.
        for k in np.flatnonzero(expression):
            np.multiply(self.expression[k], np.float32(expression[k]), out=scratch)
            result += scratch
        return result

    def sample_identity(self, rng: np.random.Generator) -> np.ndarray:
        """Coefficients (I,) float32 of a random person."""
        draws = rng.standard_normal(self.num_identity)
        return np.clip(draws, -MAX_SIGMA, MAX_SIGMA).astype(np.float32)

    def sample_expression(self, rng: np.random.Generator) -> np.ndarray:
        """Coefficients (E,) float32 in [0, 1] of a random expression.

        One mood with a random strength, some asymmetry, a gaze, now and then a blink.
        """
        mood = _MOODS[rng.integers(len(_MOODS))]
        strength = rng.uniform(0.2, 1.0)
        coefficients = {
            stem: strength * limit * rng.uniform(0.5, 1.0)
            for stem, limit in mood.items()
        }
        across, up = rng.normal(0, 0.3, 2)
        blink = rng.random() < 0.08
        values = np.zeros(self.num_expression)
        for k, name in enumerate(self.expression_names):
            stem, _, side = name.partition("_")
            values[k] = coefficients.get(stem, 0) * rng.uniform(0.75, 1.0)
            if stem == "eyeLookUp":
                values[k] = up
            elif stem == "eyeLookDown":
                values[k] = -up
            elif stem in ("eyeLookIn", "eyeLookOut"):
                # Both eyes turn the same way: one looks in while the other looks out.
                values[k] = (
                    across if (stem == "eyeLookOut") == (side == "L") else -across
                )
            elif stem == "eyeBlink" and blink:
                values[k] = rng.uniform(0.6, 1.0)
        return np.clip(values, 0, 1).astype(np.float32)


@functools.lru_cache(maxsize=1)
def _builtin() -> HeadModel:
    from ethos_data.heads import sculpture

    return HeadModel(**sculpture.sculpt())


def _from_arrays(
    path: str | os.PathLike[str], arrays: dict[str, np.ndarray]
) -> HeadModel:
    """Checks the arrays of a file and drops the vertices that are not drawn."""
    neutral, triangles = arrays["neutral"], arrays["tri"]
    count = len(neutral)
    for name in ("identity", "expression"):
        if arrays[name].ndim != 3 or arrays[name].shape[1:] != (count, 3):
            raise HeadError(path, f"{name} must be (k, {count}, 3)")
    if neutral.ndim != 2 or neutral.shape[1] != 3 or not np.isfinite(neutral).all():
        raise HeadError(path, "neutral must be (n, 3) and finite")
    landmarks = arrays["landmarks68"]
    for name, array in (("tri", triangles), ("landmarks68", landmarks)):
        if array.dtype.kind not in "iu" or array.min() < 0 or array.max() >= count:
            raise HeadError(path, f"{name} must be vertex numbers below {count}")
    if landmarks.shape != (68,) or triangles.ndim != 2 or triangles.shape[1] != 3:
        raise HeadError(path, "tri must be (f, 3) and landmarks68 (68,)")

    parts = np.full(count, 255, np.uint8)
    if "parts" in arrays:
        if arrays["parts"].shape != (count,):
            raise HeadError(path, f"parts must be ({count},)")
        parts[:] = arrays["parts"]
    elif count == _ICT_NUM_VERTICES:
        for start, stop, part in _ICT_PARTS:
            parts[start:stop] = part
    else:
        raise HeadError(
            path, f"{count} vertices without parts; ICT-FaceKit has {_ICT_NUM_VERTICES}"
        )
    kept = parts != 255
    if not kept[landmarks].all():
        raise HeadError(path, "a landmark lies on a part that is not drawn")
    number = np.cumsum(kept) - 1
    expression = arrays["expression"][:, kept].astype(np.float32)
    names = tuple(str(name) for name in arrays["expression_names"])
    if "parts" not in arrays:
        _move_eyes(expression, names, neutral[kept], parts[kept])
    return HeadModel(
        neutral=neutral[kept].astype(np.float32),
        identity=arrays["identity"][:, kept].astype(np.float32),
        expression=expression,
        expression_names=names,
        triangles=number[triangles[kept[triangles].all(axis=1)]].astype(np.int32),
        parts=parts[kept],
        landmarks68=number[landmarks].astype(np.int32),
    )


def _move_eyes(
    expression: np.ndarray,
    names: tuple[str, ...],
    neutral: np.ndarray,
    parts: np.ndarray,
) -> None:
    """Gives ICT-FaceKit's eyeballs the motion that its shapes leave to a rig.

    They turn as they look, and draw back as the lids close: shapes add up linearly, so
    that the lids of some identities would cut through the cornea.
    """
    for name, shape in zip(names, expression, strict=True):
        stem, _, letter = name.partition("_")
        side = 1 if letter == "L" else -1
        eye = (parts == EYE) & (side * neutral[:, 0] > 0)
        if stem == "eyeBlink":
            shape[eye, 2] -= _EYE_RETREAT
        elif stem in _EYE_TURNS:
            across, up = _EYE_TURNS[stem]
            ball = neutral[eye]
            low, high = ball.min(axis=0), ball.max(axis=0)
            radius = (high[0] - low[0]) / 2
            out = ball - (
                (low[0] + high[0]) / 2,
                (low[1] + high[1]) / 2,
                high[2] - radius,
            )
            # Of a small turn: the axis, whose length is the angle, times the radius.
            axis = np.radians(_EYE_TURN) * np.array((-up, across * side, 0.0))
            shape[eye] += np.cross(axis, out)


_EYE_TURN: Final = 20.0
"""How far an eye turns at coefficient 1, degrees."""

_EYE_TURNS: Final = {
    # Away from the nose, up.
    "eyeLookIn": (-1, 0),
    "eyeLookOut": (1, 0),
    "eyeLookUp": (0, 1),
    "eyeLookDown": (0, -1),
}
