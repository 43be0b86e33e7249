"""A person ready to be rendered: head, hair, glasses and clothes as a painted mesh."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from ethos_data.heads import raster
from ethos_data.heads.lighting import sphere_directions
from ethos_data.heads.model import HeadModel
from ethos_data.heads.parts import CLOTH, EYE, FACE, GLASSES, HAIR, HEAD, MOUTH, TEETH
from ethos_data.heads.person import spectacles, wardrobe
from ethos_data.heads.person.appearance import Look, sample_look
from ethos_data.heads.person.masks import Masks, face_masks

NUM_DIRECTIONS: Final = 48
"""Number of directions from which the soft light of every vertex is stored."""

_VISIBILITY_PIXELS: Final = 128
"""Side of the depth maps that show which vertices see which direction, in pixels."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Figure:
    """One person: N vertices, of which the first V are those of the head model.

    Attributes:
      model: Head model.
      look: Colours and style.
      shape: Vertices of the person's neutral head, float32 (V, 3), in cm.
      worn: Vertices of hair, glasses and then clothes, float32 (N - V, 3), in cm.
      num_attached: Number of vertices of hair and glasses, which move with the head.
      triangles: int32 (F, 3). Hair, glasses and clothes appear twice, the second time
        with the opposite orientation, so that their inside is drawn as well.
      num_outer: Number of triangles, counted from the first, that show the outside.
      casters: Outer triangles that cast shadows, int32 (C, 3).
      parts: Part of each triangle, uint8 (F,), a number of `ethos_data.heads.parts`.
      paint: float32 (N, 9): albedo (red, green, blue), gloss, brow, beard, and texture
        coordinates (x, y, z) in cm.
      eyes: Centre (in texture coordinates) and radius of the right and the left
        eyeball, float32 (2, 4), in cm.
      transfer: float32 (N, NUM_DIRECTIONS). Irradiance of a vertex per radiance from
        each direction of `sphere_directions(NUM_DIRECTIONS)`, in the head frame.
      hidden: Share of the cosine-weighted environment that a vertex does not see,
        float32 (N,).
      pivot: Point at which the head turns on the neck, float (3,), in cm.
    """

    model: HeadModel
    look: Look
    shape: np.ndarray
    worn: np.ndarray
    num_attached: int
    triangles: np.ndarray
    num_outer: int
    casters: np.ndarray
    parts: np.ndarray
    paint: np.ndarray
    eyes: np.ndarray
    transfer: np.ndarray
    hidden: np.ndarray
    pivot: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class _Piece:
    """A separate piece of the mesh.

    Attributes:
      vertices: (K, 3), in cm.
      triangles: Numbers of the piece's own vertices, (F, 3).
      parts: Part of each triangle, (F,).
      texture: Texture coordinates, (K, 3), in cm.
      color: Albedo, (3,). None for the head, whose colours differ by vertex.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    parts: np.ndarray
    texture: np.ndarray
    color: np.ndarray | None = None


def sample_figure(model: HeadModel, rng: np.random.Generator) -> Figure:
    """Draws a random person: identity, colours, hair and clothes.

    Example:
      figure = sample_figure(HeadModel.builtin(), np.random.default_rng(7))
    """
    identity = model.sample_identity(rng)
    return build_figure(model, identity, sample_look(rng), rng)


def build_figure(
    model: HeadModel,
    identity: np.ndarray,
    look: Look,
    rng: np.random.Generator,
) -> Figure:
    """Builds a person.

    Args:
      model: Head model.
      identity: Identity coefficients, (<= I,). Missing coefficients are 0.
      look: Colours and style.
      rng: Source of randomness for hair and glasses.
    """
    masks = face_masks(model)
    shape = model.vertices(identity, np.zeros(model.num_expression))
    landmarks = shape[model.landmarks68]
    collar = wardrobe.collar_height(landmarks)
    neck = _neck_center(shape, collar)
    shape = _without_shoulders(shape, neck, np.ptp(landmarks[[0, 16], 0]))
    is_drawn = (shape[:, 1] > collar - 5.0)[model.triangles].any(axis=1)
    faces = model.triangles[is_drawn]
    head = _Piece(shape, faces, model.parts[faces[:, 0]], model.neutral)
    attached = _attached_pieces(shape, landmarks, model, look, rng)
    vertices, triangles = wardrobe.torso_mesh(landmarks, float(neck[2]), look.collar)
    clothes = _Piece(
        vertices, triangles, np.full(len(triangles), CLOTH), vertices, look.cloth
    )
    pieces = [head, *attached, clothes]
    triangles, parts, num_outer = _triangles(pieces)
    worn = np.concatenate([piece.vertices for piece in pieces[1:]]).astype(np.float32)
    outer, outer_parts = triangles[:num_outer], parts[:num_outer]
    # Lips and lids already shadow the parts behind them.
    is_solid = np.isin(outer_parts, (FACE, HEAD, HAIR, CLOTH))
    vertices = np.concatenate([shape, worn])
    normals = raster.vertex_normals(vertices, outer)
    # With only 48 directions, thin rims would leave blotches in the soft light.
    transfer, hidden = _light_transfer(vertices, normals, outer[is_solid])
    return Figure(
        model=model,
        look=look,
        shape=shape,
        worn=worn,
        num_attached=sum(len(piece.vertices) for piece in attached),
        triangles=triangles,
        num_outer=num_outer,
        casters=outer[is_solid | (outer_parts == GLASSES)],
        parts=parts,
        paint=_paint(pieces, _paint_head(model, masks, look)),
        eyes=np.concatenate(
            [masks.eye_centers, np.full((2, 1), masks.eye_radius)], axis=1
        ).astype(np.float32),
        transfer=transfer,
        hidden=hidden,
        pivot=np.array((0.0, landmarks[8, 1] + 1.5, neck[2])),
    )


def _attached_pieces(
    shape: np.ndarray,
    landmarks: np.ndarray,
    model: HeadModel,
    look: Look,
    rng: np.random.Generator,
) -> list[_Piece]:
    """The hair and the glasses of a person who has them."""
    pieces = []
    hair = wardrobe.hair_mesh(shape, model, look, rng)
    if hair is not None:
        vertices, triangles, strand = hair
        parts = np.full(len(triangles), HAIR)
        pieces.append(_Piece(vertices, triangles, parts, strand, look.hair))
    if look.glasses != "none":
        vertices, triangles = spectacles.glasses_mesh(landmarks, look, rng)
        parts = np.full(len(triangles), GLASSES)
        pieces.append(_Piece(vertices, triangles, parts, vertices, look.rims))
    return pieces


def _triangles(pieces: list[_Piece]) -> tuple[np.ndarray, np.ndarray, int]:
    """The triangles (F, 3), their parts (F,), and the number of outer triangles."""
    triangles, parts, offset = [], [], 0
    for piece in pieces:
        triangles.append(piece.triangles + offset)
        parts.append(piece.parts)
        offset += len(piece.vertices)
    num_outer = sum(map(len, triangles))
    # All pieces but the head are open, so their inside can be seen.
    triangles += [outside[:, ::-1] for outside in triangles[1:]]
    parts += parts[1:]
    return (
        np.concatenate(triangles).astype(np.int32),
        np.concatenate(parts).astype(np.uint8),
        num_outer,
    )


def _neck_center(shape: np.ndarray, collar: float) -> np.ndarray:
    """The centre of the neck at the height of the collar, (3,), in cm."""
    is_neck = (np.abs(shape[:, 0]) < 4) & (np.abs(shape[:, 1] - collar - 3.5) < 1.5)
    z = shape[is_neck, 2]
    return np.array((0.0, collar, (z.min() + z.max()) / 2))


def _without_shoulders(shape: np.ndarray, neck: np.ndarray, width: float) -> np.ndarray:
    """Narrows a head's shoulders to a neck.

    The shoulders would otherwise turn with the head and appear above the clothes.

    Args:
      shape: Vertices, (V, 3), in cm.
      neck: Centre of the neck at the height of the collar, (3,), in cm.
      width: Width of the head between the ears, in cm.
    """
    outward = (shape - neck) * (1, 0, 1)
    radius = np.linalg.norm(outward, axis=1)
    # The radius is unlimited below the ears and narrows down to the collar.
    up = np.clip((shape[:, 1] - neck[1] - 0.5) / 6.0, 0, 1)
    limit = width * (0.36 + 0.4 * up**2)
    # Chin and throat, which are in front and above the collar, keep their shape.
    front = np.clip((outward[:, 2] / width - 0.2) / 0.2, 0, 1) * np.clip(up * 6, 0, 1)
    excess = np.maximum(radius - limit, 0) * (1 - front)
    inward = excess / np.maximum(radius, 1e-6)
    drop = np.outer(0.5 * excess * (1 - up), (0, 1, 0))
    return (shape - outward * inward[:, None] - drop).astype(np.float32)


def _paint(pieces: list[_Piece], head_paint: np.ndarray) -> np.ndarray:
    """`Figure.paint`, float32 (N, 9).

    Args:
      pieces: The head and then the other pieces.
      head_paint: Albedo, gloss, brow and beard of the head's vertices, (V, 6).
    """
    paint = np.zeros((sum(len(piece.vertices) for piece in pieces), 9), np.float32)
    paint[: len(head_paint), :6] = head_paint
    start = len(head_paint)
    for piece in pieces[1:]:
        stop = start + len(piece.vertices)
        paint[start:stop, :3] = piece.color
        start = stop
    paint[:, 6:] = np.concatenate([piece.texture for piece in pieces])
    return paint


def _paint_head(model: HeadModel, masks: Masks, look: Look) -> np.ndarray:
    """Albedo, gloss, brow and beard of the head's vertices, (V, 6)."""
    parts = model.parts[:, None]

    def blend(color: np.ndarray, other: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return color + (other - color) * weight[:, None]

    skin = np.tile(look.skin, (len(parts), 1))
    red = look.skin * (1.05, 0.72, 0.68)
    skin = blend(skin, red, 0.7 * look.redness * masks.redness)
    skin = blend(skin, look.skin * (0.72, 0.62, 0.62), 0.55 * masks.shade)
    skin = blend(skin, look.lips, 0.9 * masks.lips)
    # The colour of the hair on the scalp, under the shell of hair if there is one.
    stubble = {"bald": 0.0, "shaved": 0.5}.get(look.hair_style, 0.9)
    hair = look.hair * 0.7 + look.skin * 0.1
    skin = blend(skin, hair, stubble * masks.scalp)
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


def _light_transfer(
    vertices: np.ndarray, normals: np.ndarray, casters: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Computes `Figure.transfer` (N, K) and `Figure.hidden` (N,).

    This is precomputed radiance transfer (Sloan et al., 2002) with a sum over
    directions in place of spherical harmonics. The soft light of a frame, with its soft
    shadows, is then one matrix product.
    """
    directions = sphere_directions(NUM_DIRECTIONS)
    cosines = np.maximum(normals @ directions.T.astype(np.float32), 0)
    visible = np.empty((len(vertices), NUM_DIRECTIONS), np.float32)
    for k, direction in enumerate(directions):
        visible[:, k] = raster.lit_shares(
            vertices, normals, casters, direction, _VISIBILITY_PIXELS
        )
    # The cosine's integral over the sphere is pi, so its mean over the directions is
    # 1/4. A vertex that sees its whole hemisphere gets a sum of 1.
    cosines *= 4 / NUM_DIRECTIONS
    transfer = cosines * visible
    return transfer, np.clip(1 - transfer.sum(axis=1), 0, 1)
