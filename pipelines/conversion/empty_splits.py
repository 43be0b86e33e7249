"""Explains why splits of a data set have no frames, and which flags help.

All videos of a person are in one split, so a corpus of few people cannot fill all
splits. A split also becomes empty when the files of its only person are removed or
damaged, because people keep their split when a conversion is repeated.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Set
from typing import Final

from ethos_data.corpora.video import person_id_of, video_id_of
from pipelines.conversion import splits
from pipelines.conversion.options import (
    ConversionOptions,
    format_splits,
    parse_splits,
)
from pipelines.conversion.plan import Plan

_MOST_IMPORTANT: Final[tuple[str, ...]] = ("train", "validation", "test")
"""The splits to fill first if there are fewer people than splits."""

_SEEDS: Final = 1000
"""Number of seeds to try."""


@dataclasses.dataclass(frozen=True)
class EmptySplits:
    """Splits without frames.

    Attributes:
      reasons: The reason for each empty split.
      flags: Flags of `ethos-convert` with which no split is empty. Empty if no flags
        help.
      filled: Names of the splits that have frames with these flags.
    """

    reasons: Mapping[str, str]
    flags: Mapping[str, str | bool]
    filled: tuple[str, ...]


def find(plan: Plan, frames: Mapping[str, int], usable: Set[str]) -> EmptySplits | None:
    """Finds the empty splits of a data set.

    Args:
      plan: The plan of the conversion.
      frames: Number of frames in each split.
      usable: People with frames in the data set.

    Returns:
      The empty splits, or None if each split has frames.
    """
    empty = [name for name, count in frames.items() if not count]
    if not empty:
        return None
    present = {m.source.person_id for shard in plan.shards for m in shard.members}
    present |= {person_id_of(video_id_of(path)) for path in plan.left_out}
    reasons = {name: _reason(name, plan, present) for name in empty}
    flags, filled = _remedy(plan.options, present, usable)
    return EmptySplits(reasons, flags, filled)


def _reason(split: str, plan: Plan, present: Set[str]) -> str:
    people = {person for person, name in plan.people.items() if name == split}
    if people & present:
        return f"all files of its people were rejected ({_count(people & present)})"
    if people:
        return f"the files of its people were removed ({_count(people)})"
    if len(present) < len(plan.options.splits):
        return f"a person is in one split only, and the corpus has {_count(present)}"
    return "people keep the split that they had in an earlier conversion"


def _count(people: Set[str]) -> str:
    return f"{len(people)} {'person' if len(people) == 1 else 'people'}"


def _remedy(
    options: ConversionOptions, present: Set[str], usable: Set[str]
) -> tuple[dict[str, str | bool], tuple[str, ...]]:
    """Searches for flags of a new conversion in which no split is empty.

    Args:
      options: The options of the conversion.
      present: People with files in the corpus.
      usable: People with frames in the data set.

    Returns:
      The flags and the names of the splits. Both are empty if the search fails.
    """
    shares = dict(options.splits)
    names = [name for name in _MOST_IMPORTANT if name in shares]
    names += [name for name in shares if name not in names]
    for count in range(min(len(names), len(usable)), 0, -1):
        chosen = tuple(
            (name, share if count > 1 else 1.0)
            for name, share in options.splits
            if name in names[:count]
        )
        if chosen != options.splits:
            chosen = parse_splits(format_splits(chosen))
        for seed in range(options.seed, options.seed + _SEEDS):
            assigned = splits.assign(present, chosen, seed, {})
            if {assigned[person] for person in usable} != set(names[:count]):
                continue
            flags: dict[str, str | bool] = {}
            if chosen != options.splits:
                flags["splits"] = format_splits(chosen)
            if seed != options.seed:
                flags["seed"] = str(seed)
            return flags | {"overwrite": True}, tuple(name for name, _ in chosen)
    return {}, ()
