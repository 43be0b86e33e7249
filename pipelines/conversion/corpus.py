"""Lists the sources of a corpus for the planner."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from concurrent import futures
from typing import Final

from ethos_data import records
from ethos_data.corpora import formats, npz_video
from ethos_data.corpora.source import Listing, Source, full_path
from ethos_data.corpora.video import CorpusError
from ethos_data.storage import files
from pipelines.conversion.options import ConversionOptions
from pipelines.conversion.plan import Plan

READERS: Final = 16
"""Number of files that are read at the same time. Object stores answer slowly."""


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

    def read_sources(self, previous: Plan | None) -> list[Source]:
        """Returns the sources with their numbers of frames.

        Args:
          previous: Plan of an earlier run. npz files in it that did not change are not
            read.
        """
        if self.options.corpus_format != formats.NPZ:
            return list(self.sources)
        return _read_headers(self.corpus_dir, self.sources, previous)


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


def _read_headers(
    corpus_dir: str, sources: Sequence[Source], previous: Plan | None
) -> list[Source]:
    """Reads the number of frames from the header of each npz file.

    Args:
      corpus_dir: Directory of the corpus.
      sources: The files.
      previous: Plan of an earlier run. Files in it that did not change are not read.
    """
    known: dict[tuple[str, int, float], Source] = {}
    for shard in previous.shards if previous else ():
        for member in shard.members:
            source = member.source
            known[source.path, source.size, source.modified] = source

    def read(source: Source) -> Source:
        unchanged = known.get((source.path, source.size, source.modified))
        if unchanged and unchanged.frames:
            return unchanged
        path = full_path(corpus_dir, source.path)
        frames = height = width = 0
        # The worker that reads the whole file reports what is wrong with it.
        damaged = contextlib.suppress(CorpusError, OSError)
        with damaged, files.opened(path) as file:
            frames, height, width = npz_video.count_frames(path, file)
        return dataclasses.replace(source, frames=frames, height=height, width=width)

    with futures.ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(read, sources))
