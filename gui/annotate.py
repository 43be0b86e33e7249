"""Landmarks and reconstruction over a video, without a window.

    ethos-annotate clip.mp4 --model export --output clip_faces.mp4 --csv clip.csv
    ethos-annotate videos/ --output annotated/ --npz landmarks/ --stills stills/

Takes one video, several, a folder of videos or a text file that lists them. With more
than one, every output is a folder that gets a file for each video. Outputs are written
aside and renamed when they are whole; a video whose outputs are all there is passed
over, so the same command run again goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from ethos_data.errors import EthosError, cli
from gui import compose, export, video
from gui.degradation import SLIDERS, Degradation
from gui.detect import make_detector
from gui.export import LandmarkTable
from gui.overlay import OverlayOptions
from gui.record import VideoRecorder
from gui.smoothing import OneEuroOptions
from gui.tracker import FaceTracker, TrackerOptions

SMALLEST_HEIGHT = 480
"""Smaller videos are enlarged to about so many lines, or points would cover the face."""


@dataclasses.dataclass(frozen=True)
class Job:
    """One video and what to write of it.

    Attributes:
      video: path, or camera.
      output: annotated video.
      tables: landmark tables, .csv, .json or .npz.
      stills: folder for pictures, 16-bit depth and meshes.
    """

    video: str
    output: str | None = None
    tables: tuple[str, ...] = ()
    stills: str | None = None

    @property
    def outputs(self) -> list[str]:
        return [p for p in (self.output, *self.tables, self.stills) if p is not None]


@dataclasses.dataclass(frozen=True)
class Options:
    """How to draw and to save.

    Attributes:
      kinds: reconstructions beside the source, of compose.RECONSTRUCTIONS; () = none.
      overlay: what is drawn over the source.
      scale: picture pixels per source pixel; None = by SMALLEST_HEIGHT.
      stills_every: seconds between stills.
      mesh_format: "ply" or "obj".
      degradation: applied to each frame before the model.
    """

    kinds: tuple[str, ...] = ("restored", "depth")
    overlay: OverlayOptions = dataclasses.field(default_factory=OverlayOptions)
    scale: float | None = None
    stills_every: float = 1.0
    mesh_format: str = "ply"
    degradation: Degradation = dataclasses.field(default_factory=Degradation)


@dataclasses.dataclass(frozen=True)
class Result:
    """What a video held.

    Attributes:
      frames: decoded.
      with_face: frames in which a face was reported.
      seconds: that it took.
    """

    frames: int
    with_face: int
    seconds: float


class Progress:
    """One line on stderr that is written over; a line for each tenth if it is no tty."""

    def __init__(self, name: str, total: int | None) -> None:
        self._name, self._total = name, total
        self._start = self._shown = time.monotonic()
        self._tenth = 0
        self._tty = sys.stderr.isatty()

    def update(self, done: int, with_face: int) -> None:
        now = time.monotonic()
        tenth = 10 * done // self._total if self._total else 0
        if self._tty and now - self._shown > 0.1:
            print(
                f"\r{self._line(done, with_face, now)}\x1b[K", end="", file=sys.stderr
            )
            self._shown = now
        elif not self._tty and tenth > self._tenth:
            self._tenth = tenth
            print(self._line(done, with_face, now), file=sys.stderr, flush=True)

    def _line(self, done: int, with_face: int, now: float) -> str:
        rate = done / max(now - self._start, 1e-6)
        text = f"{self._name}  {done}"
        if self._total:
            share = min(1.0, done / self._total)
            bar = "#" * round(20 * share)
            left = round(max(0, self._total - done) / max(rate, 1e-6))
            text = f"{self._name}  [{bar:.<20}] {done}/{self._total}"
            text += f"  {left // 60}:{left % 60:02d} left"
        return f"{text}  {rate:.1f} frames/s  {with_face} with a face"

    def close(self) -> None:
        if self._tty:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def annotate(
    job: Job,
    tracker: FaceTracker,
    options: Options | None = None,
    *,
    model_name: str = "",
    progress: bool = True,
) -> Result:
    """Annotates one video.

    Raises:
      EthosError: the video cannot be read or an output not be written.
    """
    options = options or Options()
    tracker.reset()
    started = time.monotonic()
    frames = with_face = 0
    table = LandmarkTable(job.video, model_name)
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(video.open_source(job.video))
        info = source.info
        recorder = None
        if job.output is not None:
            recorder = stack.enter_context(VideoRecorder(job.output, info.fps))
        stills = None
        if job.stills is not None:
            stills = stack.enter_context(_folder_aside(job.stills))
        scale = options.scale or max(1.0, SMALLEST_HEIGHT / info.size[1])
        bar = Progress(info.name, info.frame_count) if progress else None
        next_still = 0.0
        while (frame := source.read()) is not None:
            image = options.degradation.apply(frame.image, frame.index)
            faces = tracker.update(image, frame.timestamp)
            frames += 1
            with_face += bool(faces)
            if job.tables:
                table.add(frame.index, frame.timestamp, faces)
            picture = None
            is_still = stills is not None and frame.timestamp >= next_still
            if recorder is not None or is_still:
                picture = compose.beside(
                    image,
                    faces,
                    scale=scale,
                    options=options.overlay,
                    kinds=options.kinds,
                )
            if recorder is not None and picture is not None:
                recorder.write(picture, frame.timestamp)
            if stills is not None and is_still and picture is not None:
                next_still = frame.timestamp + options.stills_every
                stem = os.path.join(stills, f"{frame.index:06d}")
                export.save_png(f"{stem}.png", picture)
                for face in faces:
                    export.save_depth_png(f"{stem}_face{face.id}_depth.png", face)
                    mesh = f"{stem}_face{face.id}.{options.mesh_format}"
                    export.save_mesh(mesh, face, image)
            if bar is not None:
                bar.update(frames, with_face)
        if bar is not None:
            bar.close()
    for path in job.tables:
        table.save(path)
    return Result(frames, with_face, time.monotonic() - started)


@contextlib.contextmanager
def _folder_aside(path: str) -> Iterator[str]:
    """A temporary folder that gets its name when all went well."""
    import shutil

    temporary = f"{os.path.normpath(path)}.part"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        os.makedirs(temporary)
    except OSError as error:
        raise EthosError(f"{path}: cannot be written ({error.strerror})") from None
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def expand(specs: Sequence[str]) -> list[str]:
    """Videos named one by one, by folder or in text files (one path on a line).

    A folder of images counts as one video.

    Raises:
      EthosError: nothing to read there.
    """
    found: list[str] = []
    for spec in specs:
        if os.path.isdir(spec):
            inside = sorted(
                os.path.join(folder, name)
                for folder, _, names in os.walk(spec)
                for name in names
                if name.lower().endswith(video.VIDEO_SUFFIXES)
            )
            if not inside and not video.images_in(spec):
                raise EthosError(f"{spec}: no videos or images in this folder")
            found += inside or [spec]
        elif spec.lower().endswith(".txt") and os.path.isfile(spec):
            with open(spec, encoding="utf-8") as file:
                lines = [line.strip() for line in file]
            listed = [line for line in lines if line and not line.startswith("#")]
            # Paths are relative to the list, so that both can be moved together.
            found += [os.path.join(os.path.dirname(spec), line) for line in listed]
        else:
            found.append(spec)
    return found


def plan_jobs(
    videos: Sequence[str],
    *,
    several: bool,
    output: str | None,
    tables: dict[str, str | None],
    stills: str | None,
) -> list[Job]:
    """Which files are written for which video.

    Args:
      videos: as `expand` returns them.
      several: whether outputs are folders.
      output: annotated video, or the folder of them.
      tables: by suffix without dot: file or folder.
      stills: folder, or folder of folders.
    """
    if not several:
        paths = tuple(path for path in tables.values() if path is not None)
        return [Job(videos[0], output, paths, stills)]
    jobs, taken = [], set()
    for path in videos:
        stem = os.path.splitext(os.path.basename(os.path.normpath(path)))[0]
        name, number = stem, 1
        while name in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name)
        jobs.append(
            Job(
                path,
                os.path.join(output, f"{name}.mp4") if output else None,
                tuple(
                    os.path.join(folder, f"{name}.{suffix}")
                    for suffix, folder in tables.items()
                    if folder
                ),
                os.path.join(stills, name) if stills else None,
            )
        )
    return jobs


def run(
    jobs: Sequence[Job],
    make_tracker: Callable[[], FaceTracker],
    options: Options | None = None,
    *,
    model_name: str = "",
    overwrite: bool = False,
) -> int:
    """Works through jobs; a video that fails is named and does not stop the others.

    Returns:
      How many failed.
    """
    todo = [
        job
        for job in jobs
        if overwrite or not all(os.path.exists(path) for path in job.outputs)
    ]
    if len(todo) < len(jobs):
        print(f"{len(jobs) - len(todo)} of {len(jobs)} videos are done already")
    failed = 0
    tracker = make_tracker() if todo else None
    for job in todo:
        assert tracker is not None
        try:
            result = annotate(job, tracker, options, model_name=model_name)
        except EthosError as error:
            if len(jobs) == 1:
                raise
            failed += 1
            print(f"error: {error}", file=sys.stderr)
            continue
        rate = result.frames / max(result.seconds, 1e-6)
        print(
            f"{job.video}: {result.frames} frames, {result.with_face} with a face, "
            f"{rate:.1f} frames/s"
        )
        for path in job.outputs:
            print(f"  wrote {path}")
    if failed:
        print(f"error: {failed} of {len(jobs)} videos failed", file=sys.stderr)
    return failed


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(
        prog="ethos-annotate",
        description="Landmarks and reconstruction over a video, without a window.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = arguments.add_argument
    add("videos", nargs="+", metavar="VIDEO", help="video, folder, or .txt list")
    add("--model", help="folder of an exported model; without: the one that ships")
    add("--output", help="annotated video (.mp4, .mov, .mkv, .avi), or folder")
    add("--csv", help="landmarks as CSV: file, or folder for several videos")
    add("--json", help="landmarks as JSON")
    add("--npz", help="landmarks as NPZ")
    add("--stills", help="folder for pictures, 16-bit depth and meshes")
    add("--stills_every", type=float, default=1.0, help="seconds between stills")
    add("--mesh_format", choices=("ply", "obj"), default="ply")
    add("--detector", default="mtcnn", help='"mtcnn", or a YuNet .onnx file')
    add("--no_smoothing", action="store_true", help="raw landmarks, frame by frame")
    add(
        "--beside",
        nargs="*",
        default=["restored", "depth"],
        choices=compose.RECONSTRUCTIONS,
        help="reconstructions beside the source; none for the source alone",
    )
    add(
        "--uncertainty",
        choices=("color", "size", "none"),
        default="color",
        help="how the points show it",
    )
    for slider in SLIDERS:
        add(
            f"--{slider.name}",
            type=float,
            default=slider.neutral,
            help=f"degrade the video first, up to {slider.strongest:g}",
        )
    add("--overwrite", action="store_true", help="do again what is done already")
    return arguments


@cli
def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    tables = {"csv": args.csv, "json": args.json, "npz": args.npz}
    if not any((args.output, args.stills, *tables.values())):
        raise EthosError(
            "Nothing to write: give --output, --csv, --json, --npz, --stills"
        )
    videos = expand(args.videos)
    several = len(args.videos) > 1 or videos != args.videos
    jobs = plan_jobs(
        videos, several=several, output=args.output, tables=tables, stills=args.stills
    )
    options = Options(
        kinds=tuple(args.beside),
        overlay=OverlayOptions(uncertainty=args.uncertainty),
        stills_every=args.stills_every,
        mesh_format=args.mesh_format,
        degradation=Degradation(**{s.name: getattr(args, s.name) for s in SLIDERS}),
    )
    if len(jobs) == 1:  # a name that is no video should not wait for TensorFlow
        video.open_source(jobs[0].video).close()

    def make_tracker() -> FaceTracker:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        from ethos_model.predict import FacePredictor

        smoothing = None if args.no_smoothing else OneEuroOptions()
        return FaceTracker(
            FacePredictor(args.model),
            make_detector(args.detector),
            TrackerOptions(smoothing=smoothing),
        )

    failed = run(
        jobs,
        make_tracker,
        options,
        model_name=args.model or "shipped",
        overwrite=args.overwrite,
    )
    if not failed and not several:
        print(f"next: ethos-view {jobs[0].output or jobs[0].video}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
