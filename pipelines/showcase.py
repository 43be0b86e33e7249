"""Makes what the demo shows: a video to annotate, and a picture of results."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from ethos_data import crop, dataset_files, topology
from ethos_data.corpora import npz_video
from ethos_data.degrade import source
from ethos_data.errors import EthosError
from ethos_data.storage import files
from pipelines.conversion import manifest

if TYPE_CHECKING:
    from ethos_model.predict import FacePredictor

TILE: Final = 168
"""Side of an image in the picture, in pixels."""

GAP: Final = 12
"""Distance between the blocks of two conditions, in pixels."""

HEADER_HEIGHT: Final = 36
"""Height of the line with the names of the conditions, in pixels."""

_BACKGROUND: Final = (24, 26, 31)
_TEXT: Final = (225, 228, 232)

_MAX_PEOPLE: Final = 4
"""Maximum number of people in the picture."""

CONDITIONS: Final[dict[str, Callable[[np.ndarray], np.ndarray]]] = {
    "clean": lambda frame: frame,
    "4x downsampled": lambda frame: source.CONDITIONS["downsample4"](frame, 0),
    "a fifth of the light": lambda frame: source.CONDITIONS["dark5"](frame, 0),
    "15 px motion blur": lambda frame: source.CONDITIONS["blur15"](frame, 0),
}
"""Name of each condition, with the function that degrades a frame."""


def find_test_videos(data_dir: str) -> list[str]:
    """The longest video of each person in the test split.

    Args:
      data_dir: Directory that `ethos-convert` wrote.

    Returns:
      Paths relative to the corpus, sorted by decreasing number of frames.

    Raises:
      EthosError: The test split is empty.
    """
    directory = dataset_files.version_dir(data_dir)
    entries = manifest.read(directory)
    inputs = entries.inputs() if entries else ()
    videos = [video for video in inputs if video["split"] == "test"]
    if not videos:
        raise EthosError(f"{directory}: the test split is empty")
    videos.sort(key=lambda video: (-video["written"], video["path"]))
    longest: dict[str, str] = {}
    for video in videos:
        longest.setdefault(video["person_id"], video["path"])
    return list(longest.values())


def copy_corpus_video(
    path: str, corpus_dir: str, data_dir: str, fps: float = 10
) -> None:
    """Writes the longest video of the test split as a video file.

    Args:
      path: Path of the video file.
      corpus_dir: Directory of the npz videos.
      data_dir: Directory that `ethos-convert` wrote.
      fps: Frames per second.
    """
    longest = find_test_videos(data_dir)[0]
    frames = npz_video.read_video(os.path.join(corpus_dir, longest)).frames
    _write_video(path, frames, fps)


def render_video(path: str, seed: int, seconds: float = 4, fps: float = 25) -> None:
    """Renders a moving head that is in no corpus.

    Args:
      path: Path of the video file.
      seed: Random seed of the demo.
      seconds: Duration of the video, in seconds.
      fps: Frames per second.
    """
    from ethos_data.heads import synthesize

    with tempfile.TemporaryDirectory() as directory:
        (clip,) = synthesize.synthesize(
            directory,
            num_people=1,
            videos_per_person=1,
            frames_per_video=round(seconds * fps),
            seed=seed + 1_000_000,
        )
        _write_video(path, npz_video.read_video(clip).frames, fps)


def _write_video(path: str, frames: np.ndarray, fps: float) -> None:
    from ethos_model.footage.writer import VideoRecorder

    with VideoRecorder(path, fps) as recorder:
        for number, frame in enumerate(frames):
            recorder.write(frame, number / fps)


def draw(corpus_dir: str, data_dir: str, model_dir: str, output: str) -> None:
    """Draws the model's results for people who are not in the training data.

    Each row is a person. For each condition it shows the degraded frame with the
    landmarks, the restored image and the depth.

    Args:
      corpus_dir: Directory of the npz videos.
      data_dir: Directory that `ethos-convert` wrote.
      model_dir: Directory that `ethos-export` wrote.
      output: Path of the PNG file.
    """
    from ethos_model.predict import FacePredictor

    predictor = FacePredictor(model_dir)
    rows = []
    for path in find_test_videos(data_dir)[:_MAX_PEOPLE]:
        video = npz_video.read_video(os.path.join(corpus_dir, path))
        middle = len(video.frames) // 2
        box = topology.face_box(video.landmarks[middle])
        blocks = [
            _draw_block(predictor, degrade(video.frames[middle]), box)
            for degrade in CONDITIONS.values()
        ]
        rows.append(np.concatenate(blocks, axis=1))
    picture = np.concatenate([_draw_header(), *rows])
    _, png = cv2.imencode(".png", picture[..., ::-1])
    files.write(output, iter([png.tobytes()]))


def _draw_block(
    predictor: FacePredictor, frame: np.ndarray, box: np.ndarray
) -> np.ndarray:
    """Draws the results for a frame.

    Args:
      predictor: The model.
      frame: uint8 (H, W, 3), RGB.
      box: Face box, in pixels of the frame.

    Returns:
      uint8 (TILE, 3 * TILE + GAP, 3), RGB: the frame with landmarks, the restored image
      and the shaded depth.
    """
    from ethos_model.footage.tracks import TrackedFace
    from gui.drawing import compose, overlay

    (face,) = predictor.predict(frame, [box])
    window = crop.window_around(box, crop.NETWORK_CONTEXT)
    image = crop.cut(frame, window)
    image = cv2.resize(image, (TILE, TILE), interpolation=cv2.INTER_CUBIC)
    shifted = face.landmarks.copy()
    # The origin of the overlay is the centre of the image's first pixel.
    shifted[:, :2] -= (face.window.left + 0.5, face.window.top + 0.5)
    overlay.draw_faces(
        image,
        [TrackedFace(0, dataclasses.replace(face, landmarks=shifted), False, 1.0)],
        overlay.OverlayOptions(boxes=False),
        scale=TILE / window.size,
    )
    restored, shaded = (
        compose.tile(face, kind, TILE) for kind in ("restored", "shaded")
    )
    gap = np.full((TILE, GAP, 3), _BACKGROUND, np.uint8)
    return np.concatenate([image, restored, shaded, gap], axis=1)


def _draw_header() -> np.ndarray:
    """Draws the names of the conditions above their blocks."""
    width = 3 * TILE + GAP
    header = np.full((HEADER_HEIGHT, len(CONDITIONS) * width, 3), _BACKGROUND, np.uint8)
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
