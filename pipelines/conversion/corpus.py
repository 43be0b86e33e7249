"""Lists the files of a corpus for the planner."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent import futures
from typing import Final

from ethos_data.corpora import npz_video
from ethos_data.corpora.video import CorpusError
from ethos_data.errors import EthosError
from ethos_data.storage import files
from pipelines.conversion.plan import Plan, Source

READERS: Final = 16
"""Number of files that are read at the same time. Object stores answer slowly."""


def find_videos(corpus_dir: str) -> list[files.Entry]:
    """Lists the npz files of a corpus.

    Raises:
      EthosError: There is no npz file.
    """
    videos = npz_video.find_videos(corpus_dir)
    if not videos:
        raise EthosError(f"{corpus_dir}: contains no {npz_video.SUFFIX} file")
    return videos


def read_sources(
    corpus_dir: str, videos: Sequence[files.Entry], previous: Plan | None
) -> list[Source]:
    """Reads the number of frames from the header of each file.

    Args:
      corpus_dir: Directory of the corpus.
      videos: The result of `find_videos`.
      previous: Plan of an earlier run. Files in it that did not change are not read.
    """
    known: dict[tuple[str, int, float], Source] = {}
    for shard in previous.shards if previous else ():
        for member in shard.members:
            source = member.source
            known[source.path, source.size, source.modified] = source

    def read(entry: files.Entry) -> Source:
        unchanged = known.get((entry.path, entry.size, entry.modified))
        if unchanged and unchanged.frames:
            return unchanged
        path = files.join(corpus_dir, *entry.path.split("/"))
        frames = height = width = 0
        # The worker that reads the whole file reports what is wrong with it.
        damaged = contextlib.suppress(CorpusError, OSError)
        with damaged, files.opened(path) as file:
            frames, height, width = npz_video.count_frames(path, file)
        return Source(entry.path, entry.size, entry.modified, frames, height, width)

    with futures.ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(read, videos))
