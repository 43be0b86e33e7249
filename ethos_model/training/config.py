"""The configuration of a training run: one frozen dataclass.

The fields are settings. Most are also flags of ethos-train; settings of a particular
recipe are given in a configuration file. A run saves its configuration as run.json, and
`ethos-train --config run.json` repeats the run.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from ethos_data import options
from ethos_data.errors import EthosError
from ethos_data.options import option

LANDMARK_LOSSES: Final = ("gaussian", "laplace", "mse", "wing")

PRETRAINED: Final = "pretrained"
"""Value of --initial_weights for the shipped model."""

NO_WEIGHTS: Final = "none"
"""Value of --backbone_weights for random weights."""

IMAGENET: Final = "imagenet"
"""Value of --backbone_weights for the weights that Keras downloads."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Settings of a training run. The help text of each field documents it.

    Example:
      train.fit(TrainConfig(data_dir="data", workdir="runs/first", epochs=10))
    """

    data_dir: str = option(
        "",
        "Data set that ethos-convert wrote, or the directory of one of its versions",
        group="data",
        metavar="DIR",
        resumable=True,
    )
    extra_data_dir: str = option(
        "",
        "Second data set, from which a share of every batch is drawn",
        group="data",
        metavar="DIR",
        resumable=True,
    )
    extra_share: float = option(
        0.25,
        "Share of the images of a batch that come from --extra_data_dir",
        group="data",
        minimum=0,
        below=1,
    )
    cache_dir: str = option(
        "",
        "Local directory for decoded images of data sets larger than 2 GiB; without it "
        "they are decoded again in every epoch",
        group="data",
        metavar="DIR",
        resumable=True,
        local=True,
    )
    degrade: bool = option(True, "Degrade the training images", group="data")
    validation_images: int = option(
        256,
        "Maximum number of validation images after each epoch; 0 trains without "
        "validation",
        group="data",
        minimum=0,
        resumable=True,
    )
    label_shift: float = option(
        0.0,
        "Offset of the labels of data_dir to the right, in % of the face size. Labels "
        "of mirrored images and of extra_data_dir, which has no offset, get the same "
        "offset, and the predictor removes it. ethos-evaluate measures it",
        flag=False,
    )

    image_size: int = option(
        112,
        "Side of the network's input in pixels, an even number",
        group="model",
        minimum=32,
    )
    alpha: float = option(
        1.0, "Width of MobileNetV2, as a factor of its channels", group="model", above=0
    )
    backbone_weights: str = option(
        IMAGENET,
        "First weights of MobileNetV2: 'none' for random weights, 'imagenet' to "
        "download them, or an .h5 file of MobileNetV2 without its top",
        group="model",
        metavar="NAME|FILE",
        local=True,
    )
    initial_weights: str = option(
        "",
        "First weights of the whole network instead: 'pretrained' for the shipped "
        "model, the directory of an exported model, or a checkpoint (.npz) of another "
        "run",
        group="model",
        metavar="NAME|PATH",
        local=True,
    )

    batch_size: int = option(
        16,
        "Number of images in a step, over all devices and workers",
        group="optimisation",
        minimum=1,
    )
    epochs: int = option(
        50, "Number of epochs", group="optimisation", minimum=1, resumable=True
    )
    steps_per_epoch: int = option(
        100, "Number of steps in an epoch", group="optimisation", minimum=1
    )
    learning_rate: float = option(
        1e-3,
        "Highest learning rate of AdamW, before it decays along a cosine",
        group="optimisation",
        minimum=0,
    )
    warmup_steps: int = option(
        200,
        "Number of steps in which the learning rate rises from zero",
        group="optimisation",
        minimum=0,
    )
    landmark_loss: str = option(
        "gaussian",
        "Loss of the landmarks: a likelihood (gaussian, laplace) or a plain error",
        group="optimisation",
        choices=LANDMARK_LOSSES,
    )
    mixed_precision: bool = option(
        False, "Compute in float16, on a GPU", group="optimisation"
    )
    deterministic: bool = option(
        False,
        "Repeat the same numbers to the last digit; training is slower",
        group="optimisation",
    )
    seed: int = option(
        0,
        "Random seed of weights, order, augmentation and degradation",
        group="optimisation",
        minimum=0,
        maximum=2**31 - 1,
    )
    depth_weight: float = option(1.0, "Weight of the depth loss", minimum=0, flag=False)
    restored_weight: float = option(
        0.3, "Weight of the loss of the restored image", minimum=0, flag=False
    )
    visible_weight: float = option(
        0.2, "Weight of the loss of the visibility", minimum=0, flag=False
    )
    weight_decay: float = option(
        1e-3, "Decoupled weight decay of the kernels", minimum=0, flag=False
    )
    clip_norm: float = option(
        5.0, "Maximum norm of the gradient; 0 for no limit", minimum=0, flag=False
    )
    ema_decay: float = option(
        0.998,
        "Decay per step of the averaged weights, which are evaluated and exported",
        minimum=0,
        below=1,
        flag=False,
    )
    batch_norm_momentum: float = option(
        0.99,
        "Momentum per step of the batch statistics. Keras' default of 0.999 is too "
        "slow for runs of a few thousand steps",
        minimum=0,
        below=1,
        flag=False,
    )
    sync_batch_norm: bool = option(
        True,
        "Compute batch statistics over all devices, so that their number does not "
        "influence the result",
        flag=False,
    )

    workdir: str = option(
        "",
        "Directory of the run, for checkpoints, history.csv and pictures. All workers "
        "must see the same directory",
        group="output",
        metavar="DIR",
        resumable=True,
        local=True,
    )
    pictures: int = option(
        6,
        "Number of validation faces drawn into WORKDIR/pictures; 0 for no pictures",
        group="output",
        minimum=0,
        resumable=True,
    )
    picture_epochs: int = option(
        5,
        "Number of epochs between two pictures",
        minimum=1,
        flag=False,
        resumable=True,
    )
    tensorboard: bool = option(
        False,
        "Also write TensorBoard summaries (pip install 'ethos-faces[tensorboard]')",
        group="output",
        resumable=True,
    )
    profile_steps: int = option(
        0,
        "Measure the time of this many steps, print a table and stop; 0 trains",
        group="output",
        minimum=0,
        resumable=True,
    )
    connect_timeout: float = option(
        600.0,
        "Maximum time to wait for the other workers of TF_CONFIG, in seconds",
        group="output",
        above=0,
        resumable=True,
    )

    def check(self) -> None:
        """Checks all values.

        Raises:
          EthosError: Names the setting, its limit and its value.
        """
        options.check(self)
        for name in ("data_dir", "workdir"):
            if not getattr(self, name):
                raise EthosError(f"--{name} is missing")
        if self.image_size % 2:
            raise EthosError(f"--image_size must be even. Received: {self.image_size}")
        self.check_share(self.batch_size)

    def extra_images(self, images: int) -> int:
        """Number of images of a batch that come from the second data set.

        Args:
          images: Number of images in the batch of one device.
        """
        return round(images * self.extra_share) if self.extra_data_dir else 0

    def check_share(self, images: int) -> None:
        """Checks that each data set gives at least one image of a batch.

        Args:
          images: Number of images in the batch of one device.

        Raises:
          EthosError: `extra_share` gives no image or all images.
        """
        if self.extra_data_dir and not 0 < self.extra_images(images) < images:
            raise EthosError(
                "--extra_share must take at least one image of each data set for the "
                f"{images} images of a device. Received: {self.extra_share:g}"
            )

    def differences(self, other: dict[str, Any]) -> list[str]:
        """The settings that must not change when a run is resumed, but did.

        Args:
          other: Configuration of the checkpoint.

        Returns:
          Texts such as "--seed is 1, was 2".
        """
        return [
            f"--{name} is {getattr(self, name)!r}, was {other[name]!r}"
            for name, (_, details, _) in options.describe(TrainConfig).items()
            if not details.resumable
            and name in other
            and getattr(self, name) != other[name]
        ]
