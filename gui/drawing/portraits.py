"""Saves the best image of each person, with a log and a contact sheet."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ethos_model.footage.fusion.face_fusion import CONTRIBUTES
from ethos_model.footage.fusion.people import Portrait
from gui.drawing import contact_sheet, export, palette


def save_portraits(
    directory: str, portraits: Sequence[Portrait], facts: Mapping[str, Any], fps: float
) -> None:
    """Writes all files of a directory of portraits.

    Each person has `person_N.png` and `person_N_sigma.png`, whose grey levels are ten
    times sigma. `portraits.json` is the log. `contact_sheet.png` shows all people.

    Args:
      directory: An existing directory.
      portraits: The portraits.
      facts: JSON values for the beginning of the log.
      fps: Frames per second, for the times on the contact sheet.

    Raises:
      EthosError: A file cannot be written.
    """
    people = []
    for portrait in portraits:
        name = f"person_{portrait.person}"
        export.save_png(os.path.join(directory, f"{name}.png"), portrait.fused.image)
        sigma = sigma_levels(portrait.fused.sigma)
        export.save_png(os.path.join(directory, f"{name}_sigma.png"), sigma)
        people.append(log_entry(portrait, f"{name}.png"))
    log = {**facts, "people": people}
    export.save_json(os.path.join(directory, export.PORTRAITS), log)
    cells = [_cell(portrait, fps) for portrait in portraits]
    sheet = contact_sheet.draw_contact_sheet(cells)
    export.save_png(os.path.join(directory, "contact_sheet.png"), sheet)


def sigma_levels(sigma: np.ndarray) -> np.ndarray:
    """Returns sigma as a picture: ten grey levels for each grey level of sigma.

    Args:
      sigma: float32 (S, S), grey levels.

    Returns:
      uint8 (S, S, 3). 255 stands for 25.5 and more.
    """
    levels = np.clip(np.rint(10 * sigma), 0, 255).astype(np.uint8)
    return np.repeat(levels[..., None], 3, axis=2)


def log_entry(portrait: Portrait, name: str) -> dict[str, Any]:
    """Returns what the log says about a portrait.

    Args:
      portrait: The portrait.
      name: Name of its file.
    """
    window = portrait.fused.window
    return {
        "person": portrait.person,
        "image": name,
        "frame": portrait.index,
        "quality": round(portrait.quality, 3),
        "window": {"left": window.left, "top": window.top, "size": window.size},
        "brightened by": round(portrait.fused.gain, 2),
        "mean sigma, grey levels": round(float(portrait.fused.sigma.mean()), 2),
        "frames used": sum(w > CONTRIBUTES for w in portrait.weights.values()),
        "weights": {str(k): round(w, 3) for k, w in sorted(portrait.weights.items())},
    }


def _cell(portrait: Portrait, fps: float) -> contact_sheet.Portrait:
    used = sum(weight > CONTRIBUTES for weight in portrait.weights.values())
    noun = "frame" if used == 1 else "frames"
    return contact_sheet.Portrait(
        portrait.fused.image,
        f"person {portrait.person}",
        (f"from {used} {noun}", f"at {portrait.index / fps:.1f} s"),
        palette.person(portrait.person),
    )
