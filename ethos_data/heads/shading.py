"""The colour of each sample: skin, eyes, hair and cloth under soft and hard light.

All colours are linear RGB. Fine texture (hairs of the brows, variation of the skin,
irises, strands of hair) is computed for each sample from its texture coordinates. These
are positions in cm on the neutral head, so the texture moves with the face.

The results are not exact beyond float32 rounding, because `fastmath` lets the compiler
reorder operations. Even harmless edits of `shade`, such as moving a line, can change
the last bits.
"""

from __future__ import annotations

import numpy as np

from ethos_data.compilation import compiled
from ethos_data.heads.parts import EYE, GLASSES, HAIR, HEAD, MOUTH, TEETH
from ethos_data.heads.raster import lit_share

# Light enters the skin and leaves it at some distance, red light the farthest. The
# diffuse light therefore wraps around the edge of the shadow, with another width for
# each channel (Green, "Real-Time Approximations to Subsurface Scattering", GPU Gems 1,
# chapter 16).
_WRAP_RED, _WRAP_GREEN, _WRAP_BLUE = (
    np.float32(0.30),
    np.float32(0.13),
    np.float32(0.09),
)

# float64 constants would turn the float32 arithmetic of the kernels into float64.
_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)
_TWO, _THREE = np.float32(2), np.float32(3)


@compiled(fastmath=True)
def soft_irradiance(transfer, hidden, radiance, bounce):  # pragma: no cover
    """Computes the irradiance of N vertices from K directions.

    This is a matrix product that always runs on a single core. With BLAS, two processes
    with two BLAS threads each took twice as long as this loop.

    Args:
      transfer: `Figure.transfer`, float32 (N, K).
      hidden: `Figure.hidden`, float32 (N,).
      radiance: Radiance from each direction, float32 (K, 3).
      bounce: Radiance from the hidden directions, where other skin is, float32 (3,).

    Returns:
      float32 (N, 3).
    """
    irradiance = np.empty((len(transfer), 3), np.float32)
    for n in range(len(transfer)):
        r = hidden[n] * bounce[0]
        g = hidden[n] * bounce[1]
        b = hidden[n] * bounce[2]
        for k in range(transfer.shape[1]):
            t = transfer[n, k]
            r += t * radiance[k, 0]
            g += t * radiance[k, 1]
            b += t * radiance[k, 2]
        irradiance[n, 0], irradiance[n, 1], irradiance[n, 2] = r, g, b
    return irradiance


@compiled(inline="always")
def _hash(x, y, z):  # pragma: no cover
    """Returns a pseudorandom number in [0, 1) for integer coordinates."""
    h = np.uint32(x) * np.uint32(374761393) + np.uint32(y) * np.uint32(668265263)
    h = np.uint32(h + np.uint32(z) * np.uint32(2246822519))
    h = np.uint32((h ^ (h >> np.uint32(13))) * np.uint32(1274126177))
    return np.float32((h >> np.uint32(8)) & np.uint32(0xFFFF)) * np.float32(1 / 65536)


@compiled(fastmath=True)
def _noise(x, y, z):  # pragma: no cover
    """Smooth noise in [0, 1) with features of size 1. The arguments are float32."""
    fx, fy, fz = np.floor(x), np.floor(y), np.floor(z)
    i, j, k = np.int32(fx), np.int32(fy), np.int32(fz)
    u, v, w = x - fx, y - fy, z - fz
    u, v, w = (
        u * u * (_THREE - _TWO * u),
        v * v * (_THREE - _TWO * v),
        w * w * (_THREE - _TWO * w),
    )
    total = _ZERO
    for d in range(2):
        a = _hash(i, j, k + d)
        b = _hash(i, j + 1, k + d)
        a += (_hash(i + 1, j, k + d) - a) * u
        b += (_hash(i + 1, j + 1, k + d) - b) * u
        a += (b - a) * v
        total += a * (w if d else _ONE - w)
    return total


@compiled(inline="always")
def _ramp(low, high, value):  # pragma: no cover
    """Rises smoothly from 0 at `low` to 1 at `high`."""
    t = (value - np.float32(low)) / np.float32(high - low)
    t = min(max(t, _ZERO), _ONE)
    return t * t * (_THREE - _TWO * t)


@compiled(fastmath=True)
def shade(
    seen, weights, triangles, parts, normals, irradiance, paint, eyes, colors,
    skin_variation, light_points, light_depth, bias, key, key_color,
):  # pragma: no cover  # fmt: skip
    """Computes the colours of samples.

    Args:
      seen: Triangle of each sample, int32 (H, W). -1 means none.
      weights: Weights of the triangle's corners, float32 (H, W, 3).
      triangles: int32 (F, 3).
      parts: Part of each triangle, uint8 (F,).
      normals: Unit normals of the vertices in the world frame, float32 (N, 3).
      irradiance: Soft light on the vertices, float32 (N, 3).
      paint: `Figure.paint`, float32 (N, 9).
      eyes: `Figure.eyes`, float32 (2, 4).
      colors: Colours of the brows, the hair and the irises, float32 (3, 3).
      skin_variation: Strength of the fine variation of the skin's colour, float32.
      light_points: Vertices in the shadow map's frame of reference, float32 (N, 3).
      light_depth: Shadow map of the key light, float32 (P, P).
      bias: Bias of the shadow map, in its pixels, float32.
      key: Unit direction of the key light, float32 (3,).
      key_color: Irradiance from the key light, float32 (3,).

    Returns:
      Linear RGB, float32 (H, W, 3). 0 where there is no triangle.
    """
    height, width = seen.shape
    out = np.zeros((height, width, 3), np.float32)
    # The direction halfway between the light and the viewer, who is far away at +z.
    hx, hy, hz = key[0], key[1], key[2] + _ONE
    length = max(np.sqrt(hx * hx + hy * hy + hz * hz), np.float32(1e-6))
    hx, hy, hz = hx / length, hy / length, hz / length
    # The paint of a sample: albedo (0 to 2), gloss, brow, beard, texture (6 to 8).
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
            length = _ONE / max(np.sqrt(nx * nx + ny * ny + nz * nz), np.float32(1e-6))
            nx, ny, nz = nx * length, ny * length, nz * length
            for k in range(9):
                p[k] = wa * paint[a, k] + wb * paint[b, k] + wc * paint[c, k]
            part = parts[f]
            gloss = p[3]
            if part >= HAIR and nz < _ZERO:  # the inside of hair or clothes
                nx, ny, nz = -nx, -ny, -nz
            if part == GLASSES:
                gloss = np.float32(0.8)
            elif part >= HAIR:  # hair or cloth
                _paint_worn(p, part == HAIR)
                gloss = _ZERO
            elif part == EYE:
                _paint_eye(p, eyes, colors)
            elif part == MOUTH:
                gloss = np.float32(0.25)
            elif part == TEETH:
                gloss = _HALF
            else:
                _paint_skin(p, colors, skin_variation)
                gloss *= _ONE - p[5]

            facing = nx * key[0] + ny * key[1] + nz * key[2]
            lit, highlight = _ZERO, _ZERO
            if facing > np.float32(-0.35):
                x = wa * light_points[a, 0] + wb * light_points[b, 0]
                y = wa * light_points[a, 1] + wb * light_points[b, 1]
                z = wa * light_points[a, 2] + wb * light_points[b, 2]
                x += wc * light_points[c, 0]
                y += wc * light_points[c, 1]
                z += wc * light_points[c, 2]
                # In grazing light, a pixel of the shadow map spans much depth. Without
                # more bias, the surface would shadow itself in spots.
                more_bias = bias * (_ONE + _THREE * (_ONE - facing))
                lit = _soft_shadow(light_depth, x, y, z, more_bias)
            rim = _ONE - min(max(nz, _ZERO), _ONE)
            fresnel = np.float32(0.03) + np.float32(0.3) * rim * rim * rim * rim * rim
            if facing > _ZERO and lit > _ZERO:
                highlight = _highlight(part, gloss, fresnel, nx, ny, nz, hx, hy, hz)
            for k in range(3):
                wrap = _ZERO
                if part <= HEAD:
                    wrap = _wrap(k)
                soft = wa * irradiance[a, k] + wb * irradiance[b, k]
                soft += wc * irradiance[c, k]
                diffuse = max(facing + wrap, _ZERO) / ((_ONE + wrap) * (_ONE + wrap))
                light = soft + key_color[k] * lit * diffuse
                mirror = key_color[k] * lit * highlight
                mirror += soft * fresnel * gloss * np.float32(0.35)
                out[row, column, k] = p[k] * light + mirror
    return out


@compiled(inline="always")
def _wrap(channel):  # pragma: no cover
    """How far diffuse light wraps around the skin in a channel, as a cosine."""
    return _WRAP_RED if channel == 0 else (_WRAP_GREEN if channel == 1 else _WRAP_BLUE)


@compiled(inline="always")
def _soft_shadow(depth, x, y, z, bias):  # pragma: no cover
    """The mean share of light at four points around a point of the shadow map."""
    total = _ZERO
    for dx in (np.float32(-0.8), np.float32(0.8)):
        for dy in (np.float32(-0.8), np.float32(0.8)):
            total += lit_share(depth, x + dx, y + dy, z, bias)
    return total * np.float32(0.25)


@compiled(fastmath=True, inline="always")
def _highlight(part, gloss, fresnel, nx, ny, nz, hx, hy, hz):  # pragma: no cover
    """The share of the key light that is mirrored towards the viewer.

    Args:
      part: Part of the sample.
      gloss: Gloss of the sample, in [0, 1].
      fresnel: Reflectance at the sample's angle to the viewer.
      nx, ny, nz: Unit normal of the sample.
      hx, hy, hz: Unit direction halfway between the light and the viewer.
    """
    highlight = _ZERO
    cosine = max(nx * hx + ny * hy + nz * hz, _ZERO)
    if part == HAIR:
        # The highlight of a strand depends on the strand's direction, which is
        # downwards along the surface (Kajiya and Kay, 1989).
        tx, ty, tz = nx * ny, ny * ny - _ONE, nz * ny
        length = max(np.sqrt(tx * tx + ty * ty + tz * tz), np.float32(1e-3))
        along = (tx * hx + ty * hy + tz * hz) / length
        highlight = np.float32(0.035) * (_ONE - along * along) ** 24
    elif part == EYE:
        highlight = np.float32(6) * cosine**700
    elif cosine > _HALF:
        # The narrow lobe is the oil on the skin, the wide lobe is the skin.
        lobes = np.float32(0.10) * cosine**10 + np.float32(0.22) * cosine**36
        highlight = gloss * lobes * (_ONE + np.float32(6) * (fresnel - 0.03))
    return highlight


@compiled(fastmath=True)
def _paint_worn(p, is_hair):  # pragma: no cover
    """Adds strands to hair, or folds to cloth."""
    x, y, z = p[6], p[7], p[8]
    if is_hair:
        bend = np.float32(0.6) * _noise(x * np.float32(0.4), y * np.float32(0.15), z)
        x = x + bend * _TWO
        lock = _noise(x * np.float32(1.3), y * np.float32(0.07), _THREE)
        strand = _noise(x * np.float32(6), y * np.float32(0.12), np.float32(7))
        tone = np.float32(0.45) + np.float32(0.6) * lock + _HALF * strand
    else:
        fold = _noise(x * np.float32(0.35), y * np.float32(0.2), z * np.float32(0.35))
        tone = np.float32(0.8) + np.float32(0.4) * fold
    p[0] *= tone
    p[1] *= tone
    p[2] *= tone


@compiled(fastmath=True)
def _paint_skin(p, colors, skin_variation):  # pragma: no cover
    """Adds variation to the skin, and the hairs of brow and beard."""
    x, y, z = p[6], p[7], p[8]
    scale = np.float32(0.9)
    broad = _noise(x * scale, y * scale, z * scale) - _HALF
    scale = np.float32(4.5)
    fine = _noise(x * scale, y * scale, z * scale) - _HALF
    tone = _ONE + skin_variation * (np.float32(0.14) * broad + np.float32(0.10) * fine)
    blush = tone * (_ONE - np.float32(0.10) * skin_variation * broad)
    p[0] *= tone
    p[1] *= blush
    p[2] *= blush
    if p[4] > np.float32(0.02):  # Brow: the hairs slant upwards and outwards.
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
    if p[5] > np.float32(0.02):  # beard
        hairs = _noise(x * np.float32(5), y * np.float32(2.5), z * np.float32(5))
        cover = p[5] * (np.float32(0.7) + np.float32(0.6) * hairs)
        cover = min(max(cover, _ZERO), np.float32(0.95))
        for k in range(3):
            p[k] += (colors[1, k] * np.float32(0.6) - p[k]) * cover


@compiled(fastmath=True)
def _paint_eye(p, eyes, colors):  # pragma: no cover
    """Paints sclera, iris and pupil."""
    side = 1 if p[6] > 0 else 0
    radius = eyes[side, 3]
    x, y = (p[6] - eyes[side, 0]) / radius, (p[7] - eyes[side, 1]) / radius
    out = np.sqrt(x * x + y * y)
    # The upper lid and its lashes shade the eyeball.
    shaded = _ONE - np.float32(0.55) * _ramp(0.0, 0.5, y)
    for k in range(3):
        p[k] *= shaded
    # The sclera is pinker towards the corners of the eye.
    pink = _ramp(0.5, 0.95, out) * np.float32(0.4)
    p[1] *= _ONE - pink
    p[2] *= _ONE - pink
    # Radii relative to the eyeball's 12.2 mm: iris 5.9 mm, pupil about 2 mm.
    iris = _ONE - _ramp(0.44, 0.51, out)
    if iris > 0:
        angle = np.float32(np.arctan2(y, x))
        spokes = _noise(angle * np.float32(6), out * np.float32(4), _ONE)
        tone = np.float32(0.65) + np.float32(0.7) * spokes
        tone *= _ONE - np.float32(0.6) * _ramp(0.36, 0.47, out)
        pupil = _ramp(0.15, 0.19, out)
        tone *= shaded
        for k in range(3):
            p[k] += (colors[2, k] * tone * pupil + np.float32(0.004) - p[k]) * iris
