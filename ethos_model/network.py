"""The network: MobileNetV2 shared by a landmark head and a light decoder.

The landmark head answers twice: from all of the coarsest features at once, which knows
what a face looks like, and then from the decoder's finer ones, which see where exactly.

One uint8 RGB face in; 68 landmarks with their uncertainty, a depth map and the clean
grey face out. MobileNetV2's last layer (1x1 to 1280 channels) serves a classifier and
is left out: it holds a fifth of the weights and neither head needs it.
"""

from __future__ import annotations

from typing import Any, Final

import keras
import numpy as np
from keras import layers, ops

from ethos_data.errors import EthosError
from ethos_data.grey import LUMA
from ethos_data.topology import NUM_LANDMARKS

OUTPUTS: Final = ("landmarks", "uncertainty", "depth", "restored")

# Outputs of MobileNetV2's last block at strides 2, 4, 8, 16 and 32: the narrow ends of
# the inverted residuals, 16 to 320 channels, cheap to carry over.
_SKIPS: Final = (
    "expanded_conv_project_BN",
    "block_2_add",
    "block_5_add",
    "block_12_add",
)
_LAST: Final = "block_16_project_BN"

_DECODER_WIDTHS: Final = (32, 64, 64, 96)  # channels at strides 2, 4, 8 and 16
_HEAD_WIDTH: Final = 128

# Behind the features in which the landmark head looks for the points.
_PICTURE_LAYERS: Final = ("decoder_2_", "decoder_maps")

_PIXEL_STRIDE: Final = 4  # the coarsest at which the decoder sees the pixels again
_FINE_STRIDE: Final = 4
_FINE_WIDTH: Final = 64
# Standard deviation of where the head's answer is looked for, in cells of the finer
# features: 3.7 % of the face size. 1.5 cells were worse, by 1 % of the error.
_FINE_REACH: Final = 0.8

# A step of Adam moves each of a dense layer's 2,000 weights by the learning rate, so an
# unscaled output would jump by a whole window side at 1e-3 (NME_box rose to 22 %).
POINT_SCALE: Final = 0.05  # window sides
_SIGMA_SCALE: Final = 0.1

# log(sigma) lies in [-6, 0]: from 0.25 % to 100 % of the window's side. Without the
# bounds the likelihood rewards certainty without end on the easiest batch.
_LOG_SIGMA_CENTRE: Final = -3.0
_LOG_SIGMA_RANGE: Final = 3.0


def build(
    *,
    image_size: int = 112,
    alpha: float = 1.0,
    backbone_weights: str | None = None,
    batch_norm_momentum: float = 0.99,
    sync_batch_norm: bool = False,
) -> keras.Model:
    """Builds the network.

    Args:
      image_size: S, side of the input, pixels, even. Depth and restored have it too.
      alpha: width of MobileNetV2.
      backbone_weights: None or "none" for random ones, "imagenet" to download Keras'
        own, or the path of an .h5 file of MobileNetV2 without its top.
      batch_norm_momentum: of the moving batch statistics, per step.
      sync_batch_norm: batch statistics over all replicas of a distribution strategy.

    Returns:
      A model from `image` uint8 (N, S, S, 3) RGB to a dict, all float32:
      landmarks (N, 68, 3), normalised in the network's window;
      uncertainty (N, 68), one standard deviation of x or y, same unit;
      depth (N, S, S, 1), same unit, larger = nearer, zero at the eyes' mean;
      restored (N, S, S, 1), the clean grey image in [0, 1].

    Raises:
      EthosError: the backbone's weights cannot be had.
    """
    norm = {"momentum": batch_norm_momentum, "synchronized": sync_batch_norm}
    image = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    scaled = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(image)
    backbone = _backbone(image_size, alpha, backbone_weights, norm)
    *skips, last = backbone(scaled)
    points, uncertainty = _landmark_head(last, norm)
    depth, restored, fine = _decoder(scaled, skips, last, norm)
    landmarks = _refined(points, fine, norm)
    outputs = (landmarks, uncertainty, depth, restored)
    return keras.Model(image, dict(zip(OUTPUTS, outputs, strict=True)), name="ethos")


def set_mean_face(model: keras.Model, landmarks: np.ndarray) -> None:
    """Lets the landmark head begin at a mean face instead of at the origin.

    Args:
      model: from `build`.
      landmarks: (68, 3) normalised in the network's window.
    """
    bias = model.get_layer("landmark_points").bias
    bias.assign(np.asarray(landmarks, np.float32).reshape(-1) / POINT_SCALE)


def freeze_landmarks(model: keras.Model) -> None:
    """Leaves nothing to train but what depth and restored alone depend on.

    Batch norm that is frozen computes with its moving statistics.

    Args:
      model: from `build`.
    """
    for layer in model.layers:
        layer.trainable = layer.name.startswith(_PICTURE_LAYERS)


def _backbone(
    image_size: int, alpha: float, weights: str | None, norm: dict[str, Any]
) -> keras.Model:
    source = None if weights in (None, "", "none") else weights
    try:
        full = keras.applications.MobileNetV2(
            (image_size, image_size, 3), alpha=alpha, include_top=False, weights=source
        )
    except Exception as error:  # Keras raises bare Exception when a download fails
        reason = " ".join(str(error).split())[:300]
        if source == "imagenet":
            raise EthosError(
                "the ImageNet weights of MobileNetV2 could not be downloaded "
                f"({reason}); give --backbone_weights the path of the .h5 file, or none"
            ) from None
        raise EthosError(
            f"{source}: not weights of MobileNetV2 with alpha {alpha}: {reason}"
        ) from None
    for layer in full.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = norm["momentum"]
            layer.synchronized = norm["synchronized"]
    outputs = [full.get_layer(name).output for name in (*_SKIPS, _LAST)]
    return keras.Model(full.input, outputs, name="backbone")


def _landmark_head(features: Any, norm: dict[str, Any]) -> tuple[Any, Any]:
    """Dense from all positions: where a feature fires says where the point is."""
    x = _convolution(features, _HEAD_WIDTH, 1, "landmark_features", norm)
    x = layers.Flatten(name="landmark_flatten")(x)
    # Small kernels: the first predictions are the mean face and an even uncertainty.
    small = keras.initializers.RandomNormal(stddev=1e-2)
    points = layers.Dense(
        NUM_LANDMARKS * 3, kernel_initializer=small, name="landmark_points"
    )(x)
    points = ops.reshape(ops.cast(points, "float32"), (-1, NUM_LANDMARKS, 3))
    points = POINT_SCALE * points
    raw = layers.Dense(NUM_LANDMARKS, kernel_initializer=small, name="landmark_sigma")(
        x
    )
    raw = _SIGMA_SCALE * ops.cast(raw, "float32")
    sigma = ops.exp(_LOG_SIGMA_CENTRE + _LOG_SIGMA_RANGE * ops.tanh(raw))
    return points, layers.Identity(dtype="float32", name="uncertainty")(sigma)


def _refined(points: Any, features: Any, norm: dict[str, Any]) -> Any:
    """Moves each point to where the finer features find it, near where it was.

    The mean of a map over the features' cells: the evidence for a point times a
    Gaussian around its first place, as a posterior of a prior and a likelihood
    (integral regression, Sun et al. 2018, made local). Without evidence, as training
    begins and as a covered point stays, nothing moves.

    Args:
      points: (N, 68, 3) normalised.
      features: (N, C, C, F).
    """
    x = _convolution(features, _FINE_WIDTH, 3, "landmark_fine", norm)
    evidence = layers.Conv2D(
        NUM_LANDMARKS, 1, kernel_initializer="zeros", name="landmark_evidence"
    )(x)
    cells = evidence.shape[1]
    evidence = ops.transpose(ops.cast(evidence, "float32"), (0, 3, 1, 2))
    center = (np.arange(cells, dtype=np.float32) + 0.5) / cells
    away = (ops.expand_dims(points[..., :2], -1) - center) * (cells / _FINE_REACH)
    prior = -0.5 * ops.square(away)  # (N, 68, 2, C), x and y
    logits = evidence + prior[:, :, 0, None, :] + prior[:, :, 1, :, None]
    flat = ops.reshape(logits, (-1, NUM_LANDMARKS, cells * cells))
    x, y = np.meshgrid(center, center)
    places = np.stack([x.ravel(), y.ravel()], axis=-1)
    found = ops.matmul(ops.softmax(flat), ops.convert_to_tensor(places))
    # Where the mean would be without evidence: not quite the point itself, for cells
    # are few and end at the border.
    start = ops.sum(ops.softmax(prior) * center, axis=-1)
    moved = ops.concatenate([points[..., :2] + found - start, points[..., 2:]], axis=-1)
    return layers.Identity(dtype="float32", name="landmarks")(moved)


def _decoder(
    scaled: Any, skips: list[Any], last: Any, norm: dict[str, Any]
) -> tuple[Any, Any, Any]:
    """Depth and restored from coarse to fine, ending in a shuffle of 2 x 2 pixels.

    Returns:
      Both, and the features at `_FINE_STRIDE`.
    """
    x = fine = last
    for stride, width, skip in zip(
        (16, 8, 4, 2), _DECODER_WIDTHS[::-1], skips[::-1], strict=True
    ):
        name = f"decoder_{stride}"
        x = layers.Conv2D(width, 1, use_bias=False, name=f"{name}_narrow")(x)
        x = layers.UpSampling2D(2, name=f"{name}_up")(x)
        x = x[:, : skip.shape[1], : skip.shape[2]]  # 112 px has 7 cells at 16, 4 at 32
        side = layers.Conv2D(width, 1, use_bias=False, name=f"{name}_skip")(skip)
        if stride <= _PIXEL_STRIDE:  # the pixels themselves, for fine detail
            pixels = layers.Conv2D(
                width,
                2 * stride,
                strides=stride,
                padding="same",
                use_bias=False,
                name=f"{name}_pixels",
            )(scaled)
            side = layers.Add(name=f"{name}_with_pixels")([side, pixels])
        x = layers.Add(name=f"{name}_add")([x, side])
        x = layers.BatchNormalization(name=f"{name}_add_norm", **norm)(x)
        x = layers.ReLU(6.0, name=f"{name}_add_relu")(x)
        x = _convolution(x, width, 3, f"{name}_mix", norm)
        if stride == _FINE_STRIDE:
            fine = x
    # Zero kernels: depth begins flat, restored begins as the image that came in.
    maps = layers.Conv2D(
        8, 3, padding="same", kernel_initializer="zeros", name="decoder_maps"
    )(x)
    maps = ops.cast(ops.depth_to_space(maps, 2), "float32")
    depth = layers.Identity(dtype="float32", name="depth")(maps[..., :1])
    # The correction is made to the grey value's logit: there a change of light is an
    # offset, and the result stays in [0, 1] without a clip that would stop gradients.
    grey = ops.sum(
        ops.cast(scaled, "float32") * ops.convert_to_tensor(LUMA), -1, keepdims=True
    )
    grey = 0.5 + 0.49 * grey
    logit = ops.log(grey / (1 - grey)) + maps[..., 1:]
    restored = layers.Activation("sigmoid", dtype="float32", name="restored")(logit)
    return depth, restored, fine


def _convolution(x: Any, width: int, size: int, name: str, norm: dict[str, Any]) -> Any:
    x = layers.Conv2D(width, size, padding="same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(name=f"{name}_norm", **norm)(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)
