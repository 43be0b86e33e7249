"""What the demo shows: a video to annotate and a picture of results."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

from ethos_data import crop, topology
from ethos_data.corpora import npz_video
from ethos_data.degrade import source
from ethos_data.errors import EthosError
from pipelines import metadata

TILE: Final = 168
"""Side of a picture's tiles, pixels."""

_BACKGROUND: Final = (24, 26, 31)
_TEXT: Final = (225, 228, 232)
_PEOPLE: Final = 4

CONDITIONS: Final[dict[str, Callable[[np.ndarray], np.ndarray]]] = {
    "clean": lambda frame: frame,
    "4x downsampled": lambda frame: source.CONDITIONS["downsample4"](frame, 0),
    "a fifth of the light": lambda frame: source.CONDITIONS["dark5"](frame, 0),
    "15 px motion blur": lambda frame: source.CONDITIONS["blur15"](frame, 0),
}


def held_out(data_dir: str) -> list[str]:
    """Paths, relative to the corpus, of the test split's videos, one for each person.

    The longest video of every person, longest first.

    Args:
      data_dir: what `ethos-convert` wrote.

    Raises:
      EthosError: the test split is empty.
    """
    from ethos_data import dataset_files

    path = os.path.join(dataset_files.version_dir(data_dir), metadata.MANIFEST)
    with open(path, encoding="utf-8") as file:
        inputs = [one for one in json.load(file)["inputs"] if one["split"] == "test"]
    if not inputs:
        raise EthosError(f"{path}: nobody is in the test split")
    inputs.sort(key=lambda one: (-one["written"], one["path"]))
    longest = {one["person_id"]: one["path"] for one in reversed(inputs)}
    order = [one["path"] for one in inputs]
    return sorted(longest.values(), key=order.index)


def corpus_video(path: str, corpus_dir: str, data_dir: str, fps: float = 10) -> None:
    """Writes the longest video of the test split as a video file."""
    frames = npz_video.read_video(
        os.path.join(corpus_dir, held_out(data_dir)[0])
    ).frames
    _write(path, frames, fps)


def render_video(path: str, seed: int, seconds: float = 4, fps: float = 25) -> None:
    """Writes a moving head that is in no corpus."""
    from ethos_data.heads import synthesize

    with tempfile.TemporaryDirectory() as folder:
        (clip,) = synthesize.synthesize(
            folder,
            num_people=1,
            videos_per_person=1,
            frames_per_video=round(seconds * fps),
            seed=seed + 1_000_000,
        )
        _write(path, npz_video.read_video(clip).frames, fps)


def _write(path: str, frames: np.ndarray, fps: float) -> None:
    from ethos_model.footage.writer import VideoRecorder

    with VideoRecorder(path, fps) as recorder:
        for number, frame in enumerate(frames):
            recorder.write(frame, number / fps)


def draw(corpus_dir: str, data_dir: str, model_dir: str, output: str) -> None:
    """Draws people never trained on under every condition, with what the model makes
    of them: landmarks, restored face, depth.

    Args:
      corpus_dir: the npz corpus.
      data_dir: what `ethos-convert` wrote.
      model_dir: what `ethos-export` wrote.
      output: path of the PNG.
    """
    from ethos_model.predict import FacePredictor

    predictor = FacePredictor(model_dir)
    rows = []
    for path in held_out(data_dir)[:_PEOPLE]:
        video = npz_video.read_video(os.path.join(corpus_dir, path))
        middle = len(video.frames) // 2
        box = topology.face_box(video.landmarks[middle])
        blocks = [
            _block(predictor, degrade(video.frames[middle]), box)
            for degrade in CONDITIONS.values()
        ]
        rows.append(np.concatenate(blocks, axis=1))
    picture = np.concatenate([_header(), *rows])
    if not cv2.imwrite(output, picture[..., ::-1]):
        raise EthosError(f"{output}: the picture could not be written")


def _block(predictor: object, frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Input with landmarks, restored face and shaded depth, side by side."""
    from ethos_model.footage.tracker import TrackedFace
    from gui.drawing import compose, overlay

    (face,) = predictor.predict(frame, [box])  # type: ignore[attr-defined]
    window = face.window
    whole = crop.window_around(box, crop.NETWORK_CONTEXT)
    scale = TILE / whole.size
    seen = crop.cut(frame, whole)
    seen = cv2.resize(seen, (TILE, TILE), interpolation=cv2.INTER_CUBIC)
    shifted = face.landmarks.copy()
    # The overlay's origin is the centre of the picture's first pixel.
    shifted[:, :2] -= (window.left + 0.5, window.top + 0.5)
    overlay.draw_faces(
        seen,
        [TrackedFace(0, dataclasses.replace(face, landmarks=shifted), False, 1.0)],
        overlay.OverlayOptions(boxes=False),
        scale=scale,
    )
    tiles = [seen] + [compose.tile(face, kind, TILE) for kind in ("restored", "shaded")]
    gap = np.full((TILE, 12, 3), _BACKGROUND, np.uint8)
    return np.concatenate([*tiles, gap], axis=1)


def _header() -> np.ndarray:
    """The names of the conditions over their blocks."""
    width = 3 * TILE + 12
    header = np.full((36, len(CONDITIONS) * width, 3), _BACKGROUND, np.uint8)
    for column, name in enumerate(CONDITIONS):
        cv2.putText(
            header,
            f"{name}: landmarks, restored, depth",
            (column * width + 6, 24),
            cv2.FONT_HERSHEY_DUPLEX,
            0.5,
            _TEXT,
            1,
            cv2.LINE_AA,
        )
    return header
