"""What a refinement reports: events as lines of text or as lines of JSON.

| event | entries |
| --- | --- |
| `faces` | `corrected`, `training`, `held_out`, `interpolated`: numbers of faces |
| `progress` | `stage` ("faces", "heads", "training" or "writing"), `done`, `total` |
| `errors` | `when` ("before", "now" or "after"), `corrections` and `heads`: NME_box in % on held-out faces |
| `result` | `better` (bool), `model` (directory, "" if nothing was written), `reason` |
"""  # noqa: E501

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from ethos_data import progress

Event = dict[str, Any]
Report = Callable[[Event], None]
"""Function that receives each event."""

FORMATS: Final = ("text", "json")

_STAGES: Final = {
    "faces": ("reading the corrected faces", "faces"),
    "heads": ("rendering heads (only once)", "people"),
    "training": ("training", "steps"),
}
"""Description and unit of the stages that have a progress bar."""

_WHEN: Final = {
    "before": "error before",
    "now": "error now",
    "after": "error after",
}


def faces(corrected: int, training: int, held_out: int, interpolated: int) -> Event:
    """The numbers of faces, before the training."""
    return {
        "event": "faces",
        "corrected": corrected,
        "training": training,
        "held_out": held_out,
        "interpolated": interpolated,
    }


def step(stage: str, done: int, total: int) -> Event:
    """The progress of a stage."""
    return {"event": "progress", "stage": stage, "done": done, "total": total}


def errors(when: str, corrections: float, heads: float) -> Event:
    """The errors on held-out faces, NME_box in %."""
    return {
        "event": "errors",
        "when": when,
        "corrections": round(corrections, 4),
        "heads": round(heads, 4),
    }


def result(better: bool, model: str, reason: str) -> Event:
    """The result. `model` is empty if nothing was written."""
    return {"event": "result", "better": better, "model": model, "reason": reason}


def json_lines() -> Report:
    """Returns a function that writes each event as a line of JSON to stdout."""

    def report(event: Event) -> None:
        print(json.dumps(event), flush=True)

    return report


class TextReport:
    """Writes lines for people to stdout and progress bars to stderr."""

    def __init__(self) -> None:
        self._stage = ""
        self._bar: Any = None

    def __call__(self, event: Event) -> None:
        """Writes an event."""
        if event["event"] == "progress":
            self._progress(event)
        elif event["event"] == "errors" and event["when"] == "now":
            if self._bar is not None:
                self._bar.set_postfix_str(f"error {event['corrections']:.2f} %")
        else:
            self.close()
            print(text(event), flush=True)

    def _progress(self, event: Event) -> None:
        stage, done, total = event["stage"], event["done"], event["total"]
        if stage not in _STAGES:
            return
        if stage != self._stage:
            self.close()
            description, unit = _STAGES[stage]
            self._stage = stage
            self._bar = progress.bar(total, unit, description=description)
        progress.counter(self._bar)(done, total)

    def close(self) -> None:
        """Ends the bar of the current stage."""
        if self._bar is not None:
            self._bar.close()
            self._bar, self._stage = None, ""


def text(event: Event) -> str:
    """Returns an event as text for people."""
    if event["event"] == "faces":
        interpolated = ""
        if event["interpolated"]:
            interpolated = f" and {event['interpolated']} interpolated faces"
        return (
            f"{event['corrected']} corrected faces: {event['training']}{interpolated} "
            f"for training, {event['held_out']} held out for measuring"
        )
    if event["event"] == "errors":
        return (
            f"{_WHEN[event['when']]}: {event['corrections']:.2f} % on held-out "
            f"corrections, {event['heads']:.2f} % on rendered heads (NME_box)"
        )
    if event["event"] == "result" and event["better"]:
        return f"the new model is better: {event['reason']}\nwrote {event['model']}"
    if event["event"] == "result":
        return f"the new model is not better, nothing was written: {event['reason']}"
    return f"{event['stage']}: {event['done']} of {event['total']}"


def reporter(name: str) -> Report:
    """Returns the function that reports in one of `FORMATS`."""
    if name == "json":
        return json_lines()
    return TextReport()
