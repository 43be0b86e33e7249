"""Writes a converted data set as a corpus that other tools and ethos-convert read.

    ethos-export-corpus DATA_DIR --format coco --output CORPUS

The corpus contains the stored images and their landmarks, without those that are not
labels. The formats are those of `ethos-convert`: coco and csv state the person of each
face, pts has a directory for each person, and npz has a file for each video.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import os
import sys
from collections.abc import Callable, Iterator, Sequence

from ethos_data import next_step, progress, records
from ethos_data.corpora import export
from ethos_data.errors import EthosError, cli
from ethos_data.options import add_flags, from_flags, make_parser, option, required
from ethos_data.storage import files, tfrecord
from pipelines import inspect, paths
from pipelines.beam import logs

PTS_PERSON_PATTERN = "^[^/]+/([^/]+)/"
"""Finds the person in the paths of an exported pts corpus."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportFlags:
    """The flags of `ethos-export-corpus`. The help texts document them."""

    data_dir: str = required(
        "Directory that was given to ethos-convert, or the directory of the shards",
        positional=True,
        metavar="DATA_DIR",
    )
    format: str = required("Format of the corpus", choices=sorted(export.WRITERS))
    output: str = required(
        "Directory to write; it must not exist or be empty", metavar="DIR", local=True
    )
    splits: tuple[str, ...] = option(
        (), "Names of the splits to export (default: all)", metavar="SPLIT"
    )


def export_corpus(
    flags: ExportFlags, report: Callable[[int, int], None] | None = None
) -> int:
    """Exports a data set.

    Args:
      flags: What to export.
      report: Called with the number of written faces and the total.

    Returns:
      The number of faces in the corpus.

    Raises:
      EthosError: The data set or a split does not exist, a shard is damaged, or the
        directory cannot be written.
    """
    if os.path.isdir(flags.output) and os.listdir(flags.output):
        raise EthosError(f"{flags.output}: is not empty; choose another --output")
    paths.check_writable(flags.output)
    data = inspect.find(flags.data_dir)
    unknown = sorted(set(flags.splits) - data.splits.keys())
    if unknown:
        raise EthosError(
            f"{flags.data_dir}: there is no split {unknown[0]!r}; the splits are "
            f"{', '.join(data.splits)}"
        )
    splits = flags.splits or tuple(data.splits)
    total = sum(data.splits[split]["frames"] for split in splits)
    count = 0

    def counted() -> Iterator[export.Face]:
        nonlocal count
        for face in read_faces(data, splits):
            yield face
            count += 1
            if report is not None:
                report(count, total)

    try:
        with files.replacing(flags.output) as temporary:
            os.makedirs(temporary)
            export.WRITERS[flags.format](counted(), temporary)
    except OSError as error:
        reason = error.strerror or str(error)
        raise EthosError(f"{flags.output}: cannot be written ({reason})") from error
    return count


def read_faces(
    data: inspect.ConvertedData, splits: Sequence[str]
) -> Iterator[export.Face]:
    """Yields the faces of some splits. Faces of a video follow each other, in order.

    Raises:
      EthosError: A shard is damaged.
    """
    for split, shard in data.shards():
        if split not in splits:
            continue
        path = files.join(data.directory, shard["name"])
        # A shard contains all frames of its videos, in random order.
        videos: dict[str, list[tuple[int, bytes]]] = collections.defaultdict(list)
        try:
            with files.opened(path) as file:
                for serialized in tfrecord.read(file):
                    record = records.decode(serialized)
                    videos[record.video_id].append((record.frame, serialized))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise EthosError(f"{path}: {reason}") from error
        for _, frames in sorted(videos.items()):
            for _, serialized in sorted(frames):
                jpeg = records.stored_jpeg(serialized)
                yield export.Face(records.decode(serialized), jpeg, split)


def parser() -> argparse.ArgumentParser:
    """The parser of the flags of `ethos-export-corpus`."""
    epilog = "Further flags are passed to the file systems of Apache Beam."
    result = make_parser("ethos-export-corpus", __doc__, epilog)
    add_flags(result, ExportFlags)
    return result


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs `ethos-export-corpus`."""
    logs.hide_beam_messages()
    namespace, beam_args = parser().parse_known_args(argv)
    flags = from_flags(ExportFlags, namespace)
    if not files.is_local(files.resolve(flags.data_dir)):
        files.set_options(beam_args)
    elif beam_args:
        raise EthosError(f"unknown arguments: {' '.join(beam_args)}")
    with progress.reporting("faces") as report:
        count = export_corpus(flags, report)
    print(f"wrote {count} faces to {flags.output}")
    more = {"person_pattern": PTS_PERSON_PATTERN} if flags.format == "pts" else {}
    data_dir = next_step.unused_path("data", flags.output)
    print(
        next_step.line(
            "ethos-convert",
            corpus_dir=flags.output,
            data_dir=data_dir,
            corpus_format=flags.format,
            **more,
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
