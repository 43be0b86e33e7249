"""A model of heads: neutral mesh, identity shapes, expression shapes and landmarks.

Example:
  model = HeadModel.builtin()                     # the project's own geometry
  model = HeadModel.load("ict_facekit_light.npz") # a morphable model from a file
  rng = np.random.default_rng(0)
  vertices = model.vertices(model.sample_identity(rng), model.sample_expression(rng))
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Mapping
from typing import Final

import numpy as np

from ethos_data.heads import head_file

MAX_SIGMA: Final = 2.2
"""Limit of random identity coefficients, in standard deviations.

Beyond it, the sum of a morphable model's hundred shapes is no longer a plausible face.
"""

_MOODS: Final[tuple[Mapping[str, float], ...]] = (
    # Largest coefficients of the expressions, by the first part of their names.
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


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class HeadModel:
    """A linear model of heads with V vertices, in the head frame.

    Attributes:
      neutral: Vertices of the mean head, float32 (V, 3), in cm.
      identity: Displacements per standard deviation of each identity coefficient,
        float32 (I, V, 3), in cm.
      expression: Displacements at coefficient 1 of each expression, float32 (E, V, 3),
        in cm.
      expression_names: E names. The name of an expression on a single side of the face
        ends with "_L" or "_R", the person's left or right.
      triangles: int32 (F, 3), counter-clockwise seen from outside.
      parts: Part of each vertex, uint8 (V,): FACE, HEAD, MOUTH, SOCKET, TEETH or EYE of
        `ethos_data.heads.parts`.
      landmarks68: Vertices of the 68 landmarks, int32 (68,).
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
        """Returns the project's own head.

        It is built once per process, which takes about a second.
        """
        return _builtin()

    @staticmethod
    def load(path: str | os.PathLike[str]) -> HeadModel:
        """Reads a head model from a file in the layout of ICT-FaceKit light.

        Args:
          path: Path of the npz file. `ethos_data.heads.head_file` describes its arrays.

        Raises:
          HeadFileError: The file is not such a model.
        """
        return HeadModel(**head_file.read(path))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model to an npz file that `load` can read."""
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
        """Returns the vertices of a head.

        Args:
          identity: Identity coefficients, (<= I,), in standard deviations. Missing
            coefficients are 0.
          expression: Expression coefficients in [0, 1], (E,).

        Returns:
          float32 (V, 3), in cm.
        """
        shape = self.neutral + np.einsum(
            "k,kvc->vc",
            np.asarray(identity, np.float32),
            self.identity[: len(identity)],
        )
        return self.expressed(shape, expression)

    def expressed(self, shape: np.ndarray, expression: np.ndarray) -> np.ndarray:
        """Adds an expression to a person's neutral head.

        Args:
          shape: Vertices of the neutral head, (V, 3), in cm.
          expression: Expression coefficients in [0, 1], (E,).

        Returns:
          float32 (V, 3), in cm.
        """
        result = np.array(shape, np.float32)
        product = np.empty_like(result)
        # Most coefficients are 0 in most frames, and skipping them saves time.
        for k in np.flatnonzero(expression):
            np.multiply(self.expression[k], np.float32(expression[k]), out=product)
            result += product
        return result

    def sample_identity(self, rng: np.random.Generator) -> np.ndarray:
        """Draws the identity coefficients of a random person, float32 (I,)."""
        draws = rng.standard_normal(self.num_identity)
        return np.clip(draws, -MAX_SIGMA, MAX_SIGMA).astype(np.float32)

    def sample_expression(self, rng: np.random.Generator) -> np.ndarray:
        """Draws a random expression.

        It consists of a mood with a random strength, some asymmetry, a direction of
        gaze, and sometimes a blink.

        Returns:
          Expression coefficients in [0, 1], float32 (E,).
        """
        mood = _MOODS[rng.integers(len(_MOODS))]
        strength = rng.uniform(0.2, 1.0)
        coefficients = {
            stem: strength * limit * rng.uniform(0.5, 1.0)
            for stem, limit in mood.items()
        }
        gaze_left, gaze_up = rng.normal(0, 0.3, 2)
        has_blink = rng.random() < 0.08
        values = np.zeros(self.num_expression)
        for k, name in enumerate(self.expression_names):
            stem, _, side = name.partition("_")
            values[k] = coefficients.get(stem, 0) * rng.uniform(0.75, 1.0)
            if stem == "eyeLookUp":
                values[k] = gaze_up
            elif stem == "eyeLookDown":
                values[k] = -gaze_up
            elif stem in ("eyeLookIn", "eyeLookOut"):
                # Both eyes turn the same way: if the left eye looks outwards, the right
                # eye looks inwards.
                turns_left = (stem == "eyeLookOut") == (side == "L")
                values[k] = gaze_left if turns_left else -gaze_left
            elif stem == "eyeBlink" and has_blink:
                values[k] = rng.uniform(0.6, 1.0)
        return np.clip(values, 0, 1).astype(np.float32)


@functools.lru_cache(maxsize=1)
def _builtin() -> HeadModel:
    # scipy, which builds the head, is slow to import.
    from ethos_data.heads.sculpture.build import build_head

    return HeadModel(**build_head())
