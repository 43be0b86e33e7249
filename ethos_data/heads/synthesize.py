"""Renders a corpus of moving heads with true depth: `ethos-synthesize`.

    ethos-synthesize --out_dir corpus --num_people 40 --videos_per_person 2
    ethos-convert --corpus_dir corpus --data_dir data

The files have the layout of YouTube Faces with Facial Keypoints (time last), and beside
`colorImages`, `landmarks2D`, `landmarks3D` and `boundingBox` an array `depth`. Their
bytes depend on the options and the seed, not on the number of workers.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import functools
import multiprocessing
import os
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from typing import BinaryIO, Final

import numpy as np

from ethos_data import errors, next_step, topology
from ethos_data.heads import render, scene
from ethos_data.heads.model import HeadModel

PEOPLE_PER_FOLDER: Final = 250

DEPTH_STEP: Final = 1 / 64
"""Depth is rounded to this, pixels: exact enough for a surface whose pixels are 1 wide,
and it deflates to a third."""

COMPRESSION: Final = 2
"""Level of zlib. numpy's 6 takes a fifth of the whole time and saves a tenth."""

Progress = Callable[[int, int], None]
"""Called with the videos done and the videos in all."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What to render.

    Attributes:
      out_dir: where the sub-folders with the npz files go.
      num_people: how many people.
      videos_per_person: videos of each.
      frames_per_video: frames of each.
      size: nominal height of a frame, pixels; see `scene.sample_scene`.
      seed: of everything random.
      head_model: path of a morphable head, None = the built-in one.
    """

    out_dir: str
    num_people: int = 24
    videos_per_person: int = 2
    frames_per_video: int = 24
    size: int = 200
    seed: int = 0
    head_model: str | None = None

    def __post_init__(self) -> None:
        for name in ("num_people", "videos_per_person", "frames_per_video"):
            if getattr(self, name) < 1:
                raise errors.EthosError(f"{name} must be at least 1")
        if self.seed < 0:
            raise errors.EthosError(f"seed must not be negative: {self.seed}")
        if self.size < 48:
            raise errors.EthosError(
                f"size must be at least 48 pixels. Received: size={self.size}"
            )

    def path(self, person: int, video: int) -> str:
        """Where a video goes."""
        folder = f"rendered_heads_{person // PEOPLE_PER_FOLDER + 1}"
        name = f"Rendered_Person_{person + 1:03d}_{video + 1}.npz"
        return os.path.join(self.out_dir, folder, name)


def synthesize(
    out_dir: str | os.PathLike[str],
    *,
    num_people: int = 24,
    videos_per_person: int = 2,
    frames_per_video: int = 24,
    size: int = 200,
    seed: int = 0,
    head_model: str | os.PathLike[str] | None = None,
    num_workers: int | None = None,
    progress: Progress | None = None,
) -> list[str]:
    """Renders a corpus.

    Args:
      out_dir: folder to make or to add to; files of the same names are replaced.
      num_people: how many people.
      videos_per_person: videos of each.
      frames_per_video: frames of each.
      size: nominal height of a frame, pixels. Videos differ: the median face is 0.44 of
        it, the smallest 0.2, the largest 1.0.
      seed: of everything random.
      head_model: path of a morphable head; None = the built-in one.
      num_workers: processes; None = one a core; 1 = this process.
      progress: called after every video.

    Returns:
      The paths of the files, in order of people and videos.
    """
    if num_workers is not None and num_workers < 1:
        raise errors.EthosError(f"num_workers must be at least 1, not {num_workers}")
    options = Options(
        out_dir=os.fspath(out_dir),
        num_people=num_people,
        videos_per_person=videos_per_person,
        frames_per_video=frames_per_video,
        size=size,
        seed=seed,
        head_model=None if head_model is None else os.fspath(head_model),
    )
    if options.head_model is not None:
        _model(options.head_model)  # a bad file is better said once, here
    paths = [
        options.path(person, video)
        for person in range(num_people)
        for video in range(videos_per_person)
    ]
    for folder in sorted({os.path.dirname(path) for path in paths}):
        os.makedirs(folder, exist_ok=True)
    workers = min(num_workers or os.cpu_count() or 1, num_people)
    report = progress or (lambda done, total: None)
    if workers == 1:
        for person in range(num_people):
            for video in range(videos_per_person):
                render_video(options, person, video)
                report(person * videos_per_person + video + 1, len(paths))
        return paths
    _in_parallel(options, workers, report)
    return paths


def _in_parallel(options: Options, workers: int, report: Progress) -> None:
    render.compile_kernels()  # once, into the cache, rather than in every worker
    # Not forked: a process that has started TensorFlow's threads cannot be.
    context = multiprocessing.get_context("spawn")
    total, done = options.num_people * options.videos_per_person, 0
    with concurrent.futures.ProcessPoolExecutor(workers, context) as pool:
        try:
            jobs = [
                pool.submit(_render_person, options, person)
                for person in range(options.num_people)
            ]
            for job in concurrent.futures.as_completed(jobs):
                done += job.result()
                report(done, total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _render_person(options: Options, person: int) -> int:
    for video in range(options.videos_per_person):
        render_video(options, person, video)
    return options.videos_per_person


@functools.lru_cache(maxsize=1)
def _model(path: str | None) -> HeadModel:
    return HeadModel.builtin() if path is None else HeadModel.load(path)


@functools.lru_cache(maxsize=1)
def _person(seed: int, path: str | None, person: int) -> render.Figure:
    rng = np.random.default_rng((seed, person))
    return render.sample_figure(_model(path), rng)


def render_video(options: Options, person: int, video: int) -> str:
    """Renders one video and writes its file. Returns the path."""
    figure = _person(options.seed, options.head_model, person)
    rng = np.random.default_rng((options.seed, person, video))
    clip = scene.sample_scene(
        figure, rng, num_frames=options.frames_per_video, size=options.size
    )
    count = clip.num_frames
    images = np.empty((clip.height, clip.width, 3, count), np.uint8)
    depth = np.empty((clip.height, clip.width, count), np.float32)
    points = np.empty((68, 3, count), np.float32)
    for t, frame in enumerate(scene.frames(figure, clip)):
        images[..., t] = frame.image
        depth[..., t] = np.round(frame.depth / DEPTH_STEP) * DEPTH_STEP
        points[..., t] = frame.landmarks
    path = options.path(person, video)
    _write(path, images, points, depth)
    return path


def _write(
    path: str, images: np.ndarray, points: np.ndarray, depth: np.ndarray
) -> None:
    """Writes under another name and renames: a file that exists is whole."""
    x0, y0, x1, y1 = topology.face_box(np.moveaxis(points, -1, 0)).T
    corners = np.stack(
        [np.stack(pair) for pair in ((x0, y0), (x0, y1), (x1, y0), (x1, y1))]
    )
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as file:
            _write_npz(
                file,
                colorImages=images,
                landmarks2D=points[:, :2],
                landmarks3D=points,
                boundingBox=corners,
                depth=depth,
            )
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def _write_npz(file: BinaryIO, **arrays: np.ndarray) -> None:
    """`np.savez_compressed` at another level, and with no time of day in it."""
    with zipfile.ZipFile(
        file, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION
    ) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(
                    entry, np.ascontiguousarray(array), allow_pickle=False
                )


def print_progress(started: float, frames_per_video: int) -> Progress:
    """A progress line on stderr: videos, frames a second, time left."""

    def report(done: int, total: int) -> None:
        elapsed = time.monotonic() - started
        rate = done * frames_per_video / max(elapsed, 1e-6)
        left = elapsed / done * (total - done)
        line = f"{done}/{total} videos, {rate:.0f} frames/s, {left:.0f} s left"
        last = "\n" if done == total else ""
        if sys.stderr.isatty():
            print(f"\r{line}   ", end=last, file=sys.stderr, flush=True)
        elif done == total or done % max(1, total // 10) == 0:
            print(line, file=sys.stderr, flush=True)

    return report


@errors.cli
def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="ethos-synthesize",
        description="Render a corpus of moving heads with exact landmarks and depth.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--out_dir", required=True, help="folder for the npz files")
    add("--num_people", type=int, default=24, help="how many people")
    add("--videos_per_person", type=int, default=2, help="videos of each person")
    add("--frames_per_video", type=int, default=24, help="frames of each video")
    add(
        "--size",
        type=int,
        default=200,
        help="height of a typical frame, pixels; the median face is 0.44 of it",
    )
    add("--seed", type=int, default=0, help="of everything random")
    add(
        "--head_model",
        help="npz in the layout of ICT-FaceKit light; the built-in head by default",
    )
    add("--num_workers", type=int, help="processes; one for each core by default")
    args = parser.parse_args(argv)
    started = time.monotonic()
    paths = synthesize(
        **vars(args), progress=print_progress(started, args.frames_per_video)
    )
    frames = len(paths) * args.frames_per_video
    size = sum(os.path.getsize(path) for path in paths)
    seconds = time.monotonic() - started
    print(
        f"wrote {len(paths)} videos of {args.num_people} people, {frames} frames,"
        f" {size / 2**20:.0f} MiB in {seconds:.0f} s to {args.out_dir}"
    )
    data_dir = next_step.unused_path("data", args.out_dir)
    print(next_step.line("ethos-convert", corpus_dir=args.out_dir, data_dir=data_dir))
    return 0


if __name__ == "__main__":
    sys.exit(main())
