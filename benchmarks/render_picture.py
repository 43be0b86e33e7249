"""Draws rendered people with their 68 landmarks and their true depth.

python -m benchmarks.render_picture docs/heads.jpg [--head_model ict_facekit.npz]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import cv2
import numpy as np

from ethos_data import topology
from ethos_data.drawing import draw_landmarks
from ethos_data.heads.figure import sample_figure
from ethos_data.heads.model import HeadModel
from ethos_data.heads.scene import render_frames, sample_scene


def _column(model: HeadModel, seed: int, size: int) -> np.ndarray:
    """Draws a person in a random scene.

    Args:
      model: Head model.
      seed: Random seed of the person and the scene.
      size: Side of a tile, in pixels.

    Returns:
      Three tiles below each other, uint8 (3 * size, size, 3): the image, the image with
      landmarks, and the depth.
    """
    rng = np.random.default_rng((seed, 0))
    figure = sample_figure(model, rng)
    scene = sample_scene(figure, rng, num_frames=1, size=300)
    frame = next(render_frames(figure, scene))
    x0, y0, x1, y1 = topology.face_box(frame.landmarks)
    half = 0.95 * max(x1 - x0, y1 - y0)
    scale = size / (2 * half)
    shift = np.array(((x0 + x1) / 2, (y0 + y1) / 2 - 0.12 * half)) - half
    to_tile = np.array([[scale, 0, -scale * shift[0]], [0, scale, -scale * shift[1]]])

    def crop(image: np.ndarray, border: int) -> np.ndarray:
        return cv2.warpAffine(
            image,
            to_tile,
            (size, size),
            flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC,
            borderMode=border,
        )

    image = crop(frame.image, cv2.BORDER_REPLICATE)
    drawn = image.copy()
    landmarks = (frame.landmarks[:, :2] - shift) * scale
    colors = np.where(frame.visible[:, None], (255, 255, 255), (255, 60, 60))
    draw_landmarks(drawn, landmarks, edges=(80, 255, 120), points=colors, radius=2)
    near, far = np.nanpercentile(frame.depth, (99.5, 2))
    grey = np.nan_to_num(np.clip((frame.depth - far) / (near - far), 0, 1) * 225 + 30)
    depth = crop(np.repeat(grey[..., None], 3, 2).astype(np.uint8), cv2.BORDER_CONSTANT)
    return np.concatenate([image, drawn, depth])


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", help="JPEG file to write")
    parser.add_argument(
        "--head_model",
        help="npz file with a morphable head; without it, the built-in head is used",
    )
    parser.add_argument("--people", type=int, default=8, help="Number of people")
    parser.add_argument(
        "--size", type=int, default=160, help="Side of a tile, in pixels"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="Random seed of the first person; the following people use the next seeds",
    )
    args = parser.parse_args(argv)
    path = args.head_model
    model = HeadModel.load(path) if path else HeadModel.builtin()
    seeds = range(args.seed, args.seed + args.people)
    picture = np.concatenate(
        [_column(model, seed, args.size) for seed in seeds], axis=1
    )
    cv2.imwrite(args.output, picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    print(f"wrote {args.output}: {args.people} people, {picture.shape[1]} pixels wide")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
