"""The most probable shape of a person in several frames, compiled with numba.

The coefficients of frame t are a + b_t. The shape of the person, a, is the same in all
frames, and b_t is the expression. Each frame has its own pose. In each step, the pose
and the expression of each frame are eliminated from the linear system. This is exact:
the Schur complement of a block arrow matrix.
"""

from __future__ import annotations

import numpy as np

from ethos_data.compilation import compiled
from ethos_data.depth.posterior import (
    CAMERA,
    NUM_POSE,
    TILE,
    backward,
    factorize,
    forward,
    gram,
    linearize,
    move,
    search,
)


@compiled(fastmath=True)
def search_shared(
    observed, mean, basis, variances, rotations, camera, limits, trust, noises, steps
):  # pragma: no cover (compiled)
    """Estimates the shape of a person.

    Args:
      observed: float64 (T, 3, N), rows x, y, z of each frame, in the unit of the mean
        shape.
      mean: float64 (3, N), mean shape.
      basis: float64 (K, 3, N), displacements.
      variances: float64 (2, K), variances of a and b. The coefficients with variances
        of b that are not 0 must be the last ones.
      rotations: float64 (T, 3, 3), first estimates.
      camera: float64 (2, 4), means and standard deviations of the camera.
      limits: Smallest and largest perspective.
      trust: float64 (3,), factors of the residuals of x, y and z.
      noises: First and smallest estimate of the standard deviation of x and y.
      steps: Number of Gauss-Newton steps.

    Returns:
      a, float64 (K,).
    """
    frames, count, points = len(observed), len(basis), mean.shape[1]
    moving = np.count_nonzero(variances[1])
    own = NUM_POSE + moving  # number of unknowns of a frame
    rows = NUM_POSE + count
    rows = TILE * ((rows + TILE - 1) // TILE)
    jacobian, residual = np.zeros((rows, 3 * points)), np.empty(3 * points)
    products, system = np.empty((rows, rows)), np.empty((count, count))
    precision, pull = np.zeros(own), np.zeros(own)
    precision[CAMERA:NUM_POSE] = camera[1] ** -2
    precision[NUM_POSE:] = 1 / variances[1, count - moving :]
    factors = np.empty((frames, own, own))
    # Per frame: factor^-1 @ (derivatives by the frame's unknowns, and gradient).
    crossed, gradients = np.empty((frames, own, count)), np.empty((frames, own))
    shape = np.zeros(count)
    scales, shifts = np.ones(frames), np.zeros((frames, 3))
    rotations, noise = rotations.copy(), np.full(frames, noises[0])
    views = np.empty((frames, 4))
    views[:] = camera[0]
    expressions = np.zeros((frames, moving))
    for iteration in range(steps):
        system[:] = 0.0
        gradient = -shape / variances[0]
        for k in range(count):
            system[k, k] = 1 / variances[0, k]
        for t in range(frames):
            coefficients = shape.copy()
            coefficients[count - moving :] += expressions[t]
            linearize(
                observed[t],
                mean,
                basis,
                scales[t] * rotations[t],
                shifts[t],
                views[t],
                coefficients,
                trust / noise[t],
                residual,
                jacobian,
            )
            if iteration > 0:
                spare = 3 * points - own - count / frames
                squares = (residual * residual).sum()
                change = np.sqrt(squares / max(spare, 1.0))
                change = max(change, noises[1] / noise[t])
                noise[t] *= change
                residual /= change
                jacobian /= change
            gram(jacobian, products)
            pull[CAMERA:NUM_POSE] = precision[CAMERA:NUM_POSE] * (camera[0] - views[t])
            pull[NUM_POSE:] = -expressions[t] * precision[NUM_POSE:]
            _eliminate(
                products,
                jacobian,
                residual,
                precision,
                pull,
                factors[t],
                crossed[t],
                gradients[t],
            )
            # The error of the linear model is the same in all frames. Without this
            # weight, many frames would make it look certain.
            weight = 1 / (1 + frames * (noises[1] / noise[t]) ** 2)
            _add(
                products,
                jacobian,
                residual,
                crossed[t],
                gradients[t],
                weight,
                system,
                gradient,
            )
        factorize(system)
        forward(system, gradient)
        backward(system, gradient)
        shape = shape + gradient
        for t in range(frames):
            step = gradients[t].copy()
            for u in range(own):
                step[u] -= (crossed[t, u] * gradient).sum()
            backward(factors[t], step)
            scales[t], rotations[t], shifts[t], views[t] = move(
                scales[t], rotations[t], shifts[t], views[t], limits, step
            )
            expressions[t] += step[NUM_POSE:]
    return shape


@compiled(fastmath=True)
def search_frames(
    observed, shape, basis, variances, rotations, camera, limits, trust, noises, steps
):  # pragma: no cover (compiled)
    """Estimates pose and expression of each frame of a person.

    Args:
      observed: float64 (T, 3, N), as in `search_shared`, in the unit of the shape.
      shape: float64 (3, N), shape of the person.
      basis: float64 (K, 3, N), displacements of the expressions.
      variances: float64 (K,), variances of their coefficients.
      rotations, camera, limits, trust, noises, steps: As in `search_shared`.

    Returns:
      scales (T,), rotations (T, 3, 3), shifts (T, 3), cameras (T, 4), coefficients
      (T, K), noises (T,), and the posterior variances (T, 11 + K); see `search`.
    """
    frames, count = len(observed), len(basis)
    scales, turned, shifts = np.ones(frames), rotations.copy(), np.zeros((frames, 3))
    views, coefficients = np.empty((frames, 4)), np.zeros((frames, count))
    noise, doubt = np.empty(frames), np.empty((frames, NUM_POSE + count))
    for t in range(frames):
        start = (
            1.0,
            rotations[t].copy(),
            np.zeros(3),
            camera[0].copy(),
            np.zeros(count),
            noises[0],
        )
        state, doubt[t] = search(
            observed[t],
            shape,
            basis,
            variances,
            start,
            camera,
            limits,
            trust,
            noises[1],
            steps,
        )
        scales[t], turned[t], shifts[t], views[t], coefficients[t], noise[t] = state
    return scales, turned, shifts, views, coefficients, noise, doubt


@compiled(fastmath=True)
def _eliminate(
    products, jacobian, residual, precision, pull, factor, crossed, gradient
):  # pragma: no cover (compiled)
    """Solves the part of the linear system that belongs to one frame.

    Args:
      products: (M, M), lower triangle of jacobian @ jacobian.T.
      jacobian: (M, 3 * N), derivatives by the pose and by K coefficients.
      residual: (3 * N,).
      precision: (U,), precisions of the pose and the last U - 11 coefficients.
      pull: (U,), gradient of the logarithm of their prior.
      factor: (U, U), Cholesky's factor of their system, written.
      crossed: (U, K), factor^-1 @ derivatives by the K coefficients, written.
      gradient: (U,), factor^-1 @ gradient, written.
    """
    own, count = crossed.shape
    first = NUM_POSE + count - (own - NUM_POSE)  # row of the first own coefficient
    for u in range(own):
        row = u if u < NUM_POSE else first + u - NUM_POSE
        for v in range(u + 1):
            column = v if v < NUM_POSE else first + v - NUM_POSE
            factor[u, v] = products[row, column]
        factor[u, u] += precision[u]
        gradient[u] = pull[u] + (jacobian[row] * residual).sum()
        for k in range(count):
            low, high = min(row, NUM_POSE + k), max(row, NUM_POSE + k)
            crossed[u, k] = products[high, low]
    factorize(factor)
    forward(factor, gradient)
    for u in range(own):
        for v in range(u):
            weight = factor[u, v]
            for k in range(count):
                crossed[u, k] -= weight * crossed[v, k]
        for k in range(count):
            crossed[u, k] /= factor[u, u]


@compiled(fastmath=True)
def _add(
    products, jacobian, residual, crossed, own_gradient, weight, system, gradient
):  # pragma: no cover (compiled)
    """Adds the Schur complement of one frame to the system of the shape.

    Args:
      products, jacobian, residual, crossed: As in `_eliminate`.
      own_gradient: Its argument `gradient`.
      weight: Weight of the frame.
      system: (K, K), lower triangle. The complement is added.
      gradient: (K,). The gradient is added.
    """
    count = len(gradient)
    for i in range(count):
        total = (jacobian[NUM_POSE + i] * residual).sum()
        for u in range(len(crossed)):
            total -= crossed[u, i] * own_gradient[u]
        gradient[i] += weight * total
        for j in range(i + 1):
            system[i, j] += weight * products[NUM_POSE + i, NUM_POSE + j]
        for u in range(len(crossed)):
            factor = weight * crossed[u, i]
            for j in range(i + 1):
                system[i, j] -= factor * crossed[u, j]
