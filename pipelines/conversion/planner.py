"""Assigns the files of a corpus to the shards of the splits.

A plan depends only on the list of files and on the options, not on the runner, the
number of workers or the time. All videos of a person are in one split. The shards of a
split are about equally large, and each contains videos of many people.

A plan can extend an earlier plan of the same data set. Then each person keeps their
split, shards whose files did not change stay as they are, new files form new shards,
and shards whose files were changed or removed are planned again.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import json
from collections.abc import Iterable, Sequence
from typing import Final

from ethos_data import depth, records
from ethos_data.corpora import formats
from ethos_data.errors import EthosError
from pipelines.conversion import splits
from pipelines.conversion.options import ConversionOptions
from pipelines.conversion.plan import Member, Plan, Shard, Source

MIN_SHARDS: Final = 8
"""Number of shards of a split with more than a few hundred frames, at least. Several
workers can then write the split."""

MIN_FRAMES_PER_SHARD: Final = 64

_JPEG_BYTES_PER_PIXEL: Final = 0.5
"""Upper estimate at quality 95. The mean over YouTube Faces is 0.39."""

_WINDOW_OF_FRAME: Final = 0.8
"""Upper estimate of the side of a stored window, relative to the longer side of the
frame."""

_OTHER_BYTES_PER_FRAME: Final = 6_000
"""Upper estimate of the bytes of a record without its image: depth and landmarks."""


def make_plan(
    sources: Iterable[Source],
    options: ConversionOptions,
    previous: Plan | None = None,
    version: str = records.VERSION,
) -> Plan:
    """Plans a conversion.

    Args:
      sources: The files of the corpus, in any order.
      options: The options of the conversion.
      previous: Plan of an earlier run with the same options, which is extended.
      version: Version of the data set; see `records`.

    Raises:
      EthosError: Two sources have the same name.
    """
    sources = sorted(sources, key=lambda source: source.path)
    for source, other in itertools.pairwise(sources):
        if source.path == other.path:
            raise EthosError(f"{source.path}: two sources of the corpus have this name")
    previous_shards = previous.shards if previous else ()
    in_use = {m.source.path for shard in previous_shards for m in shard.members}
    unique, duplicates = _without_duplicates(sources, in_use)
    people = splits.assign(
        {source.person_id for source in unique},
        options.splits,
        options.seed,
        previous.people if previous else {},
    )
    by_split: dict[str, list[Source]] = {name: [] for name, _ in options.splits}
    for source in unique:
        by_split[people[source.person_id]].append(source)
    shards: list[Shard] = []
    left_out: list[str] = []
    for split, split_sources in by_split.items():
        members, not_needed = _limit_frames(split_sources, options)
        left_out += not_needed
        before = [shard for shard in previous_shards if shard.split == split]
        groups = _extend(before, members, options)
        shards += _make_shards(split, groups, options, version)
    return Plan(
        options, people, tuple(shards), duplicates, tuple(sorted(left_out)), version
    )


def estimated_bytes(member: Member, options: ConversionOptions) -> int:
    """Upper estimate of the bytes of a file's records."""
    source = member.source
    side: float = options.image_size
    # The header of an image is not read, so the largest stored image is assumed.
    if options.corpus_format in (formats.AUTO, formats.NPZ) or source.height:
        frame = max(source.height, source.width)
        side = min(side, _WINDOW_OF_FRAME * frame)
    per_frame = _JPEG_BYTES_PER_PIXEL * side**2 + _OTHER_BYTES_PER_FRAME
    return int(member.frames(options.frame_stride) * per_frame)


def _without_duplicates(
    sources: Sequence[Source], in_use: Iterable[str]
) -> tuple[list[Source], dict[str, str]]:
    """Selects one file for each video id.

    Args:
      sources: The files of the corpus.
      in_use: Paths of the files in the previous plan. They have precedence. The first
        path in alphabetical order has precedence otherwise.

    Returns:
      The selected files, and for the path of each other file the path of the selected
      file with the same video id.
    """
    in_use = set(in_use)
    selected: dict[str, Source] = {}
    for source in sorted(sources, key=lambda s: (s.path not in in_use, s.path)):
        selected.setdefault(source.video_id, source)
    unique = [s for s in sources if selected[s.video_id] is s]
    duplicates = {
        s.path: selected[s.video_id].path
        for s in sources
        if selected[s.video_id] is not s
    }
    return unique, duplicates


def _limit_frames(
    sources: Sequence[Source], options: ConversionOptions
) -> tuple[list[Member], list[str]]:
    """Applies the limits on the number of frames to the files of a split.

    Returns:
      The files that are converted, and the paths of those that are not needed.
    """
    frames_left = options.max_examples_per_split
    if frames_left is None:
        return [Member(s, options.max_frames_per_video) for s in sources], []
    members, not_needed = [], []
    for source in sorted(
        sources, key=lambda s: splits.hashed(options.seed, "room", s.video_id)
    ):
        member = Member(source, options.max_frames_per_video)
        frames = member.frames(options.frame_stride)
        if frames and not frames_left:
            not_needed.append(source.path)
            continue
        if frames > frames_left:
            member = Member(source, frames_left)
            frames = frames_left
        frames_left -= frames
        members.append(member)
    return members, not_needed


def _pack(members: Sequence[Member], options: ConversionOptions) -> list[list[Member]]:
    """Distributes files over as many shards as the options ask for.

    The files are taken in order of decreasing size.
    """
    sizes = [estimated_bytes(m, options) for m in members]
    hashes = [splits.hashed(options.seed, "shard", m.source.video_id) for m in members]
    order = sorted(range(len(members)), key=lambda i: (-sizes[i], hashes[i]))
    sizes = [sizes[i] for i in order]
    if options.num_shards is not None:
        shards, _ = _distribute(sizes, min(options.num_shards, len(members)))
    else:
        frames = sum(m.frames(options.frame_stride) for m in members)
        limit = int(options.max_shard_size_mb * 2**20)
        few = min(MIN_SHARDS, frames // MIN_FRAMES_PER_SHARD)
        count = max(-(-sum(sizes) // limit), few, 1)
        while True:
            shards, largest = _distribute(sizes, min(count, len(members)))
            # A single file can exceed the limit. More shards do not help then.
            if largest <= limit or count >= len(members):
                break
            count += max(1, count // 20)
    groups: list[list[Member]] = [[] for _ in range(max(shards, default=-1) + 1)]
    for i, shard in zip(order, shards, strict=True):
        groups[shard].append(members[i])
    return groups


def _distribute(sizes: Iterable[int], count: int) -> tuple[list[int], int]:
    """Distributes files over `count` shards of even size.

    Each file goes to the shard that is the smallest so far.

    Args:
      sizes: Estimated bytes of the files, in decreasing order.
      count: Number of shards, at most the number of files.

    Returns:
      The shard of each file, and the size of the largest shard in bytes.
    """
    shards = []
    heap = [(0, 0, index) for index in range(count)]
    for size in sizes:
        before, length, index = heap[0]
        heapq.heapreplace(heap, (before + size, length + 1, index))
        shards.append(index)
    return shards, max((size for size, _, _ in heap), default=0)


def _extend(
    previous: Sequence[Shard], members: Sequence[Member], options: ConversionOptions
) -> list[list[Member]]:
    """Adds new shards to the shards of an earlier plan.

    Args:
      previous: Shards of the split in the earlier plan.
      members: Files of the split now.
      options: The options of the conversion.

    Returns:
      The files of each shard. Shards that lost all files are dropped.
    """
    remaining = {m.source.path: m for m in members}
    groups = []
    for shard in previous:
        paths = [m.source.path for m in shard.members]
        groups.append([remaining.pop(path) for path in paths if path in remaining])
    # A new shard takes the place of a dropped one. So no other shard changes its name
    # as long as the number of shards stays the same.
    free = iter([index for index, group in enumerate(groups) if not group])
    for group in _pack(list(remaining.values()), options):
        index = next(free, len(groups))
        groups[index : index + 1] = [group]
    return [group for group in groups if group]


def _make_shards(
    split: str,
    groups: Sequence[Sequence[Member]],
    options: ConversionOptions,
    version: str,
) -> list[Shard]:
    return [
        Shard(
            split,
            index,
            len(groups),
            tuple(sorted(group, key=lambda m: m.source.path)),
            _key(split, group, options, version),
        )
        for index, group in enumerate(groups)
    ]


def _key(
    split: str, members: Sequence[Member], options: ConversionOptions, version: str
) -> str:
    """Hash of everything that determines the bytes of a shard."""
    content = {
        "version": version,
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
    if options.depth_method in depth.METHOD_VERSIONS:
        # A shard with the maps of an earlier version must not be kept.
        content["depth_version"] = depth.METHOD_VERSIONS[options.depth_method]
    if version != records.VERSION or options.person_pattern is not None:
        content["labels"] = sorted(
            (m.source.path, m.source.labels, m.source.person_id, m.source.problem)
            for m in members
        )
    text = json.dumps(content, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
