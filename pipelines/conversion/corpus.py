"""Lists the sources of a corpus for the planner, and reads their headers.

The headers of many files are read by the workers of Beam. Each task writes one small
file, which is deleted when the plan is stored.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent import futures
from typing import Final

from ethos_data import records
from ethos_data.corpora import formats, npz_video
from ethos_data.corpora.source import Listing, Source, full_path
from ethos_data.corpora.video import CorpusError
from ethos_data.errors import EthosError, reason_of
from ethos_data.storage import files
from pipelines.conversion import metadata
from pipelines.conversion.options import ConversionOptions
from pipelines.conversion.plan import Plan
from pipelines.conversion.shard_writer import ShardError

READERS: Final = 16
"""Number of files that are read at the same time. Object stores answer slowly."""

BATCH: Final = 1000
"""Number of files whose headers one task reads."""

HEADERS: Final = "headers"
"""Beginning of the names of the files with the sizes of videos."""


@dataclasses.dataclass(frozen=True)
class Corpus:
    """The sources of a corpus.

    Attributes:
      corpus_dir: Directory of the corpus.
      options: The options of the conversion, with the name of the format.
      sources: The sources. The headers of npz files are not read yet.
      version: Version of the data set that the conversion writes; see `records`.
      every_source_is_a_person: Whether nothing states which sources show the same
        person.
    """

    corpus_dir: str
    options: ConversionOptions
    sources: Sequence[Source]
    version: str
    every_source_is_a_person: bool

    def header_tasks(
        self, previous: Plan | None, state_dir: str
    ) -> tuple[HeaderTask, ...]:
        """Returns the headers that must be read before the conversion is planned.

        Args:
          previous: Plan of an earlier run. Files in it that did not change are not
            read.
          state_dir: Directory for the results.
        """
        if self.options.corpus_format != formats.NPZ:
            return ()
        known = _known(previous)
        unread = (s for s in self.sources if not _unchanged(s, known))
        tasks = []
        while batch := list(itertools.islice(unread, BATCH)):
            # An interrupted conversion finds the results of the same files.
            text = json.dumps([_identity(source) for source in batch])
            digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
            path = files.join(state_dir, f"{HEADERS}-{digest}.json")
            paths = tuple(source.path for source in batch)
            tasks.append(HeaderTask(self.corpus_dir, paths, path))
        return tuple(tasks)

    def read_sources(
        self, previous: Plan | None, tasks: Sequence[HeaderTask]
    ) -> Iterator[Source]:
        """Yields the sources with their numbers of frames.

        Args:
          previous: See `header_tasks`.
          tasks: Result of `header_tasks`. All are carried out.
        """
        known = _known(previous)
        sizes = itertools.chain.from_iterable(map(_result, tasks))
        for source in self.sources:
            if self.options.corpus_format != formats.NPZ:
                yield source
            elif unchanged := _unchanged(source, known):
                yield unchanged
            else:
                frames, height, width = next(sizes)
                yield dataclasses.replace(
                    source, frames=frames, height=height, width=width
                )


def find(corpus_dir: str, options: ConversionOptions) -> Corpus:
    """Lists the sources of a corpus.

    Raises:
      EthosError: The corpus has no known format or contains no source.
    """
    listing = Listing(corpus_dir)
    name = options.corpus_format
    if name == formats.AUTO:
        name = formats.detect(listing)
    sources = formats.find_sources(listing, name, options.person_pattern)
    partial = formats.has_partial_labels(listing, name)
    return Corpus(
        corpus_dir,
        dataclasses.replace(options, corpus_format=name),
        sources,
        records.PARTIAL_VERSION if partial else records.VERSION,
        formats.every_source_is_a_person(listing, name, sources),
    )


@dataclasses.dataclass(frozen=True)
class HeaderTask:
    """Files of a corpus whose headers a worker reads.

    Attributes:
      corpus_dir: Directory of the corpus.
      paths: Paths of the npz files, relative to `corpus_dir`.
      result: Path of the file for the result.
    """

    corpus_dir: str
    paths: tuple[str, ...]
    result: str


def read_headers(task: HeaderTask) -> None:
    """Reads the headers of files and writes their sizes into one small file.

    Raises:
      ShardError: The result cannot be written.
    """
    try:
        if files.read_bytes(task.result) is not None:
            return  # an interrupted conversion read them
        paths = [full_path(task.corpus_dir, path) for path in task.paths]
        with futures.ThreadPoolExecutor(READERS) as pool:
            sizes = list(pool.map(read_size, paths))
        files.write(task.result, iter([json.dumps(sizes).encode()]))
    except OSError as error:
        reason = reason_of(error)
        raise ShardError(f"{task.result}: cannot be written ({reason})") from error


def read_size(path: str) -> tuple[int, int, int]:
    """Number of frames, height and width of an npz video. Zeros if it is damaged."""
    # The worker that reads the whole file reports what is wrong with it.
    with contextlib.suppress(CorpusError, OSError), files.opened(path) as file:
        return npz_video.count_frames(path, file)
    return 0, 0, 0


def _result(task: HeaderTask) -> list[tuple[int, int, int]]:
    """Number of frames, height and width of each file of a task.

    Raises:
      EthosError: The result is missing or damaged.
    """
    sizes = metadata.read_json(task.result)
    if not isinstance(sizes, list) or len(sizes) != len(task.paths):
        raise EthosError(f"{task.result}: missing or damaged; run the command again")
    return sizes


def _known(previous: Plan | None) -> dict[str, Source]:
    """The files with frames in an earlier plan, by path."""
    shards = previous.shards if previous else ()
    members = itertools.chain.from_iterable(shard.members for shard in shards)
    return {m.source.path: m.source for m in members if m.source.frames}


def _unchanged(source: Source, known: Mapping[str, Source]) -> Source | None:
    """The same file in an earlier plan, if it did not change since then."""
    earlier = known.get(source.path)
    if earlier and _identity(earlier) == _identity(source):
        return earlier
    return None


def _identity(source: Source) -> tuple[str, int, float]:
    return source.path, source.size, source.modified
