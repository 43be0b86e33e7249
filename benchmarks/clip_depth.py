"""Measures depth and speed of a conversion of rendered clips, for `video_depth`.

The code that is measured is the one that Python finds: `video_depth` starts this file
with the path of another checkout in PYTHONPATH to measure that one.

    PYTHONPATH=CHECKOUT python -P benchmarks/clip_depth.py CORPUS

It prints JSON. `video_depth` explains the figures.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from ethos_data import crop, topology
from ethos_data.corpora import npz_video
from ethos_data.corpora.source import Source
from ethos_data.corpora.video import Video
from pipelines.conversion import frame_records, shard_writer
from pipelines.conversion.options import ConversionOptions
from pipelines.conversion.plan import Member, Shard

CONDITIONS: Final = {
    "exact landmarks": (0.0, 0.0),
    "1.5 % noise": (0.015, 0.015),
    "1.5 % noise, z 3 %": (0.015, 0.03),
}
"""Standard deviation of the noise of x and y, and of z, in face sizes."""


def depth_errors(clip: Video, noise: tuple[float, float], seed: int) -> np.ndarray:
    """Errors of the depth that is derived from landmarks.

    Args:
      clip: A video with exact landmarks and depth.
      noise: A value of CONDITIONS.
      seed: Random seed of the noise.

    Returns:
      (T, S, S), in % of the face size. NaN outside the convex hull of the landmarks and
      where the true or the derived depth is unknown.
    """
    sizes = topology.face_size(topology.face_box(clip.landmarks))
    draws = np.random.default_rng(seed).normal(size=clip.landmarks.shape)
    moved = clip.landmarks + draws * sizes[:, None, None] * (noise[0], *noise)
    noisy = dataclasses.replace(clip, landmarks=moved.astype(np.float32), depth=None)
    errors = []
    for t, record in enumerate(frame_records.make_records(noisy, ConversionOptions())):
        if isinstance(record, str) or clip.depth is None:
            raise ValueError(f"{clip.path}: frame {t}: {record}")
        window, points = record.window, clip.landmarks[t].astype(np.float64)
        eyes = float(points[topology.EYES, 2].mean())
        truth = frame_records.resample_depth(clip.depth[t], window, eyes)
        truth[~_hull(points, window, len(truth))] = np.nan
        errors.append(100 * (record.depth - truth) * window.size / sizes[t])
    return np.stack(errors)


def _hull(points: np.ndarray, window: crop.Window, size: int) -> np.ndarray:
    """Pixels inside the convex hull of landmarks, bool (size, size)."""
    normalized = crop.to_normalized_each(points[None], [window])[0, :, :2]
    hull = cv2.convexHull((normalized * size - 0.5).astype(np.float32))
    inside = np.zeros((size, size), np.uint8)
    cv2.fillConvexPoly(inside, np.round(hull).astype(np.int32), 1)
    return inside > 0


def _error(errors: np.ndarray) -> float:
    """Mean absolute error."""
    return float(np.nanmean(np.abs(errors)))


def _jitter(errors: np.ndarray) -> float:
    """Mean absolute second difference over time."""
    return float(np.nanmean(np.abs(np.diff(errors, 2, axis=0))))


def at_rest(clip: Video) -> Video:
    """The first frame of a clip, repeated."""
    count = len(clip.landmarks)
    depth = clip.depth
    return dataclasses.replace(
        clip,
        frames=np.repeat(clip.frames[:1], count, axis=0),
        landmarks=np.repeat(clip.landmarks[:1], count, axis=0),
        depth=None if depth is None else np.repeat(depth[:1], count, axis=0),
    )


def seconds(clips: Sequence[Video]) -> float:
    """Processor time of converting clips without depth, per frame and in seconds."""
    with tempfile.TemporaryDirectory() as directory:
        members = []
        for clip in clips:
            path = pathlib.Path(directory) / f"{clip.video_id}.npz"
            np.savez_compressed(
                path,
                colorImages=np.moveaxis(clip.frames, 0, -1),
                landmarks3D=np.moveaxis(clip.landmarks, 0, -1),
            )
            source = Source(path.name, path.stat().st_size, path.stat().st_mtime)
            source = dataclasses.replace(source, frames=len(clip.frames))
            members.append(Member(source, None))
        shard = Shard("train", 0, 1, tuple(members), "key")
        task = shard_writer.ShardTask(shard, directory, directory, ConversionOptions())
        shard_writer.write_shard(task)  # loads compiled functions
        times = []
        for _ in range(3):
            started = time.process_time()
            receipt = shard_writer.write_shard(task)
            times.append(time.process_time() - started)
    if receipt["records"] != sum(len(clip.frames) for clip in clips):
        raise ValueError("not all frames were converted")
    return float(np.median(times)) / receipt["records"]


def main() -> None:
    """Measures all clips of a corpus."""
    paths = npz_video.list_videos(sys.argv[1])
    clips = [npz_video.read_video(path) for path in paths]
    result = {}
    for name, noise in CONDITIONS.items():
        moving = [depth_errors(clip, noise, seed) for seed, clip in enumerate(clips)]
        resting = [
            depth_errors(at_rest(clip), noise, seed) for seed, clip in enumerate(clips)
        ]
        result[name] = {
            "depth error %": statistics.fmean(_error(errors) for errors in moving),
            "jitter %": statistics.fmean(_jitter(errors) for errors in moving),
            "jitter at rest %": statistics.fmean(_jitter(errors) for errors in resting),
        }
    result["conversion"] = {"processor ms per frame": 1e3 * seconds(clips)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
