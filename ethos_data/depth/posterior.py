"""The most probable pose and shape: Gauss-Newton steps, compiled with numba.

numba is used because the computation must stay on its own core. On two busy cores, the
BLAS threads behind numpy's products and inverses of these 90 x 204 matrices took 30 ms
of processor time per face instead of 1 ms. All steps are in one compiled function,
because the calls between separate functions took as long as the computation.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ethos_data.compilation import compiled

NUM_POSE: Final = 8
"""Number of unknowns before the coefficients: log scale, rotation (3), shift (3),
perspective."""

_SCALE, _ROTATION, _SHIFT, _PERSPECTIVE = 0, 1, 4, 7

_TILE: Final = 4


@compiled(fastmath=True)
def search(
    observed, mean, basis, rotation, perspective, limits, trust, noise, least, steps
):  # pragma: no cover (compiled)
    """Estimates pose, shape and noise, starting from the mean shape without a shift.

    Args:
      observed: float64 (3, N), rows x, y, z, in the unit of the mean shape.
      mean: float64 (3, N), mean shape.
      basis: float64 (K, 3, N), displacements per standard deviation.
      rotation: float64 (3, 3), first estimate of the rotation.
      perspective: Mean and standard deviation of 1 / distance.
      limits: Smallest and largest value of 1 / distance.
      trust: float64 (3,), factors of the residuals of x, y and z.
      noise: First estimate of the standard deviation of x and y.
      least: Smallest estimate of this standard deviation.
      steps: Number of Gauss-Newton steps.

    Returns:
      scale, rotation (3, 3), shift (3,), perspective, coefficients (K,), noise.
    """
    count, points = len(basis), mean.shape[1]
    used = NUM_POSE + count
    jacobian = np.zeros((_TILE * ((used + _TILE - 1) // _TILE), 3 * points))
    residual = np.empty(3 * points)
    precision = np.ones(len(jacobian))  # rows that pad a tile have the solution zero
    precision[:NUM_POSE] = 0.0
    precision[_PERSPECTIVE] = perspective[1] ** -2
    pull = np.zeros(len(jacobian))
    scale, shift, coefficients = 1.0, np.zeros(3), np.zeros(count)
    near, rotation = perspective[0], rotation.copy()
    for _ in range(steps):
        pose, weight = scale * rotation, trust / noise
        _linearize(
            observed,
            mean,
            basis,
            pose,
            shift,
            near,
            coefficients,
            weight,
            residual,
            jacobian,
        )
        pull[NUM_POSE:used] = -coefficients
        pull[_PERSPECTIVE] = precision[_PERSPECTIVE] * (perspective[0] - near)
        step, variance = solve(jacobian, residual, pull, precision)
        scale *= np.exp(step[_SCALE])
        rotation = product(rotation_matrix(step[_ROTATION:_SHIFT]), rotation)
        shift = shift + step[_SHIFT:_PERSPECTIVE]
        near = min(max(near + step[_PERSPECTIVE], limits[0]), limits[1])
        coefficients = coefficients + step[NUM_POSE:used]
        for row in range(used):
            residual -= step[row] * jacobian[row]
        # Effective number of parameters: a coefficient counts as much as the data
        # determine it (MacKay, 1992).
        effective = NUM_POSE + (1 - variance[NUM_POSE:used]).sum()
        squares = (residual * residual).sum()
        noise = max(noise * np.sqrt(squares / max(3 * points - effective, 1.0)), least)
    return scale, rotation, shift, near, coefficients, noise


@compiled(fastmath=True)
def _linearize(
    observed, mean, basis, pose, shift, near, coefficients, weight, residual, jacobian
):  # pragma: no cover (compiled)
    """Computes whitened residuals and derivatives for one step.

    The rotated and scaled point p is projected to p_xy / (1 - near * p_z). z is kept.

    Args:
      observed, mean, basis, shift, near, coefficients: As in `search`, where `near` is
        the perspective.
      pose: (3, 3), scale times rotation.
      weight: (3,), 1 / standard deviation of x, y and z.
      residual: (3 * N,), written.
      jacobian: (at least 8 + K, 3 * N), written.
    """
    count, points = len(basis), mean.shape[1]
    shape = mean.copy()
    for k in range(count):
        shape += coefficients[k] * basis[k]
    posed = product(pose, shape)
    enlarged = 1 / (1 - near * posed[2])
    # A movement of the point changes its projection directly, and through the
    # enlargement, which grows with z.
    by_x, by_y = near * enlarged * enlarged * posed[0], near * enlarged**2 * posed[1]
    wx, wy, wz = weight
    for k in range(count):
        row = jacobian[NUM_POSE + k]
        for n in range(points):
            x, y, z = basis[k, 0, n], basis[k, 1, n], basis[k, 2, n]
            right = pose[0, 0] * x + pose[0, 1] * y + pose[0, 2] * z
            up = pose[1, 0] * x + pose[1, 1] * y + pose[1, 2] * z
            nearer = pose[2, 0] * x + pose[2, 1] * y + pose[2, 2] * z
            row[n] = wx * (enlarged[n] * right + by_x[n] * nearer)
            row[points + n] = wy * (enlarged[n] * up + by_y[n] * nearer)
            row[2 * points + n] = wz * nearer
    for n in range(points):
        x, y, z, e = posed[0, n], posed[1, n], posed[2, n], enlarged[n]
        residual[n] = wx * (observed[0, n] - e * x - shift[0])
        residual[points + n] = wy * (observed[1, n] - e * y - shift[1])
        residual[2 * points + n] = wz * (observed[2, n] - z - shift[2])
        # A rotation around an axis e moves p by the cross product e x p.
        moves = ((x, y, z), (0.0, -z, y), (z, 0.0, -x), (-y, x, 0.0))
        for row in range(4):  # scale and rotation
            right, up, nearer = moves[row]
            jacobian[row, n] = wx * (e * right + by_x[n] * nearer)
            jacobian[row, points + n] = wy * (e * up + by_y[n] * nearer)
            jacobian[row, 2 * points + n] = wz * nearer
        jacobian[_SHIFT, n] = wx
        jacobian[_SHIFT + 1, points + n] = wy
        jacobian[_SHIFT + 2, 2 * points + n] = wz
        jacobian[_PERSPECTIVE, n] = wx * e * e * x * z
        jacobian[_PERSPECTIVE, points + n] = wy * e * e * y * z


@compiled(fastmath=True)
def solve(jacobian, residual, pull, precision):  # pragma: no cover (compiled)
    """Solves one least-squares step with a prior, by Cholesky factorisation.

    Let H = jacobian @ jacobian.T + diag(precision).

    Args:
      jacobian: float64 (M, N), derivatives of N whitened data by M unknowns. M must be
        a multiple of 4.
      residual: float64 (N,), whitened residuals.
      pull: float64 (M,), gradient of the logarithm of the prior.
      precision: float64 (M,), precision of the prior; 0 for no prior.

    Returns:
      The step H^-1 @ (jacobian @ residual + pull) and the diagonal of H^-1, both (M,).

    Raises:
      ValueError: M is not a multiple of 4.
    """
    count = len(jacobian)
    if count % _TILE:
        raise ValueError("The number of unknowns must be a multiple of 4.")
    factor = np.empty((count, count))
    _gram(jacobian, factor)
    step = np.empty(count)
    for i in range(count):
        factor[i, i] += precision[i]
        step[i] = pull[i] + (jacobian[i] * residual).sum()
    for j in range(count):
        for i in range(j, count):
            total = factor[i, j]
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            if i == j:
                factor[j, j] = np.sqrt(max(total, 1e-12))
            else:
                factor[i, j] = total / factor[j, j]
    for i in range(count):
        for k in range(i):
            step[i] -= factor[i, k] * step[k]
        step[i] /= factor[i, i]
    for i in range(count - 1, -1, -1):
        for k in range(i + 1, count):
            step[i] -= factor[k, i] * step[k]
        step[i] /= factor[i, i]
    # Compute the inverse of the factor row by row, so that the processor can subtract
    # four elements at once.
    inverse = np.zeros((count, count))
    variance = np.zeros(count)
    for i in range(count):
        for k in range(i):
            weight = factor[i, k]
            for j in range(k + 1):
                inverse[i, j] -= weight * inverse[k, j]
        inverse[i, i] = 1.0
        for j in range(i + 1):
            inverse[i, j] /= factor[i, i]
            variance[j] += inverse[i, j] ** 2
    return step, variance


@compiled(fastmath=True)
def _gram(rows, out):  # pragma: no cover (compiled)
    """Computes the lower triangle of rows @ rows.T in tiles of 4 x 4.

    A tile reads 8 rows for 16 sums. Computing each sum separately took twice as long.
    """
    for i in range(0, len(rows), _TILE):
        a, b, c, d = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
        for j in range(0, i + _TILE, _TILE):
            e, f, g, h = rows[j], rows[j + 1], rows[j + 2], rows[j + 3]
            ae = af = ag = ah = be = bf = bg = bh = 0.0
            ce = cf = cg = ch = de = df = dg = dh = 0.0
            for k in range(rows.shape[1]):
                ae += a[k] * e[k]
                af += a[k] * f[k]
                ag += a[k] * g[k]
                ah += a[k] * h[k]
                be += b[k] * e[k]
                bf += b[k] * f[k]
                bg += b[k] * g[k]
                bh += b[k] * h[k]
                ce += c[k] * e[k]
                cf += c[k] * f[k]
                cg += c[k] * g[k]
                ch += c[k] * h[k]
                de += d[k] * e[k]
                df += d[k] * f[k]
                dg += d[k] * g[k]
                dh += d[k] * h[k]
            out[i, j : j + 4] = (ae, af, ag, ah)
            out[i + 1, j : j + 4] = (be, bf, bg, bh)
            out[i + 2, j : j + 4] = (ce, cf, cg, ch)
            out[i + 3, j : j + 4] = (de, df, dg, dh)


@compiled(fastmath=True)
def product(a, b):  # pragma: no cover (compiled)
    """Computes a @ b for a (3, 3) and b (3, N)."""
    out = np.empty((3, b.shape[1]))
    for i in range(3):
        for n in range(b.shape[1]):
            out[i, n] = a[i, 0] * b[0, n] + a[i, 1] * b[1, n] + a[i, 2] * b[2, n]
    return out


@compiled(fastmath=True)
def rotation_matrix(vector):  # pragma: no cover (compiled)
    """Computes the rotation matrix (3, 3) of a rotation vector (Rodrigues' formula).

    Args:
      vector: float64 (3,), the axis multiplied by the angle in radians.
    """
    angle = np.sqrt((vector * vector).sum())
    rotation = np.eye(3)
    if angle > 1e-12:
        x, y, z = vector / angle
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        rotation += np.sin(angle) * cross
        rotation += (1 - np.cos(angle)) * product(cross, cross)
    return rotation
