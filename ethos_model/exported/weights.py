"""The file with the trainable weights that every exported model contains.

`model.weights.h5` holds the network with its batch norms, as Keras saves weights. A run
that starts from it (`--initial_weights`) starts from the function of the exported
model. Large arrays are stored as float16, which halves the file.

Example:
  model = network.build(image_size=112)
  weights.load(model, "ethos_model/pretrained/model.weights.h5")
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ethos_data.errors import EthosError

if TYPE_CHECKING:
    import keras

FILE: Final = "model.weights.h5"
"""Name of the file in the directory of an exported model."""

_SIGMA: Final = "dense_1"
_VISIBLE: Final = "dense_2"
"""Layers of the landmark head in the file, whose weights have the same shapes. Keras
names layers in a file by their class and their number."""

SMALLEST_HALF: Final = 1024
"""Number of values from which an array is stored as float16: kernels, not biases."""


def save(model: keras.Model, path: str) -> None:
    """Writes the weights of a network.

    Args:
      model: Network from `network.build`.
      path: File to write, with the suffix .h5.

    Raises:
      OSError: The file cannot be written.
    """
    import h5py

    with tempfile.TemporaryDirectory(dir=os.path.dirname(path) or ".") as directory:
        full = os.path.join(directory, FILE)
        model.save_weights(full)
        with (
            h5py.File(full, "r") as source,
            # The default format takes 0.6 MB more for its tables.
            h5py.File(path, "w", libver=("v110", "v110")) as target,
        ):
            source.visititems(lambda name, item: _copy(name, item, target))


def _copy(name: str, item: Any, target: Any) -> None:
    """Copies a group or an array to another HDF5 file; large arrays as float16."""
    if not hasattr(item, "shape"):
        target.require_group(name).attrs.update(item.attrs)
        return
    value = item[()]
    if value.size < SMALLEST_HALF:
        target.create_dataset(name, data=value)
    else:
        half = value.astype(np.float16)
        target.create_dataset(name, data=half, compression="gzip", shuffle=True)


def load(model: keras.Model, path: str) -> None:
    """Sets the weights of a network to those of a file.

    Args:
      model: Network from `network.build`, with the image size and the width of the
        network that was saved. It is changed in place.
      path: File that `save` wrote.

    Raises:
      EthosError: The file is missing, damaged or has the weights of another network.
    """
    if not os.path.exists(path):
        raise EthosError(f"{path}: no such file; ethos-export writes it")
    try:
        with warnings.catch_warnings(), _with_all_layers(path) as complete:
            warnings.simplefilter("ignore")  # about layers that the file lacks
            model.load_weights(complete)
    except (OSError, ValueError, KeyError, TypeError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise EthosError(f"{path}: not weights of this network: {lines[0]}") from None


@contextlib.contextmanager
def _with_all_layers(path: str) -> Iterator[str]:
    """Path of a file with the layer of the visibility, which older models lack.

    Its weights are zero, so that the first probability of each landmark is a half.
    """
    import h5py

    with h5py.File(path, "r") as file:
        layers = file["layers"]
        if _VISIBLE in layers or _SIGMA not in layers:
            yield path
            return
        kernel, bias = (layers[_SIGMA]["vars"][name].shape for name in "01")
    with tempfile.TemporaryDirectory() as directory:
        complete = os.path.join(directory, FILE)
        shutil.copyfile(path, complete)
        with h5py.File(complete, "r+") as file:
            group = file["layers"].create_group(_VISIBLE).create_group("vars")
            group.create_dataset("0", data=np.zeros(kernel, np.float32))
            group.create_dataset("1", data=np.zeros(bias, np.float32))
        yield complete
