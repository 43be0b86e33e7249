"""Runs exported networks as functions of numpy arrays: LiteRT, ONNX, TensorFlow."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any, Final

import numpy as np

from ethos_data.errors import EthosError
from ethos_data.quiet import import_tensorflow, quiet_libraries

Run = Callable[..., dict[str, np.ndarray]]
"""Function from arrays, given by the names of the inputs, to arrays by name."""

RunEach = Callable[[Sequence[np.ndarray]], list[dict[str, np.ndarray]]]
"""Function from the arrays of one input to the outputs for each of them."""

MAX_WORKERS: Final = 4
"""Maximum number of networks that run at the same time."""


def processors() -> int:
    """Returns the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on Windows and macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_parallel(load: Callable[[], Run], name: str, workers: int) -> RunEach:
    """Returns a function that runs several inputs at the same time.

    Batches do not make a network faster on a processor: eight faces need as much work
    in one batch as in eight. Each worker therefore has a network of its own. The first
    is loaded at once, the others when several inputs are given for the first time. The
    function may be called from several threads.

    Args:
      load: Function that loads the network.
      name: Name of the input.
      workers: Number of networks.
    """
    idle: queue.SimpleQueue[Run] = queue.SimpleQueue()
    idle.put(load())
    pool: list[futures.ThreadPoolExecutor] = []
    growing = threading.Lock()

    def run_one(array: np.ndarray) -> dict[str, np.ndarray]:
        run = idle.get()
        try:
            return run(**{name: array})
        finally:
            idle.put(run)

    def run_each(arrays: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
        if len(arrays) < 2 or workers < 2:
            return [run_one(array) for array in arrays]
        with growing:
            if not pool:
                for _ in range(workers - 1):
                    idle.put(load())
                pool.append(futures.ThreadPoolExecutor(workers, "network"))
        return list(pool[0].map(run_one, arrays))

    return run_each


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


def onnx(path: str) -> Run:
    """Loads an ONNX file. The function may be called from several threads.

    Args:
      path: The file.

    Raises:
      EthosError: onnxruntime is missing, or the file is missing or damaged.
    """
    try:
        import onnxruntime
    except ImportError:
        raise EthosError(
            "the ONNX backend needs the package: pip install 'ethos-faces[onnx]'"
        ) from None
    if not os.path.exists(path):
        raise EthosError(
            f"{path}: no such file; ethos-export --onnx or python -m "
            "ethos_model.exported.onnx_file writes it"
        )
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            path, settings, providers=["CPUExecutionProvider"]
        )
    # onnxruntime raises a class of its own for each kind of damage.
    except Exception as error:
        raise EthosError(f"{path}: not an ONNX model: {_first_line(error)}") from None
    names = [output.name for output in session.get_outputs()]

    def run(**inputs: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(names, inputs), strict=True))

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
