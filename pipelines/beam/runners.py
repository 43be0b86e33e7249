"""Runs the two steps of a conversion on a Beam runner: headers and shards."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from ethos_data.errors import EthosError, reason_of
from pipelines.conversion import corpus
from pipelines.conversion.corpus import HeaderTask
from pipelines.conversion.shard_writer import ShardTask

DEFAULT_RUNNER: Final = "FnApiRunner"
"""Beam's embedded runner. "DirectRunner" would first try to download another one."""

_RUNNERS: Final = {
    "DaskRunner": "apache_beam.runners.dask.dask_runner.DaskRunner",
}
"""Full names of runners that Beam does not find by their short name."""

_FRAMES_FOR_PROCESSES: Final = 10_000
"""From this number of frames on, one process per core is started by default. The start
takes 3 s."""

_BATCHES_FOR_PROCESSES: Final = 20
"""The same for batches of headers. A local disk needs about 0.5 s per batch."""

_INTERRUPTED: Final = ("-2", "130")
"""Exit statuses of a process that Ctrl-C ended."""

_WORKER: Final = (sys.executable, "-P", "-m", "pipelines.beam.sdk_worker")
"""Command of a worker process. `-P` ignores a package of the user with this name in the
current directory."""

_WORKER_DIED: Final = signal.SIGUSR1
"""Signal that interrupts the main thread. SIGINT is ignored in background jobs."""


def make_runner(runner: str, beam_args: list[str]) -> Any:
    """Makes a Beam runner.

    Args:
      runner: Name of a runner, or its full Python path.
      beam_args: Flags for Beam, which are checked.

    Raises:
      EthosError: The runner or one of the flags does not exist.
    """
    from apache_beam.runners.runner import create_runner

    try:
        created = create_runner(_RUNNERS.get(runner, runner))
    except (ValueError, ImportError, AttributeError) as error:
        raise EthosError(f"--runner {runner}: {reason_of(error)}") from error
    # Import the runner first: it may define flags.
    _reject_unknown(beam_args)
    return created


def write_shards(tasks: Sequence[ShardTask], runner: str, beam_args: list[str]) -> None:
    """Writes shards.

    Args:
      tasks: The shards to write.
      runner: Name of a runner, or its full Python path.
      beam_args: Flags for Beam.

    Raises:
      EthosError: A flag is unknown, a shard cannot be written, or a worker died.
      KeyboardInterrupt: Ctrl-C was pressed. Beam wraps it in other errors.
    """
    from pipelines.beam import worker

    frames = sum(m.source.frames for task in tasks for m in task.shard.members)
    large = frames >= _FRAMES_FOR_PROCESSES
    flags = with_defaults(runner, beam_args, len(tasks), large)
    _run(lambda pipeline: worker.build(pipeline, tasks, beam_args), runner, flags)


def read_headers(
    tasks: Sequence[HeaderTask], runner: str, beam_args: list[str]
) -> None:
    """Reads the headers of the files of a corpus.

    Args:
      tasks: The files, in batches. A single batch is read by this process.
      runner: See `write_shards`.
      beam_args: See `write_shards`.

    Raises:
      EthosError, KeyboardInterrupt: See `write_shards`.
    """
    if len(tasks) <= 1:
        for task in tasks:
            corpus.read_headers(task)
        return
    from pipelines.beam import worker

    large = len(tasks) >= _BATCHES_FOR_PROCESSES
    flags = with_defaults(runner, beam_args, len(tasks), large)
    _run(lambda p: worker.build_headers(p, tasks, beam_args), runner, flags)


def _run(build: Callable[[Any], Any], runner: str, beam_args: list[str]) -> None:
    """Builds a pipeline and runs it; see `write_shards`."""
    import apache_beam as beam
    from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner
    from apache_beam.transforms import environments

    beam_runner = make_runner(runner, beam_args)
    flags = PipelineOptions(beam_args)
    direct = flags.view_as(DirectOptions)
    if runner == DEFAULT_RUNNER and direct.direct_running_mode == "multi_processing":
        # What Beam does for this flag, except that our worker program is started.
        environment = environments.SubprocessSDKEnvironment.from_command_string(
            shlex.join(_WORKER)
        )
        beam_runner = FnApiRunner(default_environment=environment)
        direct.direct_running_mode = "in_memory"
    pipeline = beam.Pipeline(beam_runner, flags)
    build(pipeline)
    client = None
    try:
        with watched_workers():
            result: Any = pipeline.run()
            client = getattr(result, "client", None)
            result.wait_until_finish()
    except Exception as error:
        # Runners wrap, copy and print the exceptions of their workers.
        if is_interrupt(error):
            raise KeyboardInterrupt from None
        text = f"{type(error).__name__}: {error}"
        match = re.search(r"ShardError: (.+?)(?: \[while running.*)?$", text, re.M)
        if match:
            raise EthosError(match.group(1)) from error
        raise
    finally:
        if client is not None:  # Beam leaves the client of Dask open
            client.close()


def is_interrupt(error: BaseException | None) -> bool:
    """Whether Ctrl-C caused an error. Beam and numba wrap it in other errors."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


class _WorkerDied(BaseException):
    """Raised in the main thread. Not an Exception, so that Beam does not catch it."""


@contextlib.contextmanager
def watched_workers() -> Iterator[None]:
    """Ends the block with an error when a worker process dies.

    Beam would wait for the process forever.

    Raises:
      EthosError: A worker process was killed, for example for lack of memory.
    """
    main = threading.main_thread()
    if threading.current_thread() is not main:  # only the main thread gets signals
        yield
        return
    statuses: list[str] = []
    previous_hook = threading.excepthook

    def hook(args: Any) -> None:
        """Receives the exceptions of Beam's threads. One thread waits for a worker."""
        match = re.search(
            r"Worker subprocess exited with .*?(-?\d+)", f"{args.exc_value}"
        )
        if match is None:
            previous_hook(args)
        # Ctrl-C ends all workers. It is handled elsewhere.
        elif match[1] not in _INTERRUPTED and not statuses:
            statuses.append(match[1])
            signal.pthread_kill(main.ident or 0, _WORKER_DIED)

    def raise_worker_died(*_: Any) -> None:
        raise _WorkerDied

    threading.excepthook = hook
    previous_handler = signal.signal(_WORKER_DIED, raise_worker_died)
    try:
        yield
    except _WorkerDied:
        raise EthosError(
            f"a worker process died (exit status {statuses[0]}; 137 often means that "
            "memory ran out): run the same command again, finished shards are kept; "
            "--direct_num_workers 1 needs the least memory"
        ) from None
    finally:
        statuses.append("")  # the hook sends no more signals, which nothing handles
        threading.excepthook = previous_hook
        signal.signal(_WORKER_DIED, previous_handler)


def with_defaults(
    runner: str, beam_args: list[str], tasks: int, large: bool
) -> list[str]:
    """Adds flags for Beam where its own defaults are slow.

    Args:
      runner: Name of the runner.
      beam_args: The flags that the user gave. They are not overridden.
      tasks: Number of tasks.
      large: Whether the work takes much longer than to start processes.
    """
    if runner == DEFAULT_RUNNER and not any("--direct_" in arg for arg in beam_args):
        workers = min(len(os.sched_getaffinity(0)), tasks)
        if workers > 1 and large:
            mode = ["--direct_running_mode", "multi_processing"]
            return [*beam_args, *mode, "--direct_num_workers", str(workers)]
    if runner.endswith("DaskRunner") and "partition" not in " ".join(beam_args):
        # The default puts up to 128 shards into one task of one worker.
        return [*beam_args, "--dask_partition_size", "1"]
    return beam_args


def _reject_unknown(beam_args: list[str]) -> None:
    """Rejects flags that Beam does not know. Beam itself would ignore them."""
    from apache_beam.options.pipeline_options import PipelineOptions

    parser: Any = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for options in set(PipelineOptions.__subclasses__()):
        with contextlib.suppress(argparse.ArgumentError):  # two classes share a flag
            options._add_argparse_args(parser)
    _, unknown = parser.parse_known_args(beam_args)
    if unknown:
        raise EthosError(f"unknown arguments: {' '.join(unknown)}")
