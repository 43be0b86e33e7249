"""What training minimises, and the errors reported beside it whatever it minimises.

All terms are means over their elements, float32, in the units of the network's window.
Everything is returned per image, so that a batch which is split over any number of
devices has the same loss.
"""

from __future__ import annotations

import math
from typing import Any, Final

from keras import ops

from ethos_model.metrics import SSIM_CONSTANTS

Z_SIGMA: Final = 2.0
"""Standard deviation of z over that of x and y. z of the corpora is an estimate and far
noisier; its own error must not blow up the uncertainty that a drawing shows."""

_WING_WIDTH: Final = 0.05
_WING_CURVE: Final = 0.01
_POINT_SCALE: Final = 0.02  # window sides: brings plain errors to the likelihood's size
_DEPTH_SCALE: Final = 0.05  # window sides: a typical error of the depth map
_RESTORED_SCALE: Final = 0.1  # of the grey range
_SPOILT_FLOOR: Final = 1e-5
"""Mean squared error of 50 dB, below which nobody sees that a picture was spoilt."""

_SSIM_SIDE: Final = 8  # pixels of a uniform window, the other form in Wang et al. 2004


def landmark_loss(kind: str, true: Any, predicted: Any, sigma: Any) -> Any:
    """Loss of the landmarks, (N,).

    Args:
      kind: "gaussian" or "laplace", the negative log likelihood under the predicted
        uncertainty; "mse"; or "wing" (Feng et al., CVPR 2018).
      true: (N, 68, 3) normalised.
      predicted: (N, 68, 3) normalised.
      sigma: (N, 68) standard deviation of x and of y. mse and wing leave the points
        alone and fit it by likelihood beside.
    """
    error = predicted - true
    if kind in ("gaussian", "laplace"):
        return _likelihood(kind, error, sigma)
    if kind == "mse":
        points = ops.mean(ops.square(error / _POINT_SCALE), axis=(1, 2))
    elif kind == "wing":
        distance = ops.abs(error)
        constant = _WING_WIDTH - _WING_WIDTH * math.log(1 + _WING_WIDTH / _WING_CURVE)
        wing = ops.where(
            distance < _WING_WIDTH,
            _WING_WIDTH * ops.log(1 + distance / _WING_CURVE),
            distance - constant,
        )
        points = ops.mean(wing / _POINT_SCALE, axis=(1, 2))
    else:
        raise ValueError(f"Unknown landmark loss. Received: kind={kind!r}")
    return points + _likelihood("gaussian", ops.stop_gradient(error), sigma)


def _likelihood(kind: str, error: Any, sigma: Any) -> Any:
    """Mean over points of the negative log likelihood a coordinate, less constants."""
    sigma = sigma[..., None]
    plane = error[..., :2] / sigma
    # z is weighed by the uncertainty but does not shape it.
    z = error[..., 2:] / (Z_SIGMA * ops.stop_gradient(sigma))
    if kind == "gaussian":
        plane, z = 0.5 * ops.square(plane), 0.5 * ops.square(z)
    else:  # a Laplace density of standard deviation sigma has the scale sigma / sqrt 2
        plane, z = math.sqrt(2) * ops.abs(plane), math.sqrt(2) * ops.abs(z)
    plane = plane + ops.log(sigma)
    return ops.mean(ops.concatenate([plane, z], axis=-1), axis=(1, 2))


def depth_loss(true: Any, predicted: Any, mask: Any) -> Any:
    """Huber loss of the depth inside the mask, (N,).

    The absolute depth is fitted: its zero, the eyes' mean, is as visible as its shape.

    Args:
      true: (N, D, D, 1) window sides, larger = nearer.
      predicted: (N, D, D, 1).
      mask: (N, D, D, 1) 1 where true depth is known, else 0.
    """
    error = ops.abs(predicted - true) / _DEPTH_SCALE
    huber = ops.where(error < 1, 0.5 * ops.square(error), error - 0.5)
    known = ops.maximum(ops.sum(mask, axis=(1, 2, 3)), 1)
    return ops.sum(huber * mask, axis=(1, 2, 3)) / known


def restored_loss(
    true: Any,
    predicted: Any,
    given: Any,
    *,
    floor: float,
    spoilt_weight: float,
) -> Any:
    """What keeps the restored picture from being as near as possible to the true one.

    The sum of four terms, (N,): the absolute error of the grey values and of their
    gradients, which brings light into the dark and keeps edges; the logarithm of the
    mean squared error, which is the PSNR up to a factor and minds a slightly degraded
    face as much as a bad one; what the structural similarity lacks to 1; and by how
    much the picture is farther from the true one than what was given, again in units of
    10 dB, and less similar. Without the first, clean faces outweigh dark ones: a
    network from scratch changed nothing.

    Args:
      true: (N, D, D, 1) in [0, 1].
      predicted: (N, D, D, 1) in [0, 1].
      given: (N, D, D, 1) in [0, 1], the grey image that was to be restored.
      floor: PSNR in dB; what is nearer to the truth gains little more by it.
      spoilt_weight: of the fourth term.
    """
    error = predicted - true
    across = error[:, :, 1:] - error[:, :, :-1]
    down = error[:, 1:] - error[:, :-1]
    absolute = sum(
        ops.mean(ops.abs(term), axis=(1, 2, 3)) for term in (error, across, down)
    )
    square = ops.mean(ops.square(error), axis=(1, 2, 3))
    # One for each 10 dB that are missing to the floor.
    nearness = ops.log(square * 10 ** (floor / 10) + 1) / math.log(10)
    unlike = 1 - ssim(true, predicted)
    loss = absolute / _RESTORED_SCALE + nearness + unlike
    if not spoilt_weight:
        return loss
    before = ops.mean(ops.square(given - true), axis=(1, 2, 3))
    spoilt = ops.log((square + _SPOILT_FLOOR) / (before + _SPOILT_FLOOR)) / math.log(10)
    unlike_before = 1 - ssim(true, given)
    return loss + spoilt_weight * (ops.relu(spoilt) + ops.relu(unlike - unlike_before))


def ssim(true: Any, predicted: Any) -> Any:
    """Structural similarity (Wang et al. 2004) in uniform windows of 8 pixels, (N,).

    Args:
      true: float32 (N, D, D, 1) in [0, 1], D at least 8.
      predicted: float32 (N, D, D, 1) in [0, 1].

    Returns:
      (N,), 1 for equal pictures.
    """

    def local_mean(values: Any) -> Any:
        return ops.average_pool(values, _SSIM_SIDE, strides=_SSIM_SIDE // 2)

    mean, other = local_mean(true), local_mean(predicted)
    variance = local_mean(ops.square(true)) - ops.square(mean)
    other_variance = local_mean(ops.square(predicted)) - ops.square(other)
    covariance = local_mean(true * predicted) - mean * other
    c1, c2 = SSIM_CONSTANTS
    luminance = (2 * mean * other + c1) / (ops.square(mean) + ops.square(other) + c1)
    structure = (2 * covariance + c2) / (variance + other_variance + c2)
    return ops.mean(luminance * structure, axis=(1, 2, 3))


def errors(batch: dict[str, Any], outputs: dict[str, Any]) -> dict[str, Any]:
    """The errors that every run reports, each (N,).

    Args:
      batch: landmarks, depth, depth_mask of the dataset.
      outputs: of the network.

    Returns:
      landmarks_mae, landmarks_mse: of all coordinates, window sides;
      depth_mae, depth_mse: inside the mask, window sides;
      nme: NME_box, mean distance in x and y over sqrt(w * h) of the true box, %.
    """
    true, predicted = batch["landmarks"], outputs["landmarks"]
    error = predicted - true
    mask = batch["depth_mask"]
    known = ops.maximum(ops.sum(mask, axis=(1, 2, 3)), 1)
    depth = (outputs["depth"] - batch["depth"]) * mask
    distance = ops.sqrt(ops.sum(ops.square(error[..., :2]), axis=-1))
    extent = ops.max(true[..., :2], axis=1) - ops.min(true[..., :2], axis=1)
    return {
        "landmarks_mae": ops.mean(ops.abs(error), axis=(1, 2)),
        "landmarks_mse": ops.mean(ops.square(error), axis=(1, 2)),
        "depth_mae": ops.sum(ops.abs(depth), axis=(1, 2, 3)) / known,
        "depth_mse": ops.sum(ops.square(depth), axis=(1, 2, 3)) / known,
        "nme": 100 * ops.mean(distance, axis=-1) / ops.sqrt(ops.prod(extent, axis=-1)),
    }
