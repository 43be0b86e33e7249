"""The first thing to see: a rendered head, so that the window is never empty.

    python -m gui.sample [OUTPUT.mp4]     # renders it anew (half a minute)

Only rendered heads: nobody's face is shipped.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Final

import numpy as np

from ethos_data import next_step
from ethos_data.errors import cli

PATH: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "assets")
SAMPLE: Final = os.path.join(PATH, "sample.mp4")

SEED: Final = 21
PEOPLE: Final = 3
FRAMES_PER_PERSON: Final = 50
SIZE: Final = 320
FACE: Final = 140.0
"""sqrt(w * h) of the face box, pixels."""
FPS: Final = 25.0


def render(path: str) -> None:
    """Renders the sample: a few people, two seconds each, a cut between them."""
    from ethos_data.heads import background, scene
    from ethos_data.heads import render as rendering
    from ethos_data.heads.model import HeadModel
    from ethos_model.footage.writer import VideoRecorder

    model = HeadModel.builtin()
    with VideoRecorder(path, FPS) as recorder:
        for person in range(PEOPLE):
            rng = np.random.default_rng((SEED, person))
            figure = rendering.sample_figure(model, rng)
            clip = scene.sample_scene(
                figure, rng, num_frames=FRAMES_PER_PERSON, size=SIZE
            )
            # A good picture of a size of its own: the sliders are there to spoil it.
            clip = dataclasses.replace(
                clip,
                height=SIZE,
                width=SIZE,
                face_size=clip.face_size * (FACE / clip.face_size.mean()),
                centers=np.full((FRAMES_PER_PERSON, 2), (0.5 * SIZE, 0.53 * SIZE)),
                backdrop=background.sample_background(rng, SIZE + 8, SIZE + 8),
                drift=np.full((FRAMES_PER_PERSON, 2), 2.0),
                noise=0.0,
                blur=0.0,
            )
            for frame in scene.frames(figure, clip):
                recorder.write(frame.image, recorder.frames / FPS)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    import argparse

    parser = argparse.ArgumentParser(description="Renders the viewer's sample.")
    parser.add_argument("output", nargs="?", default=SAMPLE)
    args = parser.parse_args(argv)
    render(args.output)
    print(f"wrote {args.output}")
    print(next_step.line("ethos-view", args.output))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
