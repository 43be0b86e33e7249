"""The plan of a conversion: which frames of which video go into which shard.

A plan is data. `planner.make_plan` makes it, `OutputDirectory` saves it as JSON, and
each worker carries out a part of it.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from ethos_data import records
from ethos_data.corpora.source import Source
from pipelines.conversion.options import ConversionOptions

_STORED: Final = ("path", "size", "modified", "frames", "height", "width")
"""Attributes of a `Source` that a plan always contains."""

_ATTRIBUTES: Final = tuple(field.name for field in dataclasses.fields(Source))


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """A source that belongs to a shard.

    Attributes:
      source: The source: usually a file of the corpus.
      max_frames: Maximum number of frames that the shard takes from the source, evenly
        spaced. None for no limit.
    """

    source: Source
    max_frames: int | None

    def frames(self, stride: int) -> int:
        """Number of frames that the shard takes from the file.

        Args:
          stride: One frame in `stride` is a candidate.
        """
        candidates = -(-self.source.frames // stride)  # as `select_frames` counts
        if self.max_frames is None:
            return candidates
        return min(candidates, self.max_frames)


@dataclasses.dataclass(frozen=True, slots=True)
class Shard:
    """A file of the data set, which one worker writes.

    Attributes:
      split: Name of the split.
      index: Index of the shard in its split, from 0.
      of: Number of shards in the split.
      members: The files whose frames the shard contains.
      key: Hash of everything that determines the bytes. Shards with equal keys have
        equal bytes.
    """

    split: str
    index: int
    of: int
    members: tuple[Member, ...]
    key: str

    @property
    def name(self) -> str:
        """Name of the shard's file, as TFDS expects it."""
        return f"{records.NAME}-{self.split}.tfrecord-{self.index:05d}-of-{self.of:05d}"


@dataclasses.dataclass(frozen=True)
class Plan:
    """All shards of a data set.

    Attributes:
      options: The options of the conversion.
      people: Split of each person. Includes people whose files were removed from the
        corpus, so that they return to the same split.
      shards: The shards, sorted by split and index.
      duplicates: Path of each file whose video id another file has, with the path of
        the other file. Such files are rejected.
      left_out: Paths of the files that are not needed, because
        `max_examples_per_split` is reached.
      version: Version of the data set; see `records`.
    """

    options: ConversionOptions
    people: Mapping[str, str]
    shards: tuple[Shard, ...]
    duplicates: Mapping[str, str]
    left_out: tuple[str, ...]
    version: str = records.VERSION

    @property
    def frames(self) -> int:
        """Number of frames that the plan takes from the corpus."""
        stride = self.options.frame_stride
        return sum(m.frames(stride) for s in self.shards for m in s.members)

    def to_json(self) -> dict[str, Any]:
        """The options as an object that JSON can represent. `lines` has the rest."""
        data: dict[str, Any] = {"options": self.options.to_json()}
        if self.version != records.VERSION:
            data["version"] = self.version
        return data

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yields people, files and shards as objects that JSON can represent.

        The files of a shard follow the shard.
        """
        for person, split in self.people.items():
            yield {"person": person, "split": split}
        for path, other in self.duplicates.items():
            yield {"duplicate": path, "of": other}
        for path in self.left_out:
            yield {"left_out": path}
        for shard in self.shards:
            yield {
                "key": shard.key,
                "split": shard.split,
                "index": shard.index,
                "of": shard.of,
            }
            for member in shard.members:
                source = _source_json(member.source)
                yield {"source": source, "max_frames": member.max_frames}

    @classmethod
    def from_json(
        cls, data: Mapping[str, Any], lines: Iterable[Mapping[str, Any]] | None
    ) -> Plan:
        """Reverses `to_json` and `lines`.

        Args:
          data: Result of `to_json`.
          lines: Result of `lines`. None if `data` is the plan of an earlier version of
            ETHOS, which contains everything.

        Raises:
          EthosError, KeyError, TypeError, ValueError: This is not a plan.
        """
        people: dict[str, str] = {}
        duplicates: dict[str, str] = {}
        left_out: list[str] = []
        shards: list[Shard] = []
        members: list[Member] = []

        def finish_shard() -> None:
            if shards:
                shards[-1] = dataclasses.replace(shards[-1], members=tuple(members))
                members.clear()

        for line in _lines_of_one_object(data) if lines is None else lines:
            if "source" in line:
                members.append(Member(Source(**line["source"]), line["max_frames"]))
            elif "key" in line:
                finish_shard()
                shards.append(Shard(**line, members=()))
            elif "person" in line:
                people[line["person"]] = sys.intern(line["split"])
            elif "duplicate" in line:
                duplicates[line["duplicate"]] = line["of"]
            else:
                left_out.append(line["left_out"])
        finish_shard()
        return cls(
            ConversionOptions.from_json(data["options"]),
            people,
            tuple(shards),
            duplicates,
            tuple(left_out),
            data.get("version", records.VERSION),
        )


def _source_json(source: Source) -> dict[str, Any]:
    """Most attributes of most sources have their defaults, which are left out."""
    return {
        name: value
        for name in _ATTRIBUTES
        if (value := getattr(source, name)) or name in _STORED
    }


def _lines_of_one_object(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yields the lines of a plan that is stored as one JSON object."""
    for person, split in data["people"].items():
        yield {"person": person, "split": split}
    for path, other in data["duplicates"].items():
        yield {"duplicate": path, "of": other}
    for path in data["left_out"]:
        yield {"left_out": path}
    for shard in data["shards"]:
        yield {name: value for name, value in shard.items() if name != "members"}
        yield from shard["members"]
