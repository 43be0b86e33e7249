"""The configuration of a training run: one frozen dataclass whose fields are the flags.

It is saved beside the run as run.json, and `ethos-train --config run.json` repeats the
run. A checkpoint remembers it too: the fields that decide what is learnt must be the
same when a run is resumed, the others may change.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import typing
from typing import Any, Final

from ethos_data.errors import EthosError

LANDMARK_LOSSES: Final = ("gaussian", "laplace", "mse", "wing")

MIXES: Final = ("standard", "motion_blur", "sparse")
"""Names of `ethos_data.degrade.training_mix`."""

_HIGHEST_FLOOR: Final = 100.0  # dB: equal pictures, see metrics.psnr

PRETRAINED: Final = "pretrained"
"""--initial_weights of the model that ships."""


def _flag(default: Any, text: str, *, resumable: bool = False, **kwargs: Any) -> Any:
    """A field that is a flag. resumable: may differ when a run is resumed."""
    metadata = {"help": text, "resumable": resumable, "argparse": kwargs}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a run. Each field's help text is its documentation."""

    data_dir: str = _flag(
        "", "what ethos-convert wrote, or its version directory", resumable=True
    )
    workdir: str = _flag(
        "",
        "where checkpoints, history.csv and pictures go; with several workers a place "
        "that all of them see",
        resumable=True,
    )
    extra_data_dir: str = _flag(
        "",
        "a second data set that a share of every batch is drawn from",
        resumable=True,
    )
    extra_share: float = _flag(
        0.25, "share of the images that come from --extra_data_dir, if there is one"
    )
    cache_dir: str = _flag(
        "",
        "folder of this machine where a data set that memory does not hold is decoded "
        "to, once for all runs; without it, it is decoded anew in every epoch",
        resumable=True,
    )
    batch_size: int = _flag(16, "images a step, over all devices and workers")
    epochs: int = _flag(50, "epochs to train")
    steps_per_epoch: int = _flag(100, "training steps of an epoch")
    image_size: int = _flag(112, "side of the network's input, pixels, even")
    alpha: float = _flag(1.0, "width of MobileNetV2")
    backbone_weights: str = _flag(
        "imagenet",
        "where the backbone starts: 'none', 'imagenet' (downloaded) or the path of a "
        "MobileNetV2 .h5 file without its top",
    )
    initial_weights: str = _flag(
        "",
        "start from another network instead of from --backbone_weights: 'pretrained' "
        "for the model that ships, the directory of an exported one, or the averaged "
        "weights of another run's checkpoint (.npz)",
    )
    landmark_loss: str = _flag(
        "gaussian",
        "loss of the landmarks: a likelihood, or a plain error",
        choices=LANDMARK_LOSSES,
    )
    depth_weight: float = _flag(1.0, "weight of the depth loss")
    restored_weight: float = _flag(0.3, "weight of the restored image's loss")
    restored_floor: float = _flag(
        30.0,
        "PSNR beyond which a restored image gains little by being nearer still, dB; 40 "
        "for a network that restores already",
    )
    spoilt_weight: float = _flag(
        0.0,
        "weight of what a restored image is farther from the clean one than the input "
        "is; 5 for a network that restores already, from scratch it keeps one from "
        "learning to",
    )
    graded_share: float = _flag(
        0.0,
        "share of the training images that are lit and coloured otherwise before they "
        "are degraded, so that what is dark on purpose stays dark; 0.5 for a network "
        "that restores already",
    )
    label_shift: float = _flag(
        0.0,
        "by how much the labels of --data_dir lie too far right, % of the face size: "
        "mirrored images get labels that lie there too, and the predictor takes it "
        "away again. ethos-evaluate measures what is missing",
    )
    extra_label_shift: float = _flag(
        0.0, "the same of --extra_data_dir, whose labels are moved to --label_shift"
    )
    degrade: bool = _flag(True, "degrade the training images")
    mix: str = _flag(
        "standard",
        "of degradations: motion_blur for a short last stage, to be averaged with the "
        "stage before it (ethos-average); sparse, fewer at a time, for a last stage of "
        "the restored image (--freeze_landmarks)",
        choices=MIXES,
    )
    freeze_landmarks: bool = _flag(
        False,
        "train depth and restored image alone, what finds the landmarks stays as it "
        "is: for a last stage after ethos-average",
    )
    learning_rate: float = _flag(1e-3, "highest learning rate (AdamW, cosine decay)")
    warmup_steps: int = _flag(200, "steps over which the learning rate rises from zero")
    weight_decay: float = _flag(1e-3, "decoupled weight decay of kernels")
    clip_norm: float = _flag(5.0, "largest norm of the whole gradient; 0 = no limit")
    ema_decay: float = _flag(
        0.998, "decay a step of the averaged weights that are evaluated and exported"
    )
    batch_norm_momentum: float = _flag(
        0.99, "momentum of the batch statistics, a step (Keras' 0.999 is too slow here)"
    )
    sync_batch_norm: bool = _flag(
        True, "batch statistics over all devices, so that their number does not matter"
    )
    mixed_precision: bool = _flag(False, "compute in float16 on a GPU")
    deterministic: bool = _flag(
        False, "the same numbers to the last digit on each run (slower)"
    )
    seed: int = _flag(0, "seed of weights, order, augmentation and degradation")
    validation_images: int = _flag(
        256, "images of the validation split that judge each epoch", resumable=True
    )
    pictures: int = _flag(
        6, "validation faces drawn into workdir/pictures; 0 = none", resumable=True
    )
    picture_epochs: int = _flag(
        5, "epochs from one picture to the next", resumable=True
    )
    tensorboard: bool = _flag(
        False,
        "also write TensorBoard summaries (pip install tensorboard)",
        resumable=True,
    )
    profile_steps: int = _flag(
        0,
        "measure where the time of so many steps goes, print it and stop; 0 = train",
        resumable=True,
    )

    def validate(self) -> None:
        """Raises EthosError for values that cannot be meant."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float) and not math.isfinite(value):
                raise EthosError(f"--{field.name} must be finite, not {value}")
        for name in (
            "batch_size",
            "epochs",
            "steps_per_epoch",
            "validation_images",
            "picture_epochs",
        ):
            if getattr(self, name) < 1:
                raise EthosError(
                    f"--{name} must be at least 1, not {getattr(self, name)}"
                )
        for name in (
            "learning_rate",
            "warmup_steps",
            "weight_decay",
            "clip_norm",
            "depth_weight",
            "restored_weight",
            "restored_floor",
            "spoilt_weight",
            "profile_steps",
            "pictures",
        ):
            if getattr(self, name) < 0:
                raise EthosError(
                    f"--{name} must not be negative: {getattr(self, name)}"
                )
        if self.image_size < 32 or self.image_size % 2:
            raise EthosError(
                f"--image_size must be even and at least 32, not {self.image_size}"
            )
        if not 0 <= self.extra_share < 1:
            raise EthosError(f"--extra_share must be in [0, 1), not {self.extra_share}")
        if not 0 <= self.graded_share <= 1:
            raise EthosError(f"--graded_share must be in [0, 1]: {self.graded_share}")
        if self.freeze_landmarks and not self.initial_weights:
            raise EthosError("--freeze_landmarks wants --initial_weights to keep")
        for name in ("ema_decay", "batch_norm_momentum"):
            if not 0 <= getattr(self, name) < 1:
                raise EthosError(
                    f"--{name} must be in [0, 1), not {getattr(self, name)}"
                )
        if self.alpha <= 0:
            raise EthosError(f"--alpha must be positive, not {self.alpha}")
        if self.restored_floor > _HIGHEST_FLOOR:
            raise EthosError(
                f"--restored_floor is at most {_HIGHEST_FLOOR:g} dB, not "
                f"{self.restored_floor:g}"
            )
        if not 0 <= self.seed < 2**31:
            raise EthosError(f"--seed must be in [0, 2**31), not {self.seed}")
        if self.landmark_loss not in LANDMARK_LOSSES:
            raise EthosError(
                f"--landmark_loss must be one of {', '.join(LANDMARK_LOSSES)}, "
                f"not {self.landmark_loss!r}"
            )
        if self.mix not in MIXES:
            raise EthosError(
                f"--mix must be one of {', '.join(MIXES)}, not {self.mix!r}"
            )

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    def differences(self, other: dict[str, Any]) -> list[str]:
        """What keeps a checkpoint of configuration `other` from being resumed."""
        found = []
        for field in dataclasses.fields(self):
            if field.metadata["resumable"] or field.name not in other:
                continue
            mine = getattr(self, field.name)
            if mine != other[field.name]:
                found.append(f"--{field.name} is {mine!r}, was {other[field.name]!r}")
        return found


def load(path: str) -> dict[str, Any]:
    """The fields of a run.json, to be the defaults of the flags."""
    try:
        with open(path, encoding="utf-8") as file:
            values = json.load(file)
    except (OSError, ValueError) as error:
        raise EthosError(f"{path}: not a run's configuration: {error}") from None
    known = {field.name for field in dataclasses.fields(TrainConfig)}
    if not isinstance(values, dict) or not set(values) <= known:
        unknown = sorted(set(values) - known) if isinstance(values, dict) else values
        raise EthosError(f"{path}: unknown settings: {unknown}")
    types = typing.get_type_hints(TrainConfig)
    for name, value in values.items():
        wanted = types[name]
        # A whole number is a float too, and True no number.
        fits = type(value) is wanted or (wanted is float and type(value) is int)
        if not fits:
            raise EthosError(f"{path}: {name} must be {wanted.__name__}, not {value!r}")
        values[name] = wanted(value)
    return values


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds --config and one flag for each field of TrainConfig."""
    parser.add_argument(
        "--config", default=None, help="run.json of a run to repeat; flags override it"
    )
    types = typing.get_type_hints(TrainConfig)
    for field in dataclasses.fields(TrainConfig):
        kwargs = dict(field.metadata["argparse"])
        if types[field.name] is bool:
            kwargs["action"] = argparse.BooleanOptionalAction
        else:
            kwargs["type"] = types[field.name]
        parser.add_argument(
            f"--{field.name}",
            default=argparse.SUPPRESS,  # so that --config is only overridden on purpose
            help=f"{field.metadata['help']} (default: {field.default!r})".replace(
                "%", "%%"
            ),
            **kwargs,
        )


def from_flags(flags: argparse.Namespace) -> TrainConfig:
    """The configuration that parsed flags mean.

    Raises:
      EthosError: an impossible value, or no --data_dir or --workdir.
    """
    values = vars(flags).copy()
    path = values.pop("config", None)
    config = TrainConfig(**{**(load(path) if path else {}), **values})
    for name in ("data_dir", "workdir"):
        if not getattr(config, name):
            raise EthosError(f"--{name} is missing")
    config = dataclasses.replace(config, workdir=os.path.expanduser(config.workdir))
    config.validate()
    return config
