"""Converts a corpus of labelled faces to TFRecord shards with Apache Beam.

    ethos-convert --corpus_dir youtube_faces --data_dir data
    ethos-convert --corpus_dir ... --data_dir ... \\
        --direct_num_workers 2 --direct_running_mode multi_processing
    ethos-convert --corpus_dir gs://... --data_dir gs://... --runner DataflowRunner ...

The data set is written to `<data_dir>/ethos_faces/<version>`, which
`tfds.builder_from_directory` reads. Run the same command again after an interruption or
after files were added to the corpus: finished shards are kept. A large corpus is
converted by one process per core, unless a `--direct_...` flag or `--runner` is given.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from ethos_data import next_step, progress
from ethos_data.errors import EthosError, cli
from ethos_data.options import add_flags, from_flags, make_parser, option, required
from ethos_data.storage import files
from pipelines import paths
from pipelines.beam import logs, runners
from pipelines.conversion import corpus, manifest, planner
from pipelines.conversion.directory import OutputDirectory
from pipelines.conversion.monitor import Monitor
from pipelines.conversion.options import CONTENT, CORPUS, LIMITS, ConversionOptions
from pipelines.conversion.result import ConversionResult, sum_up, write_metadata
from pipelines.conversion.shard_writer import ShardTask

_SHOWN_REJECTS: Final = 20
"""Maximum number of rejected files in the summary."""

_GROUPS: Final = {
    "input": "",
    CORPUS: "",
    "output": "",
    CONTENT: "These flags determine what the shards contain.",
    LIMITS: "These flags leave out frames, or stop a conversion with many bad files.",
    "execution": "Flags that are not listed here are passed to Apache Beam.",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvertFlags(ConversionOptions):
    """All flags of `ethos-convert`."""

    corpus_dir: str = required(
        "Directory of the corpus, nested to any depth; local or in an object store",
        group="input",
        metavar="DIR",
    )
    data_dir: str = required(
        "Directory of data sets; local or in an object store",
        group="output",
        metavar="DIR",
    )
    overwrite: bool = option(
        False, "Delete the result of an earlier conversion first", group="output"
    )
    max_bad_fraction: float = option(
        1.0,
        "Maximum share of rejected files; the command fails if it is exceeded",
        group=LIMITS,
        minimum=0,
        maximum=1,
    )
    runner: str = option(
        runners.DEFAULT_RUNNER,
        "Name of the Beam runner",
        group="execution",
        metavar="NAME",
    )

    def content(self) -> ConversionOptions:
        """The flags that determine the content of the shards."""
        names = [field.name for field in dataclasses.fields(ConversionOptions)]
        return ConversionOptions(**{name: getattr(self, name) for name in names})


def convert(
    *,
    corpus_dir: str,
    data_dir: str,
    options: ConversionOptions | None = None,
    max_bad_fraction: float = 1.0,
    overwrite: bool = False,
    runner: str = runners.DEFAULT_RUNNER,
    beam_args: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> ConversionResult:
    """Converts a corpus.

    Example:
      result = convert(corpus_dir="youtube_faces", data_dir="data")
      print(result.frames_by_split)

    Args:
      corpus_dir: Directory of a corpus in any format of `ethos_data.corpora.formats`,
        nested to any depth. Local, or in any file system that Beam supports.
      data_dir: Directory of data sets. The shards go to `ethos_faces/<version>` in it.
      options: The options that determine the content. None for the defaults.
      max_bad_fraction: Maximum share of rejected files, from 0 to 1.
      overwrite: Delete the result of an earlier conversion in `data_dir` first.
      runner: Name of a Beam runner, or its full Python path.
      beam_args: Further flags for Beam.
      progress: Called with the number of converted frames and the total, about twice a
        second, from another thread.

    Raises:
      EthosError: No file could be converted, too many files were rejected, the
        directory belongs to another conversion, or a shard cannot be written.
    """
    start = time.monotonic()
    options = options or ConversionOptions()
    beam_args = list(beam_args)
    if not 0 <= max_bad_fraction <= 1:
        raise EthosError(
            f"--max_bad_fraction must be from 0 to 1. Received: {max_bad_fraction}"
        )
    # Check everything that can be wrong with the command before anything is changed.
    corpus_dir, data_dir = files.resolve(corpus_dir), files.resolve(data_dir)
    paths.check_directory(corpus_dir)
    paths.check_writable(data_dir)
    if not (files.is_local(corpus_dir) and files.is_local(data_dir)):
        files.set_options(beam_args)
    corpus_dir = paths.absolute(corpus_dir)
    listed = corpus.find(corpus_dir, options)
    options = listed.options
    directory = OutputDirectory(data_dir, listed.version)
    if beam_args or runner != runners.DEFAULT_RUNNER:
        runners.make_runner(runner, beam_args)
    with directory.opened(overwrite):
        previous = directory.read_plan(corpus_dir, options)
        header_tasks = listed.header_tasks(previous, directory.state_dir)
        runners.read_headers(header_tasks, runner, beam_args)
        sources = listed.read_sources(previous, header_tasks)
        plan = planner.make_plan(sources, options, previous, listed.version)
        directory.adopt(plan, previous, corpus_dir)
        shards = directory.unfinished(plan)
        with Monitor(shards, options.frame_stride, directory.path, progress):
            tasks = [
                ShardTask(s, corpus_dir, directory.path, options, listed.version)
                for s in shards
            ]
            if tasks:
                runners.write_shards(tasks, runner, beam_args)
        written = write_metadata(directory, plan, corpus_dir, max_bad_fraction)
    seconds = time.monotonic() - start
    alone = listed.every_source_is_a_person
    return sum_up(directory, plan, written, len(shards), seconds, alone)


def parser() -> argparse.ArgumentParser:
    """The parser of the flags of `ethos-convert`."""
    result = make_parser("ethos-convert", __doc__)
    add_flags(result, ConvertFlags, groups=_GROUPS)
    return result


def run(
    argv: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ConversionResult:
    """Converts a corpus as the flags of a command line say.

    Args:
      argv: The flags. None for those of this process.
      progress: See `convert`.
    """
    namespace, beam_args = parser().parse_known_args(argv)
    flags = from_flags(ConvertFlags, namespace)
    return convert(
        corpus_dir=flags.corpus_dir,
        data_dir=flags.data_dir,
        options=flags.content(),
        max_bad_fraction=flags.max_bad_fraction,
        overwrite=flags.overwrite,
        runner=flags.runner,
        beam_args=beam_args,
        progress=progress,
    )


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs `ethos-convert`. The exit status is 0 even if some files were rejected."""
    logs.hide_beam_messages()
    argv = sys.argv[1:] if argv is None else argv
    with progress.reporting("frames") as report:
        result = run(argv, report)
    print(summary(result))
    for line in warnings(result):
        print(f"warning: {line}", file=sys.stderr)
    print(next_line(result, argv))
    return 0


def summary(result: ConversionResult) -> str:
    """The text that `ethos-convert` prints at the end."""
    left_out = f", {result.left_out} left out" if result.left_out else ""
    by_split = ", ".join(f"{name} {n}" for name, n in result.frames_by_split.items())
    lines = [f"corpus format: {result.corpus_format}"]
    if result.every_source_is_a_person:
        lines.append(
            "the corpus names no people: each face is its own person "
            "(--person_pattern finds people in the paths)"
        )
    lines += [
        f"found {result.found} files: {result.written} written, "
        f"{len(result.rejected)} rejected{left_out}",
        f"wrote {result.frames} frames in {result.shards} shards "
        f"({result.shards_reused} already finished) in {result.seconds:.1f} s: "
        f"{by_split}",
    ]
    for reason, count in result.rejected_frames.items():
        lines.append(f"  {count} frames rejected: {reason}")
    for path, reason in result.rejected[:_SHOWN_REJECTS]:
        lines.append(f"  rejected {path}: {reason}")
    if len(result.rejected) > _SHOWN_REJECTS:
        lines.append(f"  ... (all rejected files are listed in {manifest.PARTS})")
    lines.append(f"the data set is in {result.version_dir}")
    return "\n".join(lines)


def warnings(result: ConversionResult) -> list[str]:
    """Why splits are empty, and which flags help."""
    empty = result.empty_splits
    if empty is None:
        return []
    lines = [
        f"the {name} split has no frames: {reason}"
        for name, reason in empty.reasons.items()
    ]
    if empty.flags:
        flags = next_step.flags_text(**empty.flags)
        if set(empty.filled) == set(result.frames_by_split):
            lines.append(f"use {flags} to get frames in all splits")
        else:
            splits = " and ".join(empty.filled)
            lines.append(f"use {flags} for a data set with {splits} only")
    return lines


def next_line(result: ConversionResult, argv: Sequence[str]) -> str:
    """The "next:" line of `ethos-convert`.

    Args:
      result: The result of the conversion.
      argv: The flags of the conversion.
    """
    frames = result.frames_by_split
    empty = result.empty_splits
    missing = {name for name in ("train", "validation") if not frames.get(name)}
    if empty and missing.intersection(empty.filled):
        return next_step.line("ethos-convert", *argv, **empty.flags)
    if "train" in missing:
        return next_step.line("ethos-inspect", result.data_dir)
    flags = {
        "data_dir": result.data_dir,
        "workdir": next_step.unused_path("run", result.data_dir),
        "config": "finetune",  # needs no download, unlike the default weights
    }
    if "validation" in missing:
        flags["validation_images"] = "0"
    return next_step.line("ethos-train", **flags)


if __name__ == "__main__":
    sys.exit(main())
