"""The sample video that the viewer shows until the user opens another one.

    python -m gui.sample [OUTPUT.mp4]     # renders it again (half a minute)

It shows rendered heads only, because no picture of a real person may be shipped.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Sequence
from typing import Final

import numpy as np

from ethos_data import next_step, options
from ethos_data.errors import cli

_ASSETS: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "assets")

SAMPLE: Final = os.path.join(_ASSETS, "sample.mp4")
"""Path of the sample video."""

SEED: Final = 21
NUM_PEOPLE: Final = 3
FRAMES_PER_PERSON: Final = 50

SIZE: Final = 320
"""Side of a frame, in pixels."""

FACE_SIZE: Final = 140.0
"""Mean sqrt(width * height) of the face box, in pixels."""

FPS: Final = 25.0
"""Frames per second."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Settings of the sample video. Each field is an argument of the command."""

    output: str = options.option(
        SAMPLE, "Video file to write", positional=True, metavar="FILE"
    )


def render(path: str) -> None:
    """Renders the sample video: three people for two seconds each.

    Args:
      path: Path of the video file.
    """
    from ethos_data.heads.background import sample_background
    from ethos_data.heads.figure import sample_figure
    from ethos_data.heads.model import HeadModel
    from ethos_data.heads.scene import render_frames, sample_scene
    from ethos_model.footage.writer import VideoRecorder

    model = HeadModel.builtin()
    with VideoRecorder(path, FPS) as recorder:
        for person in range(NUM_PEOPLE):
            rng = np.random.default_rng((SEED, person))
            figure = sample_figure(model, rng)
            scene = sample_scene(figure, rng, num_frames=FRAMES_PER_PERSON, size=SIZE)
            # All people get the same frame size and a sharp image without noise. The
            # user can degrade it with the viewer's sliders.
            scene = dataclasses.replace(
                scene,
                height=SIZE,
                width=SIZE,
                face_size=scene.face_size * (FACE_SIZE / scene.face_size.mean()),
                centers=np.full((FRAMES_PER_PERSON, 2), (0.5 * SIZE, 0.53 * SIZE)),
                background=sample_background(rng, SIZE + 8, SIZE + 8),
                pan=np.full((FRAMES_PER_PERSON, 2), 2.0),
                noise=0.0,
                blur=0.0,
            )
            for frame in render_frames(figure, scene):
                recorder.write(frame.image, recorder.frames / FPS)


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command's arguments."""
    result = options.make_parser("python -m gui.sample", __doc__)
    options.add_flags(result, Options)
    return result


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Renders the sample video and returns the exit status."""
    output = options.from_flags(Options, parser().parse_args(argv)).output
    render(output)
    print(f"wrote {output}")
    print(next_step.line("ethos-view", output))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
