"""Writes a shard and its receipt.

A worker reads the videos of the shard, makes the records of their frames, shuffles
them and writes them to one file. It needs nothing from other shards. The receipt is
written last. A shard with a receipt is finished, so a conversion that was interrupted
continues with the shards that have none. Neither TensorFlow nor Beam is imported here:
`worker.py` makes a Beam transform from `write_shard`.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent import futures
from typing import Any, Final

import google_crc32c
import numpy as np
import threadpoolctl
from numpy.typing import ArrayLike

from ethos_data import records, topology
from ethos_data.corpora import formats
from ethos_data.corpora.source import full_path
from ethos_data.corpora.video import CorpusError, Video
from ethos_data.errors import EthosError, reason_of
from ethos_data.storage import files, tfrecord
from ethos_data.visibility import UNSTATED
from pipelines.conversion.frame_records import make_records, yaw
from pipelines.conversion.options import ConversionOptions
from pipelines.conversion.plan import Member, Shard

STATE: Final = ".ethos"
"""Name of the directory with the plan and the receipts, next to the shards."""

READ_AHEAD: Final = 32
"""Number of images that a worker reads at the same time from an object store."""

FACE_SIZE_EDGES: Final = (0, 40, 60, 80, 120, 160, 240)
"""Lower edges of the bins of the face size histogram, in source pixels. The last bin
has no upper edge."""

YAW_EDGES: Final = tuple(range(-90, 90, 15))
"""Lower edges of the bins of the yaw histogram, in degrees. Each bin is 15 wide."""


class ShardError(EthosError):
    """A shard cannot be written. The conversion stops."""


@dataclasses.dataclass(frozen=True)
class ShardTask:
    """Everything that a worker needs to write a shard.

    Attributes:
      shard: The shard.
      corpus_dir: Directory of the corpus.
      version_dir: Directory of the shards.
      options: The options of the conversion.
      version: Version of the data set; see `records`.
    """

    shard: Shard
    corpus_dir: str
    version_dir: str
    options: ConversionOptions
    version: str = records.VERSION


def receipt_path(version_dir: str, shard: Shard) -> str:
    """Path of the receipt of a shard."""
    return files.join(version_dir, STATE, f"{shard.key}.json")


def write_shard(task: ShardTask) -> dict[str, Any]:
    """Writes a shard and its receipt.

    Returns:
      The receipt: number of records, size and checksum of the shard, the result of each
      of its files, and histograms of face sizes and yaws.

    Raises:
      ShardError: The shard cannot be written.
    """
    shard = task.shard
    receipt = _Receipt(shard)
    examples = []
    # With several threads, BLAS adds in a different order, and the last bits of derived
    # depth would depend on the number of cores. One thread is also faster on arrays of
    # this size.
    with threadpoolctl.threadpool_limits(1):
        for member, parts in _read_members(task):
            examples += receipt.add_source(member, parts, task.options)
    # The order of the records does not depend on the order of the files.
    examples.sort(key=lambda example: example[0])
    try:
        # Readers expect the shards 0 to N - 1, so a shard without records is written.
        path = files.join(task.version_dir, shard.name)
        files.write(path, receipt.count(example for _, example in examples))
        data = receipt.to_json()
        text = json.dumps(data, sort_keys=True).encode()
        files.write(receipt_path(task.version_dir, shard), iter([text]))
    except OSError as error:
        path = files.join(task.version_dir, shard.name)
        raise ShardError(f"{path}: cannot be written ({reason_of(error)})") from error
    return data


class _Receipt:
    """Collects the receipt of a shard while the shard is made."""

    def __init__(self, shard: Shard):
        self._shard = shard
        self._videos: list[dict[str, Any]] = []
        self._face_sizes: list[float] = []
        self._yaws: list[float] = []
        self._records = 0
        self._bytes = 0
        self._crc = 0

    def add_source(
        self, member: Member, parts: Iterable[Video], options: ConversionOptions
    ) -> list[tuple[bytes, bytes]]:
        """Encodes the frames of a source and notes the result.

        Args:
          member: The source in the plan.
          parts: The parts of its video. Reading them may raise a `CorpusError`: then
            the source is rejected.
          options: The options of the conversion.

        Returns:
          For each usable frame its sort key in the shuffled shard and its record, with
          the length and the checksums of the TFRecord format.
        """
        source = member.source
        entry: dict[str, Any] = {
            "path": source.path,
            "bytes": source.size,
            "video_id": source.video_id,
            "person_id": source.person_id,
            "frames": 0,
            "written": 0,
            "rejected_frames": {},
        }
        self._videos.append(entry)
        examples = []
        accepted: list[records.Record] = []
        reasons: collections.Counter[str] = collections.Counter()
        frames = 0
        try:
            for video in parts:
                frames += len(video.frame_numbers)
                entry["fingerprint"] = video.fingerprint
                for record in make_records(video, options):
                    if isinstance(record, str):
                        reasons[record] += 1
                        continue
                    encoded = records.encode(record, jpeg_quality=options.jpeg_quality)
                    name = f"{options.seed}\0{video.video_id}\0{record.frame}".encode()
                    sort_key = hashlib.blake2b(name, digest_size=8).digest()
                    examples.append((sort_key, tfrecord.frame(encoded)))
                    accepted.append(_without_pixels(record))
        except CorpusError as error:
            entry.pop("fingerprint", None)
            entry["rejected"] = error.reason
            entry["retry"] = isinstance(error.__cause__, (OSError, MemoryError))
            return []
        self._face_sizes += [record.face_size for record in accepted]
        if accepted:
            landmarks = np.stack([record.landmarks for record in accepted])
            self._yaws += yaw(landmarks).tolist()
        entry["frames"] = frames
        entry["written"] = len(examples)
        entry["rejected_frames"] = dict(sorted(reasons.items()))
        if not examples:
            text = ", ".join(f"{n} {reason}" for reason, n in sorted(reasons.items()))
            entry["rejected"] = f"has no usable frame ({text})"
        return examples

    def count(self, examples: Iterable[bytes]) -> Iterator[bytes]:
        """Yields `examples` and adds up their number, size and checksum."""
        for example in examples:
            self._records += 1
            self._bytes += len(example)
            self._crc = google_crc32c.extend(self._crc, example)
            yield example

    def to_json(self) -> dict[str, Any]:
        return {
            "key": self._shard.key,
            "split": self._shard.split,
            "records": self._records,
            "bytes": self._bytes,
            "crc32c": f"{self._crc:08x}",
            "videos": self._videos,
            "face_sizes": _histogram(self._face_sizes, (*FACE_SIZE_EDGES, np.inf)),
            "yaws": _histogram(np.clip(self._yaws, -90, 89), (*YAW_EDGES, 90)),
        }


def _histogram(values: ArrayLike, edges: Sequence[float]) -> list[int]:
    return np.histogram(values, edges)[0].tolist()


def _without_pixels(record: records.Record) -> records.Record:
    """The part of a record that the receipt needs, so that the images are freed."""
    nothing = np.empty(0, np.uint8)
    return dataclasses.replace(record, image=nothing, depth=nothing)


def _read_members(task: ShardTask) -> Iterator[tuple[Member, Iterable[Video]]]:
    """Yields the members of a shard with the parts of their videos, in order.

    An object store answers slowly, so many small images are requested at the same time.
    """
    members = task.shard.members
    remote = not files.is_local(task.corpus_dir)
    if not (remote and _format(task.options).images):
        for member in members:
            yield member, _read_parts(task, member)
        return

    def read_ahead(member: Member) -> Iterable[Video]:
        try:
            return list(_read_parts(task, member))
        except CorpusError as error:
            return _failing(error)

    with futures.ThreadPoolExecutor(READ_AHEAD) as pool:
        # Not all at once, because decoded images of a shard may not fit into memory.
        for start in range(0, len(members), READ_AHEAD):
            batch = members[start : start + READ_AHEAD]
            yield from zip(batch, pool.map(read_ahead, batch), strict=True)


def _failing(error: CorpusError) -> Iterator[Video]:
    """An iterator that raises an error when it is read."""
    raise error
    yield  # makes this function a generator


def _format(options: ConversionOptions) -> formats.Format:
    name = options.corpus_format
    return formats.FORMATS[formats.NPZ if name == formats.AUTO else name]


def _read_parts(task: ShardTask, member: Member) -> Iterator[Video]:
    """Reads the frames of a source that the plan asks for.

    Raises:
      CorpusError: The source is not a usable video.
    """
    source, options = member.source, task.options
    path = full_path(task.corpus_dir, source.path)
    partial = task.version == records.PARTIAL_VERSION
    try:
        if source.problem:
            raise CorpusError(path, source.problem)
        source.video_id.encode()
        source.person_id.encode()
        read = _format(options).read
        stride, max_frames = options.frame_stride, member.max_frames
        for video in read(task.corpus_dir, source, stride, max_frames):
            if options.person_pattern is not None:
                video = dataclasses.replace(video, person_id=source.person_id)
            yield _with_visible(video) if partial else _without_visible(video)
    except UnicodeEncodeError as error:
        raise CorpusError(path, "has a name that is not UTF-8") from error
    except OSError as error:
        reason = f"cannot be read ({reason_of(error)})"
        raise CorpusError(path, reason) from error


def _with_visible(video: Video) -> Video:
    """Returns the video with `visible` and `has_z`, which each record must contain."""
    if video.visible is not None:
        return video
    count = len(video.landmarks)
    visible = np.full((count, topology.NUM_LANDMARKS), UNSTATED, np.uint8)
    return dataclasses.replace(video, visible=visible, has_z=np.ones(count, bool))


def _without_visible(video: Video) -> Video:
    """Returns the video.

    Raises:
      CorpusError: The labels are not complete, but those of the first file are.
    """
    if video.visible is not None:
        raise CorpusError(
            video.path,
            "states which landmarks are labels, but the first file of the corpus does "
            "not; convert it as a part of another corpus",
        )
    return video
