"""The network: MobileNetV2 shared by a landmark head and a light decoder.

The landmark head works in two stages. The first stage regresses all landmarks from the
coarsest features, which contain the whole face. The second stage moves each landmark to
the position that finer features of the decoder indicate.

The input is one uint8 RGB face. The outputs are 68 landmarks with their uncertainty and
the probability that they can be seen, a depth map and the clean grey face. The last
layer of MobileNetV2 (1x1 to 1280 channels) is left out: it belongs to the classifier
and contains a fifth of the weights.
"""

from __future__ import annotations

import os
import warnings
from typing import Any, Final

import keras
import numpy as np
from keras import layers, ops

from ethos_data.errors import EthosError
from ethos_data.grey import LUMA
from ethos_data.topology import NUM_LANDMARKS

OUTPUTS: Final = ("landmarks", "uncertainty", "visible", "depth", "restored")
"""Names of the outputs, in order."""

# Outputs of the last MobileNetV2 block at strides 2, 4, 8 and 16, and at stride 32. The
# outputs of the inverted residuals are narrow (16 to 320 channels), so that skip
# connections from them are cheap.
_SKIPS: Final = (
    "expanded_conv_project_BN",
    "block_2_add",
    "block_5_add",
    "block_12_add",
)
_LAST: Final = "block_16_project_BN"

_DECODER_WIDTHS: Final = (32, 64, 64, 96)  # channels at strides 2, 4, 8 and 16
_HEAD_WIDTH: Final = 128  # channels

_PIXEL_STRIDE: Final = 4
"""Largest stride at which the decoder also receives the pixels of the input."""

_FINE_STRIDE: Final = 4
"""Stride of the decoder features that the second stage of the landmark head reads."""

_FINE_WIDTH: Final = 64  # channels

_FINE_REACH: Final = 0.8
"""Standard deviation of the Gaussian around the first position, in cells of the fine
features: 3.7 % of the face size. 1.5 cells increased the error by 1 %."""

POINT_SCALE: Final = 0.05
"""Factor of the first stage's output, in sides of the window.

A step of Adam changes each of the 2,000 weights of a landmark by the learning rate.
Without this factor a landmark would move by a whole window at a learning rate of 1e-3,
and NME_box rose to 22 %."""

_SIGMA_SCALE: Final = 0.1

# log(sigma) is limited to [-6, 0]: 0.25 % to 100 % of the window. Without limits the
# likelihood rewards ever smaller sigmas on the easiest batch.
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

    Example:
      model = network.build(image_size=112)
      landmarks = model(images)["landmarks"]  # (N, 68, 3)

    Args:
      image_size: Side S of the input in pixels, an even number. It is also the side of
        the outputs depth and restored.
      alpha: Width of MobileNetV2, as a factor of its channels.
      backbone_weights: None or "none" for random weights, "imagenet" for the weights
        that Keras downloads, or the path of an .h5 file of MobileNetV2 without its top.
      batch_norm_momentum: Momentum of the moving batch statistics, per step.
      sync_batch_norm: Whether batch statistics are computed over all replicas of a
        distribution strategy.

    Returns:
      A model from `image`, uint8 (N, S, S, 3) RGB, to a dictionary of float32 arrays:
      landmarks (N, 68, 3), normalised in the network's window;
      uncertainty (N, 68), one standard deviation of x or y, in the same unit;
      visible (N, 68), the probability that the image shows the landmark;
      depth (N, S, S, 1), in the same unit, zero at the mean of the eyes, larger is
      nearer;
      restored (N, S, S, 1), the clean grey image in [0, 1].

    Raises:
      EthosError: The backbone weights cannot be loaded.
    """
    norm = {"momentum": batch_norm_momentum, "synchronized": sync_batch_norm}
    image = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    scaled = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(image)
    backbone = _backbone(image_size, alpha, backbone_weights, norm)
    *skips, last = backbone(scaled)
    points, uncertainty, visible = _landmark_head(last, norm)
    depth, restored, fine = _decoder(scaled, skips, last, norm)
    landmarks = _refined(points, fine, norm)
    outputs = (landmarks, uncertainty, visible, depth, restored)
    return keras.Model(image, dict(zip(OUTPUTS, outputs, strict=True)), name="ethos")


def set_mean_face(model: keras.Model, landmarks: np.ndarray) -> None:
    """Sets the bias of the landmark head, so that training starts at a mean face.

    Args:
      model: Network from `build`. It is changed in place.
      landmarks: Mean landmarks (68, 3), normalised in the network's window.
    """
    bias = model.get_layer("landmark_points").bias
    bias.assign(np.asarray(landmarks, np.float32).reshape(-1) / POINT_SCALE)


def _backbone(
    image_size: int, alpha: float, weights: str | None, norm: dict[str, Any]
) -> keras.Model:
    """MobileNetV2 without its top, with the outputs `_SKIPS` and `_LAST`."""
    source = None if weights in (None, "", "none") else weights
    if source not in (None, "imagenet") and not os.path.exists(source):
        raise EthosError(f"{source}: no such file (--backbone_weights)")
    shape = (image_size, image_size, 3)
    try:
        with warnings.catch_warnings():
            # Keras warns that the ImageNet weights are those for 224 px.
            warnings.simplefilter("ignore")
            full = keras.applications.MobileNetV2(
                shape, alpha=alpha, include_top=False, weights=source
            )
    except Exception as error:  # Keras raises Exception itself if a download fails
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        if source == "imagenet":
            raise EthosError(
                "the ImageNet weights of MobileNetV2 cannot be downloaded: "
                f"{reason}. --backbone_weights FILE reads them from an .h5 file, "
                "--backbone_weights none starts from random weights"
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


def _landmark_head(features: Any, norm: dict[str, Any]) -> tuple[Any, Any, Any]:
    """First stage of the landmark head: dense layers over all positions.

    Args:
      features: Output of the backbone, (N, C, C, F).
      norm: Arguments of the batch norm layers.

    Returns:
      Points (N, 68, 3), normalised, their uncertainty (N, 68), and the probability that
      the image shows them (N, 68).
    """
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
    shown = layers.Dense(
        NUM_LANDMARKS, kernel_initializer=small, name="landmark_visible"
    )(x)
    visible = ops.sigmoid(ops.cast(shown, "float32"))
    return (
        points,
        layers.Identity(dtype="float32", name="uncertainty")(sigma),
        layers.Identity(dtype="float32", name="visible")(visible),
    )


def _refined(points: Any, features: Any, norm: dict[str, Any]) -> Any:
    """Second stage of the landmark head: moves each point with finer features.

    The result is the mean position under a map over the cells of the features. The map
    is the evidence for the landmark times a Gaussian around its first position, like a
    posterior of a likelihood and a prior (a local form of integral regression, Sun et
    al., ECCV 2018). Without evidence the point does not move. This is so at the start
    of training and for an occluded landmark.

    Args:
      points: Positions of the first stage, (N, 68, 3), normalised.
      features: Fine features of the decoder, (N, C, C, F).
      norm: Arguments of the batch norm layers.

    Returns:
      Landmarks (N, 68, 3), normalised. z is that of `points`.
    """
    x = _convolution(features, _FINE_WIDTH, 3, "landmark_fine", norm)
    evidence = layers.Conv2D(
        NUM_LANDMARKS, 1, kernel_initializer="zeros", name="landmark_evidence"
    )(x)
    cells = evidence.shape[1]
    evidence = ops.transpose(ops.cast(evidence, "float32"), (0, 3, 1, 2))
    centres = (np.arange(cells, dtype=np.float32) + 0.5) / cells
    distance = (ops.expand_dims(points[..., :2], -1) - centres) * (cells / _FINE_REACH)
    prior = -0.5 * ops.square(distance)  # (N, 68, 2, C), for x and y
    logits = evidence + prior[:, :, 0, None, :] + prior[:, :, 1, :, None]
    flat = ops.reshape(logits, (-1, NUM_LANDMARKS, cells * cells))
    x, y = np.meshgrid(centres, centres)
    positions = np.stack([x.ravel(), y.ravel()], axis=-1)
    mean = ops.matmul(ops.softmax(flat), ops.convert_to_tensor(positions))
    # The mean without evidence. It is not exactly the point itself, because the cells
    # are coarse and end at the border.
    start = ops.sum(ops.softmax(prior) * centres, axis=-1)
    moved = ops.concatenate([points[..., :2] + mean - start, points[..., 2:]], axis=-1)
    return layers.Identity(dtype="float32", name="landmarks")(moved)


def _decoder(
    scaled: Any, skips: list[Any], last: Any, norm: dict[str, Any]
) -> tuple[Any, Any, Any]:
    """Depth and restored image, from coarse to fine features.

    Args:
      scaled: The input image in [-1, 1], (N, S, S, 3).
      skips: Features of the backbone at strides 2, 4, 8 and 16.
      last: Features of the backbone at stride 32.
      norm: Arguments of the batch norm layers.

    Returns:
      Depth (N, S, S, 1), restored (N, S, S, 1) and the features at `_FINE_STRIDE`.
    """
    x = fine = last
    for stride, width, skip in zip(
        (16, 8, 4, 2), _DECODER_WIDTHS[::-1], skips[::-1], strict=True
    ):
        name = f"decoder_{stride}"
        x = layers.Conv2D(width, 1, use_bias=False, name=f"{name}_narrow")(x)
        x = layers.UpSampling2D(2, name=f"{name}_up")(x)
        # At 112 px there are 7 cells at stride 16, but 4, so 8 here, at stride 32.
        x = x[:, : skip.shape[1], : skip.shape[2]]
        side = layers.Conv2D(width, 1, use_bias=False, name=f"{name}_skip")(skip)
        if stride <= _PIXEL_STRIDE:  # for fine detail
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
    # Zero kernels: the first depth is flat, the first restored image is the input.
    maps = layers.Conv2D(
        8, 3, padding="same", kernel_initializer="zeros", name="decoder_maps"
    )(x)
    maps = ops.cast(ops.depth_to_space(maps, 2), "float32")
    depth = layers.Identity(dtype="float32", name="depth")(maps[..., :1])
    # The correction is added to the logit of the grey value. There a change of light is
    # an offset, and the result stays in [0, 1] without clipping, which would stop
    # gradients.
    grey = ops.sum(
        ops.cast(scaled, "float32") * ops.convert_to_tensor(LUMA), -1, keepdims=True
    )
    grey = 0.5 + 0.49 * grey
    logit = ops.log(grey / (1 - grey)) + maps[..., 1:]
    restored = layers.Activation("sigmoid", dtype="float32", name="restored")(logit)
    return depth, restored, fine


def _convolution(x: Any, width: int, size: int, name: str, norm: dict[str, Any]) -> Any:
    """A convolution, batch norm and ReLU6."""
    x = layers.Conv2D(width, size, padding="same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(name=f"{name}_norm", **norm)(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)
