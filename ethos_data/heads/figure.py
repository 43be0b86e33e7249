"""A person ready to be rendered: head, hair and clothes as one painted mesh."""

from __future__ import annotations

import dataclasses
import functools
from typing import Final

import numpy as np

from ethos_data.heads import appearance, lighting, raster, spectacles, wardrobe
from ethos_data.heads.appearance import CLOTH, GLASSES, HAIR, Look
from ethos_data.heads.model import HeadModel
from ethos_data.heads.parts import EYE, FACE, HEAD, MOUTH, TEETH

NUM_DIRECTIONS: Final = 48
"""Directions in which every vertex knows whether it sees the sky."""

_VISIBILITY_PIXELS: Final = 128


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Figure:
    """One person; N vertices, of which the first V are the head model's.

    Attributes:
      model: the head model.
      look: colours and style.
      shape: float32 (V, 3), the person's neutral head, cm.
      worn: float32 (N - V, 3), hair, glasses and then clothes, cm.
      num_attached: how many vertices are hair and glasses and move with the head.
      triangles: int32 (F, 3). Hair and clothes are there twice, to be
        seen from inside as well.
      num_outer: how many triangles, from the first, show the outside.
      casters: int32 (C, 3), the outer triangles that cast shadows.
      kinds: uint8 (F,), part of each triangle: of `head`, HAIR or CLOTH.
      paint: float32 (N, 9): albedo r, g, b; gloss; brow; beard; texture x, y, z (cm).
      eyes: float32 (2, 4): center (texture coordinates) and radius of the eyeballs.
      transfer: float32 (N, NUM_DIRECTIONS), irradiance of a vertex per radiance from
        each of `lighting.sphere(NUM_DIRECTIONS)`, in the head's axes.
      hidden: float32 (N,), share of the cosine-weighted sky that is not seen.
      pivot: float (3,), where the head turns on the neck, cm.
    """

    model: HeadModel
    look: Look
    shape: np.ndarray
    worn: np.ndarray
    num_attached: int
    triangles: np.ndarray
    num_outer: int
    casters: np.ndarray
    kinds: np.ndarray
    paint: np.ndarray
    eyes: np.ndarray
    transfer: np.ndarray
    hidden: np.ndarray
    pivot: np.ndarray


@functools.lru_cache(maxsize=2)
def _masks(model: HeadModel) -> appearance.Masks:
    return appearance.masks_of(model)


def build(
    model: HeadModel,
    identity: np.ndarray,
    look: Look,
    rng: np.random.Generator,
) -> Figure:
    """Builds a person.

    Args:
      model: the head model.
      identity: its coefficients.
      look: colours and style.
      rng: for locks of hair.
    """
    masks = _masks(model)
    shape = model.vertices(identity, np.zeros(model.num_expression))
    marks = shape[model.landmarks68]
    base = wardrobe.neck_base(marks)
    axis = _neck_axis(shape, base)
    shape = _without_shoulders(shape, axis, base, np.ptp(marks[[0, 16], 0]))
    kept = (shape[:, 1] > base - 5.0)[model.triangles].any(axis=1)
    triangles, kinds = [model.triangles[kept]], [model.parts[model.triangles[kept, 0]]]
    worn, textures = [], [model.neutral]
    count = len(shape)
    hair = wardrobe.hair(shape, model, look, rng)
    if hair is not None:
        points, faces, strand = hair
        worn.append(points)
        textures.append(strand)
        triangles.append(faces + count)
        kinds.append(np.full(len(faces), HAIR))
        count += len(points)
    num_hair = count - len(shape)
    if look.glasses != "none":
        points, faces = spectacles.spectacles(marks, look, rng)
        worn.append(points)
        textures.append(points)
        triangles.append(faces + count)
        kinds.append(np.full(len(faces), GLASSES))
        count += len(points)
    num_attached = count - len(shape)
    points, faces = wardrobe.torso(marks, float(axis[2]), look.collar)
    worn.append(points)
    textures.append(points)
    triangles.append(faces + count)
    kinds.append(np.full(len(faces), CLOTH))

    num_outer = sum(len(faces) for faces in triangles)
    for k in range(1, len(triangles)):
        triangles.append(triangles[k][:, ::-1])
        kinds.append(kinds[k])
    all_triangles = np.concatenate(triangles).astype(np.int32)
    all_worn = np.concatenate(worn).astype(np.float32)
    paint = np.zeros((len(shape) + len(all_worn), 9), np.float32)
    paint[: len(shape), :6] = _paint_head(model, masks, look)
    paint[len(shape) : len(shape) + num_hair, :3] = look.hair
    paint[len(shape) + num_hair : count, :3] = look.frames
    paint[count:, :3] = look.cloth
    paint[:, 6:] = np.concatenate(textures)
    vertices = np.concatenate([shape, all_worn])
    outer, outer_kinds = all_triangles[:num_outer], np.concatenate(kinds)[:num_outer]
    # What lies behind lips and lids shadows nothing that is seen.
    solid = np.isin(outer_kinds, (FACE, HEAD, HAIR, CLOTH))
    casters = outer[solid | (outer_kinds == GLASSES)]
    normals = raster.vertex_normals(vertices, outer)
    # Soft light flows around thin rims; from 48 directions it would leave smudges.
    transfer, hidden = _transfer(vertices, normals, outer[solid])
    return Figure(
        model=model,
        look=look,
        shape=shape,
        worn=all_worn,
        num_attached=num_attached,
        triangles=all_triangles,
        num_outer=num_outer,
        casters=casters,
        kinds=np.concatenate(kinds).astype(np.uint8),
        paint=paint,
        eyes=np.concatenate(
            [masks.eye_centers, np.full((2, 1), masks.eye_radius)], axis=1
        ).astype(np.float32),
        transfer=transfer,
        hidden=hidden,
        pivot=np.array((0.0, marks[8, 1] + 1.5, axis[2])),
    )


def _neck_axis(shape: np.ndarray, base: float) -> np.ndarray:
    """A point (3,) on the axis of the neck over vertices (V, 3); base: the collar."""
    around = (np.abs(shape[:, 0]) < 4) & (np.abs(shape[:, 1] - base - 3.5) < 1.5)
    z = shape[around, 2]
    return np.array((0.0, base, (z.min() + z.max()) / 2))


def _without_shoulders(
    shape: np.ndarray, axis: np.ndarray, base: float, width: float
) -> np.ndarray:
    """Draws shoulders in to the neck: they would turn with the head, above the clothes.

    Args:
      shape: (V, 3), cm.
      axis: a point on the axis of the neck.
      base: height of the collar.
      width: of the head between the ears.
    """
    outward = (shape - axis) * (1, 0, 1)
    radius = np.linalg.norm(outward, axis=1)
    # The neck is as wide as may be below the ears and narrows down to the collar.
    up = np.clip((shape[:, 1] - base - 0.5) / 6.0, 0, 1)
    limit = width * (0.36 + 0.4 * up**2)
    # Above the collar the front is left alone: there are chin and throat.
    front = np.clip((outward[:, 2] / width - 0.2) / 0.2, 0, 1) * np.clip(up * 6, 0, 1)
    excess = np.maximum(radius - limit, 0) * (1 - front)
    inward = excess / np.maximum(radius, 1e-6)
    drop = np.outer(0.5 * excess * (1 - up), (0, 1, 0))
    return (shape - outward * inward[:, None] - drop).astype(np.float32)


def _paint_head(model: HeadModel, masks: appearance.Masks, look: Look) -> np.ndarray:
    """Albedo, gloss, brow and beard (V, 6) of the head's vertices."""
    parts = model.parts[:, None]

    def blend(color: np.ndarray, other: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return color + (other - color) * weight[:, None]

    skin = np.tile(look.skin, (len(parts), 1))
    skin = blend(skin, look.skin * (1.05, 0.72, 0.68), 0.7 * look.ruddy * masks.ruddy)
    skin = blend(skin, look.skin * (0.72, 0.62, 0.62), 0.55 * masks.shade)
    skin = blend(skin, look.lips, 0.9 * masks.lips)
    thin = 0.9 if look.hair_style in ("short", "medium", "long") else 0.5
    thin = 0.0 if look.hair_style == "bald" else thin
    skin = blend(skin, look.hair * 0.7 + look.skin * 0.1, thin * masks.scalp)
    skin = blend(skin, look.skin * 0.08, look.lashes * 0.85 * masks.lashes)
    albedo = np.select(
        [parts == EYE, parts == TEETH, parts == MOUTH],
        [
            np.array((0.43, 0.41, 0.39)),
            np.array((0.62, 0.58, 0.5)),
            np.array((0.22, 0.06, 0.06)),
        ],
        skin,
    )
    gloss = look.gloss * 0.6 * (1 - 0.7 * masks.scalp)
    gloss = np.where(model.parts == EYE, 0.9, gloss)
    brow = masks.brow * look.brow_density
    beard = masks.beard * look.beard
    return np.concatenate([albedo, np.stack([gloss, brow, beard], axis=1)], axis=1)


def _transfer(
    vertices: np.ndarray, normals: np.ndarray, casters: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How each vertex is lit from each direction (N, K), and how much sky is hidden.

    Precomputed radiance transfer (Sloan et al., 2002) with a sum over directions in
    place of spherical harmonics: a frame's soft light with its soft shadows is then
    one product of matrices.
    """
    directions = lighting.sphere(NUM_DIRECTIONS)
    cosines = np.maximum(normals @ directions.T.astype(np.float32), 0)
    seen = np.empty((len(vertices), NUM_DIRECTIONS), np.float32)
    for k, direction in enumerate(directions):
        seen[:, k] = raster.lit(
            vertices, normals, casters, direction, _VISIBILITY_PIXELS
        )
    cosines *= 4 / NUM_DIRECTIONS  # the integral of cosine over the sphere is pi
    transfer = cosines * seen
    return transfer, np.clip(1 - transfer.sum(axis=1), 0, 1)
