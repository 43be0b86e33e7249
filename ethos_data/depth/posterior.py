"""The most probable pose and shape: Gauss-Newton steps, compiled with numba.

A point (x, y, z) of the posed and scaled shape is projected to

    e * (x + shear_x * z), e * (y + shear_y * z), depth_scale * z

with e = 1 / (1 - perspective * z). The perspective and the shear together are exact for
a camera at a finite distance that does not look directly at the face. The depth scale
is the ratio of the units of z and of x and y.

numba is used because the computation must stay on its own core. On two busy cores, the
BLAS threads behind numpy's products and inverses of these 90 x 204 matrices took 30 ms
of processor time per face instead of 1 ms. All steps are in one compiled function,
because the calls between separate functions took as long as the computation.

numba's cache does not notice that a called function in another file changed. After a
change in this file, delete the cache of `depth.shared` in `__pycache__`.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ethos_data.compilation import compiled

NUM_POSE: Final = 11
"""Number of unknowns before the coefficients: log scale, rotation (3), shift (3),
camera (4)."""

SCALE, ROTATION, SHIFT, CAMERA = 0, 1, 4, 7
"""Numbers of the first unknown of each part of the pose."""

TILE: Final = 4
"""The number of rows of a Jacobian must be a multiple of this."""

State = tuple[float, np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]
"""What `search` estimates: scale, rotation (3, 3), shift (3,), camera (4,),
coefficients (K,), and noise, the standard deviation of x and y. A camera is perspective
(1 / distance to the face), shear_x, shear_y and the logarithm of the depth scale."""


@compiled(fastmath=True)
def search(
    observed, mean, basis, variances, start, camera, limits, trust, least, steps
):  # pragma: no cover (compiled)
    """Estimates pose, shape and noise by Gauss-Newton steps.

    Args:
      observed: float64 (3, N), rows x, y, z, in the unit of the mean shape.
      mean: float64 (3, N), mean shape.
      basis: float64 (K, 3, N), displacements.
      variances: float64 (K,), variances of the coefficients, whose means are 0.
      start: First estimate, a `State`.
      camera: float64 (2, 4), means and standard deviations of the camera.
      limits: Smallest and largest perspective.
      trust: float64 (3,), factors of the residuals of x, y and z.
      least: Smallest estimate of the noise.
      steps: Number of Gauss-Newton steps.

    Returns:
      The `State`, and the posterior variances of all unknowns, (11 + K,).
    """
    count, points = len(basis), mean.shape[1]
    used = NUM_POSE + count
    jacobian = np.zeros((TILE * ((used + TILE - 1) // TILE), 3 * points))
    residual = np.empty(3 * points)
    precision = np.ones(len(jacobian))  # rows that pad a tile have the solution zero
    precision[:CAMERA] = 0.0
    precision[CAMERA:NUM_POSE] = camera[1] ** -2
    precision[NUM_POSE:used] = 1 / variances
    pull = np.zeros(len(jacobian))
    variance = np.zeros(len(jacobian))
    scale, rotation, shift, view, coefficients, noise = start
    for _ in range(steps):
        linearize(
            observed,
            mean,
            basis,
            scale * rotation,
            shift,
            view,
            coefficients,
            trust / noise,
            residual,
            jacobian,
        )
        pull[NUM_POSE:used] = -coefficients / variances
        pull[CAMERA:NUM_POSE] = precision[CAMERA:NUM_POSE] * (camera[0] - view)
        step, variance = solve(jacobian, residual, pull, precision)
        scale, rotation, shift, view = move(scale, rotation, shift, view, limits, step)
        coefficients = coefficients + step[NUM_POSE:used]
        for row in range(used):
            residual -= step[row] * jacobian[row]
        # Effective number of parameters: a coefficient counts as much as the data
        # determine it (MacKay, 1992).
        determined = 1 - variance[NUM_POSE:used] / variances
        effective = NUM_POSE + determined.sum()
        squares = (residual * residual).sum()
        noise = max(noise * np.sqrt(squares / max(3 * points - effective, 1.0)), least)
    return (scale, rotation, shift, view, coefficients, noise), variance[:used]


@compiled(fastmath=True)
def move(scale, rotation, shift, view, limits, step):  # pragma: no cover (compiled)
    """Applies a step (at least 11,) to a pose. Returns the new pose."""
    view = view + step[CAMERA:NUM_POSE]
    view[0] = min(max(view[0], limits[0]), limits[1])
    return (
        scale * np.exp(step[SCALE]),
        product(rotation_matrix(step[ROTATION:SHIFT]), rotation),
        shift + step[SHIFT:CAMERA],
        view,
    )


@compiled(fastmath=True)
def linearize(
    observed, mean, basis, pose, shift, view, coefficients, weight, residual, jacobian
):  # pragma: no cover (compiled)
    """Computes whitened residuals and derivatives for one step.

    Args:
      observed, mean, basis, shift, view, coefficients: As in `search`, where `view` is
        the camera.
      pose: (3, 3), scale times rotation.
      weight: (3,), 1 / standard deviation of x, y and z.
      residual: (3 * N,), written.
      jacobian: (at least 11 + K, 3 * N), written.
    """
    count, points = len(basis), mean.shape[1]
    shape = mean.copy()
    for k in range(count):
        shape += coefficients[k] * basis[k]
    posed = product(pose, shape)
    near, shear_x, shear_y = view[0], view[1], view[2]
    deep = np.exp(view[3])
    enlarged = 1 / (1 - near * posed[2])
    # x and y after the shear. A movement of the point changes its projection directly,
    # and through shear and enlargement, which depend on z.
    seen_x, seen_y = posed[0] + shear_x * posed[2], posed[1] + shear_y * posed[2]
    by_x = enlarged * (near * enlarged * seen_x + shear_x)
    by_y = enlarged * (near * enlarged * seen_y + shear_y)
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
            row[2 * points + n] = wz * deep * nearer
    for n in range(points):
        x, y, z, e = posed[0, n], posed[1, n], posed[2, n], enlarged[n]
        residual[n] = wx * (observed[0, n] - e * seen_x[n] - shift[0])
        residual[points + n] = wy * (observed[1, n] - e * seen_y[n] - shift[1])
        residual[2 * points + n] = wz * (observed[2, n] - deep * z - shift[2])
        # A rotation around an axis e moves p by the cross product e x p.
        moves = ((x, y, z), (0.0, -z, y), (z, 0.0, -x), (-y, x, 0.0))
        for row in range(4):  # scale and rotation
            right, up, nearer = moves[row]
            jacobian[row, n] = wx * (e * right + by_x[n] * nearer)
            jacobian[row, points + n] = wy * (e * up + by_y[n] * nearer)
            jacobian[row, 2 * points + n] = wz * deep * nearer
        for axis in range(3):
            jacobian[SHIFT + axis, axis * points + n] = weight[axis]
        jacobian[CAMERA, n] = wx * e * e * seen_x[n] * z
        jacobian[CAMERA, points + n] = wy * e * e * seen_y[n] * z
        jacobian[CAMERA + 1, n] = wx * e * z
        jacobian[CAMERA + 2, points + n] = wy * e * z
        jacobian[CAMERA + 3, 2 * points + n] = wz * deep * z


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
    if count % TILE:
        raise ValueError("The number of unknowns must be a multiple of 4.")
    factor = np.empty((count, count))
    gram(jacobian, factor)
    step = np.empty(count)
    for i in range(count):
        factor[i, i] += precision[i]
        step[i] = pull[i] + (jacobian[i] * residual).sum()
    factorize(factor)
    forward(factor, step)
    backward(factor, step)
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
def factorize(matrix):  # pragma: no cover (compiled)
    """Replaces the lower triangle of a positive matrix by its Cholesky factor."""
    for j in range(len(matrix)):
        for i in range(j, len(matrix)):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            if i == j:
                matrix[j, j] = np.sqrt(max(total, 1e-12))
            else:
                matrix[i, j] = total / matrix[j, j]


@compiled(fastmath=True)
def forward(factor, vector):  # pragma: no cover (compiled)
    """Replaces a vector by factor^-1 @ vector."""
    for i in range(len(vector)):
        for k in range(i):
            vector[i] -= factor[i, k] * vector[k]
        vector[i] /= factor[i, i]


@compiled(fastmath=True)
def backward(factor, vector):  # pragma: no cover (compiled)
    """Replaces a vector by factor.T^-1 @ vector."""
    for i in range(len(vector) - 1, -1, -1):
        for k in range(i + 1, len(vector)):
            vector[i] -= factor[k, i] * vector[k]
        vector[i] /= factor[i, i]


@compiled(fastmath=True)
def gram(rows, out):  # pragma: no cover (compiled)
    """Computes the lower triangle of rows @ rows.T in tiles of 4 x 4.

    A tile reads 8 rows for 16 sums. Computing each sum separately took twice as long.
    """
    for i in range(0, len(rows), TILE):
        a, b, c, d = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
        for j in range(0, i + TILE, TILE):
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
