"""A picture of rendered people: images, the 68 points, true depth.

python -m benchmarks.render_picture docs/heads.jpg [--head_model ict_facekit.npz]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import cv2
import numpy as np

from ethos_data import topology
from ethos_data.drawing import draw_landmarks
from ethos_data.heads import render, scene
from ethos_data.heads.model import HeadModel


def _tile(model: HeadModel, seed: int, size: int) -> np.ndarray:
    """One person in a random scene: image, points, depth; (3 size, size, 3) uint8."""
    rng = np.random.default_rng((seed, 0))
    person = render.sample_figure(model, rng)
    clip = scene.sample_scene(person, rng, num_frames=1, size=300)
    frame = next(scene.frames(person, clip))
    x0, y0, x1, y1 = topology.face_box(frame.landmarks)
    half = 0.95 * max(x1 - x0, y1 - y0)
    scale = size / (2 * half)
    shift = np.array(((x0 + x1) / 2, (y0 + y1) / 2 - 0.12 * half)) - half
    move = np.array([[scale, 0, -scale * shift[0]], [0, scale, -scale * shift[1]]])

    def cut(image: np.ndarray, border: int) -> np.ndarray:
        return cv2.warpAffine(
            image,
            move,
            (size, size),
            flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC,
            borderMode=border,
        )

    image = cut(frame.image, cv2.BORDER_REPLICATE)
    marked = image.copy()
    landmarks = (frame.landmarks[:, :2] - shift) * scale
    colors = np.where(frame.visible[:, None], (255, 255, 255), (255, 60, 60))
    draw_landmarks(marked, landmarks, edges=(80, 255, 120), points=colors, radius=2)
    near, far = np.nanpercentile(frame.depth, (99.5, 2))
    grey = np.nan_to_num(np.clip((frame.depth - far) / (near - far), 0, 1) * 225 + 30)
    depth = cut(np.repeat(grey[..., None], 3, 2).astype(np.uint8), cv2.BORDER_CONSTANT)
    return np.concatenate([image, marked, depth])


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", help="picture to write")
    parser.add_argument("--head_model", help="npz; the built-in head by default")
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--size", type=int, default=160, help="of a tile, pixels")
    parser.add_argument("--seed", type=int, default=0, help="of the first person")
    args = parser.parse_args(argv)
    path = args.head_model
    model = HeadModel.load(path) if path else HeadModel.builtin()
    seeds = range(args.seed, args.seed + args.people)
    picture = np.concatenate([_tile(model, k, args.size) for k in seeds], axis=1)
    cv2.imwrite(args.output, picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    print(f"wrote {args.output}: {args.people} people, {picture.shape[1]} px wide")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
