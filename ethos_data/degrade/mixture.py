"""The mix of degradations that training draws from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import keras
import numpy as np
from keras import ops

from ethos_data.degrade import draws
from ethos_data.degrade.base import Degradation, Parameters
from ethos_data.degrade.contrast import ContrastLoss
from ethos_data.degrade.defocus import Defocus
from ethos_data.degrade.jpeg import Jpeg
from ethos_data.degrade.low_light import LowLight
from ethos_data.degrade.low_resolution import LowResolution
from ethos_data.degrade.motion_blur import MotionBlur
from ethos_data.degrade.noise import SensorNoise
from ethos_data.degrade.occlusion import Occlusion
from ethos_data.degrade.overexposure import Overexposure

TRAINING: Final = (
    "occlusion",
    "contrast",
    "defocus",
    "motion_blur",
    "overexposure",
    "low_light",
    "noise",
    "low_resolution",
    "jpeg",
)
"""What training sees. The others are kept back for the evaluation."""

_SHARES: Final = {
    "standard": (0.15, 0.12, 0.12, 0.5, 0.1, 0.3, 0.2, 0.3, 0.2),
    "motion_blur": (0.06, 0.12, 0.06, 1.0, 0.1, 0.3, 0.1, 0.1, 0.1),
    "sparse": (0.15, 0.15, 0.2, 0.35, 0.08, 0.22, 0.15, 0.2, 0.2),
}
"""Of the images that each of TRAINING touches, by the name of the mix."""

_LENGTHS: Final = {"motion_blur": (0.08, 0.3), "sparse": (0.02, 0.35)}
_RADII: Final = {"sparse": (0.005, 0.06)}
"""Of motion blur and defocus, face sizes, where they are not those of the standard."""


@keras.saving.register_keras_serializable("ethos")
class Mixture(keras.layers.Layer):
    """Applies every layer to its share of the images, one layer after the other.

    A layer computes only the images that it was drawn for: their number is fixed, so
    that shapes are static, and their places in the batch are drawn. An image may meet
    several layers or none.

    Args:
      layers: in the order in which they are applied. How many of all images each
        touches is its `share`.
      jit_compile: on TensorFlow, compile drawing and applying with XLA even where the
        function around them is not. On two cores that takes a quarter of the time;
        the network itself trains faster without.
    """

    def __init__(
        self,
        layers: Sequence[Any],
        *,
        jit_compile: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ):
        kwargs |= {"autocast": False, "trainable": False}
        super().__init__(name=name, **kwargs)
        self.layers: list[Degradation] = [
            keras.saving.deserialize_keras_object(one) if isinstance(one, dict) else one
            for one in layers
        ]
        self.jit_compile = bool(jit_compile)
        self._compiled: Any = None
        self.built = True

    def draw(
        self, batch_size: int, seed: Any, face_size: Any = None
    ) -> list[Parameters]:
        """For each layer the places of its images in the batch and their parameters."""
        drawn = []
        for number, layer in enumerate(self.layers):
            own = draws.fold(seed, number + 1)
            order = ops.argsort(draws.uniform(draws.keys(own, batch_size), 0))
            room = math.ceil(layer.share * batch_size)
            places = ops.cast(order[:room], "int32")
            sizes = None
            if face_size is not None:
                sizes = ops.take(ops.convert_to_tensor(face_size), places, axis=0)
            parameters = layer.draw(room, draws.fold(own, 1), sizes)
            # The room is rounded up; this makes the share right on average.
            chance = layer.share * batch_size / max(room, 1)
            touched = draws.uniform(parameters["key"], 0) < np.float32(chance)
            drawn.append(parameters | {"touched": touched, "places": places})
        return drawn

    def apply(self, images: Any, parameters: list[Parameters]) -> Any:
        """Degrades a batch with parameters out of `draw`; see `Degradation.apply`."""
        images = ops.convert_to_tensor(images)
        for layer, own in zip(self.layers, parameters, strict=True):
            if own["places"].shape[0] == 0:
                continue
            some = ops.take(images, own["places"], axis=0)
            some = layer.apply(some, own)
            images = ops.scatter_update(images, own["places"][:, None], some)
        return images

    def call(self, images: Any, face_size: Any = None, seed: Any = 0) -> Any:
        """Draws and applies; see `Degradation.call`. The batch's size must be known."""
        images = ops.convert_to_tensor(images)
        if images.shape[0] is None:
            raise ValueError(
                "A mixture needs a batch of known size (drop_remainder=True). "
                f"Received: images of shape {images.shape}"
            )
        if isinstance(seed, int | np.integer):
            # A tensor: every new number would be compiled anew.
            seed = ops.convert_to_tensor(np.uint32(int(seed) & 0xFFFFFFFF))
        return self._runner()(images, face_size, seed)

    def _run(self, images: Any, face_size: Any, seed: Any) -> Any:
        return self.apply(images, self.draw(images.shape[0], seed, face_size))

    def _runner(self) -> Any:
        if not self.jit_compile or keras.backend.backend() != "tensorflow":
            return self._run
        if self._compiled is None:
            import tensorflow as tf

            self._compiled = tf.function(self._run, jit_compile=True, autograph=False)
        return self._compiled

    def compute_output_shape(self, images_shape: Any, *_: Any, **__: Any) -> Any:
        return images_shape

    def get_config(self) -> dict[str, Any]:
        layers = [keras.saving.serialize_keras_object(one) for one in self.layers]
        return super().get_config() | {
            "layers": layers,
            "jit_compile": self.jit_compile,
        }


def training_mix(name: str = "standard") -> Mixture:
    """The mix that `ethos-train` applies in its train step.

    Ranges hold the severity table and the published conditions on small faces, too: 15
    pixels of motion on a face of 35 pixels are 0.43 face sizes. The order is light's
    own way: what stands before the face, haze, lens, sensor, scaler, coder.

    Args:
      name: "standard", where 9 % stay clean; "motion_blur", where all are blurred by
        motion of middling length and all else happens to fewer, for a short last stage
        of the landmarks; or "sparse", where 15 % stay clean, three in four meet two at
        most and some are hardly visible, for a last stage of the restored image.
    """
    if name not in _SHARES:
        raise ValueError(f"The mix must be one of {set(_SHARES)}. Received: {name!r}")
    share = dict(zip(TRAINING, _SHARES[name], strict=True))
    return Mixture(
        [
            Occlusion((0.02, 0.25), share=share["occlusion"]),
            ContrastLoss((0.13, 0.8), share=share["contrast"]),
            Defocus(_RADII.get(name, (0.01, 0.08)), share=share["defocus"]),
            MotionBlur(_LENGTHS.get(name, (0.03, 0.45)), share=share["motion_blur"]),
            Overexposure((1.2, 4.0), share=share["overexposure"]),
            LowLight((0.06, 0.6), share=share["low_light"]),
            SensorNoise((2, 30), share=share["noise"]),
            LowResolution((8, 60), share=share["low_resolution"]),
            Jpeg((5, 60), share=share["jpeg"]),
        ],
        name="training_mix",
    )
