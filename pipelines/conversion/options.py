"""The options that determine what a conversion writes."""

from __future__ import annotations

import argparse
import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any, Final

from ethos_data import depth, records
from ethos_data.corpora import formats
from ethos_data.errors import EthosError
from ethos_data.options import check, option

DEFAULT_SPLITS: Final = (("train", 0.8), ("validation", 0.1), ("test", 0.1))
DEFAULT_MAX_SHARD_SIZE_MB: Final = 64

_SMALLEST_SHARD_MB: Final = 0.001
"""Smallest value of `max_shard_size_mb`, in MiB. A record is larger, so each video gets
a shard of its own."""

CORPUS: Final = "corpus"
CONTENT: Final = "content"
LIMITS: Final = "limits"


def parse_splits(text: str) -> tuple[tuple[str, float], ...]:
    """Parses the value of `--splits`, for example "train:0.8,test:0.2".

    Raises:
      argparse.ArgumentTypeError: The text does not have this form.
    """
    try:
        pairs = (part.split(":") for part in text.split(","))
        return tuple((name.strip(), float(share)) for name, share in pairs)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must have the form train:0.8,test:0.2. Received: {text!r}"
        ) from None


def parse_person_pattern(text: str) -> str:
    """Checks the value of `--person_pattern`.

    Raises:
      argparse.ArgumentTypeError: The text is not a regular expression with one group.
    """
    try:
        groups = re.compile(text).groups
    except re.error as error:
        raise argparse.ArgumentTypeError(
            f"must be a regular expression ({error}). Received: {text!r}"
        ) from None
    if groups != 1:
        raise argparse.ArgumentTypeError(
            f"must contain one group in parentheses. Received: {text!r}"
        )
    return text


def format_splits(splits: tuple[tuple[str, float], ...]) -> str:
    """Text that `parse_splits` parses."""
    return ",".join(f"{name}:{share:g}" for name, share in splits)


@dataclasses.dataclass(frozen=True)
class ConversionOptions:
    """What a conversion writes. Each field is a flag; its help text documents it.

    Equal options and equal files give shards with equal bytes.

    Example:
      options = ConversionOptions(image_size=128, frame_stride=5)

    Raises:
      EthosError: A value is outside its limits.
    """

    splits: tuple[tuple[str, float], ...] = option(
        DEFAULT_SPLITS,
        "Names of the splits, each with its share of the people",
        group=CONTENT,
        parse=parse_splits,
        metavar="NAME:SHARE,...",
        default_text=format_splits(DEFAULT_SPLITS),
    )
    seed: int = option(
        0,
        "Random seed for the assignment of people to splits and for the order of the "
        "records in a shard",
        group=CONTENT,
    )
    num_shards: int | None = option(
        None,
        "Number of shards in each split (default: depends on the size of the split)",
        group=CONTENT,
        minimum=1,
    )
    max_shard_size_mb: float = option(
        DEFAULT_MAX_SHARD_SIZE_MB,
        "Upper limit of the planned size of a shard, in MiB",
        group=CONTENT,
        minimum=_SMALLEST_SHARD_MB,
    )
    max_examples_per_split: int | None = option(
        None,
        "Maximum number of frames in each split (default: no limit)",
        group=LIMITS,
        minimum=1,
    )
    frame_stride: int = option(
        1, "Keep one frame in N of each video", group=LIMITS, minimum=1
    )
    max_frames_per_video: int | None = option(
        None,
        "Maximum number of frames kept per video, evenly spaced (default: no limit)",
        group=LIMITS,
        minimum=1,
    )
    image_size: int = option(
        256,
        "Maximum side of a stored image, in pixels; smaller images are not enlarged",
        group=CONTENT,
        minimum=16,
        maximum=4096,
    )
    jpeg_quality: int = option(
        records.JPEG_QUALITY,
        "JPEG quality of the stored images, from 1 to 100",
        group=CONTENT,
        minimum=1,
        maximum=100,
    )
    depth_method: str = option(
        depth.DEFAULT_METHOD,
        "Method that derives depth from the landmarks of videos without depth",
        group=CONTENT,
        choices=sorted(depth.METHODS),
    )

    corpus_format: str = option(
        formats.AUTO,
        "Format of the corpus; auto detects it",
        group=CORPUS,
        choices=[formats.AUTO, *formats.FORMATS],
    )
    person_pattern: str | None = option(
        None,
        "Regular expression with one group that is searched in the path of each file; "
        "the group is the person (default: the people that the format states)",
        group=CORPUS,
        parse=parse_person_pattern,
        metavar="REGEX",
    )

    def to_json(self) -> dict[str, Any]:
        """The options as an object that JSON can represent.

        The two options that an npz corpus does not need are left out. The files of a
        conversion are then the same as those of versions that read only npz.
        """
        data = dataclasses.asdict(self)
        if self.person_pattern is None:
            del data["person_pattern"]
        if self.corpus_format == formats.NPZ:
            del data["corpus_format"]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ConversionOptions:
        """Reverses `to_json`.

        Raises:
          EthosError, KeyError, TypeError, ValueError: `data` are not options.
        """
        values = {"corpus_format": formats.NPZ, **data}
        values["splits"] = tuple((name, share) for name, share in data["splits"])
        return cls(**values)

    def __post_init__(self) -> None:
        check(self)
        names = [name for name, _ in self.splits]
        shares = [share for _, share in self.splits]
        if not names or len(set(names)) < len(names):
            raise EthosError(f"--splits must name each split once. Received: {names}")
        if not all(name.isidentifier() for name in names):
            raise EthosError(
                "--splits: a name must consist of letters, digits and underscores. "
                f"Received: {names}"
            )
        if not all(0 < share < math.inf for share in shares):
            raise EthosError(f"--splits: shares must be positive. Received: {shares}")
