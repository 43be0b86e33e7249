"""Landmarks and reconstruction over a video, without a window.

    ethos-annotate clip.mp4 --model export --output clip_faces.mp4 --csv clip.csv
    ethos-annotate videos/ --output annotated/ --npz landmarks/ --stills stills/

Takes one video, several, a folder of videos or a text file that lists them. With more
than one, every output is a folder that gets a file for each video, in the same folders
below. Outputs are written aside and renamed when they are whole; a video whose outputs
are all there is passed over, so the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from ethos_data import next_step
from ethos_data.errors import EthosError, cli
from ethos_data.options import add_flags, from_flags
from ethos_model.footage import reader
from ethos_model.footage.smoother import OneEuroOptions
from ethos_model.footage.tracker import FaceTracker, TrackerOptions
from ethos_model.footage.writer import VideoRecorder
from gui.degradation import VideoDegradation
from gui.drawing import compose, export
from gui.drawing.overlay import DRAWN, OverlayOptions
from gui.drawing.tables import LandmarkTable, replacing_table
from gui.jobs import Job, expand, plan_jobs
from gui.progress import Progress
from gui.viewer.session import Setup, load

SMALLEST_HEIGHT = 480
"""Smaller videos are enlarged to about so many lines: points would cover the face."""


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
    degradation: VideoDegradation = dataclasses.field(default_factory=VideoDegradation)


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


def annotate(
    job: Job,
    tracker: FaceTracker,
    options: Options | None = None,
    *,
    model_name: str = "",
    progress: bool = True,
) -> Result:
    """Annotates one video; a camera until Ctrl-C.

    Raises:
      EthosError: the video cannot be read or an output not be written.
    """
    options = options or Options()
    tracker.reset()
    started = time.monotonic()
    frames = with_face = 0
    table = LandmarkTable(job.video, model_name)
    with contextlib.ExitStack() as outer, contextlib.ExitStack() as stack:
        source = stack.enter_context(reader.open_video(job.video))
        # Begun now: hours later it would be late to learn of a place that is not there.
        tables = [outer.enter_context(replacing_table(path)) for path in job.tables]
        info = source.info
        recorder = None
        if job.output is not None:
            recorder = stack.enter_context(VideoRecorder(job.output, info.fps))
        stills = None
        if job.stills is not None:
            facts = {"video": job.video, "model": model_name}
            stills = stack.enter_context(export.replacing_stills(job.stills, facts))
        scale = options.scale or max(1.0, SMALLEST_HEIGHT / info.size[1])
        bar = Progress(info.name, info.frame_count) if progress else None
        next_still = 0.0
        for frame in _frames(source):
            image = options.degradation.apply(frame.image, frame.index)
            faces = tracker.update(image, frame.timestamp)
            frames += 1
            with_face += bool(faces)
            if job.tables:
                table.add(frame.index, frame.timestamp, faces)
            picture = None
            is_still = stills is not None and frame.timestamp >= next_still
            if recorder is not None or is_still:
                picture = compose.annotated_frame(
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
                    export.save_depth_png(f"{stem}_face{face.id}_depth.png", face.face)
                    mesh = f"{stem}_face{face.id}.{options.mesh_format}"
                    export.save_mesh(mesh, face.face, image)
            if bar is not None:
                bar.update(frames, with_face)
        if bar is not None:
            bar.close()
        stack.close()  # a table that cannot be written takes no video with it
        for path in tables:
            table.write(path)
    return Result(frames, with_face, time.monotonic() - started)


def _frames(source: reader.Source) -> Iterator[reader.Frame]:
    """All frames; a camera's end with Ctrl-C, and what came before is kept."""
    hears = threading.current_thread() is threading.main_thread()  # of signals
    if not (source.info.live and hears):
        yield from iter(source.read, None)
        return
    stopped = threading.Event()

    def stop(*_: object) -> None:
        if stopped.is_set():  # it hangs
            raise KeyboardInterrupt
        stopped.set()

    before = signal.signal(signal.SIGINT, stop)
    print(f"{source.info.name}: Ctrl-C ends the recording", file=sys.stderr)
    try:
        while not stopped.is_set() and (frame := source.read()) is not None:
            yield frame
    finally:
        signal.signal(signal.SIGINT, before)


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
    todo = [job for job in jobs if overwrite or not job.is_done]
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
        "--draw",
        nargs="*",
        default=list(DRAWN),
        choices=DRAWN,
        help="what is drawn over the source; none for the source as it is",
    )
    add(
        "--uncertainty",
        choices=("color", "size", "none"),
        default="color",
        help="how the points show it",
    )
    add_flags(arguments, VideoDegradation)
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
    degradation = from_flags(VideoDegradation, args)
    videos = expand(args.videos, output=args.output)
    several = len(args.videos) > 1 or [one.path for one in videos] != args.videos
    jobs = plan_jobs(
        videos, several=several, output=args.output, tables=tables, stills=args.stills
    )
    options = Options(
        kinds=tuple(args.beside),
        overlay=OverlayOptions(
            **{name: name in args.draw for name in DRAWN}, uncertainty=args.uncertainty
        ),
        stills_every=args.stills_every,
        mesh_format=args.mesh_format,
        degradation=degradation,
    )
    if len(jobs) == 1:  # a name that is no video should not wait for TensorFlow
        reader.open_video(jobs[0].video).close()

    def make_tracker() -> FaceTracker:
        loaded = load(Setup(args.model, args.detector))
        smoothing = None if args.no_smoothing else OneEuroOptions()
        options = TrackerOptions(smoothing=smoothing)
        return FaceTracker(loaded.predictor, loaded.detector, options)

    # Stopped by a signal, no half-written file must stay: leave by the way of Ctrl-C.
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):  # the second is unknown to Windows
            number = getattr(signal, name, None)
            if number and signal.getsignal(number) != signal.SIG_IGN:  # as nohup does
                signal.signal(number, signal.default_int_handler)
    failed = run(
        jobs,
        make_tracker,
        options,
        model_name=args.model or "shipped",
        overwrite=args.overwrite,
    )
    if not failed and not several:
        print(next_step.line("ethos-view", jobs[0].output or jobs[0].video))
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
