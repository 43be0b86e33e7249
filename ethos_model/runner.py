"""Runs exported networks with LiteRT or TensorFlow, as functions of numpy arrays."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ethos_data.errors import EthosError
from ethos_data.quiet import import_tensorflow, quiet_libraries

Run = Callable[..., dict[str, np.ndarray]]
"""Function from arrays, given by the names of the inputs, to arrays by name."""


def litert(path: str, signature: str) -> Run:
    """Loads a LiteRT file. The function may be called from several threads.

    Args:
      path: The file.
      signature: Name of the signature to run.

    Raises:
      EthosError: ai-edge-litert is missing, or the file is missing or damaged.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        raise EthosError(
            "the LiteRT backend needs the package: pip install ai-edge-litert"
        ) from None
    try:
        # A second thread does not help with one face, and would slow the decoder.
        with quiet_libraries():
            interpreter = Interpreter(path, num_threads=1)
            run_signature = interpreter.get_signature_runner(signature)
    except (OSError, ValueError, RuntimeError) as error:
        raise EthosError(f"{path}: not a LiteRT model: {_first_line(error)}") from None

    lock = threading.Lock()  # an interpreter must not be used by two threads at once

    def run(**inputs: np.ndarray) -> dict[str, np.ndarray]:
        with lock:
            return run_signature(**inputs)

    return run


def saved_model(directory: str, signature: str) -> Run:
    """Loads a SavedModel. TensorFlow is imported.

    Args:
      directory: Directory of the SavedModel.
      signature: Name of the signature to run.

    Raises:
      EthosError: The SavedModel is missing or damaged.
    """
    import_tensorflow()
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(directory)
        run_signature = loaded.signatures[signature]
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = _first_line(error)
        raise EthosError(f"{directory}: not a SavedModel: {reason}") from None

    # The signature has only a weak reference to the loaded model, so keep one here.
    def run(_loaded: Any = loaded, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        tensors = {name: tf.constant(array) for name, array in inputs.items()}
        return {name: t.numpy() for name, t in run_signature(**tensors).items()}

    return run


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
