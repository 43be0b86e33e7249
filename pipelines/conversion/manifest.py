"""The manifest: where each record of a data set comes from, and what was rejected.

`manifest.json` contains the options, the shards and statistics. The entries of the
files of the corpus are stored in parts next to it; see `parts`. Except for the versions
of the tools, the manifest does not depend on the time, the runner or the machine.
"""

from __future__ import annotations

import collections
import dataclasses
import importlib.metadata
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from ethos_data import records
from ethos_data.errors import EthosError
from ethos_data.storage import files
from pipelines.conversion import metadata, parts, shard_writer
from pipelines.conversion.plan import Plan, Shard

FORMAT_VERSION: Final = 2
"""Format 1 contains all entries in `manifest.json`. It is still read."""

STEM: Final = "manifest"

PARTS: Final = f"{STEM}-*{parts.SUFFIX}"
"""Pattern of the names of the parts, for messages."""

_TOOLS: Final = ("apache-beam", "numpy", "opencv-python", "isal")


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The manifest of a data set.

    Attributes:
      directory: Directory of the shards.
      head: Content of `manifest.json`.
    """

    directory: str
    head: Mapping[str, Any]

    def inputs(self) -> Iterator[dict[str, Any]]:
        """Yields the entry of each file with records: its split, shard and frames.

        Raises:
          EthosError: A part of the manifest is missing or damaged.
        """
        return self._entries("inputs", lambda entry: "shard" in entry)

    def rejected(self) -> Iterator[dict[str, Any]]:
        """Yields the path and the reason of each rejected file.

        Raises:
          EthosError: A part of the manifest is missing or damaged.
        """
        return self._entries("rejected", lambda entry: "reason" in entry)

    @property
    def left_out(self) -> int:
        """Number of files that were not needed."""
        left_out = self.head["left_out"]
        return left_out if isinstance(left_out, int) else len(left_out)

    def _entries(
        self, key: str, belongs: Callable[[dict[str, Any]], bool]
    ) -> Iterator[dict[str, Any]]:
        if self.head["format_version"] == 1:
            yield from self.head[key]
            return
        try:
            yield from filter(belongs, parts.read(self.directory, self.head["parts"]))
        except ValueError as error:
            raise EthosError(
                f"{self.directory}: {error}; ethos-convert writes it again"
            ) from error


def read(directory: str) -> Manifest | None:
    """Reads the manifest of a data set. None if there is none."""
    head = metadata.read_json(files.join(directory, metadata.MANIFEST))
    if not isinstance(head, dict) or head.get("name") != records.NAME:
        return None
    return Manifest(directory, head)


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a conversion reports about its manifest.

    Attributes:
      head: Content of `manifest.json`.
      rejected: Path and reason of each rejected file, sorted by path.
      people: People with frames in the data set.
    """

    head: Mapping[str, Any]
    rejected: tuple[tuple[str, str], ...]
    people: frozenset[str]


def write(
    directory: str,
    plan: Plan,
    receipts: Iterable[Mapping[str, Any]],
    corpus_dir: str,
) -> Summary:
    """Writes the manifest of a data set.

    Args:
      directory: Directory of the shards.
      plan: The plan, whose shards are all written.
      receipts: Receipts of the shards, in the order of the plan. Each is used once.
      corpus_dir: Directory of the corpus.
    """
    splits = {name: _Split() for name, _ in plan.options.splits}
    rejected: list[tuple[str, str]] = []
    rejected_frames: collections.Counter[str] = collections.Counter()

    def entries() -> Iterator[dict[str, Any]]:
        for path, other in plan.duplicates.items():
            rejected.append((path, f"has the video id of {other}"))
            yield {"path": path, "reason": rejected[-1][1]}
        for path in plan.left_out:
            yield {"path": path}
        for shard, receipt in zip(plan.shards, receipts, strict=True):
            splits[shard.split].add(shard, receipt)
            for video in receipt["videos"]:
                rejected_frames.update(video["rejected_frames"])
                if "rejected" in video:
                    rejected.append((video["path"], video["rejected"]))
                    yield {"path": video["path"], "reason": video["rejected"]}
                else:
                    entry = {k: v for k, v in video.items() if k != "retry"}
                    yield entry | {"split": shard.split, "shard": shard.name}

    names = parts.write(directory, STEM, entries())
    written = sum(split.videos for split in splits.values())
    head = {
        "format_version": FORMAT_VERSION,
        "name": records.NAME,
        "version": plan.version,
        "corpus_dir": corpus_dir,
        "options": plan.options.to_json(),
        "tools": _tools(),
        "found": written + len(rejected) + len(plan.left_out),
        "written": written,
        "rejected": len(rejected),
        "left_out": len(plan.left_out),
        "face_size_edges": list(shard_writer.FACE_SIZE_EDGES),
        "yaw_edges": list(shard_writer.YAW_EDGES),
        "splits": {name: split.to_json() for name, split in splits.items()},
        "rejected_frames": dict(sorted(rejected_frames.items())),
        "parts": names,
    }
    metadata.write_json(files.join(directory, metadata.MANIFEST), head)
    people = frozenset().union(*(split.people for split in splits.values()))
    return Summary(head, tuple(sorted(rejected)), people)


class _Split:
    """Adds up the receipts of the shards of a split.

    Attributes:
      videos: Number of files with frames in the split.
      people: The people in the split.
    """

    def __init__(self) -> None:
        self.videos = 0
        self.people: set[str] = set()
        self._face_sizes = [0] * len(shard_writer.FACE_SIZE_EDGES)
        self._yaws = [0] * len(shard_writer.YAW_EDGES)
        self._shards: list[dict[str, Any]] = []

    def add(self, shard: Shard, receipt: Mapping[str, Any]) -> None:
        """Adds the next shard."""
        for video in receipt["videos"]:
            if video["written"]:
                self.videos += 1
                self.people.add(video["person_id"])
        self._face_sizes = _added(self._face_sizes, receipt["face_sizes"])
        self._yaws = _added(self._yaws, receipt["yaws"])
        self._shards.append(
            {
                "name": shard.name,
                "frames": receipt["records"],
                "bytes": receipt["bytes"],
                "crc32c": receipt["crc32c"],
            }
        )

    def to_json(self) -> dict[str, Any]:
        """The entry of the split in `manifest.json`."""
        return {
            "frames": sum(shard["frames"] for shard in self._shards),
            "bytes": sum(shard["bytes"] for shard in self._shards),
            "videos": self.videos,
            "people": len(self.people),
            "face_sizes": self._face_sizes,
            "yaws": self._yaws,
            "shards": self._shards,
        }


def _added(counts: list[int], more: Iterable[int]) -> list[int]:
    """Adds the counts of each bin."""
    return [a + b for a, b in zip(counts, more, strict=True)]


def _tools() -> dict[str, str | None]:
    """Versions of everything that determines the bytes of a shard."""
    packages = {tool: _version(tool) for tool in _TOOLS}
    return packages | {"zlib": zlib.ZLIB_RUNTIME_VERSION}


def _version(tool: str) -> str | None:
    try:
        return importlib.metadata.version(tool)
    except importlib.metadata.PackageNotFoundError:
        return None
