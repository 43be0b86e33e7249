"""The plan of a conversion: which frames of which video go into which shard.

A plan is data. `planner.make_plan` makes it, `Conversion` saves it as JSON, and each
worker carries out a part of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from ethos_data import records
from ethos_data.corpora.source import Source
from ethos_data.corpora.video import select_frames
from pipelines.conversion.options import ConversionOptions

_STORED: Final = ("path", "size", "modified", "frames", "height", "width")
"""Attributes of a `Source` that a plan always contains."""


@dataclasses.dataclass(frozen=True)
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
        return len(select_frames(self.source.frames, stride, self.max_frames))


@dataclasses.dataclass(frozen=True)
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
        """The plan as an object that JSON can represent."""
        data = dataclasses.asdict(self) | {"options": self.options.to_json()}
        if self.version == records.VERSION:
            del data["version"]  # earlier versions of ETHOS read this plan
        for shard in data["shards"]:
            for member in shard["members"]:
                # Most attributes of most sources have their defaults.
                member["source"] = {
                    name: value
                    for name, value in member["source"].items()
                    if name in _STORED or value
                }
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """Reverses `to_json`.

        Raises:
          EthosError, KeyError, TypeError, ValueError: `data` is not a plan.
        """
        shards = tuple(
            Shard(
                **{
                    **shard,
                    "members": tuple(
                        Member(Source(**member["source"]), member["max_frames"])
                        for member in shard["members"]
                    ),
                }
            )
            for shard in data["shards"]
        )
        return cls(
            ConversionOptions.from_json(data["options"]),
            data["people"],
            shards,
            data["duplicates"],
            tuple(data["left_out"]),
            data.get("version", records.VERSION),
        )
