"""The losses of training, and the errors that every run reports.

All losses are float32 means over elements, in the units of the network's window. They
are returned per image, so that a batch has the same loss on any number of devices.
"""

from __future__ import annotations

import math
from typing import Any, Final

from keras import ops

from ethos_data.visibility import HIDDEN, VISIBLE
from ethos_model.metrics import SSIM_CONSTANTS

Z_SIGMA: Final = 2.0
"""Ratio of the standard deviation of z to that of x and y.

z of the corpora is an estimate with much more noise. Its error must not increase the
uncertainty that a drawing shows."""

_WING_WIDTH: Final = 0.05  # window sides
_WING_CURVE: Final = 0.01  # window sides
_POINT_SCALE: Final = 0.02  # window sides; gives plain errors the size of a likelihood
_DEPTH_SCALE: Final = 0.05  # window sides; a typical error of the depth map
_RESTORED_SCALE: Final = 0.1  # of the grey range

_FLOORS: Final = (30.0, 40.0)
"""PSNR in dB above which the loss of a restored image decreases only slightly, without
and with protection of good images."""

_SPOILT_WEIGHT: Final = 5.0
"""Weight of the amount by which a restored image is farther from the clean image than
the input is, with protection."""

_SPOILT_FLOOR: Final = 1e-5
"""Mean squared error of 50 dB. Smaller differences between images are not visible."""

_SSIM_SIDE: Final = 8
"""Side of the uniform window of SSIM, in pixels (Wang et al. 2004, section III.B)."""


def labelled(batch: dict[str, Any]) -> Any:
    """Returns the weight of each coordinate of the landmarks.

    Args:
      batch: Batch of `dataset.load`. Without `visible` and `has_z` all coordinates are
        labels.

    Returns:
      (N, 68, 3). 0 where the coordinate is not a label. The other weights of an image
      are equal, and their mean over all coordinates is 1. They are exactly 1 if the
      labels are complete.
    """
    if "visible" not in batch:
        return ops.ones_like(batch["landmarks"])
    known = ops.cast(batch["visible"], "float32") > 0
    plane = ops.cast(known, "float32")[..., None]
    z = plane * ops.cast(batch["has_z"], "float32")[:, None, None]
    mask = ops.concatenate([plane, plane, z], axis=-1)
    return mask / ops.maximum(ops.mean(mask, axis=(1, 2), keepdims=True), 1e-6)


def landmark_loss(
    kind: str, true: Any, predicted: Any, sigma: Any, weight: Any = 1.0
) -> Any:
    """Loss of the landmarks.

    Args:
      kind: "gaussian" or "laplace" for the negative log likelihood under the predicted
        uncertainty, "mse", or "wing" (Feng et al., CVPR 2018).
      true: (N, 68, 3), normalised.
      predicted: (N, 68, 3), normalised.
      sigma: Standard deviation of x and of y, (N, 68), normalised. With "mse" and
        "wing" it is fitted by likelihood and does not influence the landmarks.
      weight: Weight of each coordinate, (N, 68, 3); see `labelled`.

    Returns:
      The loss of each image, (N,).
    """
    error = predicted - true
    if kind in ("gaussian", "laplace"):
        return _likelihood(kind, error, sigma, weight)
    if kind == "mse":
        points = ops.mean(weight * ops.square(error / _POINT_SCALE), axis=(1, 2))
    elif kind == "wing":
        distance = ops.abs(error)
        constant = _WING_WIDTH - _WING_WIDTH * math.log(1 + _WING_WIDTH / _WING_CURVE)
        wing = ops.where(
            distance < _WING_WIDTH,
            _WING_WIDTH * ops.log(1 + distance / _WING_CURVE),
            distance - constant,
        )
        points = ops.mean(weight * (wing / _POINT_SCALE), axis=(1, 2))
    else:
        raise ValueError(f"Unknown landmark loss. Received: kind={kind!r}")
    return points + _likelihood("gaussian", ops.stop_gradient(error), sigma, weight)


def _likelihood(kind: str, error: Any, sigma: Any, weight: Any) -> Any:
    """Mean negative log likelihood of a coordinate without its constants, (N,).

    Args:
      kind: "gaussian" or "laplace".
      error: (N, 68, 3), normalised.
      sigma: Standard deviation of x and of y, (N, 68), normalised.
      weight: Weight of each coordinate, (N, 68, 3) or a number.
    """
    sigma = sigma[..., None]
    plane = error[..., :2] / sigma
    # z is divided by the uncertainty, but its error does not change the uncertainty.
    z = error[..., 2:] / (Z_SIGMA * ops.stop_gradient(sigma))
    if kind == "gaussian":
        plane, z = 0.5 * ops.square(plane), 0.5 * ops.square(z)
    else:  # a Laplace density of standard deviation sigma has the scale sigma / sqrt 2
        plane, z = math.sqrt(2) * ops.abs(plane), math.sqrt(2) * ops.abs(z)
    plane = plane + ops.log(sigma)
    return ops.mean(weight * ops.concatenate([plane, z], axis=-1), axis=(1, 2))


def visible_loss(codes: Any, predicted: Any) -> Any:
    """Binary cross-entropy of the visibility of the landmarks.

    Args:
      codes: (N, 68), values of `ethos_data.visibility`. Landmarks that are neither
        `VISIBLE` nor `HIDDEN` have no loss.
      predicted: Probability that the landmark is visible, (N, 68).

    Returns:
      The mean over the landmarks of each image, (N,), in nats. 0 without labels.
    """
    codes = ops.cast(codes, "int32")
    seen = ops.cast(ops.equal(codes, VISIBLE), "float32")
    hidden = ops.cast(ops.equal(codes, HIDDEN), "float32")
    likelihood = ops.where(seen > 0, predicted, 1 - predicted)
    loss = -ops.log(ops.clip(likelihood, 1e-6, 1.0))
    return ops.mean((seen + hidden) * loss, axis=-1)


def depth_loss(true: Any, predicted: Any, mask: Any) -> Any:
    """Huber loss of the depth inside the mask.

    The mean of the depth is not removed: an image shows where the depth is zero (at the
    mean of the eyes) as clearly as it shows the shape.

    Args:
      true: (N, D, D, 1) in sides of the window, larger is nearer.
      predicted: (N, D, D, 1), in the same unit.
      mask: (N, D, D, 1), 1 where the true depth is known, else 0.

    Returns:
      The loss of each image, (N,). 0 where the mask is empty.
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
    protection: Any,
) -> Any:
    """Loss of the restored image.

    It is the sum of four terms:
    - the absolute error of the grey values and of their gradients. It brightens dark
      images and preserves edges. Without it a network that starts from random weights
      changes nothing, because clean faces outweigh dark faces in the next term.
    - the logarithm of the mean squared error, which is the PSNR up to a factor. A
      slightly degraded face contributes as much as a strongly degraded face.
    - 1 - structural similarity.
    - how much farther from the true image, in units of 10 dB, and less similar to it
      the restored image is than the input image.

    Args:
      true: Clean grey image, (N, D, D, 1) in [0, 1].
      predicted: Restored grey image, (N, D, D, 1) in [0, 1].
      given: Grey image of the input, (N, D, D, 1) in [0, 1].
      protection: From 0, for a network that learns to restore, to 1, for one that has
        learned it and must not spoil good images: scalar. It determines the weight of
        the fourth term, which keeps other networks from learning to restore, and the
        PSNR above which the second term decreases only slightly.

    Returns:
      The loss of each image, (N,).
    """
    error = predicted - true
    across = error[:, :, 1:] - error[:, :, :-1]
    down = error[:, 1:] - error[:, :-1]
    absolute = sum(
        ops.mean(ops.abs(term), axis=(1, 2, 3)) for term in (error, across, down)
    )
    square = ops.mean(ops.square(error), axis=(1, 2, 3))
    # Increases by 1 for each 10 dB below the floor.
    low, high = _FLOORS
    scale = ops.exp((low + (high - low) * protection) * (math.log(10) / 10))
    nearness = ops.log(square * scale + 1) / math.log(10)
    unlike = 1 - ssim(true, predicted)
    loss = absolute / _RESTORED_SCALE + nearness + unlike
    before = ops.mean(ops.square(given - true), axis=(1, 2, 3))
    spoilt = ops.log((square + _SPOILT_FLOOR) / (before + _SPOILT_FLOOR)) / math.log(10)
    unlike_before = 1 - ssim(true, given)
    worse = ops.relu(spoilt) + ops.relu(unlike - unlike_before)
    return loss + _SPOILT_WEIGHT * protection * worse


def ssim(true: Any, predicted: Any) -> Any:
    """Structural similarity (Wang et al. 2004) in uniform windows of 8 pixels.

    Args:
      true: float32 (N, D, D, 1) in [0, 1], D at least 8.
      predicted: float32 (N, D, D, 1) in [0, 1].

    Returns:
      The similarity of each pair, (N,). 1 for equal images.
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
    """The errors that every run reports.

    Args:
      batch: landmarks, depth and depth_mask of a batch of `dataset.load`, and visible
        and has_z if the labels can be incomplete. Only labels count.
      outputs: Outputs of the network.

    Returns:
      One value for each image, (N,):
      landmarks_mae, landmarks_mse: mean over all coordinates, in window sides;
      depth_mae, depth_mse: mean inside the mask, in window sides;
      nme: NME_box, mean distance in x and y / sqrt(w * h) of the true box, in %.
    """
    true, predicted = batch["landmarks"], outputs["landmarks"]
    error = predicted - true
    weight = labelled(batch)
    # The mean weight in x and y must be 1, whether z is a label or not.
    plane = weight[..., 0] / ops.maximum(ops.mean(weight[..., 0], 1, True), 1e-6)
    mask = batch["depth_mask"]
    known = ops.maximum(ops.sum(mask, axis=(1, 2, 3)), 1)
    depth = (outputs["depth"] - batch["depth"]) * mask
    distance = ops.sqrt(ops.sum(ops.square(error[..., :2]), axis=-1))
    extent = ops.max(true[..., :2], axis=1) - ops.min(true[..., :2], axis=1)
    return {
        "landmarks_mae": ops.mean(weight * ops.abs(error), axis=(1, 2)),
        "landmarks_mse": ops.mean(weight * ops.square(error), axis=(1, 2)),
        "depth_mae": ops.sum(ops.abs(depth), axis=(1, 2, 3)) / known,
        "depth_mse": ops.sum(ops.square(depth), axis=(1, 2, 3)) / known,
        "nme": 100
        * ops.mean(plane * distance, axis=-1)
        / ops.sqrt(ops.prod(extent, axis=-1)),
    }
