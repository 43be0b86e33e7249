"""Pieces of the built-in head besides its skin: eyeballs, teeth, linings."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from ethos_data.heads.parts import EYE, HEAD, MOUTH, SOCKET, TEETH
from ethos_data.heads.sculpture.field import EYE_CENTER, EYE_RADIUS


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Piece:
    """A piece of the mesh.

    Attributes:
      vertices: (N, 3), in cm.
      triangles: Numbers of the corners, (F, 3). A number k >= 0 is a vertex of this
        piece, and -1 - k is vertex k of the skin.
      parts: Part of each vertex, (N,).
    """

    vertices: np.ndarray
    triangles: np.ndarray
    parts: np.ndarray


def joined(pieces: list[Piece]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joins the skin, which is the first piece, and the other pieces.

    Returns:
      Vertices (N, 3) in cm, triangles (F, 3), and the part of each vertex (N,).
    """
    offset, triangles = 0, []
    for piece in pieces:
        faces = piece.triangles
        triangles.append(np.where(faces < 0, -1 - faces, faces + offset))
        offset += len(piece.vertices)
    return (
        np.concatenate([piece.vertices for piece in pieces]),
        np.concatenate(triangles),
        np.concatenate([piece.parts for piece in pieces]),
    )


def eyeball(side: int) -> Piece:
    """Builds the front of an eyeball with its cornea.

    Args:
      side: 1 for the left eye (x > 0), -1 for the right eye.
    """
    rings, segments = 12, 24
    polar = np.linspace(0, 0.62 * np.pi, rings + 1)[1:, None]
    turn = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    cornea = 0.07 * np.exp(-np.square(polar / 0.42))
    radius = EYE_RADIUS - 0.05 + cornea
    x, y = radius * np.sin(polar) * np.cos(turn), radius * np.sin(polar) * np.sin(turn)
    z = radius * np.cos(polar) + 0 * turn
    points = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    points = np.concatenate([points, [(0, 0, EYE_RADIUS - 0.05 + 0.07)]])
    number = np.arange(rings * segments).reshape(rings, segments)
    following = np.roll(number, -1, axis=1)
    a, b, c, d = number[1:], following[1:], following[:-1], number[:-1]
    quads = [np.stack([a, b, c], -1), np.stack([a, c, d], -1)]
    tip = np.full(segments, rings * segments)
    cap = np.stack([number[0], following[0], tip], -1)
    triangles = np.concatenate([*(quad.reshape(-1, 3) for quad in quads), cap])
    vertices = points + EYE_CENTER * (side, 1, 1)
    return Piece(vertices, triangles, np.full(len(points), EYE))


def teeth(*, upper: bool) -> Piece:
    """Builds a row of teeth: a curved band with a wave for each tooth."""
    count = 41
    x = np.linspace(-2.3, 2.3, count)
    z = 10.3 - 0.27 * x**2
    ripple = 0.05 * np.abs(np.sin(x * np.pi / 0.78))
    tops = np.full(count, -2.6 if upper else -3.62)
    ends = -3.5 - ripple * 0.6 if upper else np.full(count, -4.5)
    tops = tops if upper else tops - ripple
    bulge = 0.06 * np.abs(np.sin(x * np.pi / 0.78))
    rows = [tops, (tops + ends) / 2, ends]
    points = np.concatenate(
        [np.stack([x, y, z + bulge - 0.1 * abs(k - 1)], -1) for k, y in enumerate(rows)]
    )
    number = np.arange(3 * count).reshape(3, count)
    a, b = number[1:, :-1], number[1:, 1:]
    c, d = number[:-1, 1:], number[:-1, :-1]
    quads = [np.stack([a, b, c], -1), np.stack([a, c, d], -1)]
    triangles = np.concatenate([quad.reshape(-1, 3) for quad in quads])
    return Piece(points, triangles, np.full(len(points), TEETH))


def back_of_head(rim: np.ndarray, skin: np.ndarray) -> Piece:
    """Closes the hole at the back of the head, which the map of directions leaves.

    Args:
      rim: Numbers of the skin's vertices around the hole, (K,), in any order.
      skin: Vertices of the skin, (N, 3), in cm.
    """
    around = np.arctan2(*(skin[rim, :2] - skin[rim, :2].mean(axis=0)).T)
    rim = rim[np.argsort(around)]
    pole = skin[rim].mean(axis=0, keepdims=True) - (0, 0, 0.2)
    loop = -1 - rim
    fan = np.stack([loop, np.roll(loop, -1), np.zeros_like(loop)], axis=1)
    return Piece(pole, fan, np.array([HEAD]))


def lid_lining(rim: np.ndarray, skin: np.ndarray, side: int) -> Piece:
    """Builds the thickness of the eyelids, from their edges to the eyeball.

    Args:
      rim: Numbers of the skin's vertices around the eye, (K,), in order.
      skin: Vertices of the skin, (N, 3), in cm.
      side: 1 for the left eye (x > 0), -1 for the right eye.
    """
    center = EYE_CENTER * (side, 1, 1)
    outward = skin[rim] - center
    reach = np.linalg.norm(outward, axis=1, keepdims=True)
    inner = center + outward * np.minimum(1, (EYE_RADIUS - 0.08) / reach)
    faces = _strip(-1 - rim[::-side], np.arange(len(rim))[::-side])
    return Piece(inner, faces, np.full(len(rim), SOCKET))


def mouth_cavity(rim: np.ndarray, skin: np.ndarray) -> Piece:
    """Builds the inside of the mouth, a bag behind the lips.

    Args:
      rim: Numbers of the skin's vertices around the slit of the mouth, (K,), in order.
      skin: Vertices of the skin, (N, 3), in cm.
    """
    edge = skin[rim]
    rings = [edge - (0, 0, 0.35)]
    is_upper = np.arange(len(rim)) <= len(rim) // 4
    is_upper |= np.arange(len(rim)) > 3 * len(rim) // 4
    away = np.where(is_upper, 1.0, -1.0)[:, None] * (0, 1, 0)
    tapered = 1 - np.square(edge[:, :1] / 2.4)
    rings.append(edge + away * 0.9 * np.maximum(tapered, 0) - (0, 0, 0.9))
    rings.append(edge * (0.95, 1, 1) + away * np.maximum(tapered, 0) - (0, 0, 3.0))
    pole = edge.mean(axis=0, keepdims=True) - (0, 0, 4.5)
    count = len(rim)
    loops = [-1 - rim] + [np.arange(count) + k * count for k in range(len(rings))]
    faces = [_strip(inner, outer) for outer, inner in itertools.pairwise(loops)]
    last = loops[-1]
    end = np.full(count, len(rings) * count)
    faces.append(np.stack([np.roll(last, -1), last, end], axis=1))
    points = np.concatenate([*rings, pole])
    return Piece(points, np.concatenate(faces), np.full(len(points), MOUTH))


def _strip(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Triangles (F, 3) between two closed loops of vertex numbers (K,).

    The outer loop runs clockwise.
    """
    outer_next, inner_next = np.roll(outer, -1), np.roll(inner, -1)
    return np.concatenate(
        [
            np.stack([outer, outer_next, inner_next], axis=1),
            np.stack([outer, inner_next, inner], axis=1),
        ]
    )
