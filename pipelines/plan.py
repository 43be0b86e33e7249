"""Which video goes into which shard of which split: pure, and the same every time.

A plan follows from the listing of the corpus and the options alone, never from the
runner, the number of workers or the clock. A person is in one split only. A shard holds
videos of many people, and the shards of a split are about equally large.

A plan can grow out of an earlier one: then nobody changes split, shards whose files did
not change stay as they are, new files get shards of their own, and only the shards of
files that changed or vanished are made again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import heapq
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ethos_data import depth as depth_lib
from ethos_data import records
from ethos_data.corpora import video
from ethos_data.errors import EthosError
from pipelines import splits

DEFAULT_SPLITS: Final = (("train", 0.8), ("validation", 0.1), ("test", 0.1))
DEFAULT_MAX_SHARD_SIZE_MB: Final = 64
MIN_SHARDS: Final = 8
"""A split of more than a few hundred frames gets so many, for workers to share."""

MIN_FRAMES_PER_SHARD: Final = 64

_JPEG_BYTES_PER_PIXEL: Final = 0.5
"""Upper estimate at quality 95; 0.39 on average in YouTube Faces."""

_WINDOW_OF_FRAME: Final = 0.8
"""Side of a stored window over the longer side of the frame, upper estimate."""

_OTHER_BYTES_PER_FRAME: Final = 6_000
"""Depth map and landmarks of a record, upper estimate."""


_SMALLEST_SHARD_MB: Final = 0.001
"""MiB: a record takes more, so that any shard is over it."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What decides the content of the shards.

    Attributes:
      splits: name and share of the people of each split.
      seed: of the splits and of the order inside a shard.
      num_shards: shards of each split; None lets their size decide.
      max_shard_size_mb: shards are planned to stay below, MiB.
      max_examples_per_split: no split has more frames.
      frame_stride: every so manieth frame of a video is used.
      max_frames_per_video: of those at most so many, evenly spread.
      image_size: longest side of a stored picture, pixels; never enlarged to it.
      jpeg_quality: of the stored picture, 1 to 100.
      depth_method: see `ethos_data.depth`; for videos without depth of their own.
    """

    splits: tuple[tuple[str, float], ...] = DEFAULT_SPLITS
    seed: int = 0
    num_shards: int | None = None
    max_shard_size_mb: float = DEFAULT_MAX_SHARD_SIZE_MB
    max_examples_per_split: int | None = None
    frame_stride: int = 1
    max_frames_per_video: int | None = None
    image_size: int = 256
    jpeg_quality: int = records.JPEG_QUALITY
    depth_method: str = depth_lib.DEFAULT_METHOD

    def __post_init__(self):
        names = [name for name, _ in self.splits]
        shares = [share for _, share in self.splits]
        if not names or len(set(names)) < len(names):
            raise EthosError(f"--splits must name each split once. Received: {names}")
        if any(not name.isidentifier() for name in names):
            raise EthosError(f"--splits: names must be plain words. Received: {names}")
        if not all(0 < share < math.inf for share in shares):
            raise EthosError(f"--splits: shares must be positive. Received: {shares}")
        for name in (
            "num_shards",
            "max_shard_size_mb",
            "max_examples_per_split",
            "frame_stride",
            "max_frames_per_video",
        ):
            value = getattr(self, name)
            least = _SMALLEST_SHARD_MB if name == "max_shard_size_mb" else 1
            if value is not None and not least <= value < math.inf:
                raise EthosError(f"--{name} must be at least {least}, not {value}")
        if not 16 <= self.image_size <= 4096:
            raise EthosError(f"--image_size: 16 to 4096. Received: {self.image_size}")
        if not 1 <= self.jpeg_quality <= 100:
            raise EthosError(
                f"--jpeg_quality is 1 to 100. Received: {self.jpeg_quality}"
            )


@dataclasses.dataclass(frozen=True)
class Source:
    """A file of the corpus, as far as planning needs it.

    Attributes:
      path: relative to the corpus folder, with forward slashes.
      size: bytes.
      modified: seconds since 1970.
      frames: that the file promises; 0 if it cannot be asked.
      height: of a frame, pixels.
      width: of a frame, pixels.
    """

    path: str
    size: int
    modified: float
    frames: int = 0
    height: int = 0
    width: int = 0

    @property
    def video_id(self) -> str:
        return video.video_id_of(self.path)

    @property
    def person_id(self) -> str:
        return video.person_id_of(self.video_id)


@dataclasses.dataclass(frozen=True)
class Member:
    """A file and how many of its frames a shard takes.

    Attributes:
      source: the file.
      max_frames: at most so many, evenly spread; None takes all.
    """

    source: Source
    max_frames: int | None

    def frames(self, stride: int) -> int:
        return len(video.select_frames(self.source.frames, stride, self.max_frames))


@dataclasses.dataclass(frozen=True)
class Shard:
    """The unit of work, of restart and of statistics.

    Attributes:
      split: name.
      index: of the shard in its split, from 0.
      of: number of shards of the split.
      members: the files that it holds.
      key: names the content: equal keys, equal bytes.
    """

    split: str
    index: int
    of: int
    members: tuple[Member, ...]
    key: str

    @property
    def name(self) -> str:
        return f"{records.NAME}-{self.split}.tfrecord-{self.index:05d}-of-{self.of:05d}"


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a conversion is going to do.

    Attributes:
      options: see `Options`.
      people: split of every person ever seen in this data set.
      shards: ordered by split, then by index.
      duplicates: path of each file whose video id was taken, and the file that has it.
      left_out: paths that `max_examples_per_split` leaves no room for.
    """

    options: Options
    people: Mapping[str, str]
    shards: tuple[Shard, ...]
    duplicates: Mapping[str, str]
    left_out: tuple[str, ...]

    @property
    def frames(self) -> int:
        stride = self.options.frame_stride
        return sum(m.frames(stride) for s in self.shards for m in s.members)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        options = dict(data["options"])
        options["splits"] = tuple((name, share) for name, share in options["splits"])
        shards = tuple(
            Shard(
                **{
                    **shard,
                    "members": tuple(
                        Member(Source(**m["source"]), m["max_frames"])
                        for m in shard["members"]
                    ),
                }
            )
            for shard in data["shards"]
        )
        return cls(
            Options(**options),
            data["people"],
            shards,
            data["duplicates"],
            tuple(data["left_out"]),
        )


def make(
    sources: Iterable[Source], options: Options, previous: Plan | None = None
) -> Plan:
    """Plans a conversion.

    Args:
      sources: the files of the corpus, in any order.
      options: see `Options`.
      previous: the plan of an earlier run with these options, to grow from.
    """
    sources = sorted(sources, key=lambda s: s.path)
    before = previous.shards if previous else ()
    taken = {m.source.path for shard in before for m in shard.members}
    unique, duplicates = _without_duplicates(sources, taken)
    people = splits.assign(
        {s.person_id for s in unique},
        options.splits,
        options.seed,
        previous.people if previous else {},
    )
    by_split: dict[str, list[Source]] = {name: [] for name, _ in options.splits}
    for source in unique:
        by_split[people[source.person_id]].append(source)
    shards: list[Shard] = []
    left_out: list[str] = []
    for split, members in by_split.items():
        chosen, rest = _limited(members, options)
        left_out += rest
        groups = _grown(chosen, [s for s in before if s.split == split], options)
        shards += _shards(split, groups, options)
    return Plan(options, people, tuple(shards), duplicates, tuple(sorted(left_out)))


def _without_duplicates(
    sources: Sequence[Source], taken: Iterable[str]
) -> tuple[list[Source], dict[str, str]]:
    """One file of each video id: the one already in use, else the first by path."""
    taken = set(taken)
    owner: dict[str, Source] = {}
    for source in sorted(sources, key=lambda s: (s.path not in taken, s.path)):
        owner.setdefault(source.video_id, source)
    unique = [s for s in sources if owner[s.video_id] is s]
    return unique, {
        s.path: owner[s.video_id].path for s in sources if owner[s.video_id] is not s
    }


def _limited(
    sources: Sequence[Source], options: Options
) -> tuple[list[Member], list[str]]:
    """The files of a split with their frames, and those there is no room for."""
    room = options.max_examples_per_split
    if room is None:
        return [Member(s, options.max_frames_per_video) for s in sources], []
    members, left_out = [], []
    for source in sorted(
        sources, key=lambda s: splits.hashed(options.seed, "room", s.video_id)
    ):
        member = Member(source, options.max_frames_per_video)
        frames = member.frames(options.frame_stride)
        if frames and not room:
            left_out.append(source.path)
            continue
        if frames > room:
            member = Member(source, room)
            frames = room
        room -= frames
        members.append(member)
    return members, left_out


def estimated_bytes(member: Member, options: Options) -> int:
    """Upper estimate of a file's records."""
    frame = max(member.source.height, member.source.width)
    side = min(options.image_size, _WINDOW_OF_FRAME * frame)
    per_frame = _JPEG_BYTES_PER_PIXEL * side**2 + _OTHER_BYTES_PER_FRAME
    return int(member.frames(options.frame_stride) * per_frame)


def _packed(members: Sequence[Member], options: Options) -> list[list[Member]]:
    """Files in shards of even size."""
    if options.num_shards is not None:
        return _spread(members, options.num_shards, options)
    frames = sum(m.frames(options.frame_stride) for m in members)
    size = sum(estimated_bytes(m, options) for m in members)
    limit = int(options.max_shard_size_mb * 2**20)
    count = max(-(-size // limit), min(MIN_SHARDS, frames // MIN_FRAMES_PER_SHARD), 1)
    while True:
        shards = _spread(members, count, options)
        largest = max(
            (sum(estimated_bytes(m, options) for m in s) for s in shards), default=0
        )
        # A single file may still be larger than a shard should be.
        if largest <= limit or count >= len(members):
            return shards
        count += max(1, count // 20)


def _spread(
    members: Sequence[Member], count: int, options: Options
) -> list[list[Member]]:
    """Each file, the largest first, goes to the shard that is emptiest so far."""
    order = sorted(
        members,
        key=lambda m: (
            -estimated_bytes(m, options),
            splits.hashed(options.seed, "shard", m.source.video_id),
        ),
    )
    shards: list[list[Member]] = [[] for _ in range(min(count, len(members)))]
    heap = [(0, 0, index) for index in range(len(shards))]
    for member in order:
        filled, held, index = heapq.heappop(heap)
        shards[index].append(member)
        filled += estimated_bytes(member, options)
        heapq.heappush(heap, (filled, held + 1, index))
    return shards


def _grown(
    members: Sequence[Member], before: Sequence[Shard], options: Options
) -> list[list[Member]]:
    """Earlier shards with what is left of their files, and new ones for the rest."""
    left = {m.source.path: m for m in members}
    groups = []
    for shard in before:
        paths = [m.source.path for m in shard.members]
        groups.append([left.pop(path) for path in paths if path in left])
    # New shards take the places of vanished ones, so that while the number of shards
    # stays, nobody's file takes another's name.
    for group in _packed(list(left.values()), options):
        free = next((i for i, g in enumerate(groups) if not g), len(groups))
        groups[free : free + 1] = [group]
    return [group for group in groups if group]


def _shards(
    split: str, groups: Sequence[Sequence[Member]], options: Options
) -> list[Shard]:
    return [
        Shard(
            split,
            index,
            len(groups),
            tuple(sorted(group, key=lambda m: m.source.path)),
            _key(split, group, options),
        )
        for index, group in enumerate(groups)
    ]


def _key(split: str, members: Sequence[Member], options: Options) -> str:
    content = {
        "version": records.VERSION,
        "split": split,
        "seed": options.seed,
        "frame_stride": options.frame_stride,
        "image_size": options.image_size,
        "jpeg_quality": options.jpeg_quality,
        "depth_method": options.depth_method,
        "members": sorted(
            (m.source.path, m.source.size, m.source.modified, m.max_frames)
            for m in members
        ),
    }
    text = json.dumps(content, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
