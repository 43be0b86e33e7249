"""Converts a corpus of npz videos to shards of records, with Apache Beam.

    ethos-convert --corpus_dir youtube_faces --data_dir data
    ethos-convert --corpus_dir ... --data_dir ... \\
        --direct_num_workers 2 --direct_running_mode multi_processing
    ethos-convert --corpus_dir gs://... --data_dir gs://... --runner DataflowRunner ...

The result is `<data_dir>/ethos_faces/<version>`, which
`tfds.builder_from_directory` reads. Flags that are not listed here go to Beam. Run the
same command again after an interruption, or after files were added to the corpus: what
is finished stays. A large corpus is converted by as many processes as there are cores,
unless a `--direct_...` flag or another `--runner` says how.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import re
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from ethos_data import depth as depth_lib
from ethos_data import next_step
from ethos_data.errors import EthosError, cli, reason_of
from ethos_data.storage import files
from pipelines import logs, metadata, plan
from pipelines.job import Job, Result
from pipelines.progress import Monitor, Progress, printer

DEFAULT_RUNNER: Final = "FnApiRunner"
"""Beam's embedded engine, by name: "DirectRunner" tries to download another first."""

_RUNNERS: Final = {
    "DaskRunner": "apache_beam.runners.dask.dask_runner.DaskRunner",
}
"""Names that Beam itself does not know in full."""

_FRAMES_FOR_PROCESSES: Final = 10_000
"""From here on every core gets a process, which takes 3 s to start."""

_INTERRUPTED: Final = ("-2", "130")  # statuses of a process that Ctrl-C ended

_WORKER_DIED: Final = signal.SIGUSR1  # SIGINT is ignored in background jobs

_SHOWN_REJECTS: Final = 20


def convert(
    *,
    corpus_dir: str,
    data_dir: str,
    options: plan.Options | None = None,
    max_bad_fraction: float = 1.0,
    overwrite: bool = False,
    runner: str = DEFAULT_RUNNER,
    beam_args: Sequence[str] = (),
    progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Converts a corpus.

    Args:
      corpus_dir: folder of npz files, however deeply nested; local or of any file
        system that Beam knows.
      data_dir: where data sets lie; the shards go to `ethos_faces/<version>` in it.
      options: what decides the content; see `plan.Options`.
      max_bad_fraction: the job fails when a larger part of the files is rejected.
      overwrite: delete an earlier result in `data_dir` first.
      runner: name or full path of a Beam runner.
      beam_args: further Beam flags.
      progress: called about twice a second, from another thread.

    Raises:
      EthosError: nothing could be converted, too much was bad, the folder belongs to
        another conversion, or a shard cannot be written.
    """
    begun = time.monotonic()
    options = options or plan.Options()
    beam_args = list(beam_args)
    corpus_dir, data_dir = files.resolve(corpus_dir), files.resolve(data_dir)
    if not (files.is_local(corpus_dir) and files.is_local(data_dir)):
        files.set_options(beam_args)
    if not 0 <= max_bad_fraction <= 1:
        raise EthosError(f"--max_bad_fraction is from 0 to 1, not {max_bad_fraction}")
    job = Job(corpus_dir, data_dir, options)
    # Before anything is deleted or done, all that can be wrong with the command.
    found = job.find_videos()
    if beam_args or runner != DEFAULT_RUNNER:
        make_engine(runner, beam_args)
    with job.folder(overwrite):
        made = job.make_plan(found)
        todo = job.unfinished(made)
        with Monitor(made, todo, job.version_dir, progress):
            if todo:
                shards = [s for s in made.shards if s.key in todo]
                run_beam(shards, job, runner, beam_args)
        return job.finish(made, len(todo), max_bad_fraction, begun)


def make_engine(runner: str, beam_args: list[str]) -> Any:
    """A Beam runner by its name.

    Raises:
      EthosError: there is none of this name, or a flag is unknown.
    """
    from apache_beam.runners.runner import create_runner

    try:
        engine = create_runner(_RUNNERS.get(runner, runner))
    except (ValueError, ImportError, AttributeError) as error:
        raise EthosError(f"--runner {runner}: {reason_of(error)}") from error
    # After the runner is imported, which may bring flags of its own.
    reject_unknown(beam_args)
    return engine


def run_beam(
    shards: Sequence[plan.Shard], job: Job, runner: str, beam_args: list[str]
) -> None:
    """Writes shards on any Beam runner.

    Raises:
      EthosError: a flag is unknown, a shard cannot be written, or a worker died.
      KeyboardInterrupt: Ctrl-C, however the runner wrapped it.
    """
    import apache_beam as beam
    from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner
    from apache_beam.transforms import environments

    from pipelines import worker

    engine = make_engine(runner, beam_args)
    flags = PipelineOptions(with_defaults(runner, beam_args, shards))
    direct = flags.view_as(DirectOptions)
    if runner == DEFAULT_RUNNER and direct.direct_running_mode == "multi_processing":
        # The same as Beam makes of this flag, but for the program that is started.
        command = f"{shlex.quote(sys.executable)} -m pipelines.sdk_worker"
        environment = environments.SubprocessSDKEnvironment.from_command_string(command)
        engine = FnApiRunner(default_environment=environment)
        direct.direct_running_mode = "in_memory"
    pipeline = beam.Pipeline(engine, flags)
    tasks = [
        worker.Task(s, job.corpus_dir, job.version_dir, job.options) for s in shards
    ]
    worker.build(pipeline, tasks, beam_args)
    client = None
    try:
        with watched_workers():
            running: Any = pipeline.run()
            client = getattr(running, "client", None)
            running.wait_until_finish()
    except Exception as error:
        # Runners wrap, copy and print the exceptions of their workers.
        if is_interrupt(error):
            raise KeyboardInterrupt from None
        text = f"{type(error).__name__}: {error}"
        told = re.search(r"ShardError: (.+?)(?: \[while running.*)?$", text, re.M)
        if told:
            raise EthosError(told.group(1)) from error
        raise
    finally:
        if client is not None:  # Dask's, which Beam leaves open
            client.close()


def is_interrupt(error: BaseException | None) -> bool:
    """Whether an error came of Ctrl-C, which Beam and numba wrap as others."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


class _WorkerDied(BaseException):
    """Nothing that handles errors on the way may handle this one."""


@contextlib.contextmanager
def watched_workers() -> Iterator[None]:
    """Ends the job when a process of it dies, which Beam would wait for for ever.

    Raises:
      EthosError: one did, by the system's hand (out of memory) or another's.
    """
    main = threading.main_thread()
    if threading.current_thread() is not main:  # signals belong to the main thread
        yield
        return
    died: list[str] = []
    before = threading.excepthook

    def hook(args: Any) -> None:
        """Hears of what nobody catches in Beam's threads, one for each process."""
        code = re.search(
            r"Worker subprocess exited with .*?(-?\d+)", f"{args.exc_value}"
        )
        if code is None:
            before(args)
        # Ctrl-C goes to all of them, and one ends the job but once.
        elif code[1] not in _INTERRUPTED and not died:
            died.append(code[1])
            signal.pthread_kill(main.ident or 0, _WORKER_DIED)

    def end(*_: Any) -> None:
        raise _WorkerDied

    threading.excepthook = hook
    handler = signal.signal(_WORKER_DIED, end)
    try:
        yield
    except _WorkerDied:
        raise EthosError(
            f"a worker process died (status {died[0]}; 137 is often a lack of memory): "
            "run the same command again, finished shards stay; --direct_num_workers 1 "
            "takes the least memory"
        ) from None
    finally:
        died.append("")  # too late: without its handler the signal would end all
        threading.excepthook = before
        signal.signal(_WORKER_DIED, handler)


def with_defaults(
    runner: str, beam_args: list[str], shards: Sequence[plan.Shard]
) -> list[str]:
    """The flags, and what serves better than Beam's defaults where they say nothing.

    Args:
      runner: see `convert`.
      beam_args: what the user said.
      shards: that are to be made.
    """
    if runner == DEFAULT_RUNNER and not any("--direct_" in arg for arg in beam_args):
        frames = sum(m.source.frames for s in shards for m in s.members)
        workers = min(len(os.sched_getaffinity(0)), len(shards))
        if workers > 1 and frames >= _FRAMES_FOR_PROCESSES:
            processes = ["--direct_running_mode", "multi_processing"]
            return [*beam_args, *processes, "--direct_num_workers", str(workers)]
    if runner.endswith("DaskRunner") and "partition" not in " ".join(beam_args):
        # It would make one worker's job of up to 128 shards.
        return [*beam_args, "--dask_partition_size", "1"]
    return beam_args


def reject_unknown(beam_args: list[str]) -> None:
    """Refuses flags that neither ETHOS nor Beam knows, which Beam would ignore."""
    from apache_beam.options.pipeline_options import PipelineOptions

    parser: Any = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for options in set(PipelineOptions.__subclasses__()):
        with contextlib.suppress(argparse.ArgumentError):  # two define the same flag
            options._add_argparse_args(parser)
    _, unknown = parser.parse_known_args(beam_args)
    if unknown:
        raise EthosError(f"unknown arguments: {' '.join(unknown)}")


def parser() -> argparse.ArgumentParser:
    """The flags of `ethos-convert`."""
    made = argparse.ArgumentParser(
        prog="ethos-convert",
        description=__doc__.split("\n\n")[0],
        epilog="Further flags go to Apache Beam.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    default = plan.Options()
    add = made.add_argument
    add("--corpus_dir", required=True, help="folder of npz videos, nested or not")
    add("--data_dir", required=True, help="where data sets lie")
    add("--runner", default=DEFAULT_RUNNER, help="Beam runner")
    add(
        "--splits",
        type=splits,
        default="train:0.8,validation:0.1,test:0.1",
        help="names of the splits and their shares of the people",
    )
    add("--seed", type=int, default=default.seed, help="of splits and order")
    add("--num_shards", type=int, help="shards of each split (default: by size)")
    add(
        "--max_shard_size_mb",
        type=float,
        default=default.max_shard_size_mb,
        help="shards are planned to stay below, MiB",
    )
    add("--max_examples_per_split", type=int, help="frames of each split, at most")
    add(
        "--frame_stride",
        type=int,
        default=default.frame_stride,
        help="use every so manieth frame of a video",
    )
    add(
        "--max_frames_per_video",
        type=int,
        help="of those at most so many, evenly spread",
    )
    add(
        "--image_size",
        type=int,
        default=default.image_size,
        help="longest side of a stored picture, pixels; none is enlarged",
    )
    add(
        "--jpeg_quality",
        type=int,
        default=default.jpeg_quality,
        help="of the stored picture",
    )
    add(
        "--depth_method",
        choices=sorted(depth_lib.METHODS),
        default=default.depth_method,
        help="how depth is derived from landmarks where a video has none",
    )
    add(
        "--max_bad_fraction",
        type=float,
        default=1.0,
        help="fail if a larger part of the files is rejected",
    )
    add("--overwrite", action="store_true", help="delete an earlier result first")
    return made


def splits(text: str) -> tuple[tuple[str, float], ...]:
    """Parses "train:0.8,test:0.2"."""
    try:
        pairs = (part.split(":") for part in text.split(","))
        return tuple((name.strip(), float(share)) for name, share in pairs)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must look like train:0.8,test:0.2, not {text!r}"
        ) from None


def run(
    argv: Sequence[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Runs a conversion from command line arguments.

    Args:
      argv: without the program's name; None takes the process's own.
      progress: see `convert`.
    """
    known, beam_args = parser().parse_known_args(argv)
    chosen = vars(known)
    fields = {field.name for field in dataclasses.fields(plan.Options)}
    options = plan.Options(**{k: v for k, v in chosen.items() if k in fields})
    rest = {k: v for k, v in chosen.items() if k not in fields}
    return convert(options=options, beam_args=beam_args, progress=progress, **rest)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `ethos-convert`; 0 also if some files were rejected."""
    logs.quieten()
    print(summary(run(argv, printer(sys.stderr))))
    return 0


def summary(result: Result) -> str:
    """What a person wants to know at the end."""
    lines = [
        f"found {result.found} files: {result.written} written, "
        f"{len(result.rejected)} rejected"
        + (f", {result.left_out} left out" if result.left_out else ""),
        f"wrote {result.frames} frames in {result.shards} shards "
        f"({result.shards_reused} found finished) in {result.seconds:.1f} s: "
        + ", ".join(f"{name} {n}" for name, n in result.frames_by_split.items()),
    ]
    for reason, count in result.rejected_frames.items():
        lines.append(f"  {count} frames rejected: {reason}")
    for path, reason in result.rejected[:_SHOWN_REJECTS]:
        lines.append(f"  rejected {path}: {reason}")
    if len(result.rejected) > _SHOWN_REJECTS:
        lines.append(f"  ... all of them in {metadata.MANIFEST}")
    lines.append(f"in {result.version_dir}")
    workdir = next_step.unused_path("run", result.data_dir)
    lines.append(
        next_step.line("ethos-train", data_dir=result.data_dir, workdir=workdir)
    )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
