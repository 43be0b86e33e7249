"""Draws landmarks and reconstructions over videos, without a window.

    ethos-annotate clip.mp4 --output clip_faces.mp4 --csv clip.csv
    ethos-annotate videos/ --output annotated/ --npz landmarks/ --stills stills/
    ethos-annotate dark.mp4 --output better.mp4 --restore --draw --beside
    ethos-annotate dark.mp4 --portraits people/
    ethos-annotate rtsp://camera.example/live --output recording.mp4
    ethos-annotate camera:0 --jsonl - | my_program

With more than one video, each output is a directory. It receives one file per video, in
the same subdirectories as the videos.

An output appears under its name when it is complete. Videos whose outputs exist are
skipped, so the same command continues where it was stopped. Ctrl-C ends the recording
of a camera or stream and keeps it.

Exit status: 0 if all videos were annotated, 3 if all were annotated but at least one is
damaged (the tables say what is missing), 1 if a video failed.
"""

from __future__ import annotations

import argparse
import dataclasses
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Final, TextIO

from ethos_data import next_step, options
from ethos_data.errors import EthosError, cli
from ethos_model.footage import reader
from ethos_model.footage.finder import SEARCHES
from ethos_model.footage.tracker import FaceTracker, TrackerOptions
from ethos_model.predict import BACKENDS
from gui import hidden
from gui.annotate_options import AnnotateOptions
from gui.annotation import AnnotateResult, annotate
from gui.degradation import VideoDegradation
from gui.jobs import (
    DAMAGED,
    AnnotationJob,
    InputOptions,
    OutputOptions,
    expand,
    plan_jobs,
)
from gui.viewer.session import Loaded, Setup, load

MAX_DOUBTS: Final = 50
"""Maximum number of lines about frames that should be checked after hiding faces. The
header of each table contains all of them."""

GROUPS: Final = {
    "input": "The videos.",
    "output": "The files to write. At least one is needed.",
    "finding faces": "",
    "drawing": "",
    "degradation": "Applied to each frame before its faces are found.",
}
"""Order and description of the groups of flags in `--help`."""


@dataclasses.dataclass(frozen=True)
class FindingOptions:
    """How faces are found. Each field is a flag."""

    model: str | None = options.option(
        None,
        "Directory of an exported model (default: the shipped model)",
        group="finding faces",
        metavar="DIR",
        local=True,
    )
    backend: str = options.option(
        "auto",
        "File of the model to run: model.tflite (litert), model.onnx or the SavedModel "
        "(tensorflow); auto is litert where it is available",
        group="finding faces",
        choices=BACKENDS,
    )
    detector: str = options.option(
        "yunet",
        'Face detector: "yunet", or a YuNet .onnx file',
        group="finding faces",
    )
    search: str = options.option(
        "fast",
        "Search of large frames: fast searches them part by part, in turn; thorough "
        "searches all parts at once",
        group="finding faces",
        choices=SEARCHES,
    )
    max_faces: int = options.option(
        8,
        "Maximum number of faces that are tracked at once; the largest are preferred",
        group="finding faces",
        minimum=1,
    )
    min_size: float = options.option(
        14.0,
        "Size of the smallest face, the square root of the area of its box, in pixels",
        group="finding faces",
        minimum=1,
    )
    smoothing: bool = options.option(
        True, "Smooth the landmarks over time", group="finding faces"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnnotateFlags(
    VideoDegradation, FindingOptions, AnnotateOptions, OutputOptions, InputOptions
):
    """All flags of the command."""


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    result = options.make_parser("ethos-annotate", __doc__)
    options.add_flags(result, AnnotateFlags, groups=GROUPS)
    return result


def run(
    jobs: Sequence[AnnotationJob],
    annotate_job: Callable[[AnnotationJob], AnnotateResult],
    *,
    overwrite: bool = False,
    report: TextIO | None = None,
) -> int:
    """Annotates videos one after the other. A failure does not stop the others.

    Args:
      jobs: The videos and the files to write.
      annotate_job: Annotates one video.
      overwrite: Whether to annotate videos again whose outputs exist.
      report: Text file that receives the results; None for the standard output.

    Returns:
      The exit status of the command.

    Raises:
      EthosError: The only video failed.
    """
    pending = [job for job in jobs if overwrite or not job.is_done]
    if len(pending) < len(jobs):
        before = len(jobs) - len(pending)
        print(
            f"{before} of {len(jobs)} videos were annotated before "
            "(--overwrite repeats them)",
            file=report,
        )
    failures = damaged = 0
    for job in pending:
        try:
            result = annotate_job(job)
        except EthosError as error:
            if len(jobs) == 1:
                raise
            failures += 1
            print(f"error: {error}", file=sys.stderr)
            continue
        _print_result(job, result, report)
        damaged += result.damage is not None
    if failures:
        print(f"error: {failures} of {len(jobs)} videos failed", file=sys.stderr)
        return 1
    return DAMAGED if damaged else 0


def _print_result(
    job: AnnotationJob, result: AnnotateResult, report: TextIO | None
) -> None:
    rate = result.frames / max(result.seconds, 1e-6)
    print(
        f"{job.video}: {result.frames} frames, {result.with_face} with a face, "
        f"{rate:.1f} frames/s",
        file=report,
    )
    for path in job.outputs:
        print(f"  wrote {path}", file=report)
    for doubt in result.doubts[:MAX_DOUBTS]:
        print(f"check: {job.video}: {doubt}", file=sys.stderr)
    if len(result.doubts) > MAX_DOUBTS:
        more = len(result.doubts) - MAX_DOUBTS
        print(
            f"check: {job.video}: {more} more; the header of a table (--csv) lists all",
            file=sys.stderr,
        )
    if result.damage is not None:
        print(f"warning: {job.video}: {result.damage}", file=sys.stderr)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    flags = parser().parse_args(argv)
    inputs = options.from_flags(InputOptions, flags)
    outputs = options.from_flags(OutputOptions, flags)
    drawing = options.from_flags(AnnotateOptions, flags)
    finding = options.from_flags(FindingOptions, flags)
    degradation = options.from_flags(VideoDegradation, flags)
    if outputs.is_empty:
        raise EthosError(
            "nothing to write: give --output, --stills, --portraits or a table, for "
            "example --csv"
        )
    if drawing.restore and not outputs.output:
        raise EthosError("--restore needs --output, the video with restored faces")
    if drawing.hide_faces and not outputs.output:
        raise EthosError("--hide_faces needs --output, the video with hidden faces")
    videos = expand(inputs.videos, output=outputs.output)
    several = len(inputs.videos) > 1 or [v.path for v in videos] != [*inputs.videos]
    jobs = plan_jobs(videos, outputs, several=several)
    if drawing.hide_faces and not inputs.overwrite:
        for job in jobs:
            hidden.check(job, drawing.hide_faces)
    if len(jobs) == 1:
        # A file that is not a video is reported before the model is loaded.
        reader.open_video(jobs[0].video, fields=inputs.fields).close()
    loaded: Loaded | None = None

    def annotate_job(job: AnnotationJob) -> AnnotateResult:
        nonlocal loaded
        if loaded is None:
            loaded = load(
                Setup(finding.model, finding.detector, finding.search, finding.backend)
            )
        return annotate(
            job,
            _make_tracker(loaded, finding),
            drawing,
            degradation=degradation,
            fields=inputs.fields,
            finder=loaded.finder,
            model=finding.model or "shipped",
        )

    _clean_up_when_terminated()
    # A table on the standard output must not be mixed with other text.
    report = sys.stderr if outputs.uses_stdout else None
    status = run(jobs, annotate_job, overwrite=inputs.overwrite, report=report)
    if status != 1 and not several:
        path = jobs[0].output or jobs[0].video
        # A path that begins with a dash would be taken for a flag.
        path = f"./{path}" if path.startswith("-") else path
        print(next_step.line("ethos-view", path), file=report)
    return status


def _make_tracker(loaded: Loaded, finding: FindingOptions) -> FaceTracker:
    tracker_options = TrackerOptions(
        search=finding.search,
        max_faces=finding.max_faces,
        min_size=finding.min_size,
        smoothing=finding.smoothing,
    )
    return FaceTracker(loaded.predictor, loaded.finder, tracker_options)


def _clean_up_when_terminated() -> None:
    """Makes termination signals remove unfinished files, like Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        return
    for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
        number = getattr(signal, name, None)
        # `nohup` ignores SIGHUP.
        if number and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


if __name__ == "__main__":
    raise SystemExit(main())
