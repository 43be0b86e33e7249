"""Trains the model on the corrections: runs ethos-refine and reads its progress.

The viewer does not import TensorFlow. The training runs in a process of its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any, Final

from ethos_data.commands import TRAIN
from gui.viewer.process import exit_text
from gui.viewer.saving import new_path
from gui.viewer.worker import describe

REFINE: Final = (sys.executable, "-P", "-m", "pipelines.refine")
"""Command of ethos-refine. With -P, Python ignores a directory `pipelines` in the
current directory."""

INSTALL: Final = "Training needs more libraries: pip install 'ethos-faces[train]'"

STOP_SECONDS: Final = 5.0
"""Time for ethos-refine to end after it was cancelled. It reacts within 2 seconds."""

_STAGES: Final = {
    "faces": "Reading the corrected faces",
    "heads": "Rendering heads (only once)",
    "training": "Training",
    "writing": "Writing the model",
}


def missing_libraries() -> str:
    """Returns a sentence if the libraries of the training are not installed, or ""."""
    installed = all(importlib.util.find_spec(name) is not None for name in TRAIN)
    return "" if installed else INSTALL


def model_path(video: str) -> str:
    """Path of a new model for a video or a folder of images, next to it."""
    path = os.path.normpath(video)
    stem = os.path.basename(path if os.path.isdir(path) else os.path.splitext(path)[0])
    return new_path(os.path.dirname(path), f"{stem}-model", "")


@dataclasses.dataclass(frozen=True)
class State:
    """How far a training is.

    Attributes:
      stage: What is done now, as a phrase.
      done: Number of finished steps of the stage.
      total: Number of steps of the stage; 0 if it is unknown.
      faces: Numbers of faces, as a sentence; "" if they are not known yet.
      before: Error on held-out corrections before the training, in %; None if unknown.
      now: This error during or after the training; None if unknown.
      model: Directory of the new model; "" if there is none.
      result: How the training ended, as a sentence; "" while it runs.
    """

    stage: str = "Starting"
    done: int = 0
    total: int = 0
    faces: str = ""
    before: float | None = None
    now: float | None = None
    model: str = ""
    result: str = ""


def follow(state: State, event: dict[str, Any]) -> State:
    """Returns the state after a line of `ethos-refine --progress json`."""
    kind = event.get("event")
    if kind == "progress":
        stage = _STAGES.get(event["stage"], event["stage"])
        return dataclasses.replace(
            state, stage=stage, done=event["done"], total=event["total"]
        )
    if kind == "faces":
        text = f"{event['training']} corrected faces train the model"
        if event["interpolated"]:
            text += f", with {event['interpolated']} interpolated faces"
        return dataclasses.replace(
            state, faces=f"{text}. {event['held_out']} others measure the error."
        )
    if kind == "errors":
        when = "before" if event["when"] == "before" else "now"
        return dataclasses.replace(state, **{when: event["corrections"]})
    if kind == "result" and event["better"]:
        return dataclasses.replace(
            state,
            model=event["model"],
            result="The new model is better and is used from now on. It is saved in "
            f"{event['model']}",
        )
    if kind == "result":
        return dataclasses.replace(
            state,
            result=f"The new model is not better ({event['reason']}). The present "
            "model stays in use.",
        )
    return state


class Training:
    """An ethos-refine process, and a thread that reads its progress."""

    def __init__(
        self, video: str, model_dir: str | None, command: Sequence[str] | None = None
    ) -> None:
        """Prepares the process; `start` starts it.

        Args:
          video: Path of the video or the folder of images.
          model_dir: Directory of the model to start from; None for the shipped model.
          command: Command that runs ethos-refine; None for `REFINE`.
        """
        self._command = [*(command or REFINE), video, "--output", model_path(video)]
        self._command += ["--progress", "json"]
        if model_dir is not None:
            self._command += ["--model", model_dir]
        self._state = State()
        self._process: subprocess.Popen[bytes] | None = None
        self._cancelled = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name="ethos-training", daemon=True
        )

    @property
    def state(self) -> State:
        """How far the training is. Any thread may ask."""
        return self._state

    def start(self) -> None:
        """Starts the process."""
        self._thread.start()

    def cancel(self) -> None:
        """Asks the process to end. It leaves nothing behind."""
        self._cancelled.set()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def close(self) -> None:
        """Ends the process, by force if necessary, and waits for its end."""
        self.cancel()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
            self._process.kill()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        try:
            problem = self._follow()
        except BaseException as error:
            problem = f"The training failed ({describe(error)})."
        finally:
            # Without this thread nothing reads the process's output.
            if self._process is not None and self._process.poll() is None:
                self._process.terminate()
        if not self._state.result:
            self._state = dataclasses.replace(self._state, result=problem)

    def _follow(self) -> str:
        """Runs the process to its end. Returns why it has no result."""
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        if self._cancelled.is_set():
            self._process.terminate()
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        messages: list[bytes] = []
        reader = threading.Thread(
            target=messages.extend, args=(self._process.stderr,), daemon=True
        )
        reader.start()
        with self._process.stdout as lines:
            for line in lines:
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    self._state = follow(self._state, json.loads(line))
        status = self._process.wait()
        reader.join(STOP_SECONDS)
        if self._cancelled.is_set():
            return "The training was stopped. The present model stays in use."
        last = messages[-1].decode(errors="replace").strip() if messages else ""
        if last.startswith("error: "):
            return last
        return f"The training failed ({exit_text(status) or last})."
