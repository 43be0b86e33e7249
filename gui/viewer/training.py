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
from gui.viewer.watched_process import STOP_SECONDS, WatchedProcess

REFINE: Final = (sys.executable, "-P", "-m", "pipelines.refine")
"""Command of ethos-refine. With -P, Python ignores a directory `pipelines` in the
current directory."""

INSTALL: Final = "Training needs more libraries: pip install 'ethos-faces[train]'"

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


class Training(WatchedProcess):
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
        super().__init__("ethos-training")
        self._command = [*(command or REFINE), video, "--output", model_path(video)]
        self._command += ["--progress", "json"]
        if model_dir is not None:
            self._command += ["--model", model_dir]
        self._state = State()

    @property
    def state(self) -> State:
        """How far the training is. Any thread may ask."""
        return self._state

    def _failed(self, reason: str) -> str:
        return f"The training failed ({reason})."

    def _finish(self, text: str) -> None:
        if not self._state.result:
            self._state = dataclasses.replace(self._state, result=text)

    def _follow(self) -> str:
        """Runs the process to its end. Returns why it has no result."""
        process = self._launch(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stderr is not None
        messages: list[bytes] = []
        reader = threading.Thread(
            target=messages.extend, args=(process.stderr,), daemon=True
        )
        reader.start()
        with process.stdout as lines:
            for line in lines:
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    self._state = follow(self._state, json.loads(line))
        status = process.wait()
        reader.join(STOP_SECONDS)
        if self._cancelled.is_set():
            return "The training was stopped. The present model stays in use."
        last = messages[-1].decode(errors="replace").strip() if messages else ""
        if last.startswith("error: "):
            return last
        return self._failed(exit_text(status) or last)
