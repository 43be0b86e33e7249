"""One Gauss-Newton step: a small linear least-squares problem with a prior.

In numba, for it has to stay on its own core: on two busy cores, with BLAS threads for
each, numpy's products and inverses of these 90 x 204 matrices took 30 ms of CPU a face
instead of 1 ms.
"""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True, fastmath=True)
def solve(jacobian, residual, pull, precision):  # pragma: no cover (compiled)
    """The step and how well it is known.

    With H = jacobian @ jacobian.T + diag(precision), by a Cholesky factorisation:

    Args:
      jacobian: float64 (M, N), derivatives of N whitened data by M unknowns.
      residual: float64 (N,), whitened.
      pull: float64 (M,), gradient of the prior's logarithm.
      precision: float64 (M,), of the prior, 0 where there is none.

    Returns:
      H^-1 @ (jacobian @ residual + pull), (M,), and the diagonal of H^-1, (M,).
    """
    count, data = jacobian.shape
    factor = np.empty((count, count))
    step = np.empty(count)
    for i in range(count):
        for j in range(i + 1):
            total = 0.0
            for k in range(data):
                total += jacobian[i, k] * jacobian[j, k]
            factor[i, j] = total
        factor[i, i] += precision[i]
        total = pull[i]
        for k in range(data):
            total += jacobian[i, k] * residual[k]
        step[i] = total
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
    # The factor's inverse by rows, whose elements a processor subtracts four at a time.
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
