"""The colour of each sample: skin, eyes, hair and cloth under soft and hard light.

One compiled loop over the samples that hit something. Everything is linear light.
Fine texture (brow hairs, mottled skin, irises, strands) is computed here, at the
sample, from texture coordinates in cm on the neutral head, so it sticks to the face.
"""

from __future__ import annotations

import numba
import numpy as np

from ethos_data import head
from ethos_data.appearance import CLOTH, HAIR
from ethos_data.raster import reaches

_EYE, _TEETH, _MOUTH, _HAIR, _CLOTH = head.EYE, head.TEETH, head.MOUTH, HAIR, CLOTH

# Light that enters the skin comes out beside it, red the farthest: a lambertian term
# wrapped around the terminator (Green, GPU Gems 1, ch. 16), a width for each channel.
_WRAP_R, _WRAP_G, _WRAP_B = np.float32(0.30), np.float32(0.13), np.float32(0.09)


@numba.njit(cache=True, nogil=True, inline="always")
def _hash(x, y, z):  # pragma: no cover
    """A number in [0, 1) for a point of the integer lattice."""
    h = (x * 374761393 + y * 668265263 + z * 2147483647) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    return np.float32((h ^ (h >> 16)) & 0xFFFF) / np.float32(65536)


@numba.njit(cache=True, nogil=True)
def _noise(x, y, z):  # pragma: no cover
    """Smooth noise in [0, 1), one feature per unit."""
    i, j, k = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
    u, v, w = x - i, y - j, z - k
    u, v, w = u * u * (3 - 2 * u), v * v * (3 - 2 * v), w * w * (3 - 2 * w)
    near = _hash(i, j, k) * (1 - u) + _hash(i + 1, j, k) * u
    near = (
        near * (1 - v) + (_hash(i, j + 1, k) * (1 - u) + _hash(i + 1, j + 1, k) * u) * v
    )
    k += 1
    far = _hash(i, j, k) * (1 - u) + _hash(i + 1, j, k) * u
    far = (
        far * (1 - v) + (_hash(i, j + 1, k) * (1 - u) + _hash(i + 1, j + 1, k) * u) * v
    )
    return np.float32(near * (1 - w) + far * w)


@numba.njit(cache=True, nogil=True, inline="always")
def _ramp(low, high, value):  # pragma: no cover
    t = min(max((value - low) / (high - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)


@numba.njit(cache=True, nogil=True)
def shade(
    seen, weights, triangles, kinds, normals, irradiance, paint, eyes, colors, mottle,
    light_points, light_depth, bias, key, key_color,
):  # pragma: no cover  # fmt: skip
    """Linear colours (H, W, 3) float32 of samples; 0 where nothing was hit.

    Args:
      seen: int32 (H, W), triangle of each sample, -1 = none.
      weights: float32 (H, W, 3), of the triangle's corners.
      triangles: int32 (F, 3).
      kinds: uint8 (F,), part of each triangle.
      normals: float32 (N, 3), world axes.
      irradiance: float32 (N, 3), soft light.
      paint: float32 (N, 9), as in `figure.Figure`.
      eyes: float32 (2, 4), right then left.
      colors: float32 (3, 3), of the brows, hair and irises.
      mottle: strength of fine variation.
      light_points: float32 (N, 3), vertices in the shadow map's frame of reference.
      light_depth: float32 (P, P), the shadow map.
      bias: of the shadow map, in its pixels.
      key: float32 (3,), direction of the key light.
      key_color: float32 (3,).
    """
    height, width = seen.shape
    out = np.zeros((height, width, 3), np.float32)
    half = np.empty(3, np.float32)
    half[0], half[1], half[2] = key[0], key[1], key[2] + 1
    half /= max(np.sqrt((half * half).sum()), np.float32(1e-6))
    n = np.empty(3, np.float32)
    e = np.empty(3, np.float32)
    p = np.empty(9, np.float32)
    s = np.empty(3, np.float32)
    for row in range(height):
        for column in range(width):
            f = seen[row, column]
            if f < 0:
                continue
            a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
            wa, wb, wc = weights[row, column]
            for k in range(3):
                n[k] = wa * normals[a, k] + wb * normals[b, k] + wc * normals[c, k]
                e[k] = (
                    wa * irradiance[a, k]
                    + wb * irradiance[b, k]
                    + wc * irradiance[c, k]
                )
                s[k] = (
                    wa * light_points[a, k]
                    + wb * light_points[b, k]
                    + wc * light_points[c, k]
                )
            for k in range(9):
                p[k] = wa * paint[a, k] + wb * paint[b, k] + wc * paint[c, k]
            n /= max(np.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]), np.float32(1e-6))
            kind = kinds[f]
            x, y, z = p[6], p[7], p[8]
            gloss, shine = p[3], np.float32(24)
            if kind == _EYE:
                _paint_eye(p, eyes, colors)
                shine = np.float32(180)
            elif kind == _HAIR:
                strand = 0.6 * _noise(x * 2.2, y * 0.22, 3.0)
                strand += 0.4 * _noise(x * 7.0, y * 0.4, 7.0)
                tone = 0.35 + 1.3 * strand
                for k in range(3):
                    p[k] *= tone
                gloss = np.float32(0.0)
            elif kind == _CLOTH:
                tone = 0.8 + 0.4 * _noise(x * 0.35, y * 0.2, z * 0.35)
                for k in range(3):
                    p[k] *= tone
                gloss = np.float32(0.0)
            elif kind == _MOUTH:
                gloss = np.float32(0.3)
            elif kind != _TEETH:
                _paint_skin(p, colors, mottle)
                gloss *= 1 - p[5]

            facing = n[0] * key[0] + n[1] * key[1] + n[2] * key[2]
            reach = np.float32(0)
            if facing > -0.35:
                reach = reaches(light_depth, s[0], s[1], s[2], bias)
            toward = min(max(n[2], np.float32(0)), np.float32(1))
            fresnel = np.float32(0.03) + np.float32(0.35) * (1 - toward) ** 5
            nh = max(n[0] * half[0] + n[1] * half[1] + n[2] * half[2], np.float32(0))
            if kind == _HAIR:
                # Strands run downwards; a highlight lies across them (Kajiya, 1989).
                tx, ty, tz = n[0] * n[1], n[1] * n[1] - 1, n[2] * n[1]
                length = max(np.sqrt(tx * tx + ty * ty + tz * tz), np.float32(1e-3))
                th = (tx * half[0] + ty * half[1] + tz * half[2]) / length
                highlight = np.float32(0.10) * max(1 - th * th, 0.0) ** 40
            else:
                highlight = gloss * (0.035 + fresnel) * 0.11 * (shine + 8) * nh**shine
                highlight *= np.float32(0.35)
            wrap = kind <= head.HEAD
            for k in range(3):
                w = np.float32(0)
                if wrap:
                    w = _WRAP_R if k == 0 else (_WRAP_G if k == 1 else _WRAP_B)
                diffuse = max((facing + w) / (1 + w), np.float32(0)) / (1 + w)
                light = e[k] + key_color[k] * reach * diffuse
                mirror = key_color[k] * reach * highlight * (facing > 0)
                mirror += e[k] * fresnel * gloss * np.float32(0.35)
                out[row, column, k] = p[k] * light + mirror
    return out


@numba.njit(cache=True, nogil=True)
def _paint_skin(p, colors, mottle):  # pragma: no cover
    x, y, z = p[6], p[7], p[8]
    broad = _noise(x * 0.9, y * 0.9, z * 0.9 + 11) - 0.5
    fine = _noise(x * 4.5, y * 4.5, z * 4.5) - 0.5
    tone = 1 + mottle * (0.16 * broad + 0.12 * fine)
    p[0] *= tone
    p[1] *= tone * (1 - 0.10 * mottle * broad)
    p[2] *= tone * (1 - 0.10 * mottle * broad)
    if p[4] > 0.02:  # brow: hairs slant up and outwards
        side = 1.0 if x > 0 else -1.0
        hairs = _noise(x * side * 9.0 - y * 4.0, y * 2.2, 5.0)
        cover = _ramp(0.10, 0.62, p[4] + 0.35 * (hairs - 0.5)) * 0.92
        for k in range(3):
            p[k] += (colors[0, k] - p[k]) * cover
        p[3] *= 1 - cover
    if p[5] > 0.02:  # beard
        hairs = _noise(x * 6.0, y * 2.5, z * 6.0)
        cover = min(max(p[5] * (0.6 + 0.8 * hairs), 0.0), 0.95)
        for k in range(3):
            p[k] += (colors[1, k] * 0.6 - p[k]) * cover


@numba.njit(cache=True, nogil=True)
def _paint_eye(p, eyes, colors):  # pragma: no cover
    side = 1 if p[6] > 0 else 0
    radius = eyes[side, 3]
    x, y = (p[6] - eyes[side, 0]) / radius, (p[7] - eyes[side, 1]) / radius
    out = np.sqrt(x * x + y * y)
    # Sclera: pinker towards the corners of the eye.
    pink = _ramp(0.55, 0.95, out) * 0.35
    p[1] *= 1 - pink
    p[2] *= 1 - pink
    # Radii over the eyeball's: iris 5.9 mm, pupil about 2 mm of 12.2 mm.
    iris = 1 - _ramp(0.44, 0.50, out)
    if iris > 0:
        spokes = _noise(np.arctan2(y, x) * 6.0, out * 4.0, 1.0)
        tone = (0.65 + 0.7 * spokes) * (1 - 0.6 * _ramp(0.36, 0.47, out))
        pupil = _ramp(0.15, 0.19, out)
        for k in range(3):
            p[k] += ((colors[2, k] * tone) * pupil + 0.004 - p[k]) * iris
