"""The colour of each sample: skin, eyes, hair and cloth under soft and hard light.

One compiled loop over the samples that hit something. Everything is linear light.
Fine texture (brow hairs, mottled skin, irises, strands) is computed here, at the
sample, from texture coordinates in cm on the neutral head, so it sticks to the face.
"""

from __future__ import annotations

import numpy as np

from ethos_data.compilation import compiled
from ethos_data.heads.appearance import GLASSES, HAIR
from ethos_data.heads.parts import EYE, HEAD, MOUTH, TEETH
from ethos_data.heads.raster import reaches

_EYE, _TEETH, _MOUTH = EYE, TEETH, MOUTH
_HAIR, _GLASSES = HAIR, GLASSES

# Light that enters the skin comes out beside it, red the farthest: a lambertian term
# wrapped around the terminator (Green, GPU Gems 1, ch. 16), a width for each channel.
_WRAP_R, _WRAP_G, _WRAP_B = np.float32(0.30), np.float32(0.13), np.float32(0.09)


@compiled(fastmath=True)
def light_softly(transfer, hidden, radiance, bounce):  # pragma: no cover
    """Irradiance (N, 3) float32 of vertices from K directions.

    A product of matrices, but one that uses a single core however BLAS is set up:
    two workers with two BLAS threads each took twice as long as this loop.

    Args:
      transfer: float32 (N, K), as in `figure.Figure`.
      hidden: float32 (N,), as in `figure.Figure`.
      radiance: float32 (K, 3).
      bounce: float32 (3,), what comes from the hidden part of the sky: other skin.
    """
    out = np.empty((len(transfer), 3), np.float32)
    for n in range(len(transfer)):
        r = hidden[n] * bounce[0]
        g = hidden[n] * bounce[1]
        b = hidden[n] * bounce[2]
        for k in range(transfer.shape[1]):
            t = transfer[n, k]
            r += t * radiance[k, 0]
            g += t * radiance[k, 1]
            b += t * radiance[k, 2]
        out[n, 0], out[n, 1], out[n, 2] = r, g, b
    return out


@compiled(inline="always")
def _hash(x, y, z):  # pragma: no cover
    """A number in [0, 1) for a point of the integer lattice."""
    h = np.uint32(x) * np.uint32(374761393) + np.uint32(y) * np.uint32(668265263)
    h = np.uint32(h + np.uint32(z) * np.uint32(2246822519))
    h = np.uint32((h ^ (h >> np.uint32(13))) * np.uint32(1274126177))
    return np.float32((h >> np.uint32(8)) & np.uint32(0xFFFF)) * np.float32(1 / 65536)


@compiled(fastmath=True)
def _noise(x, y, z):  # pragma: no cover
    """Smooth noise in [0, 1), one feature per unit; float32 arguments."""
    fx, fy, fz = np.floor(x), np.floor(y), np.floor(z)
    i, j, k = np.int32(fx), np.int32(fy), np.int32(fz)
    u, v, w = x - fx, y - fy, z - fz
    three, two = np.float32(3), np.float32(2)
    u, v, w = (
        u * u * (three - two * u),
        v * v * (three - two * v),
        w * w * (three - two * w),
    )
    total = np.float32(0)
    for d in range(2):
        a = _hash(i, j, k + d)
        b = _hash(i, j + 1, k + d)
        a += (_hash(i + 1, j, k + d) - a) * u
        b += (_hash(i + 1, j + 1, k + d) - b) * u
        a += (b - a) * v
        total += a * (w if d else np.float32(1) - w)
    return total


@compiled(inline="always")
def _ramp(low, high, value):  # pragma: no cover
    t = (value - np.float32(low)) / np.float32(high - low)
    t = min(max(t, np.float32(0)), np.float32(1))
    return t * t * (np.float32(3) - np.float32(2) * t)


@compiled(fastmath=True)
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
    zero, one = np.float32(0), np.float32(1)
    # The direction halfway between the light and the viewer, who is far away at +z.
    hx, hy, hz = key[0], key[1], key[2] + one
    length = max(np.sqrt(hx * hx + hy * hy + hz * hz), np.float32(1e-6))
    hx, hy, hz = hx / length, hy / length, hz / length
    p = np.empty(9, np.float32)
    for row in range(height):
        for column in range(width):
            f = seen[row, column]
            if f < 0:
                continue
            a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
            wa = weights[row, column, 0]
            wb = weights[row, column, 1]
            wc = weights[row, column, 2]
            nx = wa * normals[a, 0] + wb * normals[b, 0] + wc * normals[c, 0]
            ny = wa * normals[a, 1] + wb * normals[b, 1] + wc * normals[c, 1]
            nz = wa * normals[a, 2] + wb * normals[b, 2] + wc * normals[c, 2]
            length = one / max(np.sqrt(nx * nx + ny * ny + nz * nz), np.float32(1e-6))
            nx, ny, nz = nx * length, ny * length, nz * length
            for k in range(9):
                p[k] = wa * paint[a, k] + wb * paint[b, k] + wc * paint[c, k]
            kind = kinds[f]
            gloss = p[3]
            if kind >= _HAIR and nz < zero:  # seen from inside
                nx, ny, nz = -nx, -ny, -nz
            if kind == _GLASSES:
                gloss = np.float32(0.8)
            elif kind >= _HAIR:  # or cloth
                _paint_worn(p, kind == _HAIR)
                gloss = zero
            elif kind == _EYE:
                _paint_eye(p, eyes, colors)
            elif kind == _MOUTH:
                gloss = np.float32(0.25)
            elif kind == _TEETH:
                gloss = np.float32(0.5)
            else:
                _paint_skin(p, colors, mottle)
                gloss *= one - p[5]

            facing = nx * key[0] + ny * key[1] + nz * key[2]
            reach, highlight = zero, zero
            if facing > np.float32(-0.35):
                x = wa * light_points[a, 0] + wb * light_points[b, 0]
                y = wa * light_points[a, 1] + wb * light_points[b, 1]
                z = wa * light_points[a, 2] + wb * light_points[b, 2]
                x += wc * light_points[c, 0]
                y += wc * light_points[c, 1]
                z += wc * light_points[c, 2]
                # At grazing light a texel spans much depth: more bias, no acne.
                near = bias * (one + np.float32(3) * (one - facing))
                for dx in (np.float32(-0.8), np.float32(0.8)):
                    for dy in (np.float32(-0.8), np.float32(0.8)):
                        reach += reaches(light_depth, x + dx, y + dy, z, near)
                reach *= np.float32(0.25)
            rim = one - min(max(nz, zero), one)
            fresnel = np.float32(0.03) + np.float32(0.3) * rim * rim * rim * rim * rim
            if facing > zero and reach > zero:
                nh = max(nx * hx + ny * hy + nz * hz, zero)
                if kind == _HAIR:
                    # Strands run downwards; a highlight lies across them (Kajiya 1989).
                    tx, ty, tz = nx * ny, ny * ny - one, nz * ny
                    length = max(np.sqrt(tx * tx + ty * ty + tz * tz), np.float32(1e-3))
                    th = (tx * hx + ty * hy + tz * hz) / length
                    highlight = np.float32(0.035) * (one - th * th) ** 24
                elif kind == _EYE:
                    highlight = np.float32(6) * nh**700
                elif nh > np.float32(0.5):
                    # A sharp lobe for the oil on the skin, a wide one for the skin.
                    lobes = np.float32(0.10) * nh**10 + np.float32(0.22) * nh**36
                    highlight = gloss * lobes * (one + np.float32(6) * (fresnel - 0.03))
            wrap = kind <= HEAD
            for k in range(3):
                w = zero
                if wrap:
                    w = _WRAP_R if k == 0 else (_WRAP_G if k == 1 else _WRAP_B)
                soft = wa * irradiance[a, k] + wb * irradiance[b, k]
                soft += wc * irradiance[c, k]
                diffuse = max(facing + w, zero) / ((one + w) * (one + w))
                light = soft + key_color[k] * reach * diffuse
                mirror = key_color[k] * reach * highlight
                mirror += soft * fresnel * gloss * np.float32(0.35)
                out[row, column, k] = p[k] * light + mirror
    return out


@compiled(fastmath=True)
def _paint_worn(p, is_hair):  # pragma: no cover
    """Strands of hair, folds of cloth."""
    x, y, z = p[6], p[7], p[8]
    if is_hair:
        bend = np.float32(0.6) * _noise(x * np.float32(0.4), y * np.float32(0.15), z)
        x = x + bend * np.float32(2)
        lock = _noise(x * np.float32(1.3), y * np.float32(0.07), np.float32(3))
        strand = _noise(x * np.float32(6), y * np.float32(0.12), np.float32(7))
        tone = np.float32(0.45) + np.float32(0.6) * lock + np.float32(0.5) * strand
    else:
        fold = _noise(x * np.float32(0.35), y * np.float32(0.2), z * np.float32(0.35))
        tone = np.float32(0.8) + np.float32(0.4) * fold
    p[0] *= tone
    p[1] *= tone
    p[2] *= tone


@compiled(fastmath=True)
def _paint_skin(p, colors, mottle):  # pragma: no cover
    x, y, z = p[6], p[7], p[8]
    half, one = np.float32(0.5), np.float32(1)
    scale = np.float32(0.9)
    broad = _noise(x * scale, y * scale, z * scale) - half
    scale = np.float32(4.5)
    fine = _noise(x * scale, y * scale, z * scale) - half
    tone = one + mottle * (np.float32(0.14) * broad + np.float32(0.10) * fine)
    blush = tone * (one - np.float32(0.10) * mottle * broad)
    p[0] *= tone
    p[1] *= blush
    p[2] *= blush
    if p[4] > np.float32(0.02):  # brow: hairs slant up and outwards
        out = abs(x)
        hairs = _noise(
            out * np.float32(5) - y * np.float32(3.5),
            y * np.float32(1.2),
            np.float32(5),
        )
        cover = _ramp(0.12, 0.75, p[4] * (np.float32(0.65) + np.float32(0.7) * hairs))
        cover *= np.float32(0.9)
        for k in range(3):
            p[k] += (colors[0, k] - p[k]) * cover
        p[3] *= one - cover
    if p[5] > np.float32(0.02):  # beard
        hairs = _noise(x * np.float32(5), y * np.float32(2.5), z * np.float32(5))
        cover = p[5] * (np.float32(0.7) + np.float32(0.6) * hairs)
        cover = min(max(cover, np.float32(0)), np.float32(0.95))
        for k in range(3):
            p[k] += (colors[1, k] * np.float32(0.6) - p[k]) * cover


@compiled(fastmath=True)
def _paint_eye(p, eyes, colors):  # pragma: no cover
    one = np.float32(1)
    side = 1 if p[6] > 0 else 0
    radius = eyes[side, 3]
    x, y = (p[6] - eyes[side, 0]) / radius, (p[7] - eyes[side, 1]) / radius
    out = np.sqrt(x * x + y * y)
    # The upper lid and its lashes shade the eyeball.
    shaded = one - np.float32(0.55) * _ramp(0.0, 0.5, y)
    for k in range(3):
        p[k] *= shaded
    # Sclera: pinker towards the corners of the eye.
    pink = _ramp(0.5, 0.95, out) * np.float32(0.4)
    p[1] *= one - pink
    p[2] *= one - pink
    # Radii over the eyeball's: iris 5.9 mm, pupil about 2 mm of 12.2 mm.
    iris = one - _ramp(0.44, 0.51, out)
    if iris > 0:
        turn = np.float32(np.arctan2(y, x))
        spokes = _noise(turn * np.float32(6), out * np.float32(4), one)
        tone = np.float32(0.65) + np.float32(0.7) * spokes
        tone *= one - np.float32(0.6) * _ramp(0.36, 0.47, out)
        pupil = _ramp(0.15, 0.19, out)
        tone *= shaded
        for k in range(3):
            p[k] += (colors[2, k] * tone * pupil + np.float32(0.004) - p[k]) * iris
