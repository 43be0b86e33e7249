"""A tiny model and a tiny video, with which a refinement takes seconds.

python -m tests.pipelines.refinement.tiny_refine FLAGS...   # ethos-refine with them
"""

from __future__ import annotations

import dataclasses
import pathlib
import sys

import numpy as np

from ethos_data.corpora import corrections
from ethos_data.corpora.corrections import CorrectedFace
from ethos_data.visibility import VISIBLE
from tests.ethos_data.corpora import layouts
from tests.ethos_model import tiny

FRAMES = 6
OFFSET = 0.08
"""Offset of the model's landmarks, in sides of the window, which training removes."""


def write_model(directory: pathlib.Path) -> str:
    """Exports the tiny network, which predicts the mean face with an offset."""
    from ethos_data import crop, topology
    from ethos_model import export, network
    from ethos_model.training import checkpoint
    from ethos_model.training.config import TrainConfig

    faces = []
    for k in range(FRAMES):
        points = layouts.landmarks(k)
        box = topology.face_box(points)
        window = crop.window_around(box, crop.NETWORK_CONTEXT)
        faces.append(window.to_normalized(points))
    model = network.build(image_size=tiny.SIZE)
    network.set_mean_face(model, np.mean(faces, axis=0) + OFFSET)
    config = TrainConfig(image_size=tiny.SIZE, label_shift=1.5)
    meta = {"config": dataclasses.asdict(config), "history": [], "step": 1, "data": {}}
    path = str(directory / "best.npz")
    checkpoint.write(path, {"average": checkpoint.values(model.variables)}, meta)
    return export.export(str(directory), str(directory / "model"))


def write_video(directory: pathlib.Path) -> str:
    """Writes a video in which each frame is corrected."""
    path = directory / "clip.avi"
    layouts.write_video(path, FRAMES)
    visible = np.full(68, VISIBLE, np.uint8)
    faces = [
        CorrectedFace(k, k / 25, 0, layouts.landmarks(k)[:, :2], visible, False)
        for k in range(FRAMES)
    ]
    corrections.write(corrections.sidecar_path(str(path)), faces)
    return str(path)


def replace_parts() -> None:
    """Replaces the network, the degradations and the number of heads in this process.

    Call it only in a process of its own; tests use `conftest.small`.
    """
    from ethos_model import network
    from ethos_model.training import inputs
    from pipelines.refinement import heads

    network.build = tiny.build
    inputs.training_mix = tiny.darken
    heads.PEOPLE, heads.HELD_OUT_PEOPLE, heads.FRAMES = 3, 1, 2


def main() -> int:
    from pipelines import refine

    replace_parts()
    return refine.main()


if __name__ == "__main__":
    sys.exit(main())
