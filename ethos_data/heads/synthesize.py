"""Renders a corpus of moving heads with exact landmarks and depth.

    ethos-synthesize --out_dir corpus --num_people 40 --videos_per_person 2
    ethos-convert --corpus_dir corpus --data_dir data

The files have the layout of YouTube Faces with Facial Keypoints (arrays with time last)
and an additional array `depth`. Their bytes depend on the options and the seed, not on
the number of processes.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Final

from ethos_data import next_step, options
from ethos_data.errors import EthosError, cli
from ethos_data.progress import bar, counter

PEOPLE_PER_DIRECTORY: Final = 250

Progress = Callable[[int, int], None]
"""Callback with the number of finished videos and the number of all videos."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Settings of a rendered corpus. Each field is a flag with a help text."""

    out_dir: str = options.required(
        "Directory for the npz files; existing files of the same names are replaced",
        metavar="DIR",
        local=True,
    )
    num_people: int = options.option(24, "Number of people", minimum=1)
    videos_per_person: int = options.option(
        2, "Number of videos of each person", minimum=1
    )
    frames_per_video: int = options.option(
        24, "Number of frames of each video", minimum=1
    )
    size: int = options.option(
        200,
        "Nominal height of a frame, in pixels; the median face size is 0.44 of it",
        minimum=48,
    )
    poses: str = options.option(
        "talking",
        "Poses of the heads: of people who talk to someone near the camera, or any "
        "pose up to a yaw of 95 and a pitch of 60 degrees",
        choices=("talking", "any"),
    )
    seed: int = options.option(0, "Random seed", minimum=0)
    head_model: str | None = options.option(
        None,
        "npz file with a morphable head in the layout of ICT-FaceKit light; without it,"
        " the built-in head is used",
        metavar="FILE",
    )
    num_workers: int | None = options.option(
        None, "Number of processes; without it, one per CPU core", minimum=1
    )

    def path(self, person: int, video: int) -> str:
        """Returns the path of a video's file. Numbers start at 0."""
        directory = f"rendered_heads_{person // PEOPLE_PER_DIRECTORY + 1}"
        name = f"Rendered_Person_{person + 1:03d}_{video + 1}.npz"
        return os.path.join(self.out_dir, directory, name)


def synthesize(
    out_dir: str | os.PathLike[str],
    *,
    num_people: int = 24,
    videos_per_person: int = 2,
    frames_per_video: int = 24,
    size: int = 200,
    poses: str = "talking",
    seed: int = 0,
    head_model: str | os.PathLike[str] | None = None,
    num_workers: int | None = None,
    progress: Progress | None = None,
) -> list[str]:
    """Renders a corpus.

    Example:
      paths = synthesize("corpus", num_people=40, seed=1)

    Args:
      out_dir: Directory for the npz files. It is created if it does not exist. Files of
        the same names are replaced.
      num_people: Number of people.
      videos_per_person: Number of videos of each person.
      frames_per_video: Number of frames of each video.
      size: Nominal height of a frame, in pixels. Frames of different videos differ in
        size. Face sizes are 0.2 to 1.0 times `size`, with a median of 0.44.
      poses: "talking" or "any"; see `ethos_data.heads.scene`.
      seed: Random seed.
      head_model: Path of a morphable head (see `ethos_data.heads.head_file`). None uses
        the built-in head.
      num_workers: Number of processes. None starts one per CPU core, 1 renders in this
        process.
      progress: Function that is called after every video.

    Returns:
      The paths of the files, ordered by person and video.

    Raises:
      EthosError: An option is invalid, a path cannot be read or written, or a process
        was killed.
    """
    settings = Options(
        out_dir=os.fspath(out_dir),
        num_people=num_people,
        videos_per_person=videos_per_person,
        frames_per_video=frames_per_video,
        size=size,
        poses=poses,
        seed=seed,
        head_model=None if head_model is None else os.fspath(head_model),
        num_workers=num_workers,
    )
    paths = _prepare(settings)
    _render(settings, progress or (lambda done, total: None))
    return paths


def _prepare(settings: Options) -> list[str]:
    """Checks the options and creates the directories.

    Nothing slow is imported before, so that mistakes are reported at once.

    Returns:
      The paths of the files, ordered by person and video.
    """
    options.check(settings)
    if settings.head_model is not None:
        from ethos_data.heads import head_file

        head_file.read(settings.head_model)
    paths = [
        settings.path(person, video)
        for person in range(settings.num_people)
        for video in range(settings.videos_per_person)
    ]
    for directory in sorted({os.path.dirname(path) for path in paths}):
        _make_directory(directory)
    return paths


def _render(settings: Options, report: Progress) -> None:
    """Renders all videos and writes their files."""
    num_workers = min(settings.num_workers or os.cpu_count() or 1, settings.num_people)
    if num_workers > 1:
        _render_in_parallel(settings, num_workers, report)
        return
    done, total = 0, settings.num_people * settings.videos_per_person
    for person in range(settings.num_people):
        for video in range(settings.videos_per_person):
            _render_video(settings, person, video)
            done += 1
            report(done, total)


def _make_directory(path: str) -> None:
    """Creates a directory that files can be written to.

    Raises:
      EthosError: The directory cannot be created or written to.
    """
    if "://" in path:
        raise EthosError(f"{path}: must be a directory on this machine")
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise EthosError(f"{path}: cannot create the directory: {reason}") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise EthosError(f"{path}: no permission to write to the directory")


def _render_in_parallel(settings: Options, num_workers: int, report: Progress) -> None:
    from ethos_data.heads import render

    # The functions are compiled once here, into their cache, and not in every process.
    render.compile_kernels()
    # The processes are not forked, because this process may have started TensorFlow,
    # whose threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    total, done = settings.num_people * settings.videos_per_person, 0
    with concurrent.futures.ProcessPoolExecutor(num_workers, context) as pool:
        try:
            jobs = [
                pool.submit(_render_person, settings, person)
                for person in range(settings.num_people)
            ]
            for job in concurrent.futures.as_completed(jobs):
                done += job.result()
                report(done, total)
        except BrokenProcessPool as error:
            raise EthosError(
                f"{settings.out_dir}: not complete, because a process that renders "
                "died; perhaps memory ran out. Fewer --num_workers need less memory"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _render_person(settings: Options, person: int) -> int:
    """Renders the videos of a person and returns their number."""
    for video in range(settings.videos_per_person):
        _render_video(settings, person, video)
    return settings.videos_per_person


def _render_video(settings: Options, person: int, video: int) -> None:
    from ethos_data.heads import video_file

    video_file.write(
        settings.path(person, video),
        person=video_file.Person(settings.seed, person, settings.head_model),
        video=video,
        num_frames=settings.frames_per_video,
        size=settings.size,
        poses=settings.poses,
    )


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the flags of `ethos-synthesize`."""
    result = options.make_parser("ethos-synthesize", __doc__)
    options.add_flags(result, Options)
    return result


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs `ethos-synthesize` and returns its exit status."""
    settings = options.from_flags(Options, parser().parse_args(argv))
    started = time.monotonic()
    paths = _prepare(settings)
    with bar(len(paths), "videos") as videos:
        _render(settings, counter(videos))
    num_frames = len(paths) * settings.frames_per_video
    size = sum(os.path.getsize(path) for path in paths)
    seconds = time.monotonic() - started
    print(
        f"wrote {len(paths)} videos of {settings.num_people} people,"
        f" {num_frames} frames, {size / 2**20:.0f} MiB in {seconds:.0f} s"
        f" to {settings.out_dir}"
    )
    corpus_dir = settings.out_dir
    data_dir = next_step.unused_path("data", corpus_dir)
    print(next_step.line("ethos-convert", corpus_dir=corpus_dir, data_dir=data_dir))
    return 0


if __name__ == "__main__":
    sys.exit(main())
